package wechat

import (
	"strings"
	"testing"
)

func TestSplitErrMsg(t *testing.T) {
	tests := []struct{ name, in, msg, rid string }{
		{"rid", "invalid appid rid: 6aac005a-01bfdbee-79769285", "invalid appid", "6aac005a-01bfdbee-79769285"},
		{"no suffix", "invalid appid", "invalid appid", ""},
		{"no suffix, odd end", "empty post data, ", "empty post data, ", ""},
		{"ok", "ok", "ok", ""},
		{"empty", "", "", ""},
		{"sns comma", "invalid code, rid: 6aac005a-01bfdbee-79769285", "invalid code", "6aac005a-01bfdbee-79769285"},
		{"rid without a space", "invalid appid rid:6aac005a-01bfdbee-79769285", "invalid appid", "6aac005a-01bfdbee-79769285"},
		{"rid alone", "rid: 6aac005a-01bfdbee-79769285", "", "6aac005a-01bfdbee-79769285"},
		{"hint", "invalid credential hint: [abcDEF0123gh45]", "invalid credential", "abcDEF0123gh45"},
		{"hint with exclamation", "not latest hint: [abcDEF0123gh45 !]", "not latest", "abcDEF0123gh45"},
		{"hint before the detail", "argument invalid! hint: [GKkF705354129] data.phrase2.value invalid",
			"argument invalid! data.phrase2.value invalid", "GKkF705354129"},
		{"hint and rid", "invalid appid hint: [abcDEF0123gh45] rid: 5f112233-44556677-8899aabb",
			"invalid appid", "5f112233-44556677-8899aabb"},
		{"sns hints", "invalid code, hints: [ req_id: abcDEF-0123 ]", "invalid code", "abcDEF-0123"},
		{"cut detail", "argument invalid! data.character_string1.value i rid: 6aac005a-01bfdbee-79769285",
			"argument invalid! data.character_string1.value i", "6aac005a-01bfdbee-79769285"},
		{"text about rids", "could not query this rid,no permission rid: 6aac005a-01bfdbee-79769285",
			"could not query this rid,no permission", "6aac005a-01bfdbee-79769285"},
		{"a word that ends in rid", "bad grid: 6aac005a-01bfdbee", "bad grid: 6aac005a-01bfdbee", ""},
		{"not an id", "strange rid: see the manual", "strange rid: see the manual", ""},
		{"Chinese", "历史模板库已升级为类目模板。 rid: 6aac005a-01bfdbee-79769285", "历史模板库已升级为类目模板。", "6aac005a-01bfdbee-79769285"},
		{"unclosed hint", "x hint: [abcDEF0123gh45", "x hint: [abcDEF0123gh45", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msg, rid := splitErrMsg(tt.in)
			if msg != tt.msg || rid != tt.rid {
				t.Errorf("splitErrMsg(%q) = %q, %q; want %q, %q", tt.in, msg, rid, tt.msg, tt.rid)
			}
		})
	}
}

func FuzzSplitErrMsg(f *testing.F) {
	for _, seed := range []string{"ok", "invalid appid rid: 6aac005a-01bfdbee-79769285", "a hint: [abcDEF0123gh45] b",
		"x, hints: [ req_id: abcDEF-0123 ]", "rid: ", "hint: [] rid: 12345678", "hint: [ !]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		msg, rid := splitErrMsg(s)
		switch {
		case rid == "" && msg != s:
			t.Errorf("splitErrMsg(%q) changed the text to %q without finding an id", s, msg)
		case rid != "" && (!isRequestID(rid) || !strings.Contains(s, rid)):
			t.Errorf("splitErrMsg(%q) found %q, which is no id of it", s, rid)
		case len(msg) > len(s):
			t.Errorf("splitErrMsg(%q) = %q, longer than before", s, msg)
		}
	})
}
