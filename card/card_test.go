package card

import (
	"flag"
	"html/template"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan/wechat"
)

var update = flag.Bool("update", false, "rewrite golden files")

// pages are a card of each style.
func pages() map[string]Page {
	content := wechat.ParseContent("{{first.DATA}}\n订单编号：{{keyword1.DATA}}\n合计：{{keyword2.DATA}} 共 {{keyword3.DATA}} 件\n{{remark.DATA}}")
	data := wechat.Data{
		"first": {Value: "您好，订单已支付", Color: "#173177"}, "keyword1": {Value: "A1001"}, "keyword2": {Value: "39.80元", Color: "#E60012"},
		"keyword3": {Value: "2"}, "remark": {Value: "感谢惠顾，商品将在两天之内寄出，请保持电话畅通\n再见 <b>"},
	}
	draw := func(era wechat.Era) wechat.Card {
		return wechat.Render(wechat.RenderInput{Title: "订单支付成功通知", Content: content, Data: data, Era: era, TopColor: "#FF6A00"})
	}
	mini := wechat.Render(wechat.RenderInput{
		Title: "预约成功通知", Content: wechat.ParseContent("预约项目：{{keyword1.DATA}}\n预约时间：{{keyword2.DATA}}"), MiniProgram: true, Emphasis: "keyword2",
		Data: wechat.Data{"keyword1": {Value: "理发"}, "keyword2": {Value: "11月28日 14:30"}},
	})
	return map[string]Page{
		"classic": {Face: New(draw(wechat.EraA), Classic), Era: wechat.EraA, Foot: FootDetails.Words()[0]},
		"trimmed": {Face: New(draw(wechat.EraF), Trimmed), Foot: FootViewDetails.Words()[0], Sender: "not shown"},
		"mini":    {Face: New(mini, Mini), Sender: "鸿雁小店", Foot: FootOpenMini.Words()[0]},
	}
}

// TestCardsAsDrawn keeps the cards as they were when somebody looked at them.
func TestCardsAsDrawn(t *testing.T) {
	for name, page := range pages() {
		t.Run(name, func(t *testing.T) {
			html, err := HTML(page)
			if err != nil {
				t.Fatal(err)
			}
			_, body, _ := strings.Cut(html, "</head>")
			golden(t, name+".html", body)
			golden(t, name+".txt", Text(page))
			if strings.Contains(html, "<b>") || strings.Contains(html, "http") || strings.Contains(html, "ZgotmplZ") {
				t.Errorf("a value got out of its place, or the page loads something:\n%s", html)
			}
			if !strings.Contains(html, "--wx-card:") || !strings.Contains(html, ".card-mini") {
				t.Errorf("the page has no style sheet:\n%s", html)
			}
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestEveryLineOfATextIsAsWideAsItsFrame(t *testing.T) {
	long := strings.Repeat("长", 40) + strings.Repeat("x", 50) + " 👨‍👩‍👧 é\x1b[31m\u202e"
	for _, style := range []Style{Classic, Trimmed, Mini} {
		face := Face{
			Style: style, Title: long, Date: "9月14日", First: Ink{Text: long}, Remark: Ink{Text: long},
			Lines: []Line{{Label: long, Value: []Ink{{Text: long}}}, {Value: []Ink{{Text: long}}}, {Label: "空"}}, Emphasis: &Line{Label: long, Value: []Ink{{Text: long}}},
		}
		text := Text(Page{Face: face, Sender: long, Foot: long})
		if strings.ContainsAny(text, "\x1b\u202e") {
			t.Errorf("%s: control characters are left", style)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
			if got := columns.StringWidth(line); got != textWidth+4 {
				t.Errorf("%s: %d columns, want %d: %s", style, got, textWidth+4, line)
			}
		}
	}
}

func TestStyleAndFootFollowFormEraAndJump(t *testing.T) {
	for _, tt := range []struct {
		form  Form
		era   wechat.Era
		mini  bool
		jump  wechat.JumpKind
		style Style
		foot  Foot
	}{
		{FormTemplate, wechat.EraA, false, wechat.JumpURL, Classic, FootDetails},
		{FormTemplate, wechat.EraD, false, wechat.JumpMiniProgram, Classic, FootDetails},
		{FormTemplate, wechat.EraE, false, wechat.JumpURL, Trimmed, FootViewDetails},
		{FormTemplate, wechat.EraF, false, wechat.JumpMiniProgram, Trimmed, FootMiniProgram},
		{FormTemplate, wechat.EraF, false, wechat.JumpNone, Trimmed, FootNone},
		{FormOneTime, wechat.EraF, false, wechat.JumpURL, Classic, FootDetails},
		{FormMini, wechat.EraD, true, wechat.JumpMiniProgram, Mini, FootOpenMini},
		{FormSubscribe, wechat.EraF, true, wechat.JumpMiniProgram, Mini, FootOpenMini},
		{FormSubscribe, wechat.EraF, false, wechat.JumpURL, Mini, FootViewDetails},
	} {
		style := StyleOf(tt.form, tt.era)
		if foot := FootOf(style, tt.mini, tt.jump); style != tt.style || foot != tt.foot {
			t.Errorf("form %d, era %s, jump %s: %s, foot %d; want %s, %d", tt.form, tt.era, tt.jump, style, foot, tt.style, tt.foot)
		}
	}
}

// TestAPageOfOthersDrawsTheSameParts as the phone does, with templates of its own beside these.
func TestAPageOfOthersDrawsTheSameParts(t *testing.T) {
	own := template.Must(Parse(template.New("")).Parse(`{{define "own"}}{{template "card-strip" .}}
{{template "card-body" .}}{{end}}`))
	var b strings.Builder
	if err := own.ExecuteTemplate(&b, "own", struct {
		Face
		Other string
	}{Face: pages()["classic"].Face}); err != nil {
		t.Fatal(err)
	}
	html, err := HTML(pages()["classic"])
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(b.String(), "\n") {
		if !strings.Contains(html, strings.TrimSpace(part)) {
			t.Errorf("the page lacks %q", part)
		}
	}
}
