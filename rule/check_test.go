package rule

import (
	"strings"
	"testing"
	"time"

	"hongyan"
	"hongyan/wechat"
)

func sound() hongyan.Rule {
	return hongyan.Rule{Name: "welcome", On: "follow", Message: hongyan.RuleMessage{TemplateID: "order_paid", Data: wechat.Data{"thing1": {Value: "欢迎"}}}}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	value := func(text string) func(*hongyan.Rule) {
		return func(r *hongyan.Rule) { r.Message.Data = wechat.Data{"thing1": {Value: text}} }
	}
	tests := []struct {
		name    string
		change  func(*hongyan.Rule)
		pointer string // "" = nothing is wrong
		words   string
	}{
		{"a sound rule", func(*hongyan.Rule) {}, "", ""},
		{"any type of event", func(r *hongyan.Rule) { r.On = "view_miniprogram" }, "", ""},
		{"placeholders", value("{{openid}} {{ time }} {{time:HH:mm:ss}} {{event.ScanCodeInfo.ScanResult}}"), "", ""},
		{"once ever", func(r *hongyan.Rule) { r.Once = hongyan.OnceEver }, "", ""},
		{"a name with spaces", func(r *hongyan.Rule) { r.Name = "a b" }, "/name", `"a b"`},
		{"no trigger", func(r *hongyan.Rule) { r.On = "" }, "/on", "follow, scan, accept, click"},
		{"a trigger of WeChat's that has another word", func(r *hongyan.Rule) { r.On = "subscribe" }, "/on", "is written follow"},
		{"a loop", func(r *hongyan.Rule) { r.On = "templatesendjobfinish" }, "/on", "would bring the next"},
		{"who has left", func(r *hongyan.Rule) { r.On = "unsubscribe" }, "/on", "no message"},
		{"a mistyped trigger", func(r *hongyan.Rule) { r.On = "subscibe" }, "/on", "did you mean"},
		{"an unknown operator", func(r *hongyan.Rule) { r.Filters = []hongyan.RuleFilter{{Field: "Scene", Op: "like"}} }, "/filters/0/op", `"like"`},
		{"a pattern that is none", func(r *hongyan.Rule) { r.Filters = []hongyan.RuleFilter{{Field: "Scene", Op: "matches", Value: "("}} }, "/filters/0/value", "regular expression"},
		{"a field that is no name", func(r *hongyan.Rule) { r.Filters = []hongyan.RuleFilter{{Field: "a b", Op: "equal"}} }, "/filters/0/field", `"a b"`},
		{"too long a delay", func(r *hongyan.Rule) { r.Delay = 31 * 24 * time.Hour }, "/delay_seconds", "2592000"},
		{"too short a period", func(r *hongyan.Rule) { r.Once = time.Second }, "/once_per", "a minute"},
		{"no template", func(r *hongyan.Rule) { r.Message.TemplateID = "" }, "/message/template_id", "missing"},
		{"no data", func(r *hongyan.Rule) { r.Message.Data = nil }, "/message/data", "missing"},
		{"a kind that needs a form", func(r *hongyan.Rule) { r.Message.Kind = hongyan.KindMiniTemplate }, "/message/kind", "mini_template"},
		{"a placeholder of nothing", value("{{nickname}}"), "/message/data/thing1", "{{nickname}} stands for nothing"},
		{"a template's own text", value("{{first.DATA}}"), "/message/data/thing1", "{{first.DATA}}"},
		{"an open placeholder", value("a {{openid b"), "/message/data/thing1", "without the other"},
		{"a format that is none", value("{{time:yyyy}}"), "/message/data/thing1", `"y"`},
		{"an unknown priority", func(r *hongyan.Rule) { r.Message.Priority = "high" }, "/message/priority", `"high"`},
		{"too short a life", func(r *hongyan.Rule) { r.Message.ExpiresAfter = 1 }, "/message/expires_after_seconds", "60"},
		{"a placeholder in a link", func(r *hongyan.Rule) { r.Message.URL = "https://a/{{x}}" }, "/message/url", "{{x}}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := sound()
			tt.change(&r)
			got := Check(&r)
			switch {
			case tt.pointer == "" && len(got) > 0:
				t.Errorf("got %+v, want nothing", got)
			case tt.pointer != "" && (len(got) != 1 || got[0].Pointer != tt.pointer || !strings.Contains(got[0].Detail, tt.words)):
				t.Errorf("got %+v, want %s: … %s", got, tt.pointer, tt.words)
			}
		})
	}
}

func TestOnceIsReadAndWrittenAlike(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "ever": hongyan.OnceEver, "30m": 30 * time.Minute, "36h": 36 * time.Hour, "30d": 720 * time.Hour} {
		got, err := ParseOnce(text)
		if err != nil || got != want || OnceWords(got) != text {
			t.Errorf("%q: got %s, %v, written %q; want %s", text, got, err, OnceWords(got), want)
		}
	}
	for _, text := range []string{"0h", "1w", "h", "-1h", "1.5h", "99999999999d", "immer"} {
		if got, err := ParseOnce(text); err == nil {
			t.Errorf("%q is read as %s, want an error", text, got)
		}
	}
}

// FuzzText: whatever a text is, it is refused or filled in without a brace left.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"{{openid}}", "{{time:YYYY}}{{", "}}", "{{event.A.B}}", "{{{openid}}}", "{{ time:月 }}"} {
		f.Add(seed)
	}
	v := values{openID: "o", at: time.Unix(1790000000, 0), fields: map[string]string{}}
	f.Fuzz(func(t *testing.T, text string) {
		if textFault(text) != "" {
			return
		}
		if got := v.fill(text); strings.Contains(got, "{{") && !strings.Contains(text, "{{{") {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}
