'use strict';

// The callback server co-wechat, in a bare node server with as much of a koa context
// as it touches: every message it lets through is printed as {"message": …} and
// answered with INTEROP_REPLY ("" = nothing).
const cowechat = require('co-wechat');
const { print, setting } = require('./lib/steps');
const { listen, query } = require('./lib/listen');

const middleware = cowechat({
  token: setting('TOKEN'), appid: setting('APPID'), encodingAESKey: setting('AES_KEY'),
}).middleware(async (message) => {
  print({ message });
  return setting('REPLY');
});

listen(async (req, res) => {
  const length = req.headers['content-length'];
  const ctx = { req, method: req.method, query: query(req), status: 200, request: { length: length && Number(length) } };
  try {
    await middleware(ctx, async () => {});
    res.writeHead(ctx.status);
    res.end(ctx.body);
  } catch (err) {
    res.writeHead(500);
    res.end(String(err));
  }
});
