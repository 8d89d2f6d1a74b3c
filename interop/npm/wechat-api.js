'use strict';

// The client wechat-api as a script of steps.
const { promisify } = require('node:util');
const API = require('wechat-api');
const { steps, setting } = require('./lib/steps');

const api = new API(setting('APPID'), setting('SECRET'));
api.endpoint = setting('BASE_URL'); // setEndpoint() would make it https

// call turns one of the client's methods, which take a callback, into a promise.
const call = (method, ...args) => promisify(api[method].bind(api))(...args);

steps({
  refresh: async () => {
    const token = await call('getAccessToken');
    return { usable: token.isValid() };
  },
  list: async () => (await call('getAllPrivateTemplate')).template_list.map((t) => t.template_id),
  industries: async () => {
    const answer = await call('getIndustry');
    return [answer.primary_industry.second_class, answer.secondary_industry.second_class];
  },
  send: async (m) => {
    const answer = await call('sendTemplate', m.openid, m.template, { url: m.url, miniprogram: m.miniprogram }, m.data);
    return { errcode: answer.errcode, msgid: String(answer.msgid) };
  },
});
