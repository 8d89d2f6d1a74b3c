package mini

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"hongyan"
)

// Report is what a mini program's own code learnt of a user's consent, and its
// server passes on. Acceptances that WeChat's events told too are not counted twice.
type Report struct {
	OpenID     string
	TemplateID string
	Answer     string    // to one prompt: accept or reject, as requestSubscribeMessage says it; "" = none
	Times      int       // how many prompts were accepted; 0 = 1
	Always     string    // as getSetting's itemSettings says it: accept, reject, or none; "" = not looked at
	At         time.Time // zero = now
}

// noChoice is the word for a user who is asked each time.
const noChoice = "none"

// Limits of a report.
const (
	maxTimes      = 100
	maxTemplateID = 64
)

// AddReports stores what is right of reports and returns how many were, and the
// problems of the others. A template that is none of the account's is one, if those are known.
func (k *Keeper) AddReports(ctx context.Context, a *hongyan.Account, reports []Report) (stored int, problems []Problem, err error) {
	now := hongyan.Millis(k.cfg.Store.Now())
	known, err := k.subscribeIDs(ctx, a.AppID)
	if err != nil {
		return 0, nil, err
	}
	var changes []hongyan.ConsentChange
	for i := range reports {
		fields := reports[i].check(now)
		if id := reports[i].TemplateID; len(fields) == 0 && len(known) > 0 && !known[id] {
			fields = []hongyan.FieldError{{Pointer: "/template_id", Detail: fmt.Sprintf("%q is no subscribe template of %s, nor an alias of one", clip(id), a.AppID)}}
		}
		if len(fields) > 0 {
			problems = append(problems, Problem{i, fields})
			continue
		}
		stored++
		changes = append(changes, reports[i].changes(a.AppID, now)...)
	}
	if err := k.cfg.Store.ApplyConsents(ctx, changes); err != nil {
		return 0, nil, fmt.Errorf("store reports of consents of %s: %w", a.AppID, err)
	}
	return stored, problems, nil
}

// subscribeIDs are the subscribe templates of an account that are known here; none means
// that they were not fetched, not that it has none.
func (k *Keeper) subscribeIDs(ctx context.Context, appID string) (map[string]bool, error) {
	all, err := k.cfg.Store.Templates(ctx, appID)
	if err != nil {
		return nil, fmt.Errorf("load the templates of %s: %w", appID, err)
	}
	ids := make(map[string]bool)
	for i := range all {
		if all[i].Kind == hongyan.KindSubscribe || all[i].Kind == hongyan.KindNotice {
			ids[all[i].TemplateID] = true
		}
	}
	return ids, nil
}

// changes are what a report says, in acts.
func (r *Report) changes(appID string, now time.Time) (all []hongyan.ConsentChange) {
	ch := hongyan.ConsentChange{AppID: appID, OpenID: r.OpenID, TemplateID: r.TemplateID, Reported: true, At: now}
	if at := hongyan.Millis(r.At); !at.IsZero() && at.Before(now) {
		ch.At = at
	}
	switch r.Answer {
	case "accept":
		ch.Act, ch.Times = hongyan.ConsentAccepted, max(1, r.Times)
		all = append(all, ch)
	case "reject":
		ch.Act = hongyan.ConsentDeclined
		all = append(all, ch)
	}
	if r.Always != "" {
		ch.Act, ch.Times, ch.Always = hongyan.ConsentChoice, 0, strings.TrimPrefix(r.Always, noChoice)
		all = append(all, ch)
	}
	return all
}

// check returns every rule the report breaks.
func (r *Report) check(now time.Time) (fields []hongyan.FieldError) {
	add := func(pointer, format string, args ...any) {
		fields = append(fields, hongyan.FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
	if !hongyan.ValidOpenID(r.OpenID) {
		add("/openid", "%q is not an openid: 28 characters, an \"o\" first, then letters, digits, \"-\" and \"_\"", clip(r.OpenID))
	}
	if r.TemplateID == "" || len(r.TemplateID) > maxTemplateID || strings.ContainsFunc(r.TemplateID, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		add("/template_id", "%q is not a template_id: 1 to %d visible ASCII characters", clip(r.TemplateID), maxTemplateID)
	}
	switch r.Answer {
	case "", "accept", "reject":
	case "ban", "filter":
		add("/answer", "%q is the platform's word about the template, not the user's answer: leave it out", r.Answer)
	default:
		add("/answer", "%s", hongyan.OneOf(r.Answer, "accept", "reject"))
	}
	if rule := hongyan.OneOf(r.Always, "", "accept", "reject", noChoice); rule != "" {
		add("/always", "%s", rule)
	}
	if cmp.Or(r.Answer, r.Always) == "" {
		add("/answer", "the report says nothing: give answer or always")
	}
	if r.Times < 0 || r.Times > maxTimes || r.Times > 0 && r.Answer != "accept" {
		add("/times", "%d is not between 1 and %d, or answer is not accept", r.Times, maxTimes)
	}
	if r.At.Sub(now) > maxSkew {
		add("/at", "%s is in the future (now %s)", r.At.UTC().Format(time.RFC3339), now.Format(time.RFC3339))
	}
	return fields
}
