package wechat

import (
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestFit(t *testing.T) {
	content := ParseContent("商品：{{thing1.DATA}}\n单号：{{character_string2.DATA}}\n说明：{{thing3.DATA}}\n金额：{{amount4.DATA}}\n备注：{{thing5.DATA}}")
	whole := map[string]string{"thing1": "巧克力", "character_string2": "A1001", "thing3": "无", "amount4": "￥39.80", "thing5": "无"}
	tests := []struct {
		name   string
		policy LengthPolicy
		given  map[string]string // over whole; "-" takes a key away
		want   map[string]string // what differs from what was given
		fitted []string          // key action
		fatal  bool              // something is refused all the same
	}{
		{name: "nothing is too long", policy: LengthSplit},
		{name: "refused", policy: LengthRefuse, given: map[string]string{"thing1": han(25)}, fatal: true},
		{name: "cut", policy: LengthCut, given: map[string]string{"thing1": han(25)}, want: map[string]string{"thing1": han(19) + "…"}, fitted: []string{"thing1 cut"}},
		{name: "an amount is never cut", policy: LengthCut, given: map[string]string{"amount4": "1234567890123"}, fatal: true},
		{name: "nor split", policy: LengthSplit, given: map[string]string{"amount4": "1234567890123"}, fatal: true},
		{name: "a text without an empty line behind it is cut", policy: LengthSplit, given: map[string]string{"thing1": han(25)},
			want: map[string]string{"thing1": han(19) + "…"}, fitted: []string{"thing1 cut"}},
		{name: "split into a line that is left empty", policy: LengthSplit, given: map[string]string{"thing1": han(25), "thing3": ""},
			want: map[string]string{"thing1": han(20), "thing3": han(5)}, fitted: []string{"thing1 split thing3"}},
		{name: "split into lines that are left out", policy: LengthSplit, given: map[string]string{"thing1": han(50), "thing3": "-", "thing5": "-"},
			want: map[string]string{"thing1": han(20), "thing3": han(20), "thing5": han(10)}, fitted: []string{"thing1 split thing3 thing5"}},
		{name: "what does not fit in the last line is cut", policy: LengthSplit, given: map[string]string{"thing1": han(61), "thing3": "-", "thing5": "-"},
			want: map[string]string{"thing1": han(20), "thing3": han(20), "thing5": han(19) + "…"}, fitted: []string{"thing1 split thing3 thing5"}},
		{name: "a line left for a text that is short", policy: LengthSplit, given: map[string]string{"thing3": "", "thing5": "-"},
			want: map[string]string{"thing3": "-", "thing5": "-"}, fitted: []string{"thing3 filled", "thing5 filled"}},
		{name: "a key that may be misspelt is not taken for left out", policy: LengthSplit, given: map[string]string{"thing5": "-", "thing55": "无"}, fatal: true},
		{name: "the first line is nobody's continuation", policy: LengthSplit, given: map[string]string{"thing1": ""}, fatal: true},
		{name: "at a punctuation mark", policy: LengthSplit, given: map[string]string{"thing1": han(16) + "，" + han(9), "thing3": ""},
			want: map[string]string{"thing1": han(16) + "，", "thing3": han(9)}, fitted: []string{"thing1 split thing3"}},
		{name: "not inside a number", policy: LengthSplit, given: map[string]string{"thing1": han(15) + "139001390.50元", "thing3": ""},
			want: map[string]string{"thing1": han(15), "thing3": "139001390.50元"}, fitted: []string{"thing1 split thing3"}},
		{name: "not inside an emoji", policy: LengthSplit, given: map[string]string{"thing1": han(18) + "👨‍👩‍👧" + han(3), "thing3": ""},
			want: map[string]string{"thing1": han(18), "thing3": "👨‍👩‍👧" + han(3)}, fitted: []string{"thing1 split thing3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			values := maps.Clone(whole)
			maps.Copy(values, tt.given)
			data := Data{}
			for key, value := range values {
				if value != "-" {
					data[key] = Field{Value: value, Color: "#173177"}
				}
			}
			given := maps.Clone(data)
			want := maps.Clone(data)
			for key, value := range tt.want {
				want[key] = Field{Value: value, Color: data[key].Color}
			}
			got, fitted := Fit(FitInput{Keys: content.Params(), Data: data, Rules: RulesTemplate, Policy: tt.policy})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(given, data); diff != "" {
				t.Errorf("the caller's own data was changed (-given +now):\n%s", diff)
			}
			var words []string
			for _, f := range fitted {
				words = append(words, strings.Join(append([]string{f.Key, f.Action}, f.Into...), " "))
				if f.Detail == "" || f.DetailZH == "" || f.Action != FittedFilled && f.Value != data[f.Key].Value {
					t.Errorf("fitted %+v", f)
				}
			}
			if diff := cmp.Diff(tt.fitted, words); diff != "" {
				t.Errorf("fitted (-want +got):\n%s", diff)
			}
			if fatal := FirstFatal(ValidateData(content, got, RulesTemplate)) != nil; fatal != tt.fatal {
				t.Errorf("refused %v, want %v", fatal, tt.fatal)
			}
		})
	}
}

// In historical templates the platform refuses nothing, and the phone cuts: a split text is shown whole.
func TestFitKeepsWhatThePhoneWouldCut(t *testing.T) {
	content := ParseContent("{{first.DATA}}\n单号：{{keyword1.DATA}}\n说明：{{keyword2.DATA}}\n{{remark.DATA}}")
	data := Data{"first": {Value: han(30)}, "keyword1": {Value: han(25)}, "remark": {}}
	got, _ := Fit(FitInput{Keys: content.Params(), Data: data, Rules: RulesHistorical, Policy: LengthSplit})
	want := Data{"first": {Value: han(30)}, "keyword1": {Value: han(20)}, "keyword2": {Value: han(5)}, "remark": {}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	lines := Render(RenderInput{Content: content, Data: got}).Lines
	if diff := cmp.Diff([]CardLine{{Label: "单号", Value: han(20)}, {Label: "说明", Value: han(5)}}, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	short, fitted := Fit(FitInput{Keys: content.Params(), Data: Data{"keyword1": {Value: "1"}}, Rules: RulesHistorical, Policy: LengthSplit})
	if _, there := short["keyword2"]; !there || len(fitted) != 0 {
		t.Errorf("a short text: %v, fitted %v; want keyword2 empty", short, fitted)
	}
	if cut, _ := Fit(FitInput{Keys: content.Params(), Data: data, Rules: RulesHistorical, Policy: LengthCut}); !cmp.Equal(data, cut) {
		t.Errorf("cut changed %v", cut)
	}
}

func FuzzFit(f *testing.F) {
	f.Add("您的订单已发货，单号 SF139001390，预计 11 月 28 日送达", "", true)
	f.Add(strings.Repeat("👨‍👩‍👧", 9), "x", false)
	f.Add("…", " ", true)
	f.Fuzz(func(t *testing.T, text, next string, typed bool) {
		keys, rules := []string{"thing1", "thing2"}, RulesTemplate
		if !typed {
			keys, rules = []string{"keyword1", "keyword2"}, RulesHistorical
		}
		data := Data{keys[0]: {Value: text}, keys[1]: {Value: next}}
		got, fitted := Fit(FitInput{Keys: keys, Data: data, Rules: rules, Policy: LengthSplit})
		if len(fitted) == 0 {
			return
		}
		if utf8.ValidString(text) {
			together := strings.Join(strings.Fields(text), "")
			kept := strings.TrimSuffix(strings.Join(strings.Fields(got[keys[0]].Value), ""), "…")
			if fitted[0].Key == keys[0] && !strings.HasPrefix(together, kept) {
				t.Errorf("%q begins with %q after the split", text, kept)
			}
		}
		if n := utf8.RuneCountInString(got[keys[0]].Value); typed && n > 20 {
			t.Errorf("%d characters are left of %q", n, text)
		}
	})
}

func TestExampleData(t *testing.T) {
	content := ParseContent("{{first.DATA}}\n\n订单编号：{{keyword1.DATA}}\n金额：{{keyword2.DATA}}元，共{{keyword3.DATA}}件\n{{remark.DATA}}")
	got := ExampleData(content, "您好\n订单编号：A1001\n\n金额：39.8元，共2件\n感谢")
	want := Data{"first": {Value: "您好"}, "keyword1": {Value: "A1001"}, "keyword2": {Value: "39.8"}, "keyword3": {Value: "2"}, "remark": {Value: "感谢"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if got := ExampleData(content, "您好\n编号 A1001"); len(got) != 1 {
		t.Errorf("an example of another form gives %v", got)
	}
}

func TestValidateEnums(t *testing.T) {
	tmpl := SubscribeTemplate{Enums: []KeywordEnum{{"enum1.DATA", []string{"已发货", "已签收"}}}}
	enums := tmpl.EnumsByKey()
	for value, refused := range map[string]bool{"已发货": false, " 已签收 ": false, "": false, "已退货": true} {
		got := ValidateEnums(enums, Data{"enum1": {Value: value}})
		if len(got) == 1 != refused {
			t.Errorf("%q: %+v", value, got)
		}
		if refused && (got[0].Rule != "enum:allowed" || !got[0].Fatal || !strings.Contains(got[0].DetailZH, "已发货/已签收")) {
			t.Errorf("%q: %+v", value, got[0])
		}
	}
}

func TestIndustryCodesAreThoseOfTheSpecification(t *testing.T) {
	all := IndustryCodes()
	if len(all) != 41 || all[0].Code != "1" || all[40].Code != "41" {
		t.Fatalf("%d codes", len(all))
	}
	for _, c := range all {
		if got := CodeOfIndustry(c.Industry); got != c.Code {
			t.Errorf("%+v has the code %q", c, got)
		}
	}
	if got := CodeOfIndustry(Industry{"IT科技", "互联网/电子商务"}); got != "" { // as the page of the console spells it
		t.Errorf("another spelling has the code %q", got)
	}
}
