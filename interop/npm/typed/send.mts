// Sends one message through the gateway, with the types that openapi-typescript makes
// of its OpenAPI document as api.ts. It prints a line of JSON for each step.
import type { operations, components } from './api.js';

type Message = components['schemas']['Message'];
type Problem = components['schemas']['Problem'];
type Request = operations['sendMessage']['requestBody']['content']['application/json'];
type Sent = operations['sendMessage']['responses'][202]['content']['application/json'];

const { INTEROP_BASE_URL: gateway, INTEROP_KEY: key, INTEROP_APPID, INTEROP_OPENID, INTEROP_TEMPLATE } = process.env as Record<string, string>;

class Refused extends Error {
  constructor(readonly problem: Problem) { super(problem.detail); }
}

async function call<T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> {
  const answer = await fetch(gateway + path, {
    method, headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }, body: body && JSON.stringify(body),
  } as RequestInit);
  if (!answer.ok) throw new Refused((await answer.json()) as Problem);
  return (await answer.json()) as T;
}

const request: Request = {
  appid: INTEROP_APPID, touser: INTEROP_OPENID, template_id: INTEROP_TEMPLATE, priority: 'urgent', metadata: { order: 1001 },
  data: { character_string1: 'A1001', thing2: { value: '巧克力', color: '#173177' }, amount3: '￥39.80', time4: '2026-11-20 10:15' },
};

let message: Message = await call<Sent>('POST', '/v1/messages', request);
while (!message.final) {
  await new Promise((soon) => setTimeout(soon, 100));
  message = await call<Message>('GET', `/v1/messages/${message.id}`);
}
const arrived: boolean = message.state === 'delivered';
const status: 'success' | 'user_block' | 'system_failed' | 'freq_limit' | 'other' | undefined = message.receipt?.status;
console.log(JSON.stringify({ id: message.id, arrived, status, msgid: message.msgid, reason: message.reason }));

try {
  await call<Sent>('POST', '/v1/messages', { ...request, data: { thing2: '巧克力' } } satisfies Request);
} catch (err) {
  if (!(err instanceof Refused)) throw err;
  const pointers: string[] = err.problem.errors.map((field) => field.pointer);
  console.log(JSON.stringify({ code: err.problem.code, pointers }));
}
