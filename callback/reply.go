package callback

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"hongyan"
	"hongyan/wechat"
)

const (
	// sealWithin is kept of the time to answer for sealing and writing a reply.
	sealWithin = 100 * time.Millisecond
	// askingAtOnce bounds the calls to one account's synchronous downstream, so that a
	// hanging one does not use up the server. Beyond it pushes are delivered later. One
	// that takes a second gets 500 pushes/s; one that hangs is known as such soon.
	askingAtOnce = 512
	// recordWithin bounds the recording of a synchronous answer, after WeChat has it.
	recordWithin = 5 * time.Second
)

var errTooManyAsking = errors.New("too many pushes wait for the downstream's answer already")

// syncFor returns the downstream that is asked while WeChat waits, nil when there is
// none for the event.
func (c *Callback) syncFor(rec *receiver, e *hongyan.Event) *hongyan.Downstream {
	if c.reply == nil || e.Type == unreadable {
		return nil
	}
	for i := range rec.account.Downstreams {
		if d := &rec.account.Downstreams[i]; d.Sync && !d.Paused && d.Wants(e.Type) {
			return d
		}
	}
	return nil
}

// answerPush answers a push that is stored: with the reply of the synchronous
// downstream, or with success, at once when that cannot reply in time. A push that
// came before asks it again, as WeChat itself would have.
func (c *Callback) answerPush(w http.ResponseWriter, r *http.Request, rec *receiver, push wechat.Push, e *hongyan.Event) {
	d := c.syncFor(rec, e)
	if d == nil {
		answer(w, "success")
		return
	}
	reply, err := c.ask(r.Context(), rec, d, e)
	if err != nil {
		c.tell(r.Context(), slog.LevelInfo, d.Target(rec.appID), "no answer of the synchronous downstream in time; the push is delivered later",
			"target", d.Target(rec.appID), "event", e.ID, "err", err)
		answer(w, "success")
		return
	}
	c.answerReply(w, r, rec, push, reply)
	c.recordAnswer(r.Context(), rec, d, e, reply)
}

// ask calls the downstream inside what is left of the time to answer.
func (c *Callback) ask(ctx context.Context, rec *receiver, d *hongyan.Downstream, e *hongyan.Event) (Reply, error) {
	if !c.mayAsk(rec.appID) {
		return Reply{}, errTooManyAsking
	}
	defer c.asked(rec.appID)
	if until, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until.Add(-sealWithin))
		defer cancel()
	}
	return c.reply(ctx, &rec.account, d, e)
}

func (c *Callback) mayAsk(appID string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asking[appID] >= askingAtOnce {
		return false
	}
	c.asking[appID]++
	return true
}

func (c *Callback) asked(appID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asking[appID]--; c.asking[appID] == 0 {
		delete(c.asking, appID)
	}
}

// answerReply writes the reply, sealed with the key and token the push came with,
// and sends it off: what comes after it is no business of WeChat's.
func (c *Callback) answerReply(w http.ResponseWriter, r *http.Request, rec *receiver, push wechat.Push, reply Reply) {
	text, err := rec.SealReply(push, reply.Body, c.store.Now())
	if err != nil {
		c.log.ErrorContext(r.Context(), "a passive reply cannot be sealed", "appid", rec.appID, "err", err)
		text = []byte("success")
	}
	answer(w, string(text))
	_ = http.NewResponseController(w).Flush() // not every ResponseWriter can; then it goes out a commit later
}

// recordAnswer ends the delivery: the downstream took the push. If that cannot be
// written it gets the push once more.
func (c *Callback) recordAnswer(ctx context.Context, rec *receiver, d *hongyan.Downstream, e *hongyan.Event, reply Reply) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	err := c.store.AnswerDelivery(ctx, hongyan.Delivery{
		AppID: rec.appID, Target: d.Target(rec.appID), EventID: e.ID, EventType: e.Type, Key: e.OpenID,
		LastAt: hongyan.Millis(c.store.Now().Add(-reply.Took)), LastStatus: reply.Status, LastTook: reply.Took,
	})
	if err != nil {
		c.log.ErrorContext(ctx, "a synchronous answer cannot be recorded; the push is delivered again", "target", d.Target(rec.appID), "event", e.ID, "err", err)
	}
}
