'use strict';

// The client co-wechat-api as a script of steps.
const API = require('co-wechat-api');
const { steps, setting } = require('./lib/steps');

const api = new API(setting('APPID'), setting('SECRET'));
api.prefix = setting('BASE_URL') + '/cgi-bin/';
api.wxaPrefix = setting('BASE_URL') + '/wxa/';

// sent keeps what a caller can learn of a send; an errcode other than 0 is raised.
const sent = (answer) => ({ errcode: answer.errcode, msgid: String(answer.msgid ?? '') });
const second = (answer) => [answer.primary_industry.second_class, answer.secondary_industry.second_class];

steps({
  refresh: async () => {
    const token = await api.getAccessToken();
    return { usable: token.isValid() };
  },
  list: async () => (await api.getAllPrivateTemplate()).template_list.map((t) => t.template_id),
  industries: async () => second(await api.getIndustry()),
  send: async (m) => sent(await api.sendTemplate(m.openid, m.template, m.url, m.color, m.data, m.miniprogram)),
  send_mini: async (m) =>
    sent(await api.sendMiniProgramTemplate(m.openid, m.template, m.page, m.form_id, m.data, m.color, m.emphasis)),
  send_subscribe: async (m) => sent(await api.sendSubscribeMessage(m.openid, m.template, m.page, m.data)),
  send_one_time: async (m) =>
    sent(await api.sendSubscribe(m.openid, m.template, m.url, m.miniprogram, m.scene, m.title, m.data)),
});
