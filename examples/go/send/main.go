// Command send sends one template message, waits for what becomes of it, and shows how a
// refusal looks. Settings are in the environment: HONGYAN_URL, HONGYAN_KEY, and APPID,
// TEMPLATE, OPENID, ORDER, which are the sandbox's if not set.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"hongyan/client"
)

func main() {
	log.SetFlags(0)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	gateway := client.New(os.Getenv("HONGYAN_URL"), os.Getenv("HONGYAN_KEY"))
	order := cmp.Or(os.Getenv("ORDER"), "A1001")

	// The key is named after what the message is about, so that a second run, or a second
	// try after an answer was lost, sends nothing twice.
	m := message(order, "巧克力")
	m.IdempotencyKey = "order-" + order + "-paid"
	var sent client.Sent
	for _, word := range []string{"sent", "again"} {
		var err error
		if sent, err = gateway.Send(ctx, m); err != nil {
			log.Fatal(err)
		}
		fmt.Println(word, sent.ID)
	}

	// Its fate comes later. A program that has something better to do takes webhooks.
	ended, err := gateway.Wait(ctx, sent.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ended", ended.ID, ended.State)

	// A refusal says which field is at fault. Nothing was stored.
	_, err = gateway.Send(ctx, message(order, "一块比模板允许的二十个字还要长得多的巧克力蛋糕"))
	p, refused := errors.AsType[*client.Problem](err)
	if !refused {
		log.Fatalf("it was not refused: %v", err)
	}
	for _, f := range p.Errors {
		fmt.Println("refused", p.Status, p.Code, f.Pointer)
	}
}

// message tells the user that an order was paid.
func message(order, thing string) client.MessageRequest {
	m := client.NewMessage(
		cmp.Or(os.Getenv("APPID"), "wxa1a1a1a1a1a1a1a1"),
		cmp.Or(os.Getenv("OPENID"), "oUser00000000000000000000001"),
		cmp.Or(os.Getenv("TEMPLATE"), "SandboxTyped-OrderPaid-00000000000000000002"),
		client.Values{"character_string1": order, "thing2": thing, "amount3": "￥39.80", "time4": "2026-11-20 10:15"},
	)
	m.URL = "https://shop.example.com/orders/" + order
	return m
}
