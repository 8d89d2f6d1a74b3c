package dispatch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"hongyan"
	"hongyan/wechat"
)

// loadAccount returns the engine's view of an account, reading the store the
// first time. appID may be an alias.
func (e *Engine) loadAccount(ctx context.Context, appID string) (*account, error) {
	e.mu.Lock()
	a := e.accounts[appID]
	e.mu.Unlock()
	if a != nil {
		return a, nil
	}
	for {
		changes := e.changesSoFar()
		fresh, err := e.readAccount(ctx, appID)
		if err != nil {
			return nil, err
		}
		if a, ok := e.keepAccount(appID, fresh, changes); ok {
			return a, nil
		}
	}
}

// changesSoFar goes before a reading of the store, and is compared after it: if
// it has moved, what was read may be old already and is read again.
func (e *Engine) changesSoFar() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changes
}

func (e *Engine) readAccount(ctx context.Context, appID string) (*account, error) {
	stored, err := e.cfg.Store.Account(ctx, appID)
	if err != nil {
		return nil, err
	}
	usage, err := e.cfg.Store.Usage(ctx, stored.AppID)
	if err != nil {
		return nil, fmt.Errorf("load usage of %s: %w", stored.AppID, err)
	}
	holds, err := e.loadHolds(ctx, stored.AppID)
	if err != nil {
		return nil, err
	}
	fresh := &account{
		AppID: stored.AppID,
		meter: newMeter(stored.EffectiveQuotas(), usage),
		rate:  newRate(stored.RatePerSecond, e.cfg.Store.Now()),
		holds: holds,
	}
	fresh.stored.Store(e.settingsOf(stored))
	return fresh, nil
}

// settingsOf makes settings of an account as the store has it.
func (e *Engine) settingsOf(stored hongyan.Account) *settings {
	return &settings{stored, &wechat.Client{BaseURL: stored.BaseURL, HTTPClient: e.httpClient(&stored)}}
}

// keepAccount remembers fresh under its AppID and the name it was asked by,
// unless another goroutine was first, or something changed since it was read.
func (e *Engine) keepAccount(name string, fresh *account, changes int) (*account, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if a := e.accounts[fresh.AppID]; a != nil {
		fresh = a
	} else if e.changes != changes {
		return nil, false
	}
	e.accounts[fresh.AppID] = fresh
	e.accounts[name] = fresh
	return fresh, true
}

func (e *Engine) loadHolds(ctx context.Context, appID string) ([]hongyan.Hold, error) {
	all, err := e.cfg.Store.Holds(ctx)
	if err != nil {
		return nil, fmt.Errorf("load holds of %s: %w", appID, err)
	}
	var holds []hongyan.Hold
	for _, h := range all {
		if h.AppID == appID {
			holds = append(holds, h)
		}
	}
	return holds, nil
}

// streamOf returns the stream of a kind of an account, making it if needed.
// The caller holds e.mu.
func (e *Engine) streamOf(a *account, kind hongyan.MessageKind) *stream {
	key := streamKey{a.AppID, kind}
	s := e.streams[key]
	if s != nil && s.account == a {
		return s
	}
	s = &stream{key: key, account: a, limit: float64(a.ceiling()), healthy: true}
	a.streams = append(slices.DeleteFunc(a.streams, func(old *stream) bool { return old.key == key }), s)
	if e.accounts[a.AppID] == a { // else it was deleted while somebody used it
		e.streams[key] = s
		e.order = append(e.order, s)
	}
	return s
}

// loadStreams finds what waits in the store. An account that cannot be read is
// passed over, and said so once: the others must be sent.
func (e *Engine) loadStreams(ctx context.Context) error {
	waiting, err := e.cfg.Store.Streams(ctx)
	if err != nil {
		return fmt.Errorf("load streams: %w", err)
	}
	for _, w := range waiting {
		a, err := e.loadAccount(ctx, w.AppID)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e.complain(w.AppID, err)
		if err != nil {
			continue
		}
		e.mu.Lock()
		now, due := e.cfg.Store.Now(), w.DueAt
		if before := a.quietBefore(w.Kind, now); due.Before(before) {
			due = now.Add(pollEvery) // what is behind the quiet hours' messages is found by looking again
		}
		s := e.streamOf(a, w.Kind)
		s.scheduled(due, now)
		if a.outage(w.Kind, now) { // left by another process, or by a hold that could not be cleared
			s.needProbe = true
		}
		e.mu.Unlock()
	}
	return nil
}

// complain logs why the account of waiting messages cannot be read, when that is
// news. err nil = it can.
func (e *Engine) complain(appID string, err error) {
	e.mu.Lock()
	before, text := e.unreadable[appID], ""
	if err != nil {
		text = err.Error()
		e.unreadable[appID] = text
	} else if before != "" {
		delete(e.unreadable, appID)
	}
	e.mu.Unlock()
	if err != nil && text != before {
		e.log.Error("messages wait for an account that cannot be read", "appid", appID, "err", err)
	}
}

// AccountChanged makes the engine read an account, its holds and its templates
// again before their next use. Call it after any change.
func (e *Engine) AccountChanged(appID string) {
	ctx, cancel := context.WithTimeout(context.Background(), reloadTimeout)
	defer cancel()
	e.mu.Lock()
	e.changes++
	e.mu.Unlock()
	if err := e.reload(ctx, appID); err != nil && !hongyan.IsKind(err, hongyan.NotFound) {
		e.log.Error("reload account", "appid", appID, "err", err)
	}
	e.poke()
}

// reloadTimeout bounds the reads of AccountChanged.
const reloadTimeout = 10 * time.Second

func (e *Engine) reload(ctx context.Context, appID string) error {
	var c change
	for taken := false; !taken; {
		changes := e.changesSoFar()
		stored, err := e.cfg.Store.Account(ctx, appID)
		if hongyan.IsKind(err, hongyan.NotFound) {
			e.dropAccount(appID)
		}
		if err != nil {
			return err
		}
		e.library.forget(stored.AppID)
		holds, err := e.loadHolds(ctx, stored.AppID)
		if err != nil {
			return err
		}
		usage, err := e.cfg.Store.Usage(ctx, stored.AppID)
		if err != nil {
			return fmt.Errorf("load usage of %s: %w", stored.AppID, err)
		}
		c, taken = e.takeOn(e.settingsOf(stored), holds, usage, changes)
	}
	e.giveBack(c.untried)
	for _, reason := range c.cured {
		if err := e.clearHold(ctx, c.account, "", reason); err != nil {
			return err
		}
	}
	for _, templateID := range c.templates {
		if _, err := e.releaseTemplate(ctx, c.account.AppID, templateID, hongyan.HoldQuota); err != nil {
			return err
		}
	}
	return nil
}

// change is what else is to be done when the engine has taken on an account's
// new settings.
type change struct {
	account   *account
	untried   []job    // what a hold forbids now
	cured     []string // reasons of holds whose cause has gone
	templates []string // template_ids that had used up a rule of ours, and have room now
}

// takeOn makes the engine's view of an account what the store says; false when
// something changed since that was read.
func (e *Engine) takeOn(stored *settings, holds []hongyan.Hold, usage []hongyan.QuotaUsage, changes int) (c change, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.changes != changes {
		return change{}, false
	}
	a := e.accounts[stored.AppID]
	if a == nil {
		return change{}, true
	}
	c.account = a
	if a.settings().Secret != stored.Secret {
		c.cured = append(c.cured, hongyan.HoldAccount, hongyan.HoldToken)
	}
	rerouted := a.settings().BaseURL != stored.BaseURL || a.settings().EgressProxy != stored.EgressProxy
	for name, other := range e.accounts { // the alias may have changed
		if other == a && name != stored.AppID {
			delete(e.accounts, name)
		}
	}
	now := e.cfg.Store.Now()
	if a.settings().RatePerSecond != stored.RatePerSecond {
		a.rate = newRate(stored.RatePerSecond, now)
	}
	a.stored.Store(stored)
	a.setHolds(holds, now)
	a.meter.refresh(usage)
	full, rules := a.meter.full(now), a.meter.rules
	a.meter.setRules(stored.EffectiveQuotas())
	if !slices.Equal(rules, a.meter.rules) && a.meter.reached(scopeAccount, "", now) == nil && a.ownQuotaHold() {
		c.cured = append(c.cured, hongyan.HoldQuota)
	}
	for _, templateID := range full {
		if a.meter.reached(scopeTemplate, templateID, now) == nil {
			c.templates = append(c.templates, templateID)
		}
	}
	for _, s := range e.order {
		if s.account == a {
			s.limit = min(s.limit, float64(a.ceiling()))
			s.backlog = true
			if s.gateReason == hongyan.HoldToken || rerouted && s.gateReason == hongyan.HoldUnreachable {
				s.gateUntil = now // in the second case a probe goes first
			}
		}
	}
	c.untried = e.takeReadyLocked(a)
	return c, true
}

// dropAccount forgets a deleted account, its templates and its streams: an
// account added later under the same AppID must not meet the old one's. What is
// still under way in a stream knows it by pointer.
func (e *Engine) dropAccount(appID string) {
	e.library.forget(appID)
	e.mu.Lock()
	defer e.mu.Unlock()
	gone := e.accounts[appID]
	if gone == nil {
		return
	}
	maps.DeleteFunc(e.accounts, func(_ string, a *account) bool { return a == gone })
	e.order = slices.DeleteFunc(e.order, func(s *stream) bool {
		if s.account == gone {
			delete(e.streams, s.key)
		}
		return s.account == gone
	})
}
