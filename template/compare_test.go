package template

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/wechat"
)

const testAppID = "wx0f1e2d3c4b5a6978"

// known is a template as an earlier sync left it.
func known(id, title, status string) hongyan.Template {
	return hongyan.Template{AppID: testAppID, TemplateID: id, Title: title, Kind: hongyan.KindTemplate, Status: status, SyncedAt: time.Unix(1, 0), Policy: "split"}
}

// TestSyncComparesListAgainstStore covers what a sandbox's list cannot: renamed,
// banned, missing and returning templates.
func TestSyncComparesListAgainstStore(t *testing.T) {
	account := &hongyan.Account{AppID: testAppID, Kind: hongyan.ServiceAccount}
	ours := []hongyan.Template{
		known("same", "t", "active"), known("renamed", "old", "active"), known("banned", "t", "banned"),
		known("back", "t", "removed"), known("gone", "t", "active"), known("gone-before", "t", "removed"),
	}
	theirs := listed(account, []wechat.Template{{TemplateID: "same", Title: "t"}, {TemplateID: "renamed", Title: "new"},
		{TemplateID: "banned", Title: "t"}, {TemplateID: "back", Title: "t"}, {TemplateID: "fresh", Title: "t"}}, time.Unix(2, 0))

	byEngine := compare(ours, theirs, false)
	got := byEngine.Changes
	got.Differences = nil
	want := Changes{Added: []string{"fresh"}, Updated: []string{"renamed", "back"}, Missing: []string{"gone"}, Unchanged: 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if got := byEngine.put[2].Status; got != "banned" {
		t.Errorf("a banned template became %q without an operator", got)
	}
	if got := byEngine.put[0].Policy; got != "split" {
		t.Errorf("policy %q after a sync, want the operator's", got)
	}
	if len(byEngine.gone) != 1 || byEngine.gone[0].TemplateID != "gone" || byEngine.gone[0].Status != Removed {
		t.Errorf("gone %+v", byEngine.gone)
	}
	if diff := cmp.Diff([]string{"back"}, byEngine.revived); diff != "" {
		t.Errorf("revived (-want +got):\n%s", diff)
	}
	byOperator := compare(ours, theirs, true)
	if diff := cmp.Diff([]string{"banned", "back"}, byOperator.revived); diff != "" {
		t.Errorf("revived by an operator (-want +got):\n%s", diff)
	}
}

func TestADifferenceIsShownFieldByField(t *testing.T) {
	old, now := known("t1", "订单支付", "active"), known("t1", "订单支付通知", "active")
	old.Content = "{{first.DATA}}\n订单编号：{{keyword1.DATA}}\n支付金额:{{keyword2.DATA}}\n时间：{{time4.DATA}}\n{{remark.DATA}}"
	now.Content = "订单编号：{{character_string1.DATA}}\n支付金额：{{amount2.DATA}}\n时间：{{time4.DATA}}\n门店：{{thing5.DATA}}"
	now.Enums = map[string][]string{"enum1": {"是", "否"}}
	now.SyncedAt = time.Unix(9, 0) // no difference
	got, same := differ(&old, &now)
	if same {
		t.Fatal("no difference was seen")
	}
	want := Difference{
		TemplateID: "t1", Title: "订单支付通知", Kind: hongyan.KindTemplate, Change: ChangeUpdated,
		Fields:       []FieldChange{{"title", "订单支付", "订单支付通知"}, {"content", old.Content, now.Content}, {"enums", "", "enum1: 是/否"}},
		LinesRemoved: []string{"{{first.DATA}}", "订单编号：{{keyword1.DATA}}", "支付金额:{{keyword2.DATA}}", "{{remark.DATA}}"},
		LinesAdded:   []string{"订单编号：{{character_string1.DATA}}", "支付金额：{{amount2.DATA}}", "门店：{{thing5.DATA}}"},
		KeysRenamed:  []Renamed{{"keyword1", "character_string1"}, {"keyword2", "amount2"}},
		KeysRemoved:  []string{"first", "remark"}, KeysAdded: []string{"thing5"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("difference (-want +got):\n%s", diff)
	}
	now = old
	now.SyncedAt = time.Unix(9, 0)
	if _, same := differ(&old, &now); !same {
		t.Error("a template differs from itself at another time")
	}
}
