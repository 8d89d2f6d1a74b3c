package wechat

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValueType(t *testing.T) {
	tests := map[string]string{
		"thing1": "thing", "thing01": "thing", "character_string12": "character_string", "short_thing3": "short_thing",
		"enum_string1": "enum_string", "const9": "const", "name2": "name",
		"first": "", "remark": "", "keyword1": "", "keynote2": "", "User": "", "Date": "", "thing": "",
		"Thing1": "", "thing1.DATA": "", "1thing": "", "mystery4": "", "": "", "name": "", "thing_1": "",
	}
	for key, want := range tests {
		if got := ValueType(key); got != want {
			t.Errorf("ValueType(%q) = %q, want %q", key, got, want)
		}
	}
}

// TestRulesForEra: typed keywords came with the category templates of era E.
func TestRulesForEra(t *testing.T) {
	content := ParseContent("金额：{{amount1.DATA}}")
	for _, era := range Eras() {
		want := RulesTemplate
		if era.Before(EraE) {
			want = RulesHistorical
		}
		if got := RulesFor(era, content); got != want {
			t.Errorf("era %v: got %v, want %v", era, got, want)
		}
	}
}

func TestRulesOf(t *testing.T) {
	tests := []struct {
		name, content string
		want          RuleSet
	}{
		{"category template", "订单：{{character_string1.DATA}}\n金额：{{amount2.DATA}}", RulesTemplate},
		{"with a type nobody described", "{{thing1.DATA}} {{mystery2.DATA}}", RulesTemplate},
		{"historical", "{{first.DATA}}\n商品：{{keyword1.DATA}}\n{{remark.DATA}}", RulesHistorical},
		{"old wiki", "{{first.DATA}}{{keynote1.DATA}}", RulesHistorical},
		{"free keys", "{{User.DATA}} {{Date.DATA}}", RulesHistorical},
		{"free keys that look typed among others", "{{city.DATA}} {{date1.DATA}}", RulesHistorical},
		{"unknown types only", "{{note1.DATA}}", RulesHistorical},
		{"no parameter", "谢谢", RulesHistorical},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := RulesOf(ParseContent(tt.content)); got != tt.want {
				t.Errorf("RulesOf = %v, want %v", got, tt.want)
			}
		})
	}
}

// valueCase is a value and the rule it breaks; "" is none, a leading "?" marks advice.
type valueCase struct{ key, value, want string }

func han(n int) string { return strings.Repeat("字", n) }

var commonCases = []valueCase{
	{"thing1", han(20), ""},
	{"thing1", "  " + han(20) + "\n", ""},
	{"thing1", han(21), "thing:max20"},
	{"thing1", strings.Repeat("a", 21), "thing:max20"},
	{"thing1", " \n", "empty"},
	{"thing1", "", "empty"},
	{"character_string1", "A-1001 #2", ""},
	{"character_string1", strings.Repeat("9", 32), ""},
	{"character_string1", strings.Repeat("9", 33), "character_string:max32"},
	{"character_string1", "订单1001", "character_string:no_chinese"},
	{"character_string1", "A1001！", "?character_string:ascii"},
	{"time1", "15:01", ""},
	{"time1", "15:01:02", ""},
	{"time1", "2019年10月1日 15:01", ""},
	{"time1", "2019年10月1日15:01", ""},
	{"time1", "2026-11-20 10:15:00", ""},
	{"time1", "2026/11/20 10:15", ""},
	{"time1", "2026-11-20 10:15~2026-11-20 12:00", ""},
	{"time1", "10:15 ~ 12:00", ""},
	{"time1", "10:15～12:00", "time:half_width_tilde"},
	{"time1", "10:15〜12:00", "time:half_width_tilde"},
	{"time1", "10:15~12:00~13:00", "time:format"},
	{"time1", "10:15~", "time:format"},
	{"time1", "2026-11-20", "time:format"},
	{"time1", "下午3点", "time:format"},
	{"time1", "3:1", "time:format"},
	{"time1", "25:00", "?time:impossible"},
	{"time1", "10:60", "?time:impossible"},
	{"time1", "2026-13-01 10:00", "?time:impossible"},
	{"time1", "24:00", ""},
	{"amount1", "￥39.80", ""},
	{"amount1", "¥39", ""},
	{"amount1", "39.8元", ""},
	{"amount1", "$1", ""},
	{"amount1", "39.8块", "amount:format"},
	{"amount1", "￥￥39", "amount:format"},
	{"amount1", "人民币260.00元", "amount:format"},
	{"amount1", "1,000.00", "amount:format"},
	{"amount1", "-5", "amount:format"},
	{"amount1", "￥", "amount:format"},
	{"phone_number1", "+86-020-66888888", ""},
	{"phone_number1", "020-1234567890123", ""},
	{"phone_number1", "020-12345678901234", "phone_number:max17"},
	{"phone_number1", "电话10086", "phone_number:chars"},
	{"car_number1", "粤A8Z888挂", ""},
	{"car_number1", "京A12345", ""},
	{"car_number1", "京A123456", ""},
	{"car_number1", "京A1234567", "car_number:max8"},
	{"car_number1", "A京12345", "car_number:chars"},
	{"car_number1", "京A·12345", "car_number:chars"},
	{"phrase1", "配送中", ""},
	{"phrase1", "正在配送中啊", "phrase:max5"},
	{"phrase1", "配送OK", "phrase:chinese_only"},
	{"short_thing1", "好", ""},
	{"short_thing1", han(21), "?undescribed:max20"},
	{"enum_string1", han(21), "?undescribed:max20"},
	{"mystery1", han(21), "?undescribed:max20"},
	{"mystery1", "", "empty"},
	{"keyword1", han(99), ""},
}

func TestValidateValue(t *testing.T) {
	tests := map[RuleSet][]valueCase{
		RulesTemplate: append([]valueCase{
			{"amount1", "￥123456789012.5", ""},
			{"amount1", "￥1234567890123", "amount:max12"},
			{"const1", "", ""},
			{"const1", "待支付", ""},
			{"const1", han(21), "const:max20"},
			{"date1", "tomorrow", "?date:format"},
			{"number1", "many", "?number:format"},
			{"name1", han(11), "?name:max10"},
		}, commonCases...),
		RulesSubscribe: append([]valueCase{
			{"amount1", "￥1234567890", ""},
			{"amount1", "￥12345678901", "amount:max10"},
			{"const1", "", "empty"},
			{"const1", han(21), "?const:max20"},
			{"date1", "2026年11月20日", ""},
			{"date1", "2026.11.20", ""},
			{"date1", "2026-11-20 15:01", ""},
			{"date1", "2026/11/20~2026/11/22", ""},
			{"date1", "2026/11/20～2026/11/22", "date:half_width_tilde"},
			{"date1", "20日", "date:format"},
			{"date1", "2026-02-32", "?date:impossible"},
			{"number1", "-12.5", ""},
			{"number1", strings.Repeat("1", 32) + ".", "number:format"},
			{"number1", strings.Repeat("1", 30) + ".25", ""},
			{"number1", strings.Repeat("1", 30) + ".255", "number:max32"},
			{"number1", "12件", "number:format"},
			{"letter1", strings.Repeat("z", 32), ""},
			{"letter1", strings.Repeat("z", 33), "letter:max32"},
			{"letter1", "a1", "letter:chars"},
			{"symbol1", "★★★★★", ""},
			{"symbol1", "★★★★★★", "symbol:max5"},
			{"symbol1", "★1", "symbol:chars"},
			{"name1", "欧阳娜娜", ""},
			{"name1", han(11), "name:max10"},
			{"name1", "J. R. R. Tolkien", ""},
			{"name1", strings.Repeat("n", 21), "name:max20"},
			{"name1", "王a" + strings.Repeat("n", 9), "name:max10"},
			{"name1", "Agent 7", "name:chars"},
		}, commonCases...),
		RulesHistorical: {
			{"thing1", han(99), ""}, {"first", "", ""}, {"keyword1", "￥39.8", ""},
		},
	}
	for rules, cases := range tests {
		for _, tt := range cases {
			t.Run(rules.String()+" "+tt.key+" "+tt.value, func(t *testing.T) {
				checkProblem(t, tt, ValidateValue(tt.key, tt.value, rules))
			})
		}
	}
}

func checkProblem(t *testing.T, tt valueCase, p *ValueProblem) {
	t.Helper()
	got := ""
	if p != nil {
		got = p.Rule
		if !p.Fatal {
			got = "?" + got
		}
		for _, text := range []string{p.Detail, p.DetailZH} {
			if !strings.HasPrefix(text, tt.key) || !strings.Contains(text, quoted(tt.value)) {
				t.Errorf("the text does not name key and value: %s", text)
			}
			if p.Kind == ProblemRule && !strings.Contains(text, p.Rule) {
				t.Errorf("the text does not name the rule: %s", text)
			}
		}
		if p.Value != tt.value || p.Key != tt.key || p.Error() != p.Detail {
			t.Errorf("problem = %+v, want key %q and value %q", p, tt.key, tt.value)
		}
	}
	if got != tt.want {
		t.Errorf("ValidateValue(%q, %q) breaks %q, want %q", tt.key, tt.value, got, tt.want)
	}
}

func TestValidateDataInTheTemplatesOrder(t *testing.T) {
	content := ParseContent("{{phrase2.DATA}} {{thing1.DATA}} {{const3.DATA}} {{amount4.DATA}} {{time5.DATA}}")
	data := Data{
		"thing1":     {Value: han(21)},
		"amount4":    {Value: ""},
		"first":      {Value: "您好"},
		"time5.DATA": {Value: "10:00"},
		"Extra":      {},
	}
	got := ValidateData(content, data, RulesTemplate)
	want := []ValueProblem{
		{Key: "phrase2", Kind: ProblemMissing, Rule: "missing", Fatal: true},
		{Key: "thing1", Kind: ProblemRule, Rule: "thing:max20", Value: han(21), Fatal: true},
		{Key: "amount4", Kind: ProblemEmpty, Rule: "empty", Fatal: true},
		{Key: "time5", Kind: ProblemMissing, Rule: "missing", Fatal: true},
		{Key: "Extra", Kind: ProblemUnknownKey, Rule: "unknown_key"},
		{Key: "first", Kind: ProblemUnknownKey, Rule: "unknown_key", Value: "您好"},
		{Key: "time5.DATA", Kind: ProblemDotData, Rule: "dot_data", Value: "10:00", Fatal: true},
	}
	if diff := cmp.Diff(want, withoutTexts(got)); diff != "" {
		t.Errorf("ValidateData (-want +got):\n%s", diff)
	}
	if p := FirstFatal(got); p == nil || p.Key != "phrase2" {
		t.Errorf("FirstFatal = %+v, want phrase2", p)
	}
}

func withoutTexts(problems []ValueProblem) []ValueProblem {
	out := append([]ValueProblem(nil), problems...)
	for i := range out {
		out[i].Detail, out[i].DetailZH = "", ""
	}
	return out
}

func TestValidateDataOfHistoricalTemplates(t *testing.T) {
	content := ParseContent("{{first.DATA}}\n商品：{{keyword1.DATA}}\n{{remark.DATA}}")
	data := Data{"first": {Value: ""}, "keyword1.DATA": {Value: "巧克力"}, "remark": {Value: han(300)}}
	got := ValidateData(content, data, RulesHistorical)
	want := []ValueProblem{
		{Key: "keyword1", Kind: ProblemMissing, Rule: "missing"},
		{Key: "keyword1.DATA", Kind: ProblemDotData, Rule: "dot_data", Value: "巧克力"},
	}
	if diff := cmp.Diff(want, withoutTexts(got)); diff != "" {
		t.Errorf("ValidateData (-want +got):\n%s", diff)
	}
	if p := FirstFatal(got); p != nil {
		t.Errorf("FirstFatal = %+v, want nil: the platform answers 0", p)
	}
}

func TestDotDataKeys(t *testing.T) {
	content := ParseContent("{{thing1.DATA}}{{const2.DATA}}")
	tests := []struct {
		name      string
		data      Data
		wantFatal bool
	}{
		{"instead of the right key", Data{"thing1.DATA": {Value: "a"}}, true},
		{"beside the right key", Data{"thing1": {Value: "a"}, "thing1.DATA": {Value: "a"}}, false},
		{"of a key that may be missing", Data{"thing1": {Value: "a"}, "const2.DATA": {Value: "a"}}, false},
		{"of a key the template does not have", Data{"thing1": {Value: "a"}, "thing9.DATA": {Value: "a"}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			problems := ValidateData(content, tt.data, RulesTemplate)
			got := problems[len(problems)-1]
			if got.Kind != ProblemDotData || got.Fatal != tt.wantFatal {
				t.Errorf("problem = %+v, want dot_data with Fatal %v", got, tt.wantFatal)
			}
			right := quoted(strings.TrimSuffix(got.Key, ".DATA"))
			if !strings.Contains(got.Detail, right) || !strings.Contains(got.DetailZH, right) {
				t.Errorf("texts do not name the right key %s: %s / %s", right, got.Detail, got.DetailZH)
			}
		})
	}
	if p := ValidateValue("thing1.DATA", "a", RulesTemplate); p == nil || p.Kind != ProblemDotData || !p.Fatal {
		t.Errorf("ValidateValue of a dotted key = %+v, want a fatal dot_data", p)
	}
}

func TestValidDataHasNoProblems(t *testing.T) {
	content := ParseContent("{{character_string1.DATA}}{{amount2.DATA}}{{time3.DATA}}{{const4.DATA}}")
	data := Data{"character_string1": {Value: "A1001"}, "amount2": {Value: "￥39.80"}, "time3": {Value: "2026-11-20 10:15"}}
	if got := ValidateData(content, data, RulesTemplate); got != nil {
		t.Errorf("ValidateData = %+v, want nil", got)
	}
}

func TestPlatformText(t *testing.T) {
	tests := []struct {
		problem ValueProblem
		want    string
	}{
		{ValueProblem{Key: "thing1", Kind: ProblemRule}, "argument invalid! data.thing1.value invalid"},
		{ValueProblem{Key: "thing1", Kind: ProblemMissing}, "argument invalid! data.thing1.value is empty"},
		{ValueProblem{Key: "thing1", Kind: ProblemEmpty}, "argument invalid! data.thing1.value is empty"},
		{ValueProblem{Key: "thing1.DATA", Kind: ProblemDotData}, "argument invalid! data.thing1.value is empty"},
		{ValueProblem{Key: "first", Kind: ProblemUnknownKey}, ""},
	}
	for _, tt := range tests {
		if got := PlatformText(tt.problem); got != tt.want {
			t.Errorf("PlatformText(%v) = %q, want %q", tt.problem.Kind, got, tt.want)
		}
	}
}

func TestQuotedIsShort(t *testing.T) {
	if got, want := quoted(han(61)), `"`+han(60)+`…"`; got != want {
		t.Errorf("quoted = %s, want %s", got, want)
	}
}

func TestRuleWords(t *testing.T) {
	got := strings.Join([]string{
		RulesTemplate.String(), RulesSubscribe.String(), RulesHistorical.String(), RuleSet(9).String(),
		ProblemMissing.String(), ProblemDotData.String(), ProblemKind(9).String(),
	}, " ")
	if want := "template subscribe historical RuleSet(9) missing dot_data ProblemKind(9)"; got != want {
		t.Errorf("words = %s, want %s", got, want)
	}
}
