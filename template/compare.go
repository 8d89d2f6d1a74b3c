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
	revived []string // known, not active before, active now
}

// compare decides what a sync stores.
func compare(a *hongyan.Account, ours []hongyan.Template, theirs []wechat.Template, now time.Time, liftBans bool) plan {
	p := plan{Changes: Changes{Added: []string{}, Updated: []string{}, Missing: []string{}}}
	before := make(map[string]hongyan.Template, len(ours))
	for _, t := range ours {
		before[t.TemplateID] = t
	}
	for i := range theirs {
		t := fromWeChat(a, &theirs[i], now)
		old, known := before[t.TemplateID]
		delete(before, t.TemplateID)
		p.add(t, old, known, liftBans)
	}
	for _, t := range ours {
		if _, gone := before[t.TemplateID]; gone && t.Status != Removed {
			p.Missing = append(p.Missing, t.TemplateID)
		}
	}
	return p
}

// add notes a template of WeChat's list.
func (p *plan) add(t, old hongyan.Template, known, liftBans bool) {
	banned := known && old.Status != Active && old.Status != Removed
	if banned && !liftBans {
		t.Status, t.StatusReason = old.Status, old.StatusReason
	}
	p.put = append(p.put, t)
	if known && old.Status != Active && t.Status == Active {
		p.revived = append(p.revived, t.TemplateID)
	}
	old.SyncedAt = t.SyncedAt
	switch {
	case !known:
		p.Added = append(p.Added, t.TemplateID)
	case old != t:
		p.Updated = append(p.Updated, t.TemplateID)
	default:
		p.Unchanged++
	}
}

func fromWeChat(a *hongyan.Account, t *wechat.Template, now time.Time) hongyan.Template {
	return hongyan.Template{
		AppID: a.AppID, TemplateID: t.TemplateID, Title: t.Title,
		PrimaryIndustry: t.PrimaryIndustry, DeputyIndustry: t.DeputyIndustry,
		Content: t.Content, Example: t.Example,
		Kind: a.Kind.MessageKind(), Status: Active, SyncedAt: now,
	}
}
