'use strict';

// The callback server wechat, in a bare node server: every message it lets through
// is printed as {"message": …} and answered with INTEROP_REPLY ("" = nothing).
const wechat = require('wechat');
const { print, setting } = require('./lib/steps');
const { listen, query } = require('./lib/listen');

const middleware = wechat(
  { token: setting('TOKEN'), appid: setting('APPID'), encodingAESKey: setting('AES_KEY') },
  (req, res) => {
    print({ message: req.weixin });
    res.reply(setting('REPLY'));
  },
);

listen((req, res) => {
  req.query = query(req);
  middleware(req, res, (err) => {
    res.writeHead(500);
    res.end(String(err));
  });
});
