'use strict';

// A receiver of webhooks, written with the library that the Standard Webhooks project
// gives out: every request it verifies is printed as {"verified": its body, "id": its
// webhook-id} and answered 204, every other as {"refused": why} and answered 400.
const { Webhook } = require('standardwebhooks');
const { print, setting } = require('./lib/steps');
const { listen } = require('./lib/listen');

const webhook = new Webhook(setting('SECRET'));

listen((req, res) => {
  const parts = [];
  req.on('data', (part) => parts.push(part));
  req.on('end', () => {
    try {
      const verified = webhook.verify(Buffer.concat(parts).toString('utf8'), req.headers);
      print({ verified, id: req.headers['webhook-id'] });
      res.writeHead(204);
    } catch (err) {
      print({ refused: String(err.message) });
      res.writeHead(400);
    }
    res.end();
  });
});
