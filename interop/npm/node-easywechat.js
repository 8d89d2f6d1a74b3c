'use strict';

// The client node-easywechat as a script of steps, for an official account or, with
// INTEROP_KIND mini, a mini program; INTEROP_STABLE true takes stable_token.
const { OfficialAccount, MiniApp } = require('node-easywechat');
const { steps, setting } = require('./lib/steps');

const Application = setting('KIND') === 'mini' ? MiniApp : OfficialAccount;
const app = new Application({
  app_id: setting('APPID'),
  secret: setting('SECRET'),
  use_stable_access_token: setting('STABLE') === 'true',
  http: { baseURL: setting('BASE_URL') + '/' },
  file_cache: { path: setting('FOLDER') }, // else tokens are kept in the working folder
});
const client = app.getClient();

// post answers what a caller can learn: this client raises nothing on an errcode.
async function post(path, body) {
  const answer = (await client.postJson(path, body)).toObject();
  return { errcode: answer.errcode, msgid: String(answer.msgid ?? '') };
}

steps({
  refresh: async () => ({ usable: (await app.getAccessToken().refresh()) !== '' }),
  force_refresh: async () => ({ usable: (await app.getAccessToken().getStableAccessToken(true)) !== '' }),
  list: async () => {
    const answer = await client.get('/cgi-bin/template/get_all_private_template');
    return answer.toObject().template_list.map((t) => t.template_id);
  },
  industries: async () => {
    const answer = (await client.get('/cgi-bin/template/get_industry')).toObject();
    return [answer.primary_industry.second_class, answer.secondary_industry.second_class];
  },
  send: (m) =>
    post('/cgi-bin/message/template/send', {
      touser: m.openid, template_id: m.template, url: m.url, color: m.color, miniprogram: m.miniprogram, data: m.data,
    }),
  send_mini: (m) =>
    post('/cgi-bin/message/wxopen/template/send', {
      touser: m.openid, template_id: m.template, page: m.page, form_id: m.form_id, data: m.data, emphasis_keyword: m.emphasis,
    }),
  send_subscribe: (m) =>
    post('/cgi-bin/message/subscribe/send', { touser: m.openid, template_id: m.template, page: m.page, data: m.data }),
  send_one_time: (m) =>
    post('/cgi-bin/message/template/subscribe', {
      touser: m.openid, template_id: m.template, url: m.url, scene: m.scene, title: m.title, data: m.data,
    }),
});
