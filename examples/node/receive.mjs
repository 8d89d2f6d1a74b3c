// Takes webhooks of a gateway and believes those that are signed with the endpoint's
// secret. Needs Node 18 or newer and no package. Settings are in the environment:
// WEBHOOK_SECRET (whsec_…) and LISTEN, by default a free port of loopback.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const secret = Buffer.from(process.env.WEBHOOK_SECRET.replace(/^whsec_/, ''), 'base64');
// How old, or from the future, a webhook may be, in seconds. An older one may be a
// recording that somebody plays again.
const tolerance = 300;
const maxBody = 64 << 10;

/** Says why a webhook is not to be believed; '' = it is. See standardwebhooks.com. */
function verify(headers, body) {
  const stamp = Number(headers['webhook-timestamp'] ?? NaN);
  if (Number.isNaN(stamp)) return 'no timestamp';
  if (Math.abs(Date.now() / 1000 - stamp) > tolerance) return 'too old, or from the future';
  const signed = Buffer.concat([Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`), body]);
  const want = Buffer.from('v1,' + createHmac('sha256', secret).update(signed).digest('base64'));
  // While a secret is rotated there is a signature for each.
  const believed = (headers['webhook-signature'] ?? '').split(' ').map((s) => Buffer.from(s))
    .some((s) => s.length === want.length && timingSafeEqual(s, want));
  return believed ? '' : "the signature is not the gateway's";
}

const server = createServer(async (request, answer) => {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > maxBody) return request.destroy();
    parts.push(part);
  }
  const body = Buffer.concat(parts);
  const wrong = verify(request.headers, body);
  if (wrong) {
    console.log('refused', wrong);
    answer.writeHead(401).end();
    return;
  }
  // The same webhook may come twice: remember request.headers['webhook-id'] with what it led to.
  const event = JSON.parse(body);
  console.log('webhook', event.type, event.data.message_id ?? '');
  answer.writeHead(204).end();
});

const [host, port] = (process.env.LISTEN ?? '127.0.0.1:0').split(/:(?=\d+$)/);
server.listen(Number(port), host, () => {
  console.log(`listening http://${host}:${server.address().port}`);
});
