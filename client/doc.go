/*
Package client speaks to a Hongyan gateway over its HTTP API (/v1). It needs the
standard library alone, so that any program may import it; the gateway itself
answers with the same types.

A Client is made once and shared:

	c := client.New("http://127.0.0.1:7800", os.Getenv("HONGYAN_KEY"))

To send a message is one line. It returns when the gateway has stored the
message, which is its promise to send it:

	sent, err := c.Send(ctx, client.NewMessage("shop", openID, "order_paid", client.Values{"thing2": "巧克力"}))

The message's fate comes later. Wait returns when it has ended; a service that
has something better to do stores sent.ID and asks for it with Message, or
receives events.

	m, err := c.Wait(ctx, sent.ID)
	if err == nil && !m.Arrived() {
		log.Printf("%s is %s: %s", m.ID, m.State, m.Reason)
	}

# Sending twice, and not

Send gives every message an idempotency key, so that a call whose answer was lost
can be repeated: the gateway answers with the message it has already. The key that
Send makes by itself lasts for the call. A caller who may crash between two tries
should name the key after what the message is about, such as
"order-1001-paid", in MessageRequest.IdempotencyKey: it is then the same after a
restart, for 24 hours.

# Trying again

A Client repeats calls that failed for a reason that passes: no answer, or one that
says retryable. It repeats only what is safe to repeat, which is reading, putting,
deleting, and whatever carries an idempotency key; any other call is made once.
It waits between tries, longer each time and never for the same time as
others, and as long as the gateway asks. See RetryPolicy to change that. The context
ends waiting and calls alike.

# Refusals

What the gateway refuses is a *Problem. Its code says why, for programs:

	if errors.Is(err, client.CodeUnknownTemplate) {
		…
	}

and its Errors name the fields at fault by JSON pointer, for people who mend
them. Errors never hold the API key or the password of a URL.

# Lists

Methods that read a list return one page of it. Those that begin with All walk
through every page, one call at a time:

	for m, err := range c.AllMessages(ctx, client.MessageFilter{States: []string{client.StateHeld}}) {
		…
	}

An operation that this package lacks is in the gateway's OpenAPI document, at
/openapi.json.
*/
package client
