// Sends one template message, waits for what becomes of it, and shows how a refusal looks.
// Needs Node 18 or newer and no package. Settings are in the environment: HONGYAN_URL,
// HONGYAN_KEY, and APPID, TEMPLATE, OPENID, ORDER, which are the sandbox's if not set.
import { setTimeout as sleep } from 'node:timers/promises';

const { env } = process;
const gateway = (env.HONGYAN_URL ?? 'http://127.0.0.1:7800').replace(/\/+$/, '');
const order = env.ORDER ?? 'A1001';
const tries = 5;

/** What the gateway refused: status, code for programs, and the fields at fault. */
class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `HTTP ${status}`);
    this.status = status;
    this.code = problem.code ?? `http_${status}`;
    this.fields = (problem.errors ?? []).map((f) => f.pointer);
    this.retryable = problem.retryable ?? status >= 500;
  }
}

async function once(method, path, body, headers) {
  const answer = await fetch(gateway + path, {
    method, body, redirect: 'error', signal: AbortSignal.timeout(60_000),
    headers: { Authorization: `Bearer ${env.HONGYAN_KEY}`, 'Content-Type': 'application/json', ...headers },
  });
  if (answer.ok) return answer.json();
  throw new Refused(answer.status, await answer.json().catch(() => ({})));
}

/**
 * One call, tried again after what passes. Only for calls that are safe to repeat: those
 * that read, and those with an Idempotency-Key.
 */
async function call(method, path, body, headers = {}) {
  for (let n = 1; ; n++) {
    try {
      return await once(method, path, body, headers);
    } catch (err) {
      if (n === tries || (err instanceof Refused && !err.retryable)) throw err;
    }
    await sleep((0.5 + Math.random() / 2) * 250 * 2 ** (n - 1));
  }
}

// The body is encoded once: a repeated one must be the same, byte for byte.
const send = (message, key) => call('POST', '/v1/messages', JSON.stringify(message), { 'Idempotency-Key': key });

/** The message once it has ended. */
async function wait(message, seconds) {
  const until = Date.now() + seconds * 1000;
  while (!message.final) {
    if (Date.now() > until) throw new Error(`${message.id} has not ended yet: it is ${message.state}`);
    await sleep(200);
    message = await call('GET', `/v1/messages/${message.id}`);
  }
  return message;
}

const paid = (thing) => ({
  appid: env.APPID ?? 'wxa1a1a1a1a1a1a1a1',
  touser: env.OPENID ?? 'oUser00000000000000000000001',
  template_id: env.TEMPLATE ?? 'SandboxTyped-OrderPaid-00000000000000000002',
  url: `https://shop.example.com/orders/${order}`,
  data: { character_string1: order, thing2: thing, amount3: '￥39.80', time4: '2026-11-20 10:15' },
});

// The key is named after what the message is about, so that a second run, or a second try
// after an answer was lost, sends nothing twice.
let message;
for (const word of ['sent', 'again']) {
  message = await send(paid('巧克力'), `order-${order}-paid`);
  console.log(word, message.id);
}

// Its fate comes later. A program that has something better to do takes webhooks.
message = await wait(message, 60);
console.log('ended', message.id, message.state);

// A refusal says which field is at fault. Nothing was stored.
try {
  await send(paid('一块比模板允许的二十个字还要长得多的巧克力蛋糕'), `order-${order}-long`);
} catch (err) {
  if (!(err instanceof Refused)) throw err;
  console.log('refused', err.status, err.code, ...err.fields);
}
