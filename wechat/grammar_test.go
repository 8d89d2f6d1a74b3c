package wechat

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseContent(t *testing.T) {
	text := func(s string) Segment { return Segment{Kind: SegmentText, Text: s} }
	param := func(s, key string) Segment { return Segment{Kind: SegmentParam, Text: s, Key: key} }
	reserved := func(s string) Segment { return Segment{Kind: SegmentReserved, Text: s} }
	tests := []struct {
		name, content string
		want          []Segment
	}{
		{"empty", "", nil},
		{"text only", "感谢使用", []Segment{text("感谢使用")}},
		{"a line as templates write it", "订单编号：{{keyword1.DATA}}\n", []Segment{
			text("订单编号："), param("{{keyword1.DATA}}", "keyword1"), text("\n")}},
		{"inner spaces", "{{  thing1.DATA }}", []Segment{param("{{  thing1.DATA }}", "thing1")}},
		{"underscores and digits", "{{character_string12.DATA}}", []Segment{param("{{character_string12.DATA}}", "character_string12")}},
		{"without .DATA a reserved word", "{{first}}", []Segment{reserved("{{first}}")}},
		{"another ending", "{{first.data}}", []Segment{reserved("{{first.data}}")}},
		{"no key", "{{.DATA}}", []Segment{reserved("{{.DATA}}")}},
		{"nothing inside", "{{}} {{ }}", []Segment{reserved("{{}}"), text(" "), reserved("{{ }}")}},
		{"a space inside the key", "{{a b.DATA}}", []Segment{reserved("{{a b.DATA}}")}},
		{"a space before .DATA", "{{a .DATA}}", []Segment{reserved("{{a .DATA}}")}},
		{"a Chinese key", "{{姓名.DATA}}", []Segment{reserved("{{姓名.DATA}}")}},
		{"other white space", "{{\ta.DATA}}", []Segment{reserved("{{\ta.DATA}}")}},
		{"a doubled ending", "{{a.DATA.DATA}}", []Segment{reserved("{{a.DATA.DATA}}")}},
		{"unclosed", "a {{b.DATA", []Segment{text("a {{b.DATA")}},
		{"half closed", "{{b.DATA}", []Segment{text("{{b.DATA}")}},
		{"only closed", "a}} b", []Segment{text("a}} b")}},
		{"single braces", "{a.DATA} { {b.DATA} }", []Segment{text("{a.DATA} { {b.DATA} }")}},
		{"a third brace is text", "{{{a.DATA}}}", []Segment{text("{"), param("{{a.DATA}}", "a"), text("}")}},
		{"the later opening counts", "{{a {{b.DATA}}", []Segment{text("{{a "), param("{{b.DATA}}", "b")}},
		{"side by side", "{{a.DATA}}{{b.DATA}}", []Segment{param("{{a.DATA}}", "a"), param("{{b.DATA}}", "b")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ParseContent(tt.content).Segments()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Segments (-want +got):\n%s", diff)
			}
		})
	}
}

func TestContentLists(t *testing.T) {
	c := ParseContent("{{b.DATA}} {{a.DATA}} {{ b.DATA }} {{A.DATA}} {{x}} {{y}} {{x}}")
	if diff := cmp.Diff([]string{"b", "a", "A"}, c.Params()); diff != "" {
		t.Errorf("Params (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"{{x}}", "{{y}}"}, c.Reserved()); diff != "" {
		t.Errorf("Reserved (-want +got):\n%s", diff)
	}
	if !c.Has("A") || c.Has("B") || c.Has("x") {
		t.Error("Has does not compare keys case by case")
	}
	c.Params()[0] = "changed"
	if got := c.Params()[0]; got != "b" {
		t.Errorf("a caller changed the content: Params()[0] = %q", got)
	}
}

func ExampleParseContent() {
	content := ParseContent("订单编号：{{character_string1.DATA}}\n支付金额：{{amount2.DATA}}")
	data := Data{"character_string1": {Value: "A1001"}, "amount2": {Value: "39.8块"}}
	for _, p := range ValidateData(content, data, RulesOf(content)) {
		fmt.Println(p.Rule, "→", PlatformText(p))
	}
	// Output: amount:format → argument invalid! data.amount2.value invalid
}

func ExampleRender() {
	card := Render(RenderInput{
		Title:   "购买成功通知",
		Content: ParseContent("{{first.DATA}}\n商品：{{keyword1.DATA}}\n{{remark.DATA}}"),
		Data:    Data{"first": {Value: "恭喜你购买成功！"}, "keyword1": {Value: "巧克力", Color: "#173177"}},
	})
	fmt.Println(card.Title)
	for _, line := range card.Lines {
		fmt.Println(line.Label, line.Value)
	}
	fmt.Println(card.Warnings[0])
	// Output:
	// 购买成功通知
	// 商品 巧克力
	// first is not shown: dropped at delivery since 2023-05-04
}

// checkContent holds for every string whatever.
func checkContent(t *testing.T, source string) Content {
	t.Helper()
	c := ParseContent(source)
	var all strings.Builder
	for _, seg := range c.Segments() {
		all.WriteString(seg.Text)
		if isParam := seg.Kind == SegmentParam; isParam != (seg.Key != "") || isParam && !c.Has(seg.Key) {
			t.Errorf("segment %+v is inconsistent", seg)
		}
	}
	if all.String() != source || c.String() != source {
		t.Errorf("segments of %q join to %q", source, all.String())
	}
	return c
}
