package dispatch

import (
	"testing"
	"time"

	"hongyan"
)

// TestATemplateAndTheAccountHaveLimitsBesideEachOther: S55 gives both a template and all
// of them together a limit. Each holds what passes it, whatever the other leaves.
func TestATemplateAndTheAccountHaveLimitsBesideEachOther(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.change(func(a *hongyan.Account) {
			a.Quotas = []hongyan.QuotaRule{{Scope: "template", Period: "day", Limit: 2}, {Scope: "account", Period: "day", Limit: 3}}
		})
		other := order()
		other.TemplateID, other.Data = free, Data{"first": {Value: "您好"}, "keyword1": {Value: "内容"}, "remark": {Value: "谢谢"}}
		for i, c := range []struct {
			r      Request
			state  hongyan.State
			reason string
		}{
			{order(), hongyan.Accepted, ""},
			{order(), hongyan.Accepted, ""},
			{order(), hongyan.Held, hongyan.HoldQuota}, // its template's limit
			{other, hongyan.Accepted, ""},              // another template has its own
			{other, hongyan.Held, hongyan.HoldQuota},   // the account's limit
		} {
			m := d.submit(c.r)
			d.sleep(time.Minute)
			if got := d.want(m.ID, c.state, c.reason); got.State != c.state {
				d.Errorf("that was message %d", i+1)
			}
		}
		if got := d.wechat.count(sendPath); got != 3 {
			d.Errorf("%d calls, want the account's limit of 3", got)
		}
	})
}
