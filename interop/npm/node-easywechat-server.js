'use strict';

// The callback server of node-easywechat, in a bare node server: every message it
// lets through is printed as {"message": …} and answered with INTEROP_REPLY ("" = success).
// Each request has an application of its own: one that is kept tries to decrypt its
// second message with the first one's signature.
const { OfficialAccount, ServerRequest } = require('node-easywechat');
const { print, setting } = require('./lib/steps');
const { listen } = require('./lib/listen');

async function answer(req) {
  const app = new OfficialAccount({
    app_id: setting('APPID'), token: setting('TOKEN'), aes_key: setting('AES_KEY'), file_cache: { path: setting('FOLDER') },
  });
  app.setRequest(await ServerRequest.createFromIncomingMessage(req));
  const server = app.getServer();
  server.with((message) => {
    print({ message: message.toJson ? JSON.parse(message.toJson()) : message });
    return setting('REPLY') || null;
  });
  return server.serve();
}

listen(async (req, res) => {
  try {
    const response = await answer(req);
    res.writeHead(response.getStatusCode());
    res.end(response.getBody());
  } catch (err) {
    res.writeHead(500);
    res.end(String(err));
  }
});
