#!/usr/bin/env python3
"""Sends one template message, waits for what becomes of it, and shows how a refusal looks.

Needs Python 3.8 or newer and nothing else. Settings are in the environment: HONGYAN_URL,
HONGYAN_KEY, and APPID, TEMPLATE, OPENID, ORDER, which are the sandbox's if not set.
"""
import json
import os
import random
import time
import urllib.error
import urllib.request

GATEWAY = os.environ.get("HONGYAN_URL", "http://127.0.0.1:7800").rstrip("/")
KEY = os.environ["HONGYAN_KEY"]
ORDER = os.environ.get("ORDER", "A1001")
TRIES = 5


class Refused(Exception):
    """What the gateway refused: status, code for programs, and the fields at fault."""

    def __init__(self, status, problem):
        super().__init__(problem.get("detail", "HTTP %d" % status))
        self.status = status
        self.code = problem.get("code", "http_%d" % status)
        self.fields = [f["pointer"] for f in problem.get("errors", [])]
        self.retryable = problem.get("retryable", status >= 500)


def once(method, path, body, headers):
    request = urllib.request.Request(GATEWAY + path, body, method=method, headers={
        "Authorization": "Bearer " + KEY, "Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as answer:
        try:
            problem = json.load(answer)
        except ValueError:
            problem = {}
        raise Refused(answer.code, problem) from None


def call(method, path, body=None, headers=None):
    """One call, tried again after what passes. Only for calls that are safe to repeat: those
    that read, and those with an Idempotency-Key."""
    for n in range(TRIES):
        try:
            return once(method, path, body, headers or {})
        except Refused as refused:
            if not refused.retryable or n == TRIES - 1:
                raise
        except OSError:  # no answer
            if n == TRIES - 1:
                raise
        time.sleep(random.uniform(0.5, 1) * 0.25 * 2 ** n)


def send(message, key):
    # Encoded once: a repeated body must be the same, byte for byte.
    return call("POST", "/v1/messages", json.dumps(message, ensure_ascii=False).encode(), {"Idempotency-Key": key})


def wait(message, seconds):
    """The message once it has ended."""
    until = time.monotonic() + seconds
    while not message["final"]:
        if time.monotonic() > until:
            raise TimeoutError("%s has not ended yet: it is %s" % (message["id"], message["state"]))
        time.sleep(0.2)
        message = call("GET", "/v1/messages/" + message["id"])
    return message


def paid(thing):
    return {
        "appid": os.environ.get("APPID", "wxa1a1a1a1a1a1a1a1"),
        "touser": os.environ.get("OPENID", "oUser00000000000000000000001"),
        "template_id": os.environ.get("TEMPLATE", "SandboxTyped-OrderPaid-00000000000000000002"),
        "url": "https://shop.example.com/orders/" + ORDER,
        "data": {"character_string1": ORDER, "thing2": thing, "amount3": "￥39.80", "time4": "2026-11-20 10:15"},
    }


def main():
    # The key is named after what the message is about, so that a second run, or a second
    # try after an answer was lost, sends nothing twice.
    for word in ("sent", "again"):
        message = send(paid("巧克力"), "order-%s-paid" % ORDER)
        print(word, message["id"])

    # Its fate comes later. A program that has something better to do takes webhooks.
    message = wait(message, 60)
    print("ended", message["id"], message["state"])

    # A refusal says which field is at fault. Nothing was stored.
    try:
        send(paid("一块比模板允许的二十个字还要长得多的巧克力蛋糕"), "order-%s-long" % ORDER)
    except Refused as refused:
        print("refused", refused.status, refused.code, *refused.fields)


if __name__ == "__main__":
    main()
