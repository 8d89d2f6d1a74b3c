package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"hongyan/client"
)

// slotPause is how long to wait for a send slot: about what a call to WeChat takes.
const slotPause = 100 * time.Millisecond

// releaseAll lets every message go that is held for a reason of its own, the newest
// first. What has moved on meanwhile is passed over.
func (c *messageRelease) releaseAll(ctx context.Context, w *surroundings, gateway *client.Client) error {
	var released, passed int
	for m, err := range gateway.AllMessages(ctx, client.MessageFilter{AppID: c.AppID, States: []string{"held"}, Limit: maxList}) {
		if err != nil {
			return apiError(gateway, err)
		}
		if m.Reason != c.Reason {
			continue
		}
		switch err := releasePatiently(ctx, gateway, m.ID); problemStatus(err) {
		case 0:
			released++
		case http.StatusConflict, http.StatusNotFound:
			passed++
		default:
			return apiError(gateway, err)
		}
	}
	if c.JSON {
		return w.json(map[string]int{"released": released, "passed_over": passed})
	}
	out := w.out()
	out.line("%d messages released, %d passed over", released, passed)
	if passed > 0 {
		out.line("those have moved on meanwhile, or their account is paused, stopped or at its limit")
	}
	out.next("hongyan message list --state held")
	return nil
}

// releasePatiently waits while every send slot is taken.
func releasePatiently(ctx context.Context, gateway *client.Client, id string) error {
	for {
		_, err := gateway.Release(ctx, id)
		if p, ok := errors.AsType[*client.Problem](err); !ok || p.Code != "no_slot" {
			return err
		}
		select {
		case <-time.After(slotPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// problemStatus is the HTTP status of a refusal, 0 for no error and -1 for another one.
func problemStatus(err error) int {
	if err == nil {
		return 0
	}
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p.Status
	}
	return -1
}
