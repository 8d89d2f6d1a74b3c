#!/bin/sh
# Sends one template message, waits for what becomes of it, and shows how a refusal
# looks. Needs curl and sh. Settings, in the environment: HONGYAN_URL, HONGYAN_KEY, and
# APPID, TEMPLATE, OPENID, ORDER, which are the sandbox's if not set.
set -eu

url=${HONGYAN_URL:-http://127.0.0.1:7800}
appid=${APPID:-wxa1a1a1a1a1a1a1a1}
template=${TEMPLATE:-SandboxTyped-OrderPaid-00000000000000000002}
openid=${OPENID:-oUser00000000000000000000001}
order=${ORDER:-A1001}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# curl reads the key from a file: command lines are seen by every user of a machine.
printf 'header = "Authorization: Bearer %s"\n' "$HONGYAN_KEY" >"$work/key"

# call METHOD PATH [CURL-OPTION…] puts the answer into $work/answer and its status into $status.
# It is tried again where that is safe: the key below makes a second send answer the first.
call() {
	method=$1 path=$2
	shift 2
	status=$(curl -sS --config "$work/key" --max-time 60 --retry 4 --retry-connrefused \
		-X "$method" -o "$work/answer" -w '%{http_code}' "$@" "$url$path")
}

# first NAME is the first text of that name in the answer.
first() {
	tr '{,' '\n\n' <"$work/answer" | sed -n "s/^\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1
}

# message THING is the body of a message about the order.
message() {
	cat <<-JSON
		{"appid":"$appid","touser":"$openid","template_id":"$template","url":"https://shop.example.com/orders/$order",
		 "data":{"character_string1":"$order","thing2":"$1","amount3":"￥39.80","time4":"2026-11-20 10:15"}}
	JSON
}

# The key is named after what the message is about, so that a second run, or a second
# try after an answer was lost, sends nothing twice.
message 巧克力 >"$work/message"
for word in sent again; do
	call POST /v1/messages -H 'Content-Type: application/json' -H "Idempotency-Key: order-$order-paid" --data-binary "@$work/message"
	if [ "$status" -ge 300 ]; then
		echo "refused $status: $(cat "$work/answer")" >&2
		exit 1
	fi
	id=$(first id)
	echo "$word $id"
done

# Its fate comes later. A program that has something better to do takes webhooks.
tries=0
until grep -q '"final":true' "$work/answer"; do
	tries=$((tries + 1))
	if [ $tries -gt 120 ]; then
		echo "$id has not ended yet: it is $(first state)" >&2
		exit 1
	fi
	sleep 0.5
	call GET "/v1/messages/$id"
done
echo "ended $id $(first state)"

# A refusal says which field is at fault. Nothing was stored.
message '一块比模板允许的二十个字还要长得多的巧克力蛋糕' >"$work/message"
call POST /v1/messages -H 'Content-Type: application/json' --data-binary "@$work/message"
echo "refused $status $(first code) $(first pointer)"
