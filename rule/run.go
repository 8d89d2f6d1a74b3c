package rule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"hongyan"
	"hongyan/store"
)

const (
	// batch is how many firings one turn makes messages of.
	batch = 100
	// lease is how long a turn may take before another node takes its firings.
	lease = time.Minute
	// pollEvery is the backstop for firings that another node stored, or a crash left.
	pollEvery = 5 * time.Second
	// againAfter is the first wait after a failure that may pass; it doubles up to againMost.
	againAfter = 5 * time.Second
	againMost  = 5 * time.Minute
)

// Wake says that there may be firings. It never waits.
func (d *Desk) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run makes messages of firings until ctx ends, then returns nil. What it has not
// finished is finished by whoever runs next.
func (d *Desk) Run(ctx context.Context) error {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		for n := batch; n == batch && ctx.Err() == nil; {
			var err error
			if n, err = d.runOnce(ctx); err != nil && ctx.Err() == nil {
				d.log.ErrorContext(ctx, "rules cannot be carried out", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.wake:
		case <-poll.C:
		}
	}
}

// runOnce is one turn; it returns how many firings it had.
func (d *Desk) runOnce(ctx context.Context) (int, error) {
	claimed, err := d.cfg.Store.ClaimFirings(ctx, batch, lease)
	if err != nil || len(claimed) == 0 {
		return 0, err
	}
	results := make([]store.FiringResult, len(claimed))
	var out []Outgoing
	var places []int
	for i := range claimed {
		f := &claimed[i]
		results[i] = store.FiringResult{ID: f.ID, Attempts: f.Attempts}
		o, done := d.prepare(ctx, f, &results[i])
		if !done {
			out, places = append(out, o), append(places, i)
		}
	}
	d.send(ctx, claimed, results, out, places)
	// What is sent must be written down though the process is to stop.
	if err := d.cfg.Store.FinishFirings(context.WithoutCancel(ctx), results); err != nil {
		return len(claimed), err
	}
	d.tell(ctx, claimed, results)
	return len(claimed), nil
}

// prepare makes the message of a firing; done when its result is known without
// sending: it was sent by somebody who could not write that down, or its time is over.
func (d *Desk) prepare(ctx context.Context, f *hongyan.Firing, r *store.FiringResult) (o Outgoing, done bool) {
	o = Outgoing{AppID: f.AppID, ToUser: f.OpenID, ClientMsgID: clientMsgID(f), SendAt: f.SendAt, ExpiresAt: f.ExpiresAt}
	if f.Attempts > 1 {
		page, err := d.cfg.Store.Messages(ctx, store.Filter{AppIDs: []string{f.AppID}, Query: o.ClientMsgID, Limit: 1})
		if err != nil {
			d.later(f, r, err)
			return o, true
		}
		if len(page.Items) > 0 {
			r.State, r.MessageID = hongyan.FiringSent, page.Items[0].ID
			return o, true
		}
	}
	if now := d.cfg.Store.Now(); !f.ExpiresAt.After(now) {
		refuse(r, "expired", fmt.Sprintf("the push is of %s: too late at %s", stamp(f.At), stamp(now)))
		return o, true
	}
	if err := json.Unmarshal(f.Message, &o.Message); err != nil {
		refuse(r, "internal", "its message cannot be read")
		return o, true
	}
	return o, false
}

// stamp writes a time for people in China.
func stamp(t time.Time) string { return t.In(hongyan.Beijing).Format("2006-01-02 15:04:05") }

// clientMsgID is the same for every try: of two at once the second is answered with
// the first's message, and a later one finds it.
func clientMsgID(f *hongyan.Firing) string { return fmt.Sprintf("%s-%d", f.RuleID, f.EventID) }

// send hands the messages over together; one that is refused for good says why.
func (d *Desk) send(ctx context.Context, claimed []hongyan.Firing, results []store.FiringResult, out []Outgoing, places []int) {
	if len(out) == 0 {
		return
	}
	sent, err := d.cfg.Send(ctx, out)
	for j, i := range places {
		f, r := &claimed[i], &results[i]
		one := Sent{Err: err}
		if err == nil {
			one = sent[j]
		}
		switch {
		case one.Err == nil:
			r.State, r.MessageID = hongyan.FiringSent, one.MessageID
		case passes(one.Err):
			d.later(f, r, one.Err)
		default:
			said := asError(one.Err)
			refuse(r, said.Code, words(said))
		}
	}
}

// passes reports whether an error may be over soon.
func passes(err error) bool {
	switch hongyan.KindOf(err) {
	case hongyan.Invalid, hongyan.NotFound, hongyan.Conflict, hongyan.Forbidden:
		return false
	}
	return true
}

func asError(err error) *hongyan.Error {
	if e, ok := errors.AsType[*hongyan.Error](err); ok {
		return e
	}
	return &hongyan.Error{Kind: hongyan.Internal, Code: "internal", Message: "a fault of the gateway; its log has it"}
}

// words says which rules a message breaks, without what breaks them: values are about
// the person, and a refusal is kept, told and logged where no erasure of him looks. The
// template is the rule's own.
func words(e *hongyan.Error) string {
	if len(e.Fields) == 0 {
		return e.Message
	}
	said := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		switch {
		case f.Pointer == "/template_id":
			said[i] = f.Detail
		case f.Rule != "":
			said[i] = f.Pointer + " breaks " + f.Rule
		default:
			said[i] = f.Pointer + " is refused: " + e.Code
		}
	}
	return strings.Join(said, "; ")
}

func refuse(r *store.FiringResult, code, why string) {
	r.State, r.Code, r.Refusal = hongyan.FiringRefused, code, why
}

// later tries a firing again, the later the more often it failed.
func (d *Desk) later(f *hongyan.Firing, r *store.FiringResult, err error) {
	wait := againMost
	if n := f.Attempts - 1; n < 6 {
		wait = min(againMost, againAfter<<n)
	}
	r.State, r.DueAt = hongyan.FiringPending, d.cfg.Store.Now().Add(wait)
	said := asError(err)
	r.Code, r.Refusal = said.Code, words(said)
	d.log.Warn("a rule's message could not be stored; tried again", "appid", f.AppID, "rule", f.RuleID, "in", wait, "err", err)
}

// Fired is what rule.fired says: a rule's push has its message, or will have none.
type Fired struct {
	RuleID    string `json:"rule_id"`
	EventID   int64  `json:"event_id"`
	MessageID string `json:"message_id,omitempty"`
	Code      string `json:"code,omitempty"`
	Refusal   string `json:"refusal,omitempty"`
}

func (d *Desk) tell(ctx context.Context, claimed []hongyan.Firing, results []store.FiringResult) {
	for i := range results {
		f, r := &claimed[i], &results[i]
		if r.State == hongyan.FiringPending {
			continue
		}
		if r.State == hongyan.FiringRefused {
			d.log.WarnContext(ctx, "a rule fired and sent nothing", "appid", f.AppID, "rule", f.RuleID, "event", f.EventID, "code", r.Code, "why", r.Refusal)
		}
		d.cfg.Tell(ctx, f.AppID, hongyan.NewsRuleFired, Fired{RuleID: f.RuleID, EventID: f.EventID, MessageID: r.MessageID, Code: r.Code, Refusal: r.Refusal})
	}
}
