#!/bin/sh
# Verifies the signature of one webhook: the body on standard input, the headers and the
# endpoint's secret in the environment as WEBHOOK_ID, WEBHOOK_TIMESTAMP,
# WEBHOOK_SIGNATURE and WEBHOOK_SECRET. Needs openssl and sh. Exit code 0 if it is from
# the gateway and new. For scripts; a server should use one of the other languages.
set -eu

now=$(date +%s)
age=$((now - WEBHOOK_TIMESTAMP))
if [ "$age" -gt 300 ] || [ "$age" -lt -300 ]; then
	echo "too old, or from the future" >&2
	exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{ printf '%s.%s.' "$WEBHOOK_ID" "$WEBHOOK_TIMESTAMP" && cat; } >"$work/signed"
key=$(printf %s "${WEBHOOK_SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
want=v1,$(openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary "$work/signed" | openssl base64 -A)

# While a secret is rotated there is a signature for each.
for signature in $WEBHOOK_SIGNATURE; do
	if [ "$signature" = "$want" ]; then
		echo verified
		exit 0
	fi
done
echo "the signature is not the gateway's" >&2
exit 1
