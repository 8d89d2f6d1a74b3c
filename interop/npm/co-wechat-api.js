'use strict';

// The client co-wechat-api as a script of steps.
const API = require('co-wechat-api');
const { steps, setting } = require('./lib/steps');

const api = new API(setting('APPID'), setting('SECRET'));
api.prefix = setting('BASE_URL') + '/cgi-bin/';
api.wxaPrefix = setting('BASE_URL') + '/wxa/';

// sent keeps what a caller can learn of a send; an errcode other than 0 is raised.
const sent = (answer) => ({ errcode: answer.errcode, msgid: String(answer.msgid ?? '') });

steps({
  refresh: async () => {
    const token = await api.getAccessToken();
    return { usable: token.isValid() };
  },
  list: async () => (await api.getAllPrivateTemplate()).template_list.map((t) => t.template_id),
  send: async (m) => sent(await api.sendTemplate(m.openid, m.template, m.url, m.color, m.data, m.miniprogram)),
  send_mini: async (m) =>
    sent(await api.sendMiniProgramTemplate(m.openid, m.template, m.page, m.form_id, m.data, m.color, m.emphasis)),
  send_subscribe: async (m) => sent(await api.sendSubscribeMessage(m.openid, m.template, m.page, m.data)),
});
