package template

import (
	"time"

	"hongyan"
	"hongyan/wechat"
)

// plan is what a sync does.
type plan struct {
	Changes
	put     []hongyan.Template
	gone    []hongyan.Template // no longer listed: to be marked and held
	revived []string           // known, not active before, active now
}

// compare decides what a sync stores: theirs is what WeChat lists, ours what is known of
// the same kinds.
func compare(ours, theirs []hongyan.Template, liftBans bool) plan {
	p := plan{Changes: Changes{Added: []string{}, Updated: []string{}, Missing: []string{}, Differences: []Difference{}}}
	before := make(map[string]*hongyan.Template, len(ours))
	for i := range ours {
		before[ours[i].TemplateID] = &ours[i]
	}
	for _, t := range theirs {
		old := before[t.TemplateID]
		delete(before, t.TemplateID)
		p.add(t, old, liftBans)
	}
	for i := range ours {
		if _, missing := before[ours[i].TemplateID]; missing && ours[i].Status != Removed {
			p.miss(&ours[i])
		}
	}
	return p
}

// add notes a template of WeChat's list; old is what is known of it, nil for nothing.
func (p *plan) add(t hongyan.Template, old *hongyan.Template, liftBans bool) {
	if old != nil {
		t.Policy = old.Policy
		if banned := old.Status != Active && old.Status != Removed; banned && !liftBans {
			t.Status, t.StatusReason = old.Status, old.StatusReason
		}
	}
	p.put = append(p.put, t)
	if old == nil {
		p.Added = append(p.Added, t.TemplateID)
		p.Differences = append(p.Differences, added(&t))
		return
	}
	if old.Status != Active && t.Status == Active {
		p.revived = append(p.revived, t.TemplateID)
	}
	d, same := differ(old, &t)
	if same {
		p.Unchanged++
		return
	}
	p.Updated = append(p.Updated, t.TemplateID)
	p.Differences = append(p.Differences, d)
}

// miss notes a template that WeChat lists no more.
func (p *plan) miss(old *hongyan.Template) {
	t := *old
	t.Status, t.StatusReason = Removed, "not in WeChat's list at the last sync"
	p.Missing = append(p.Missing, t.TemplateID)
	d, _ := differ(old, &t)
	d.Change = ChangeMissing
	p.Differences = append(p.Differences, d)
	p.gone = append(p.gone, t)
}

// more adds what another list came to.
func (p *plan) more(q plan) {
	p.Added, p.Updated, p.Missing = append(p.Added, q.Added...), append(p.Updated, q.Updated...), append(p.Missing, q.Missing...)
	p.Unchanged += q.Unchanged
	p.Differences = append(p.Differences, q.Differences...)
	p.put, p.gone, p.revived = append(p.put, q.put...), append(p.gone, q.gone...), append(p.revived, q.revived...)
}

// listed are the account's template messages' templates as the store keeps them.
func listed(a *hongyan.Account, theirs []wechat.Template, now time.Time) []hongyan.Template {
	all := make([]hongyan.Template, 0, len(theirs))
	for _, t := range theirs {
		all = append(all, hongyan.Template{
			AppID: a.AppID, TemplateID: t.TemplateID, Title: t.Title,
			PrimaryIndustry: t.PrimaryIndustry, DeputyIndustry: t.DeputyIndustry,
			Content: t.Content, Example: t.Example,
			Kind: a.Kind.MessageKind(), Status: Active, SyncedAt: now,
		})
	}
	return all
}

// listedSubscribe is listed for subscribe messages and notices.
func listedSubscribe(a *hongyan.Account, theirs []wechat.SubscribeTemplate, now time.Time) []hongyan.Template {
	all := make([]hongyan.Template, 0, len(theirs))
	for i := range theirs {
		t := &theirs[i]
		all = append(all, hongyan.Template{
			AppID: a.AppID, TemplateID: t.PriTmplID, Title: t.Title, Content: t.Content, Example: t.Example,
			Kind: subscribeKind(a), Status: Active, SyncedAt: now, Enums: t.EnumsByKey(), SubscribeType: int(t.Type),
		})
	}
	return all
}

// subscribeKind is the kind of the messages that an account sends with consents.
func subscribeKind(a *hongyan.Account) hongyan.MessageKind {
	if a.Kind == hongyan.MiniProgram {
		return hongyan.KindSubscribe
	}
	return hongyan.KindNotice
}
