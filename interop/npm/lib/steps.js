'use strict';

// steps(acts) is the life of a client's script: it reads one JSON request a line
// from standard input, {"do": the act's name, …}, calls acts[do](request), and
// prints one line for it: {"result": …} or, when the client raised an error,
// {"error": {"code", "message"}}. One request is done before the next is read. The
// script ends with its standard input. What arrived is not judged here: the tests
// in Go ask the platform.
const readline = require('node:readline');

function print(line) {
  process.stdout.write(JSON.stringify(line) + '\n');
}

async function answer(acts, line) {
  const request = JSON.parse(line);
  const act = acts[request.do];
  if (!act) {
    return { error: { code: null, message: 'this script has no act named ' + request.do } };
  }
  try {
    return { result: await act(request) };
  } catch (err) {
    return { error: { code: err.code ?? null, message: String(err.message) } };
  }
}

async function steps(acts) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    print(await answer(acts, line));
  }
}

// setting is one of the script's settings, which come in its environment.
function setting(name) {
  const value = process.env['INTEROP_' + name];
  if (value === undefined) {
    throw new Error('INTEROP_' + name + ' is not set');
  }
  return value;
}

module.exports = { steps, print, setting };
