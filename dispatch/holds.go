package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"hongyan"
	"hongyan/wechat"
)

// unsaved is a hold on its way to the store.
type unsaved struct {
	hongyan.Hold
	failed bool // the store did not take it: poll tries again
}

// holdAtOnce makes h hold before the store has it. The caller holds Engine.mu
// and goes on to addHold.
func (a *account) holdAtOnce(h hongyan.Hold) {
	a.unsaved = append(a.unsaved, unsaved{Hold: h})
	a.holds = append(a.holds, h)
}

// setHolds makes a's holds what the store has, and those on their way to it.
func (a *account) setHolds(stored []hongyan.Hold, now time.Time) {
	a.unsaved = slices.DeleteFunc(a.unsaved, func(u unsaved) bool { return !u.Until.IsZero() && !now.Before(u.Until) })
	a.holds = stored
	for _, u := range a.unsaved {
		a.holds = append(a.holds, u.Hold)
	}
	if !a.ownQuotaHold() { // somebody resumed it: whether anything is left is to be asked anew
		a.meter.each(func(c *counter) { c.urgentOnly = false })
	}
}

// onItsWay returns the place of h among what is on its way to the store, -1 when
// it is not there (any more).
func (a *account) onItsWay(h hongyan.Hold) int {
	return slices.IndexFunc(a.unsaved, func(u unsaved) bool {
		return u.Kind == h.Kind && u.Reason == h.Reason && u.Until.Equal(h.Until)
	})
}

// saved takes note that the store has h, or (err) that it would not take it.
func (a *account) saved(h hongyan.Hold, err error) {
	i := a.onItsWay(h)
	if i < 0 {
		return
	}
	if a.unsaved[i].failed = true; err == nil {
		a.unsaved = slices.Delete(a.unsaved, i, i+1)
	}
}

// known reports whether a hold of that key and cause was there before, in the
// store: it has been said then.
func (a *account) known(h hongyan.Hold) bool {
	return a.holdWhere(func(old *hongyan.Hold) bool {
		return old.Kind == h.Kind && old.Reason == h.Reason && old.Detail == h.Detail && a.onItsWay(*old) < 0
	}) != nil
}

// addHold records a hold and stops the streams it covers. One that holds already
// (holdAtOnce) and was cleared while it was written stays cleared.
func (e *Engine) addHold(ctx context.Context, a *account, h hongyan.Hold) error {
	h.AppID, h.Since = a.AppID, e.cfg.Store.Now()
	e.mu.Lock()
	atOnce, known := a.onItsWay(h) >= 0, a.known(h)
	e.mu.Unlock()
	err := e.cfg.Store.PutHold(ctx, h)
	e.mu.Lock()
	cleared := atOnce && a.onItsWay(h) < 0
	e.changes++
	a.saved(h, err)
	e.mu.Unlock()
	switch {
	case err != nil:
		return fmt.Errorf("hold %s (%s): %w", a.AppID, h.Reason, err)
	case cleared:
		return e.clearHold(ctx, a, h.Kind, h.Reason)
	}
	if err := e.readHolds(ctx, a); err != nil {
		return err
	}
	level := slog.LevelWarn
	if known {
		level = slog.LevelDebug // said when it began
	}
	e.log.Log(ctx, level, "account held", "appid", a.AppID, "kind", kindWords(h.Kind), "reason", h.Reason, "errcode", h.Errcode, "until", untilWords(h.Until), "release", h.Release)
	return nil
}

// readHolds makes an account's holds what the store says now, and gives back
// what they forbid.
func (e *Engine) readHolds(ctx context.Context, a *account) error {
	for {
		changes := e.changesSoFar()
		holds, err := e.loadHolds(ctx, a.AppID)
		if err != nil {
			return err
		}
		e.mu.Lock()
		if e.changes != changes {
			e.mu.Unlock()
			continue
		}
		a.setHolds(holds, e.cfg.Store.Now())
		untried := e.takeReadyLocked(a)
		e.mu.Unlock()
		e.giveBack(untried)
		return nil
	}
}

// readAllHolds is readHolds for every account.
func (e *Engine) readAllHolds(ctx context.Context) error {
	for {
		changes := e.changesSoFar()
		holds, err := e.cfg.Store.Holds(ctx)
		if err != nil {
			return err
		}
		byApp := make(map[string][]hongyan.Hold)
		for _, h := range holds {
			byApp[h.AppID] = append(byApp[h.AppID], h)
		}
		e.mu.Lock()
		if e.changes != changes {
			e.mu.Unlock()
			continue
		}
		for appID, a := range e.accounts {
			if appID == a.AppID {
				a.setHolds(byApp[appID], e.cfg.Store.Now())
			}
		}
		untried := e.takeReadyLocked(nil)
		e.mu.Unlock()
		e.giveBack(untried)
		return nil
	}
}

// saveHolds tries again to store what the store did not take.
func (e *Engine) saveHolds(ctx context.Context) {
	type late struct {
		a *account
		h hongyan.Hold
	}
	var all []late
	e.mu.Lock()
	for appID, a := range e.accounts {
		for _, u := range a.unsaved {
			if u.failed && appID == a.AppID {
				all = append(all, late{a, u.Hold})
			}
		}
	}
	e.mu.Unlock()
	for _, l := range all {
		if err := e.addHold(ctx, l.a, l.h); err != nil && ctx.Err() == nil {
			e.log.Warn("hold again", "err", err)
		}
	}
}

// kindWords and untilWords say in the log what a hold's zero values stand for.
func kindWords(k hongyan.MessageKind) string {
	if k == "" {
		return "all"
	}
	return string(k)
}

func untilWords(t time.Time) string {
	if t.IsZero() {
		return "somebody acts"
	}
	return t.Format(time.RFC3339)
}

// clearHold removes holds and lets their streams go on.
func (e *Engine) clearHold(ctx context.Context, a *account, kind hongyan.MessageKind, reason string) error {
	n, err := e.cfg.Store.ClearHold(ctx, a.AppID, kind, reason)
	if err != nil {
		return fmt.Errorf("release %s (%s): %w", a.AppID, reason, err)
	}
	e.mu.Lock()
	a.unsaved = slices.DeleteFunc(a.unsaved, func(u unsaved) bool {
		return (kind == "*" || u.Kind == kind) && (reason == "*" || u.Reason == reason)
	})
	e.mu.Unlock()
	return e.released(ctx, a, kind, reason, n > 0)
}

// released reads an account's holds after some were to go, and lets its streams go on.
func (e *Engine) released(ctx context.Context, a *account, kind hongyan.MessageKind, reason string, gone bool) error {
	e.mu.Lock()
	e.changes++
	e.mu.Unlock()
	if err := e.readHolds(ctx, a); err != nil {
		return err
	}
	if gone {
		e.log.Info("account released", "appid", a.AppID, "kind", kindWords(kind), "reason", reason)
	}
	e.poke()
	return nil
}

// TokenFetched lifts the hold on an account for which no token could be had: now
// there is one. A token that WeChat refused as soon as it came is another matter:
// the next one may fare no better, and its pause keeps that from a loop.
func (e *Engine) TokenFetched(appID string) {
	now := e.cfg.Store.Now()
	e.mu.Lock()
	a := e.accounts[appID]
	held := a != nil && a.holdWhere(func(h *hongyan.Hold) bool { return h.Reason == hongyan.HoldToken }) != nil
	refused := held && a.holdWhere(func(h *hongyan.Hold) bool {
		return h.Reason == hongyan.HoldToken && wechat.ClassOf(wechat.EndpointTemplateSend, wechat.Code(h.Errcode)) == wechat.ClassToken
	}) != nil
	for _, s := range e.order {
		if s.account == a && !refused && s.gateReason == hongyan.HoldToken {
			s.gateUntil = now
		}
	}
	e.mu.Unlock()
	if !held || refused {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), reloadTimeout)
	defer cancel()
	if err := e.clearHold(ctx, a, "", hongyan.HoldToken); err != nil {
		e.log.Error("a token came", "appid", appID, "err", err)
	}
}

// lapseHolds ends the holds whose time has come. A quota hold that ends at
// night leaves the quiet hours behind for what it held (design §5.4).
func (e *Engine) lapseHolds(ctx context.Context, now time.Time) error {
	type lapsed struct {
		a *account
		h hongyan.Hold
	}
	var over []lapsed
	e.mu.Lock()
	for _, s := range e.order {
		for _, h := range s.account.holds {
			if !h.Until.IsZero() && !now.Before(h.Until) {
				over = append(over, lapsed{s.account, h})
			}
		}
	}
	e.mu.Unlock()
	for _, l := range over {
		if quiet, ok := quietAfter(l.a.settings().QuietHours, l.h); ok && quiet.Until.After(now) {
			if err := e.addHold(ctx, l.a, quiet); err != nil {
				return err
			}
		}
		if err := e.lapseHold(ctx, l.a, l.h); err != nil {
			return err
		}
	}
	return nil
}

// lapseHold ends one hold, unless it was renewed since it was looked at.
func (e *Engine) lapseHold(ctx context.Context, a *account, h hongyan.Hold) error {
	h.AppID = a.AppID
	gone, err := e.cfg.Store.LapseHold(ctx, h)
	if err != nil {
		return fmt.Errorf("end the hold of %s (%s): %w", a.AppID, h.Reason, err)
	}
	return e.released(ctx, a, h.Kind, h.Reason, gone)
}

// quietAfter returns the hold that keeps the quiet hours for what h held. Only
// the limits of a day or month, which end at midnight, leave any: a minute's
// limit is no reason to wait for the morning.
func quietAfter(q hongyan.QuietHours, h hongyan.Hold) (hongyan.Hold, bool) {
	if h.Reason != hongyan.HoldQuota || !h.Until.Equal(hongyan.PeriodStart("day", h.Until)) {
		return hongyan.Hold{}, false
	}
	until := q.Next(h.Until)
	return hongyan.Hold{
		Kind: h.Kind, Reason: hongyan.HoldQuietHours, Until: until, Before: h.Until,
		Release: "the end of the account's quiet hours; release sends one now",
	}, until.After(h.Until)
}
