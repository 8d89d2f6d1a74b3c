package dispatch

import (
	"context"
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

// unshelved says what becomes of a leased message whose template may not be used any
// more: only the calls that are under way when WeChat refuses it are lost to the refusal.
// One in doubt goes on, to settle inside its window, and what a person released leaves.
func (e *Engine) unshelved(ctx context.Context, j *job) (verdict, bool) {
	m, conf := &j.m, &j.s.account.settings().Account
	if !families[m.Kind].shelved || j.released || !m.DoubtSince.IsZero() {
		return verdict{}, false
	}
	e.mu.Lock()
	refused := e.refused[shelfKeyOf(m)] > 0
	e.mu.Unlock()
	now := e.cfg.Store.Now()
	if refused {
		return later(conf, verdictFor(m), now, now.Add(refusedAgain), hongyan.HoldTemplate), true
	}
	en, err := e.library.find(ctx, m.AppID, m.TemplateID)
	if err != nil || en.Status == "active" || !en.serves(m.Kind) { // an unknown one is WeChat's to judge
		return verdict{}, false
	}
	return holdRow(conf, verdictFor(m), now, templateHold(m.AppID, m.Kind, en.Status, 0, en.StatusReason)), true
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
