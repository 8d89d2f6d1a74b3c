'use strict';

// listen(handler) is the life of a callback server's script: it serves on a free
// loopback port, prints {"listening": its URL}, and ends with its standard input.
const http = require('node:http');
const { print } = require('./steps');

function listen(handler) {
  const server = http.createServer(handler);
  server.listen(0, '127.0.0.1', () => {
    print({ listening: 'http://127.0.0.1:' + server.address().port });
  });
  process.stdin.on('end', () => process.exit(0)).resume();
}

// query is the request's parameters, as express and koa offer them.
function query(req) {
  return Object.fromEntries(new URL(req.url, 'http://127.0.0.1').searchParams);
}

module.exports = { listen, query };
