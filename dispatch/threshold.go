package dispatch

import (
	"context"
	"fmt"

	"hongyan"
)

// thresholds are the parts of a limit, in percent, of which is told that they are used.
var thresholds = [...]int{50, 80, 100}

// QuotaThreshold is the news that a part of a limit is used.
type QuotaThreshold struct {
	Percent    int    `json:"percent"` // 50, 80 or 100
	Scope      string `json:"scope"`   // account or template
	TemplateID string `json:"template_id,omitempty"`
	Period     string `json:"period"` // day or month, in Beijing time
	Used       int64  `json:"used"`
	Limit      int64  `json:"limit"`
	ResetsAt   string `json:"resets_at"`

	appID string
	from  int64
}

// Once names what is told once in a period, by whichever node finds it first.
func (q QuotaThreshold) Once() string {
	return fmt.Sprintf("quota %s %s %s %s %d %d %d", q.appID, q.Scope, q.TemplateID, q.Period, q.from, q.Limit, q.Percent)
}

// tellThresholds tells of the limits of which another part is used since it looked last.
func (e *Engine) tellThresholds(ctx context.Context) {
	if e.cfg.Tell == nil {
		return
	}
	now := e.cfg.Store.Now()
	var found []QuotaThreshold
	e.mu.Lock()
	for appID, a := range e.accounts {
		if appID != a.AppID {
			continue // known by its alias too
		}
		for i := range a.meter.rules {
			r := &a.meter.rules[i]
			if r.Scope == scopeAccount {
				found = appendThreshold(found, a, r, "", a.meter.account.at(r.Period, now))
				continue
			}
			for templateID, t := range a.meter.templates {
				found = appendThreshold(found, a, r, templateID, t.at(r.Period, now))
			}
		}
	}
	e.mu.Unlock()
	for _, q := range found {
		e.cfg.Tell(ctx, q.appID, hongyan.NewsQuota, q)
	}
}

// appendThreshold adds the largest part of a rule's limit that is used and was not told
// of; the caller holds e.mu.
func appendThreshold(found []QuotaThreshold, a *account, r *hongyan.QuotaRule, templateID string, c *counter) []QuotaThreshold {
	if r.Limit <= 0 {
		return found
	}
	told := 0
	for _, percent := range thresholds {
		if c.used*100 >= r.Limit*int64(percent) {
			told = percent
		}
	}
	if told <= c.told {
		return found
	}
	c.told = told
	return append(found, QuotaThreshold{
		Percent: told, Scope: r.Scope, TemplateID: templateID, Period: r.Period, Used: c.used, Limit: r.Limit, ResetsAt: hongyan.NewsTime(c.until),
		appID: a.AppID, from: c.from.Unix(),
	})
}
