package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongyan"
)

// shelfKey is a template as messages of one kind know it.
type shelfKey struct {
	appID, templateID string
	kind              hongyan.MessageKind
}

func shelfKeyOf(m *hongyan.Message) shelfKey { return shelfKey{m.AppID, m.TemplateID, m.Kind} }

// refusedAgain is when a message is looked at again whose template WeChat has just
// refused: it is held with the others by then.
const refusedAgain = time.Second

// unshelved says what becomes of a leased message whose template is banned or gone. One
// in doubt goes on, to settle inside its window, and what a person released leaves.
func (e *Engine) unshelved(ctx context.Context, j *job) (verdict, bool) {
	m := &j.m
	if !j.needsTemplate() {
		return verdict{}, false
	}
	en, err := e.library.find(ctx, m.AppID, m.TemplateID)
	if err != nil || en.Status == "active" || !en.serves(m.Kind) { // an unknown one is WeChat's to judge
		return verdict{}, false
	}
	t, err := e.cfg.Store.Template(ctx, m.AppID, m.TemplateID)
	if err != nil || t.Status == "active" { // another node knows that it is back
		e.library.forget(m.AppID)
		return verdict{}, false
	}
	h := templateHold(m.AppID, m.Kind, t.Status, 0, t.StatusReason)
	return holdRow(&j.s.account.settings().Account, verdictFor(m), e.cfg.Store.Now(), h), true
}

func (j *job) needsTemplate() bool {
	return families[j.m.Kind].shelved && !j.released && j.m.DoubtSince.IsZero()
}

// justRefused reports whether WeChat has refused the message's template and the store
// does not say so yet. The caller holds e.mu.
func (e *Engine) justRefused(j *job) bool {
	return len(e.refused) > 0 && j.needsTemplate() && e.refused[shelfKeyOf(&j.m)] > 0
}

// backKey is a template of an account.
type backKey struct{ appID, templateID string }

// backAgain is when what waits for a template is let go a second time. A message that
// was looked at just before the first time, here or by another node, is held after it;
// so each that this node holds is looked after once more, too.
const backAgain = 2 * time.Second

// releaseAgain lets the messages of templates go that came back lately, unless they are
// gone again.
func (e *Engine) releaseAgain(ctx context.Context) error {
	now := e.cfg.Store.Now()
	due := make(map[backKey]time.Time)
	e.mu.Lock()
	for k, at := range e.back {
		if !now.Before(at) {
			due[k] = at
		}
	}
	e.mu.Unlock()
	var errs []error
	for k, at := range due {
		t, err := e.cfg.Store.Template(ctx, k.appID, k.templateID)
		if err == nil && t.Status == "active" {
			_, err = e.releaseTemplate(ctx, k.appID, k.templateID, hongyan.HoldTemplate)
		}
		if err != nil && !hongyan.IsKind(err, hongyan.NotFound) {
			errs = append(errs, err) // the next poll tries again
			continue
		}
		e.mu.Lock()
		if e.back[k].Equal(at) {
			delete(e.back, k)
		}
		e.mu.Unlock()
	}
	return errors.Join(errs...)
}

// refusalStored takes note that the template's status in the store says what a refusal said.
func (e *Engine) refusalStored(m *hongyan.Message) {
	key := shelfKeyOf(m)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refused[key]--; e.refused[key] <= 0 {
		delete(e.refused, key)
	}
}

// templateGone marks a banned or removed template and holds its messages. What
// WeChat says of a template for one kind of message is not said of one for another
// kind that the account may hold under the same id. A notice's template is held only
// where it is known: nothing else would let its messages go again.
func (e *Engine) templateGone(ctx context.Context, m *hongyan.Message, status string, said hongyan.Attempt) error {
	en, err := e.library.find(ctx, m.AppID, m.TemplateID)
	if err == nil && !en.serves(m.Kind) || err != nil && m.Kind == hongyan.KindNotice {
		return nil
	}
	why := fmt.Sprintf("errcode %d: %s", said.Errcode, said.Errmsg)
	err = e.cfg.Store.SetTemplateStatus(ctx, m.AppID, m.TemplateID, status, why)
	if err != nil && !hongyan.IsKind(err, hongyan.NotFound) {
		return err
	}
	return e.holdTemplate(ctx, m.TemplateID, templateHold(m.AppID, m.Kind, status, said.Errcode, said.Errmsg))
}

func templateHold(appID string, k hongyan.MessageKind, status string, errcode int, why string) hongyan.Hold {
	return hongyan.Hold{
		AppID: appID, Kind: k, Reason: hongyan.HoldTemplate, Errcode: errcode,
		Release: "the template being active again: settle it with WeChat, then sync or register it", Detail: "the template is " + status + ": " + why,
	}
}

// TemplateGone holds the messages of a template that WeChat no longer lists. Its status is
// in the store already.
func (e *Engine) TemplateGone(ctx context.Context, t *hongyan.Template, why string) error {
	return e.holdTemplate(ctx, t.TemplateID, templateHold(t.AppID, t.Kind, t.Status, 0, why))
}

func (e *Engine) holdTemplate(ctx context.Context, templateID string, h hongyan.Hold) error {
	e.library.forget(h.AppID)
	h.Since = e.cfg.Store.Now()
	for n := sweepBatch; n == sweepBatch; {
		var err error
		if n, err = e.cfg.Store.HoldTemplate(ctx, templateID, h, sweepBatch); err != nil {
			return err
		}
	}
	return nil
}
