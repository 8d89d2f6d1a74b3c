package wechat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// foundingCard is a request of the founding documents with a content that fits its keys; the
// documents themselves show no template text.
type foundingCard struct{ title, content, body string }

var foundingCards = map[string]foundingCard{
	// The sample of the wiki page of about 2014 (S16, S17).
	"keynote": {
		title:   "购买成功通知",
		content: "{{first.DATA}}\n\n商品名称：{{keynote1.DATA}}\n消费金额：{{keynote2.DATA}}\n购买时间：{{keynote3.DATA}}\n{{remark.DATA}}",
		body: `{"topcolor":"#FF0000","data":{"first":{"value":"您好，您已成功消费。","color":"#0A0A0A"},
			"keynote1":{"value":"巧克力","color":"#CCCCCC"},"keynote2":{"value":"39.8元","color":"#CCCCCC"},
			"keynote3":{"value":"2014年9月16日","color":"#CCCCCC"},"remark":{"value":"欢迎再次购买。","color":"#173177"}}}`,
	},
	// The sample of the early guide: free keys, several in one line (S30).
	"freekeys": {
		title: "消费提醒",
		content: "尊敬的{{User.DATA}}：\n您尾号{{CardNumber.DATA}}的银行卡于{{Date.DATA}}有新交易\n" +
			"交易类型：{{Type.DATA}}\n交易金额：{{Money.DATA}}\n截止时间：{{DeadTime.DATA}}\n可用余额：{{Left.DATA}}\n{{hotline}}",
		body: `{"topcolor":"#FF0000","data":{"User":{"value":"黄先生","color":"#173177"},
			"Date":{"value":"06月07日 19时24分","color":"#173177"},"CardNumber":{"value":"0426","color":"#173177"},
			"Type":{"value":"消费","color":"#173177"},"Money":{"value":"人民币260.00元","color":"#173177"},
			"DeadTime":{"value":"06月07日19时24分","color":"#173177"},"Left":{"value":"6504.09","color":"#173177"}}}`,
	},
	// The sample of the notes (S61).
	"keyword": {
		title:   "购买成功通知",
		content: "{{first.DATA}}\n商品：{{keyword1.DATA}}\n价格：{{keyword2.DATA}}\n时间：{{keyword3.DATA}}\n{{remark.DATA}}",
		body: `{"data":{"first":{"value":"恭喜你购买成功！","color":"#173177"},"keyword1":{"value":"巧克力","color":"#173177"},
			"keyword2":{"value":"39.8元","color":"#173177"},"keyword3":{"value":"2014年9月22日","color":"#173177"},
			"remark":{"value":"欢迎再次购买！","color":"#173177"}}}`,
	},
}

// Each request as every era shows it.
func TestRenderFoundingDocuments(t *testing.T) {
	at := time.Date(2014, 9, 13, 16, 30, 0, 0, time.UTC) // half past midnight of the 14th in Beijing
	for name, founding := range foundingCards {
		t.Run(name, func(t *testing.T) {
			var msg TemplateMessage
			if err := json.Unmarshal([]byte(founding.body), &msg); err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			for _, era := range Eras() {
				fmt.Fprintf(&got, "=== era %s\n", era)
				printCard(&got, Render(RenderInput{
					Title: founding.title, Content: ParseContent(founding.content), Data: msg.Data,
					Era: era, At: at, TopColor: msg.TopColor,
				}))
			}
			checkGolden(t, "testdata/cards/"+name+".txt", got.Bytes())
		})
	}
}

// The sample of the mini program notes: the first keyword enlarged (S84, S90).
func TestRenderMiniProgram(t *testing.T) {
	in := RenderInput{
		Title:   "预订成功通知",
		Content: ParseContent("订单号：{{keyword1.DATA}}\n入住时间：{{keyword2.DATA}}\n酒店：{{keyword3.DATA}}\n地址：{{keyword4.DATA}}"),
		Data: Data{
			"keyword1": {Value: "339208499", Color: "#173177"}, "keyword2": {Value: "2015年01月05日 12:30", Color: "#173177"},
			"keyword3": {Value: "粤海喜来登酒店", Color: "#173177"}, "keyword4": {Value: "广州市天河区天河路208号", Color: "#173177"},
		},
		Era: EraD, Emphasis: "keyword1.DATA", MiniProgram: true,
	}
	var got bytes.Buffer
	printCard(&got, Render(in))
	checkGolden(t, "testdata/cards/miniprogram.txt", got.Bytes())

	in.Era = EraF
	if diff := cmp.Diff(Render(withEra(in, EraD)), Render(in)); diff != "" {
		t.Errorf("a mini program's card depends on the era (-D +F):\n%s", diff)
	}
}

// told are warnings as byDetail compares them.
func told(details ...string) []Warning {
	var all []Warning
	for _, detail := range details {
		all = append(all, Warning{Detail: detail})
	}
	return all
}

var byDetail = cmp.Transformer("detail", func(w Warning) string { return w.Detail })

func withEra(in RenderInput, era Era) RenderInput {
	in.Era = era
	return in
}

func printCard(b *bytes.Buffer, c Card) {
	fmt.Fprintf(b, "title  %s\n", c.Title)
	if c.Date != "" {
		fmt.Fprintf(b, "date   %s\n", c.Date)
	}
	if c.TopColor != "" {
		fmt.Fprintf(b, "bar    %s\n", c.TopColor)
	}
	if c.First != "" {
		fmt.Fprintf(b, "first  %q %s\n", c.First, c.FirstColor)
	}
	for _, line := range c.Lines {
		fmt.Fprintf(b, "line   [%s] %q %s", line.Label, line.Value, line.Color)
		if line.Emphasis {
			b.WriteString(" LARGE")
		}
		for _, span := range line.Spans {
			fmt.Fprintf(b, " <%s|%s>", span.Text, span.Color)
		}
		b.WriteByte('\n')
	}
	if c.Remark != "" {
		fmt.Fprintf(b, "remark %q %s\n", c.Remark, c.RemarkColor)
	}
	for _, w := range c.Warnings {
		fmt.Fprintf(b, "warn   %s\n", w)
	}
}

func TestRenderTrims(t *testing.T) {
	content := ParseContent("{{first.DATA}}\n单号：{{keyword1.DATA}}\n说明：{{keyword2.DATA}}\n备注：{{keyword3.DATA}}（{{remark.DATA}}）")
	data := Data{
		"first":    {Value: "🎉"},
		"keyword1": {Value: strings.Repeat("8", 40) + "号", Color: "#FF0000"},
		"keyword2": {Value: "第一行\n第二行🎁"},
		"keyword3": {Value: han(18)},
		"remark":   {Value: "谢谢"},
		"thing9":   {Value: "x"},
	}
	got := Render(RenderInput{Title: "t", Content: content, Data: data, Era: EraE})
	want := Card{
		Title: "t",
		Lines: []CardLine{
			{Label: "单号", Value: strings.Repeat("8", 40) + "号"},
			{Label: "说明", Value: "第一行第二行"},
			{Label: "备注", Value: han(18) + "（）"},
		},
		Warnings: told(
			"first is not shown: dropped at delivery since 2023-05-04",
			"keyword1: its colour is ignored since 2023-05-04",
			"keyword2: emoji are removed",
			"keyword2: line breaks are removed",
			"remark is not shown: dropped at delivery since 2023-05-04",
			`"thing9": the template has no such key`,
		),
	}
	if diff := cmp.Diff(want, got, byDetail); diff != "" {
		t.Errorf("Render (-want +got):\n%s", diff)
	}
}

// The types of category templates allow more than 20 characters in places, and nothing says that
// the phone cuts what the platform accepts (spec §4.3).
func TestRenderShowsTypedValuesWhole(t *testing.T) {
	content := ParseContent("单号：{{character_string1.DATA}}\n时间：{{time2.DATA}}")
	number, span := strings.Repeat("8a-/", 8), "2026-11-20 10:15~2026-11-20 11:15"
	got := Render(RenderInput{Content: content, Data: Data{"character_string1": {Value: number}, "time2": {Value: span}}})
	want := Card{Lines: []CardLine{{Label: "单号", Value: number}, {Label: "时间", Value: span}}}
	if diff := cmp.Diff(want, got, byDetail); diff != "" {
		t.Errorf("Render (-want +got):\n%s", diff)
	}
}

func TestRenderCutsTextOfTheTemplateToo(t *testing.T) {
	got := Render(RenderInput{Content: ParseContent("{{first.DATA}}\n" + han(21))})
	want := Card{Lines: []CardLine{{Value: han(20) + "…"}}, Warnings: told("text of the template: cut after 20 characters")}
	if diff := cmp.Diff(want, got, byDetail); diff != "" {
		t.Errorf("Render (-want +got):\n%s", diff)
	}
}

func TestRenderLabels(t *testing.T) {
	tests := []struct {
		content string
		want    CardLine
	}{
		{"订单：{{a.DATA}}", CardLine{Label: "订单", Value: "X"}},
		{"订单:{{a.DATA}}", CardLine{Label: "订单", Value: "X"}},
		{"Order: {{a.DATA}}", CardLine{Label: "Order", Value: "X"}},
		{"{{a.DATA}}：完成", CardLine{Value: "X：完成"}},
		{"每天 12:30 {{a.DATA}}", CardLine{Value: "每天 12:30 X"}},
		{"https://shop.example.com/{{a.DATA}}", CardLine{Value: "https://shop.example.com/X"}},
		{"电话：400 {{a.DATA}}号", CardLine{Label: "电话", Value: "400 X号"}},
		{"：{{a.DATA}}", CardLine{Value: "：X"}},
		{"您好 {{name}} {{a.DATA}}", CardLine{Value: "您好 {{name}} X"}},
		{"感谢使用\r\n", CardLine{Value: "感谢使用"}},
	}
	for _, tt := range tests {
		t.Run(tt.content, func(t *testing.T) {
			got := Render(RenderInput{Content: ParseContent(tt.content), Data: Data{"a": {Value: "X"}}, Era: EraC}).Lines
			if diff := cmp.Diff([]CardLine{tt.want}, got); diff != "" {
				t.Errorf("Lines (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRenderColours(t *testing.T) {
	content := ParseContent("合计：{{a.DATA}} 共 {{b.DATA}}")
	data := Data{"a": {Value: "3", Color: "#ff0000"}, "b": {Value: "9", Color: `red;background:url("//evil")`}}
	got := Render(RenderInput{Content: content, Data: data, Era: EraA, TopColor: "blue"})
	want := Card{
		Lines: []CardLine{{
			Label: "合计", Value: "3 共 9", Color: "#ff0000",
			Spans: []Span{{"3", "#ff0000"}, {" 共 ", ""}, {"9", ""}},
		}},
		Warnings: told(
			`topcolor: colour "blue" is not #RRGGBB and shown as black`,
			`b: colour "red;background:url(\"//evil\")" is not #RRGGBB and shown as black`,
		),
	}
	if diff := cmp.Diff(want, got, byDetail); diff != "" {
		t.Errorf("Render (-want +got):\n%s", diff)
	}
}

func TestRenderKeepsLineBreaksBeforeEraE(t *testing.T) {
	got := Render(RenderInput{
		Content: ParseContent("{{first.DATA}}\n{{remark.DATA}}"),
		Data:    Data{"remark": {Value: "第一行\n第二行😀", Color: "#173177"}}, Era: EraD,
	})
	want := Card{Remark: "第一行\n第二行😀", RemarkColor: "#173177"}
	if diff := cmp.Diff(want, got, byDetail); diff != "" {
		t.Errorf("Render (-want +got):\n%s", diff)
	}
}

// Test accounts hide lines without a value (spec §4.6); others show the bare label.
func TestRenderHidesEmptyLines(t *testing.T) {
	in := RenderInput{
		Content: ParseContent("天气：{{weather.DATA}}\n城市：{{city.DATA}} {{area.DATA}}\n说明：无\n生日：{{birthday.DATA}}"),
		Data:    Data{"city": {Value: "广州"}, "birthday": {Value: ""}},
	}
	all := []CardLine{{Label: "天气"}, {Label: "城市", Value: "广州 "}, {Label: "说明", Value: "无"}, {Label: "生日"}}
	if diff := cmp.Diff(all, Render(in).Lines); diff != "" {
		t.Errorf("Lines (-want +got):\n%s", diff)
	}
	in.HideEmptyLines = true
	if diff := cmp.Diff(all[1:3], Render(in).Lines); diff != "" {
		t.Errorf("Lines with HideEmptyLines (-want +got):\n%s", diff)
	}
}

func TestRenderEmphasis(t *testing.T) {
	tests := []struct {
		name, emphasis string
		miniProgram    bool
		wantLarge      bool
		wantWarnings   []string
	}{
		{"as documented", "keyword1.DATA", true, true, nil},
		{"without .DATA", "keyword1", true, true, nil},
		{"none", "", true, false, nil},
		{"unknown", "keyword9.DATA", true, false, []string{`emphasis_keyword "keyword9.DATA": no line shows it`}},
		{"official account", "keyword1.DATA", false, false, []string{"emphasis_keyword is ignored: only mini programs have it"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Render(RenderInput{
				Content: ParseContent("单号：{{keyword1.DATA}}"), Data: Data{"keyword1": {Value: "1"}},
				Emphasis: tt.emphasis, MiniProgram: tt.miniProgram,
			})
			if got.Lines[0].Emphasis != tt.wantLarge {
				t.Errorf("Emphasis = %v, want %v", got.Lines[0].Emphasis, tt.wantLarge)
			}
			if diff := cmp.Diff(told(tt.wantWarnings...), got.Warnings, byDetail); diff != "" {
				t.Errorf("Warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzRender(f *testing.F) {
	for _, founding := range foundingCards {
		f.Add(founding.content, "first", "您好😀\n", uint8(1))
	}
	f.Add("{{{a.DATA}}} {{b}} {{", "a", "1️⃣2", uint8(0))
	f.Fuzz(func(t *testing.T, source, key, value string, era uint8) {
		content := checkContent(t, source)
		data := Data{key: {Value: value, Color: value}}
		for _, p := range ValidateData(content, data, RuleSet(era%3)) {
			if p.Detail == "" || p.DetailZH == "" || p.Rule == "" {
				t.Errorf("problem without a text: %+v", p)
			}
		}
		card := Render(RenderInput{Content: content, Data: data, Era: Era(era % 6), Emphasis: key, MiniProgram: era > 128})
		for _, w := range card.Warnings {
			if w.Detail == "" || w.DetailZH == "" || w.Rule == "" {
				t.Errorf("warning without a text: %+v", w)
			}
		}
		for _, line := range card.Lines {
			checkLine(t, line, Era(era%6).trims() && era <= 128 && RulesOf(content) == RulesHistorical)
		}
	})
}

func checkLine(t *testing.T, line CardLine, trimmed bool) {
	t.Helper()
	if line.Color != "" && !hexColor.MatchString(line.Color) {
		t.Errorf("colour %q got through", line.Color)
	}
	if body := strings.TrimSuffix(line.Value, "…"); trimmed && cutLine(body) != body {
		t.Errorf("line %q is too long for the phone", line.Value)
	}
	if len(line.Spans) > 0 {
		text := ""
		for _, span := range line.Spans {
			text += span.Text
		}
		if text != line.Value {
			t.Errorf("spans join to %q, want %q", text, line.Value)
		}
	}
}

// TM00015 spells its last line Remark; free keys of old templates may be First, too.
func TestRenderKnowsTheFrameBySpellingWithACapital(t *testing.T) {
	content := ParseContent("{{First.DATA}}\n金额：{{orderMoneySum.DATA}}\n{{Remark.DATA}}")
	data := Data{"First": {Value: "您好", Color: "#FF0000"}, "orderMoneySum": {Value: "39.8元"}, "Remark": {Value: "谢谢", Color: "#173177"}}
	for _, tt := range []struct {
		era  Era
		want Card
	}{
		{EraA, Card{First: "您好", FirstColor: "#FF0000", Remark: "谢谢", RemarkColor: "#173177", Lines: []CardLine{{Label: "金额", Value: "39.8元"}}}},
		{EraF, Card{Lines: []CardLine{{Label: "金额", Value: "39.8元"}}, Warnings: told(
			"First is not shown: dropped at delivery since 2023-05-04", "Remark is not shown: dropped at delivery since 2023-05-04")}},
	} {
		if diff := cmp.Diff(tt.want, Render(RenderInput{Content: content, Data: data, Era: tt.era}), byDetail); diff != "" {
			t.Errorf("era %s (-want +got):\n%s", tt.era, diff)
		}
	}
}
