package deliver

import (
	"context"
	"time"

	"hongyan"
	"hongyan/store"
)

// robotsTake is how many news one message to a chat tells.
const robotsTake = 10

// robotRate is what the robots of 企业微信 and 钉钉 allow: 20 messages a minute
// (https://developer.work.weixin.qq.com/document/path/91770,
// https://open.dingtalk.com/document/robots/custom-robot-access); that of 飞书 allows more.
const robotRate = 20.0 / 60

// runLane claims and delivers until nothing is due, the endpoint is to rest, or
// stopping ends; and until every attempt has been recorded. ctx ends when calls
// under way must.
func (h *Herald) runLane(ctx, stopping context.Context, l *lane[store.NewsResult]) {
	flying, any := 0, false
	for {
		n, err := h.takeOff(ctx, stopping, l, flying)
		if err != nil && stopping.Err() == nil {
			h.log.ErrorContext(ctx, "deliveries to a webhook cannot be claimed", "webhook", l.target, "err", err)
			h.rest(l.target, pollEvery)
		}
		flying, any = flying+n, any || n > 0
		if flying == 0 {
			break
		}
		landed := l.land(flying)
		h.record(ctx, l, landed)
		flying -= len(landed)
	}
	if !any {
		h.rest(l.target, outrun)
	}
}

// takeOff claims what there is room for and starts it, and returns how many.
func (h *Herald) takeOff(ctx, stopping context.Context, l *lane[store.NewsResult], flying int) (int, error) {
	if stopping.Err() != nil {
		return 0, nil
	}
	w, err := h.hook(stopping, l.target)
	if err != nil || w.Paused || w.Disabled != "" {
		return 0, nil
	}
	room, _ := h.room(w, flying)
	if room == 0 {
		return 0, nil
	}
	if w.Kind.Robot() {
		if allowed, err := h.robotMay(stopping, w); err != nil || !allowed {
			return 0, err
		}
	}
	claimed, err := h.store.ClaimNews(stopping, store.NewsClaim{WebhookID: w.ID, Max: room, Lease: lease})
	if w.Kind.Robot() && len(claimed) > 0 {
		go h.attemptTogether(ctx, stopping, w, claimed, l.flights)
		return len(claimed), err
	}
	for i := range claimed {
		go func() { l.flights <- h.attempt(ctx, stopping, w, &claimed[i]) }()
	}
	return len(claimed), err
}

// robotMay takes a message from what the robot allows all nodes together, or has the
// endpoint rest until there is one.
func (h *Herald) robotMay(ctx context.Context, w *hongyan.Webhook) (bool, error) {
	got, next, err := h.store.TakeRate(ctx, "webhook:"+w.ID, robotRate, 1, 1)
	if err != nil || got == 1 {
		return got == 1, err
	}
	h.rest(w.ID, next.Sub(h.store.Now()))
	return false, nil
}

// record writes what came of attempts, whether or not a stop is under way. What
// cannot be written is delivered again.
func (h *Herald) record(ctx context.Context, l *lane[store.NewsResult], landed []store.NewsResult) {
	if len(landed) == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		err := h.store.FinishNews(ctx, landed)
		if err == nil {
			return
		}
		h.log.ErrorContext(ctx, "what came of deliveries cannot be recorded", "webhook", l.target, "deliveries", len(landed), "err", err)
		if try == finishTries {
			return
		}
		time.Sleep(finishPause)
	}
}

// healthOf returns an endpoint's; the caller holds h.mu.
func (h *Herald) healthOf(id string) *health {
	x := h.health[id]
	if x == nil {
		x = &health{}
		h.health[id] = x
	}
	return x
}

// room returns how many deliveries to an endpoint may begin while flying are under way,
// as Sender.room. A robot is told several at once, and nothing else meanwhile.
func (h *Herald) room(w *hongyan.Webhook, flying int) (n int, later time.Time) {
	now := h.store.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.healthOf(w.ID)
	switch {
	case now.Before(x.notBefore):
		return 0, x.notBefore
	case w.Kind.Robot():
		if flying > 0 {
			return 0, time.Time{}
		}
		return robotsTake, time.Time{}
	case x.trouble():
		return max(1-flying, 0), time.Time{}
	}
	return max(hookWidth-flying, 0), time.Time{}
}

// rest keeps an endpoint from being claimed for d.
func (h *Herald) rest(id string, d time.Duration) {
	until := h.store.Now().Add(d)
	h.mu.Lock()
	defer h.mu.Unlock()
	if x := h.healthOf(id); x.notBefore.Before(until) {
		x.notBefore = until
	}
}

// endRest lets an endpoint be tried at once: a person says that it is there again.
func (h *Herald) endRest(id string) {
	h.mu.Lock()
	h.healthOf(id).notBefore = time.Time{}
	h.mu.Unlock()
}

// note remembers how an attempt went and reports whether the endpoint is in trouble now.
// One success ends the trouble.
func (h *Herald) note(w *hongyan.Webhook, failure error) bool {
	now := h.store.Now()
	h.mu.Lock()
	x := h.healthOf(w.ID)
	before := x.trouble()
	if failure == nil {
		*x = health{}
	} else {
		x.fail(now)
	}
	after := x.trouble()
	h.mu.Unlock()
	switch {
	case before && !after:
		h.log.Info("a webhook takes events again", "webhook", w.ID, "name", w.Name)
		h.Wake()
	case after && !before:
		h.log.Warn("a webhook does not take events; they are kept, and it is tried now and then", "webhook", w.ID, "name", w.Name, "err", failure)
	}
	return after
}
