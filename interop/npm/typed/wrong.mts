// What the types must refuse, each on a line that says so. A line that compiles is an error:
// then the document says too little.
import type { operations, components } from './api.js';

type Message = components['schemas']['Message'];
type Request = components['schemas']['MessageRequest'];
declare const message: Message;
declare const request: Request;

// @ts-expect-error a state that is none
export const state: Message['state'] = 'arrived';
// @ts-expect-error a kind that is none
export const kind: Request['kind'] = 'text';
// @ts-expect-error a reason that is none
export const reason: Message['reason'] = 'because';
// @ts-expect-error there may be no receipt
export const status = message.receipt.status;
// @ts-expect-error there may be no msgid
export const msgid: string = message.msgid;
// @ts-expect-error msgid is no number
export const number: number | null = message.msgid;
// @ts-expect-error a field of another name
export const openid = request.openid;
// @ts-expect-error a value is text, so that it is shown as it is written
export const data: Request['data'] = { amount3: 39.8 };
// @ts-expect-error a message needs a template
export const bare: Request = { appid: 'shop', touser: 'o', data: {} };
// @ts-expect-error nothing answers a read with 202
export type Answer = operations['getMessage']['responses'][202];
