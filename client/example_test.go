package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"testing"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
	"hongyan/server/servertest"
)

// The gateway that the examples speak to, with a sandbox for WeChat behind it.
var gatewayURL, key string

// ctx is what a program's own context is in the examples.
var ctx = context.Background()

const (
	follower  = "oUser00000000000000000000001" // takes every message
	blocker   = "oBLOCK0000000000000000000001" // refuses messages
	orderPaid = sandbox.SeedTemplateOrder      // character_string1, thing2, amount3, time4
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "hongyan-client-")
	if err != nil {
		log.Fatal(err)
	}
	world, err := servertest.Start(dir)
	if err != nil {
		log.Fatal(err)
	}
	gatewayURL, key = world.URL, world.Key
	code := m.Run()
	if err := errors.Join(world.Stop(), os.RemoveAll(dir)); err != nil {
		log.Fatal(err)
	}
	os.Exit(code)
}

// paid are the values of an order that was paid.
func paid(order string) client.Values {
	return client.Values{"character_string1": order, "thing2": "巧克力", "amount3": "￥39.80", "time4": "2026-11-20 10:15"}
}

func Example() {
	c := client.New(gatewayURL, key)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()

	sent, err := c.Send(ctx, client.NewMessage("shop", follower, orderPaid, paid("A1001")))
	if err != nil {
		log.Fatal(err)
	}
	m, err := c.Wait(ctx, sent.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.State, m.Arrived())
	// Output: delivered true
}

// A key named after what the message is about makes a second call answer the first
// message, even after a restart of the caller.
func ExampleClient_Send() {
	c := client.New(gatewayURL, key)
	order := client.NewMessage("shop", follower, orderPaid, paid("A1002"))
	order.IdempotencyKey = "order-1002-paid"
	order.URL = "https://shop.example.com/orders/1002"

	first, err := c.Send(ctx, order)
	if err != nil {
		log.Fatal(err)
	}
	second, err := c.Send(ctx, order)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.Replayed, second.Replayed, first.ID == second.ID)
	// Output: false true true
}

// A refusal names the fields at fault.
func ExampleClient_Send_refused() {
	c := client.New(gatewayURL, key)
	values := paid("A1003")
	values["thing2"] = "一块比模板允许的二十个字还要长得多的巧克力蛋糕"
	_, err := c.Send(ctx, client.NewMessage("shop", follower, orderPaid, values))

	if p, ok := errors.AsType[*client.Problem](err); ok {
		for _, f := range p.Errors {
			fmt.Println(p.Code, f.Pointer, p.Retryable)
		}
	}
	// Output: invalid_data /data/thing2 false
}

// Codes are compared with errors.Is.
func ExampleCode() {
	c := client.New(gatewayURL, key)
	_, err := c.Message(ctx, "msg_of_nobody")
	switch {
	case errors.Is(err, client.CodeUnknownMessage):
		fmt.Println("no such message")
	case err != nil:
		log.Fatal(err)
	}
	// Output: no such message
}

// What became of a message is for programs in State and Reason.
func ExampleClient_Wait() {
	c := client.New(gatewayURL, key)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()

	sent, err := c.Send(ctx, client.NewMessage("shop", blocker, orderPaid, paid("A1004")))
	if err != nil {
		log.Fatal(err)
	}
	m, err := c.Wait(ctx, sent.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.State, m.Reason, m.Arrived())
	// Output: undelivered user_block false
}

// A message for later waits as queued, and can be withdrawn until then.
func ExampleClient_Cancel() {
	c := client.New(gatewayURL, key)
	reminder := client.NewMessage("shop", follower, orderPaid, paid("A1005"))
	reminder.SendAt = time.Now().Add(time.Hour)

	sent, err := c.Send(ctx, reminder)
	if err != nil {
		log.Fatal(err)
	}
	m, err := c.Cancel(ctx, sent.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sent.State, m.State)
	// Output: queued cancelled
}

// Every page of a list, one call at a time.
func ExampleClient_AllMessages() {
	c := client.New(gatewayURL, key)
	for i := range 3 {
		later := client.NewMessage("shop", "oUser00000000000000000000009", orderPaid, paid(fmt.Sprint("B", i)))
		later.SendAt = time.Now().Add(time.Hour)
		if _, err := c.Send(ctx, later); err != nil {
			log.Fatal(err)
		}
	}

	filter := client.MessageFilter{ToUser: "oUser00000000000000000000009", States: []string{client.StateQueued}, Limit: 2}
	n := 0
	for m, err := range c.AllMessages(ctx, filter) {
		if err != nil {
			log.Fatal(err)
		}
		if m.TemplateID == orderPaid {
			n++
		}
	}
	fmt.Println(n)
	// Output: 3
}

// A command that a person waits for had better fail at once.
func ExampleRetryPolicy() {
	c := client.New("http://127.0.0.1:1", key) // nobody is there
	c.Retries = client.RetryPolicy{Tries: 1}
	_, err := c.Accounts(ctx)
	fmt.Println(err != nil, client.Retryable(err))
	// Output: true true
}

// What can be sent, and what it needs.
func ExampleClient_Templates() {
	c := client.New(gatewayURL, key)
	list, err := c.Templates(ctx, "shop")
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range list.Items {
		if t.TemplateID == orderPaid {
			fmt.Println(t.Title, t.Keys)
		}
	}
	// Output: 订单支付通知 [character_string1 thing2 amount3 time4]
}
