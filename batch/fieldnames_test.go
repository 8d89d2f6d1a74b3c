package batch_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/batch"
	"hongyan/sandbox"
	"hongyan/wechat"
)

func TestNamesThatAreNoField(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		tests := []struct {
			name, pointer, says string
			change              func(*batch.Draft)
		}{
			{"a field mistyped", "/columns/ulr", `did you mean "url"?`, func(d *batch.Draft) { d.Columns["ulr"] = "链接" }},
			{"a key mistyped", "/columns/data.thing3", `did you mean "thing2"?`, func(d *batch.Draft) { d.Columns["data.thing3"] = "name" }},
			{"a default", "/data/foo", "the template's keys are character_string1, thing2", func(d *batch.Draft) { d.Fields.Data["foo"] = wechat.Field{Value: "bar"} }},
			{"an empty key", "/columns/data.", "a key of data has no name", func(d *batch.Draft) { d.Columns["data."] = "user id" }},
			{"an empty default", "/data/", "a key of data has no name", func(d *batch.Draft) { d.Fields.Data[""] = wechat.Field{Value: "x"} }},
			{"of miniprogram", "/columns/miniprogram.apid", `did you mean "miniprogram.appid"?`, func(d *batch.Draft) { d.Columns["miniprogram.apid"] = "name" }},
			{"of miniprogram, a default", "/data/miniprogram.foo", "miniprogram has appid and pagepath", func(d *batch.Draft) { d.Fields.Data["miniprogram.foo"] = wechat.Field{Value: "x"} }},
		}
		for _, tt := range tests {
			_, err := w.desk().Create(t.Context(), draft(tt.change))
			e, ok := errors.AsType[*hongyan.Error](err)
			if !ok || e.Code != "unknown_field" || e.Fields[0].Pointer != tt.pointer || !strings.Contains(e.Message, tt.says) {
				t.Errorf("%s: got %v %+v, want unknown_field at %s that says %s", tt.name, err, e, tt.pointer, tt.says)
			}
		}
		b := w.create(draft())
		_, err := w.upload(b.ID, "user id,order,name,data.remark\n"+sandbox.OpenID("", 1)+",A1,x,y\n")
		if e, ok := errors.AsType[*hongyan.Error](err); !ok || e.Code != "unknown_field" || e.Fields[0].Pointer != "/data/remark" {
			t.Errorf("a column of a key that the template does not have: got %v", err)
		}
	})
}

func TestATableWithoutRecipients(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.create(draft(func(d *batch.Draft) { d.Columns = nil }))
		_, err := w.upload(b.ID, "open_id,order,name\n"+sandbox.OpenID("", 1)+",A1,x\n")
		e, ok := errors.AsType[*hongyan.Error](err)
		if !ok || e.Code != "unknown_column" {
			t.Fatalf("got %v, want unknown_column", err)
		}
		want := []hongyan.FieldError{{Pointer: "/touser",
			Detail:   `no column gives touser: name one openid, or say which it is; the columns are open_id, order, name; did you mean "open_id"?`,
			DetailZH: `没有一列给出 touser：请把某列命名为 openid，或指明是哪一列；表中有 open_id, order, name；是否应为 "open_id"？`}}
		if diff := cmp.Diff(want, e.Fields); diff != "" {
			t.Errorf("fields (-want +got):\n%s", diff)
		}
		if _, err := w.upload(b.ID, "openid,order,name\n"+sandbox.OpenID("", 1)+",A1,x\n"); err != nil {
			t.Errorf("a column named openid: %v", err)
		}
	})
}
