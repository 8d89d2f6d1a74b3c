package storetest

import (
	"fmt"
	"time"

	"hongyan"
	"hongyan/store"
)

var auditCases = []testCase{
	{name: "comes back as it was given, newest first", bubble: true, run: auditRoundTrip},
	{name: "is listed by who, what, on what and since when", bubble: true, run: auditFilters},
	{name: "goes page by page", run: auditPages},
	{name: "is forgotten after a year", bubble: true, run: auditForgotten},
}

func (f *fixture) audit(filter store.AuditFilter) []hongyan.AuditEntry {
	f.Helper()
	if filter.Limit == 0 {
		filter.Limit = 100
	}
	all, err := f.s.AuditLog(f.ctx, filter)
	f.must(err)
	return all
}

func auditRoundTrip(f *fixture) {
	same(f, "at first", len(f.audit(store.AuditFilter{})), 0)
	full := hongyan.AuditEntry{At: f.s.Now().Add(-time.Minute), Actor: "key_1", Remote: "10.0.0.1", Action: "login.refused",
		Target: appA, Outcome: "refused", Detail: "密钥错误", Count: 12}
	f.must(f.s.AppendAudit(f.ctx, []hongyan.AuditEntry{full, {Action: "key.create"}}))
	all := f.audit(store.AuditFilter{})
	same(f, "entries", len(all), 2)
	if all[1].ID <= 0 || all[0].ID <= all[1].ID {
		f.Fatalf("ids %d and %d do not grow", all[1].ID, all[0].ID)
	}
	full.ID = all[1].ID
	same(f, "full", all[1], full)
	same(f, "bare", all[0], hongyan.AuditEntry{ID: all[0].ID, At: f.s.Now(), Action: "key.create", Count: 1})
	f.must(f.s.AppendAudit(f.ctx, nil))
}

func auditFilters(f *fixture) {
	start := f.s.Now()
	for _, e := range []hongyan.AuditEntry{
		{Actor: "admin", Action: "account.create", Target: appA, Detail: "0"},
		{Actor: "key_1", Action: "account.update", Target: appA, Detail: "1"},
		{Actor: "admin", Action: "key.revoke", Target: "key_1", Detail: "2"},
		{Actor: "", Action: "login.refused", Detail: "3"},
		{Actor: "admin", Action: "account", Target: appB, Detail: "4"},
	} {
		f.must(f.s.AppendAudit(f.ctx, []hongyan.AuditEntry{e}))
		time.Sleep(time.Minute)
	}
	for _, c := range []struct {
		name   string
		filter store.AuditFilter
		want   string
	}{
		{"none", store.AuditFilter{}, "43210"},
		{"actor", store.AuditFilter{Actor: "admin"}, "420"},
		{"action", store.AuditFilter{Action: "account.update"}, "1"},
		{"noun", store.AuditFilter{Action: "account."}, "10"},
		{"a word without its dot", store.AuditFilter{Action: "account"}, "4"},
		{"a wild card is none", store.AuditFilter{Action: "%."}, ""},
		{"target", store.AuditFilter{Target: appA}, "10"},
		{"since", store.AuditFilter{Since: start.Add(3 * time.Minute)}, "43"},
		{"all of it", store.AuditFilter{Actor: "admin", Action: "account.", Target: appA, Since: start}, "0"},
		{"limit", store.AuditFilter{Limit: 2}, "43"},
	} {
		got := ""
		for _, e := range f.audit(c.filter) {
			got += e.Detail
		}
		same(f, c.name, got, c.want)
	}
}

func auditPages(f *fixture) {
	var entries []hongyan.AuditEntry
	for i := range 7 {
		entries = append(entries, hongyan.AuditEntry{Action: "a.b", Detail: fmt.Sprint(i)})
	}
	f.must(f.s.AppendAudit(f.ctx, entries))
	for _, limit := range []int{1, 3, 7, 1000} {
		got, before := "", int64(0)
		for {
			page := f.audit(store.AuditFilter{Before: before, Limit: limit, Action: "a."})
			for _, e := range page {
				got += e.Detail
				before = e.ID
			}
			if len(page) < limit {
				break
			}
		}
		same(f, fmt.Sprint("pages of ", limit), got, "6543210")
	}
}

func auditForgotten(f *fixture) {
	old := make([]hongyan.AuditEntry, 1200)
	f.must(f.s.AppendAudit(f.ctx, old))
	time.Sleep(360 * 24 * time.Hour)
	f.must(f.s.AppendAudit(f.ctx, []hongyan.AuditEntry{{Action: "key.create"}}))
	f.sweep(0)
	time.Sleep(10 * 24 * time.Hour)
	f.sweep(len(old))
	same(f, "left", len(f.audit(store.AuditFilter{})), 1)
}
