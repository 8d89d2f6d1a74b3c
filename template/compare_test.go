package template

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/wechat"
)

// TestSyncComparesListAgainstStore covers what a sandbox's list cannot: renamed,
// banned, missing and returning templates.
func TestSyncComparesListAgainstStore(t *testing.T) {
	now := time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)
	account := &hongyan.Account{AppID: "wx0f1e2d3c4b5a6978", Kind: hongyan.ServiceAccount}
	known := func(id, title, status string) hongyan.Template {
		return hongyan.Template{AppID: account.AppID, TemplateID: id, Title: title, Kind: hongyan.KindTemplate, Status: status, SyncedAt: now.Add(-time.Hour)}
	}
	ours := []hongyan.Template{
		known("same", "t", "active"), known("renamed", "old", "active"), known("banned", "t", "banned"),
		known("back", "t", "removed"), known("gone", "t", "active"), known("gone-before", "t", "removed"),
	}
	theirs := []wechat.Template{{TemplateID: "same", Title: "t"}, {TemplateID: "renamed", Title: "new"}, {TemplateID: "banned", Title: "t"}, {TemplateID: "back", Title: "t"}, {TemplateID: "fresh", Title: "t"}}

	byEngine := compare(account, ours, theirs, now, false)
	want := Changes{Added: []string{"fresh"}, Updated: []string{"renamed", "back"}, Missing: []string{"gone"}, Unchanged: 2}
	if diff := cmp.Diff(want, byEngine.Changes); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if got := byEngine.put[2].Status; got != "banned" {
		t.Errorf("a banned template became %q without an operator", got)
	}
	if diff := cmp.Diff([]string{"back"}, byEngine.revived); diff != "" {
		t.Errorf("revived (-want +got):\n%s", diff)
	}
	byOperator := compare(account, ours, theirs, now, true)
	if diff := cmp.Diff([]string{"banned", "back"}, byOperator.revived); diff != "" {
		t.Errorf("revived by an operator (-want +got):\n%s", diff)
	}
}
