#!/usr/bin/env python3
"""Takes webhooks of a gateway and believes those that are signed with the endpoint's secret.

Needs Python 3.8 or newer and nothing else. Settings are in the environment:
WEBHOOK_SECRET (whsec_…) and LISTEN, by default a free port of loopback.
"""
import base64
import hashlib
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = base64.b64decode(os.environ["WEBHOOK_SECRET"].split("whsec_")[-1])
# How old, or from the future, a webhook may be, in seconds. An older one may be a recording
# that somebody plays again.
TOLERANCE = 300
MAX_BODY = 64 << 10


def verify(headers, body):
    """Says why a webhook is not to be believed; None = it is. See standardwebhooks.com."""
    stamp = headers.get("webhook-timestamp", "")
    if not (stamp.isdecimal() and len(stamp) < 13):
        return "no timestamp"
    if abs(time.time() - int(stamp)) > TOLERANCE:
        return "too old, or from the future"
    signed = ("%s.%s." % (headers.get("webhook-id", ""), stamp)).encode() + body
    want = "v1," + base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    # While a secret is rotated there is a signature for each.
    for signature in headers.get("webhook-signature", "").split():
        if hmac.compare_digest(signature.encode(), want.encode()):
            return None
    return "the signature is not the gateway's"


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), MAX_BODY))
        wrong = verify(self.headers, body)
        if wrong:
            print("refused", wrong, flush=True)
            self.answer(401)
            return
        # The same webhook may come twice: remember self.headers["webhook-id"] with what it led to.
        event = json.loads(body)
        print("webhook", event["type"], event["data"].get("message_id", ""), flush=True)
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    host, _, port = os.environ.get("LISTEN", "127.0.0.1:0").rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Receiver)
    print("listening http://%s:%d" % server.server_address[:2], flush=True)
    server.serve_forever()
