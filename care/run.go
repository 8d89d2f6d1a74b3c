package care

import (
	"context"
	"errors"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

const (
	// pollEvery is how often other nodes' entries and erasures are looked for.
	pollEvery = 5 * time.Second
	// eraseSoon is how long a pass waits for messages that were being sent.
	eraseSoon = time.Minute
	// eraseLate is when pushes about messages that had left have come, or never will.
	eraseLate = hongyan.ReceiptOverdueAfter + time.Hour
	// erasuresAtOnce bounds one turn.
	erasuresAtOnce = 10
)

// Run writes what WeChat said of users, learns what other nodes wrote, and carries
// erasures out, until ctx ends; it returns nil then.
func (d *Desk) Run(ctx context.Context) error {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for ticked := false; ; {
		err := errors.Join(d.refresh(ctx), d.takeDown(ctx), d.eraseDue(ctx))
		if ticked {
			err = errors.Join(err, d.uncapAgain(ctx))
		}
		if err != nil && ctx.Err() == nil {
			d.log.ErrorContext(ctx, "care", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.wake:
			ticked = false
		case <-poll.C:
			ticked = true
		}
	}
}

// takeDown writes what WeChat said. What cannot be written is left: the next message
// to the user brings the same answer.
func (d *Desk) takeDown(ctx context.Context) error {
	d.mu.Lock()
	all := d.said
	d.said = nil
	d.mu.Unlock()
	var put []hongyan.Suppression
	for i := range all {
		x := &all[i]
		why, bad := becauseOf[wechat.Code(x.errcode)]
		if bad {
			s := hongyan.Suppression{AppID: x.m.AppID, OpenID: x.m.ToUser, Reason: why.reason, Errcode: x.errcode, Since: x.at, Until: x.at.Add(why.keep)}
			if s.Covers(x.m.Kind) { // a one-time message's 43004 says nothing of the others
				put = append(put, s)
			}
			continue
		}
		if err := d.put(ctx, put); err != nil {
			return err
		}
		put = nil
		if err := d.proved(ctx, x); err != nil {
			return err
		}
	}
	return d.put(ctx, put)
}

// proved lifts what a message that WeChat took disproves. That the user refuses
// messages is told by the event, after WeChat took them.
func (d *Desk) proved(ctx context.Context, x *said) error {
	reasons := []string{hongyan.SuppressUserFrozen, hongyan.SuppressBadOpenID}
	if x.m.Kind == hongyan.KindTemplate {
		reasons = fleeting
	}
	_, err := d.Lift(ctx, store.Lift{AppID: x.m.AppID, OpenIDs: []string{x.m.ToUser}, Reasons: reasons, By: "success", At: x.at})
	return err
}

// Erase begins an erasure of a person, or hurries the one that has not ended.
func (d *Desk) Erase(ctx context.Context, appID, openID, by string) (hongyan.Erasure, error) {
	e, err := d.cfg.Store.BeginErasure(ctx, hongyan.NewErasure(appID, openID, by))
	if err == nil {
		d.Wake()
	}
	return e, err
}

func (d *Desk) eraseDue(ctx context.Context) error {
	due, err := d.cfg.Store.DueErasures(ctx, erasuresAtOnce)
	for i := 0; i < len(due) && err == nil; i++ {
		err = d.erase(ctx, &due[i])
	}
	return err
}

// erase makes one pass and says when the next is due.
func (d *Desk) erase(ctx context.Context, e *hongyan.Erasure) error {
	staged := 0
	if d.cfg.EraseStaged != nil { // first: nothing of it may become a message afterwards
		var err error
		if staged, err = d.cfg.EraseStaged(ctx, e.AppID, e.OpenID); err != nil {
			return err
		}
	}
	n, err := d.cfg.Store.EraseUser(ctx, *e)
	if err != nil {
		return err
	}
	n.Others += int64(staged)
	now := hongyan.Millis(d.cfg.Store.Now())
	e.Messages, e.Events, e.Others, e.Left = e.Messages+n.Messages, e.Events+n.Events, e.Others+n.Others, n.Left
	e.LookAgain = n.Awaiting > 0 || e.LookAgain && e.State == hongyan.ErasureRunning
	switch {
	case n.Left > 0:
		e.State, e.DueAt = hongyan.ErasureRunning, now.Add(eraseSoon)
	case e.LookAgain:
		e.State, e.DueAt = hongyan.ErasureWaiting, now.Add(eraseLate)
	default:
		e.State, e.DueAt, e.FinishedAt = hongyan.ErasureDone, time.Time{}, now
	}
	d.log.InfoContext(ctx, "a person was erased", "appid", e.AppID, "erasure", e.ID, "state", e.State.String(), "messages", e.Messages, "pushes", e.Events, "others", e.Others)
	return d.cfg.Store.SaveErasure(ctx, *e)
}
