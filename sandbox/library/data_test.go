package library

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"hongyan/wechat"
)

func TestThereIsEnough(t *testing.T) {
	tests := []struct {
		name        string
		count, want int
	}{
		{"categories", len(Categories()), 25},
		{"historical", len(Historical()), 60},
		{"typed", len(Typed()), 60},
		{"mini", len(Mini()), 20},
		{"subscribe", len(Subscribe()), 30},
	}
	for _, tt := range tests {
		if tt.count < tt.want {
			t.Errorf("%s: %d, want %d or more", tt.name, tt.count, tt.want)
		}
	}
}

func TestEveryIndustryHasTemplates(t *testing.T) {
	count := map[int]int{}
	for _, tmpl := range Historical() {
		count[tmpl.Industry]++
	}
	for _, industry := range Industries() {
		if count[industry.Code] == 0 {
			t.Errorf("%d %s %s has no template", industry.Code, industry.First, industry.Second)
		}
	}
}

func TestEveryCategoryHasTemplates(t *testing.T) {
	count := map[int]int{}
	for _, tmpl := range slices.Concat(Typed(), Subscribe()) {
		count[tmpl.Category]++
	}
	for _, category := range Categories() {
		if count[category.ID] == 0 {
			t.Errorf("%d %s has no template", category.ID, category.Name)
		}
	}
}

// TestHistoricalContents reads each content as the platform does and looks for its fixed texts,
// in order, in the example.
func TestHistoricalContents(t *testing.T) {
	for _, tmpl := range Historical() {
		content := wechat.ParseContent(tmpl.Content)
		if rules := wechat.RulesOf(content); rules != wechat.RulesHistorical {
			t.Errorf("%s %s: %q falls under the rules %s", tmpl.ID, tmpl.Title, tmpl.Content, rules)
		}
		if words := content.Reserved(); words != nil {
			t.Errorf("%s %s: reserved words %q", tmpl.ID, tmpl.Title, words)
		}
		if n := strings.Count(tmpl.Content, "{{"); n != len(content.Params()) {
			t.Errorf("%s %s: %d places for the keys %q", tmpl.ID, tmpl.Title, n, content.Params())
		}
		if !filledIn(content).MatchString(tmpl.Example) || strings.ContainsAny(tmpl.Example, "{}") {
			t.Errorf("%s %s: example %q is not the content %q filled in", tmpl.ID, tmpl.Title, tmpl.Example, tmpl.Content)
		}
	}
}

// filledIn matches the content with any value in each place.
func filledIn(content wechat.Content) *regexp.Regexp {
	pattern := "^"
	for _, segment := range content.Segments() {
		if segment.Kind == wechat.SegmentParam {
			pattern += ".+"
			continue
		}
		pattern += regexp.QuoteMeta(segment.Text)
	}
	return regexp.MustCompile(pattern + "$")
}

// TestHistoricalLength holds the texts to the platform's bounds (spec §4.1).
func TestHistoricalLength(t *testing.T) {
	const most, fewestFixed = 200, 10
	for _, tmpl := range Historical() {
		fixed := 0
		for _, segment := range wechat.ParseContent(tmpl.Content).Segments() {
			if segment.Kind == wechat.SegmentText {
				fixed += utf8.RuneCountInString(strings.ReplaceAll(segment.Text, "\n", ""))
			}
		}
		if fixed < fewestFixed {
			t.Errorf("%s %s: %d fixed characters, want %d or more", tmpl.ID, tmpl.Title, fixed, fewestFixed)
		}
		if n := utf8.RuneCountInString(tmpl.Example); n > most {
			t.Errorf("%s %s: the example has %d characters, want %d or fewer", tmpl.ID, tmpl.Title, n, most)
		}
	}
}

// TestHistoricalKeys: old templates name their keys in every way that clients must cope with.
func TestHistoricalKeys(t *testing.T) {
	seen := map[string]bool{}
	for _, tmpl := range Historical() {
		for _, key := range wechat.ParseContent(tmpl.Content).Params() {
			seen[key] = true
		}
	}
	for _, key := range []string{"first", "keyword1", "keyword4", "keynote1", "remark", "Remark", "CardNumber", "money"} {
		if !seen[key] {
			t.Errorf("no template has the key %s", key)
		}
	}
}

var (
	typedTypes     = []string{"amount", "car_number", "character_string", "const", "phone_number", "phrase", "thing", "time"}
	subscribeTypes = []string{"amount", "car_number", "character_string", "date", "enum", "letter", "name",
		"number", "phone_number", "phrase", "symbol", "thing", "time"}
)

// TestTypes: the libraries use all types that the platform has described for them, and no other.
func TestTypes(t *testing.T) {
	tests := []struct {
		name string
		list []Template
		want []string
	}{
		{"typed", Typed(), typedTypes},
		{"subscribe", Subscribe(), subscribeTypes},
		{"mini", Mini(), []string{""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			used := map[string]bool{}
			for _, tmpl := range tt.list {
				for _, k := range tmpl.Keywords {
					used[k.Type] = true
				}
			}
			if diff := cmp.Diff(tt.want, slices.Sorted(maps.Keys(used))); diff != "" {
				t.Errorf("types (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExamplesFitTheirTypes(t *testing.T) {
	check := func(list []Template, rules wechat.RuleSet) {
		for _, tmpl := range list {
			for _, k := range tmpl.Keywords {
				key := k.Type + strconv.Itoa(k.ID)
				for _, value := range append(k.Values, k.Example) {
					if problem := wechat.ValidateValue(key, value, rules); problem != nil {
						t.Errorf("%s %s, %s: %v", tmpl.ID, tmpl.Title, k.Name, problem)
					}
				}
			}
		}
	}
	check(Typed(), wechat.RulesTemplate)
	check(Subscribe(), wechat.RulesSubscribe)
}

// TestValues: what may be chosen is listed for enum and const, and for nothing else.
func TestValues(t *testing.T) {
	for _, tmpl := range slices.Concat(Typed(), Mini(), Subscribe()) {
		for _, k := range tmpl.Keywords {
			switch listed := k.Type == "enum" || k.Type == "const"; {
			case !listed && k.Values != nil:
				t.Errorf("%s %s, %s: a %q with the values %q", tmpl.ID, tmpl.Title, k.Name, k.Type, k.Values)
			case listed && (len(k.Values) < 2 || k.Values[0] != k.Example || distinct(k.Values) != len(k.Values)):
				t.Errorf("%s %s, %s: values %q, want two or more different ones, %q first", tmpl.ID, tmpl.Title, k.Name, k.Values, k.Example)
			}
		}
	}
}

func distinct(list []string) int {
	return len(slices.Compact(slices.Sorted(slices.Values(list))))
}

func TestKeywords(t *testing.T) {
	tests := []struct {
		name     string
		list     []Template
		min, max int
	}{
		{"typed", Typed(), 4, 8},
		{"mini", Mini(), 4, 10},          // ten may be chosen (spec §6.4)
		{"subscribe", Subscribe(), 4, 8}, // two to five are chosen (spec §7.2)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, tmpl := range tt.list {
				if n := len(tmpl.Keywords); n < tt.min || n > tt.max {
					t.Errorf("%s %s has %d keywords, want %d to %d", tmpl.ID, tmpl.Title, n, tt.min, tt.max)
				}
				for i, k := range tmpl.Keywords {
					if k.ID != i+1 {
						t.Errorf("%s %s: keyword %s has the id %d, want %d", tmpl.ID, tmpl.Title, k.Name, k.ID, i+1)
					}
				}
			}
		})
	}
}

// TestTitles: titles say what the message is (spec §6.4); those of the old library were freer.
func TestTitles(t *testing.T) {
	for _, list := range [][]Template{Typed(), Mini(), Subscribe()} {
		ids := map[string]string{}
		for _, tmpl := range list {
			if !strings.HasSuffix(tmpl.Title, "通知") && !strings.HasSuffix(tmpl.Title, "提醒") {
				t.Errorf("%s: title %q ends neither in 通知 nor in 提醒", tmpl.ID, tmpl.Title)
			}
			if other, taken := ids[tmpl.Title]; taken {
				t.Errorf("%s: title %q is also that of %s", tmpl.ID, tmpl.Title, other)
			}
			ids[tmpl.Title] = tmpl.ID
		}
	}
}

// TestKept: people's tests rely on these since the first release.
func TestKept(t *testing.T) {
	kept := map[string]string{
		"43217":           "订单支付成功通知: 订单编号 character_string, 商品名称 thing, 支付金额 amount, 下单时间 time",
		"43218":           "订单发货通知: 订单编号 character_string, 快递公司 thing, 快递单号 character_string, 发货时间 time",
		"50311":           "挂号成功通知: 就诊人 thing, 就诊科室 thing, 就诊时间 time, 就诊序号 character_string",
		"51902":           "停车缴费通知: 车牌号码 car_number, 停车场 thing, 缴费金额 amount, 入场时间 time",
		"52044":           "课程开始提醒: 课程名称 thing, 上课时间 time, 上课状态 phrase, 联系电话 phone_number",
		"TM00015":         "订单支付成功: first, orderMoneySum, orderProductName, Remark",
		"OPENTM200565259": "订单发货提醒: first, keyword1, keyword2, keyword3, remark",
	}
	for id, want := range kept {
		tmpl, ok := LookupTemplate(id)
		parts := wechat.ParseContent(tmpl.Content).Params()
		for _, k := range tmpl.Keywords {
			parts = append(parts, k.Name+" "+k.Type)
		}
		if got := tmpl.Title + ": " + strings.Join(parts, ", "); !ok || got != want {
			t.Errorf("%s: got %q (there: %t), want %q", id, got, ok, want)
		}
	}
}
