package phone_test

import (
	"testing"
	"testing/synctest"

	"hongyan/sandbox"
)

// Each of these tests sees the phone differ with a rule of the platform on and off
// (spec §4.3, §4.4, §6.2).

const service = sandbox.SeedServiceAppID

func TestTopColourIsDrawnInEraAOnly(t *testing.T) {
	d := newDesk(t)
	d.era("A")
	d.send(historical(nil))
	rect := one(t, d.chat(service), "article svg[data-part=topcolor] rect")
	if got := attr(rect, "fill"); got != "#FF6A00" {
		t.Errorf("strip = %q, want the message's topcolor", got)
	}
	d.era("B")
	wantTexts(t, d.chat(service), "article [data-part=topcolor]")
}

func TestFirstAndRemarkAreGoneSinceEraE(t *testing.T) {
	d := newDesk(t)
	d.era("D")
	d.send(historical(nil))
	screen := d.chat(service)
	wantTexts(t, screen, "[data-part=first]", "您好，订单已支付")
	wantTexts(t, screen, "[data-part=remark]", "感谢惠顾\n再见")
	for _, era := range []string{"E", "F"} {
		d.era(era)
		screen = d.chat(service)
		wantTexts(t, screen, "[data-part=first]")
		wantTexts(t, screen, "[data-part=remark]")
		wantTexts(t, screen, "[data-part=line] dt", "订单编号", "支付金额", "支付时间")
	}
}

func TestColoursAreGoneSinceEraE(t *testing.T) {
	d := newDesk(t)
	d.era("D")
	d.send(historical(nil))
	screen := d.chat(service)
	wantTexts(t, screen, "font[color=#173177]", "您好，订单已支付", "A1001")
	wantTexts(t, screen, "font[color=#E60012]", "39.80元")
	d.era("E")
	wantTexts(t, d.chat(service), "font")
}

func TestAColourThatIsNoneIsBlack(t *testing.T) {
	d := newDesk(t)
	d.era("A")
	d.send(historical(fields{"topcolor": `red"><script>`, "data": fields{
		"keyword1": datum("A1001", "red"), "keyword2": datum("1元", `#12345"`), "keyword3": datum("今天", "#abcdef"),
	}}))
	screen := d.chat(service)
	wantTexts(t, screen, "font", "今天")
	wantTexts(t, screen, "[data-part=topcolor]")
}

func TestLinesAreCutAtTwentyCharactersSinceEraE(t *testing.T) {
	const long = "一二三四五六七八九十一二三四五六七八九十多余"
	d := newDesk(t)
	d.era("D")
	d.send(historical(fields{"data": fields{"keyword1": datum(long)}}))
	wantTexts(t, d.chat(service), "[data-label=订单编号] dd", long)
	d.era("E")
	wantTexts(t, d.chat(service), "[data-label=订单编号] dd", "一二三四五六七八九十一二三四五六七八九十…")
}

func TestLineBreaksAndEmojiAreGoneSinceEraE(t *testing.T) {
	d := newDesk(t)
	d.era("D")
	d.send(historical(fields{"data": fields{"keyword1": datum("A\n1🎉")}}))
	wantTexts(t, d.chat(service), "[data-label=订单编号] dd", "A\n1🎉")
	d.era("E")
	wantTexts(t, d.chat(service), "[data-label=订单编号] dd", "A1")
}

func TestTheRowForDetailsIsThereOnlyWithAJump(t *testing.T) {
	d := newDesk(t)
	d.era("B")
	d.send(historical(nil))
	screen := d.chat(service)
	wantTexts(t, screen, "[data-part=foot]", "详情")
	if n := len(all(screen, "button[data-tap]")); n != 1 {
		t.Errorf("%d cards react to a tap, want 1", n)
	}
	d.send(historical(fields{"url": ""}))
	screen = d.chat(service)
	wantTexts(t, screen, "[data-part=foot]", "详情")
	if n := len(all(screen, "button[data-tap]")); n != 1 {
		t.Errorf("%d cards react to a tap, want the first only", n)
	}
}

func TestTheRowForDetailsIsWordedByItsTime(t *testing.T) {
	d := newDesk(t)
	d.era("D")
	d.send(historical(nil))
	wantTexts(t, d.chat(service), "[data-part=foot]", "详情")
	d.era("F")
	wantTexts(t, d.chat(service), "[data-part=foot]", "查看详情")
	d.send(historical(fields{"miniprogram": fields{"appid": sandbox.SeedMiniAppID, "pagepath": "index"}}))
	wantTexts(t, d.chat(service), "[data-part=foot] .foot-text", "查看详情", "鸿雁小店 Hongyan Mini")
}

func TestTheDateStandsUnderTheTitleUntilEraD(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where it is 8 o'clock on 1 January in Beijing
		d := newDesk(t)
		d.era("D")
		d.send(historical(nil))
		wantTexts(t, d.chat(service), "[data-part=date]", "1月1日")
		wantTexts(t, d.chat(service), ".stamp", "08:00")
		d.era("E")
		wantTexts(t, d.chat(service), "[data-part=date]")
	})
}

func TestTestAccountsHideLinesWithoutAValue(t *testing.T) {
	const trial = "wxd4d4d4d4d4d4d4d4"
	d := newDesk(t)
	d.must(d.Sandbox.AddAccount(sandbox.AccountSpec{AppID: trial, Secret: sandbox.SeedMiniSecret, Kind: "test", Era: "D"}))
	d.era("D")
	some := fields{"data": fields{"first": datum("您好"), "keyword1": datum("A1001")}}
	d.send(historical(some))
	wantTexts(t, d.chat(service), "[data-part=line] dt", "订单编号：", "支付金额：", "支付时间：")
	id := addTemplate(t, d, trial)
	some["template_id"] = id
	if code := d.call(trial, sandbox.SeedMiniSecret, pathSend, historical(some)); code != 0 {
		t.Fatalf("errcode %d", code)
	}
	lines := texts(d.chat(trial), "[data-part=line] dt")
	if len(lines) >= 3 {
		t.Errorf("lines of the test account's card = %q, want those with a value only", lines)
	}
}

// addTemplate adds the historical library template TM00015 and returns its id.
func addTemplate(t *testing.T, d *desk, appid string) string {
	t.Helper()
	if code := d.call(appid, sandbox.SeedMiniSecret, "/cgi-bin/template/api_add_template", fields{"template_id_short": "TM00015"}); code != 0 {
		t.Fatalf("api_add_template: errcode %d", code)
	}
	for _, a := range d.Sandbox.Accounts() {
		if a.AppID == appid {
			return a.Templates[len(a.Templates)-1]
		}
	}
	t.Fatal("the account is gone")
	return ""
}

func TestTheEmphasisedKeywordIsLargeAndSetApart(t *testing.T) {
	d := newDesk(t)
	d.sendMini(d.appointment(nil))
	screen := d.chat("notices")
	wantTexts(t, screen, "[data-part=emphasis]")
	wantTexts(t, screen, "[data-part=line] dt", "预约项目", "预约时间", "预约地点", "备注")
	d = newDesk(t)
	d.sendMini(d.appointment(fields{"emphasis_keyword": "keyword2.DATA"}))
	screen = d.chat("notices")
	wantTexts(t, screen, "[data-part=emphasis] .emphasis-label", "预约时间")
	wantTexts(t, screen, "[data-part=emphasis] .emphasis-value", "11月28日 14:30")
	wantTexts(t, screen, "[data-part=line] dt", "预约项目", "预约地点", "备注")
}

func TestAMiniProgramsCardNamesItAndOpensItWithAPageOnly(t *testing.T) {
	d := newDesk(t)
	d.sendMini(d.appointment(nil))
	screen := d.chat("notices")
	wantTexts(t, screen, "[data-part=head] .card-sender", "鸿雁小店 Hongyan Mini")
	wantTexts(t, screen, "[data-part=foot]", "进入小程序查看")
	d = newDesk(t)
	d.sendMini(d.appointment(fields{"page": ""}))
	screen = d.chat("notices")
	wantTexts(t, screen, "[data-part=foot]")
	wantTexts(t, screen, "button[data-tap]")
}

func TestAMiniProgramsLinesAreWholeInEveryEra(t *testing.T) {
	const long = "一二三四五六七八九十一二三四五六七八九十多余"
	d := newDesk(t)
	d.sendMini(d.appointment(fields{"data": fields{"keyword1": datum(long, "#173177")}}))
	screen := d.chat("notices")
	wantTexts(t, screen, "[data-label=预约项目] dd", long)
	wantTexts(t, screen, "font[color=#173177]", long)
}

func TestASubscribeMessageIsACardWithoutColours(t *testing.T) {
	d := newDesk(t)
	consent := []sandbox.ConsentAnswer{{TemplateID: sandbox.SeedTemplateSubscribePickup, Accept: true}}
	d.must(d.Sandbox.Consent("", user, consent, 0))
	d.sent(pathSubscribe, fields{
		"touser": user, "template_id": sandbox.SeedTemplateSubscribePickup, "page": "pages/pickup",
		"data": fields{"character_string1": datum("27", "#173177"), "thing2": datum("人民路店"), "time3": datum("2026年11月20日 10:15")},
	})
	screen := d.chat("notices")
	wantTexts(t, screen, "article[data-style=mini] [data-part=line] dd", "27", "人民路店", "2026年11月20日 10:15")
	wantTexts(t, screen, "font")
	wantTexts(t, screen, "[data-part=foot]", "进入小程序查看")
}

func TestAOneTimeMessageComesWhereItsReaderLooks(t *testing.T) {
	d := newDesk(t)
	message := fields{
		"touser": user, "template_id": *oneTimeTemplate(t, d), "scene": "1000", "title": "活动提醒", "url": "https://shop.example.com",
		"data": fields{"content": datum("今晚八点开始", "#07A35A")},
	}
	d.press("/phone/one_time", "appid", service)
	d.sent(pathOneTime, message)
	wantTexts(t, d.chat(service), "font[color=#07A35A]", "今晚八点开始")
	d.must(d.Sandbox.Unfollow(user))
	wantTexts(t, d.chat("notices"), "font[color=#07A35A]", "今晚八点开始")
}

func oneTimeTemplate(t *testing.T, d *desk) *string {
	t.Helper()
	for _, a := range d.Sandbox.Accounts() {
		if a.AppID == service {
			return &a.OneTimeTemplate
		}
	}
	t.Fatal("the service account is gone")
	return nil
}

// TestCardsAsDrawn keeps the cards as they were when somebody looked at them.
func TestCardsAsDrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.era("A")
		d.send(historical(nil))
		d.sendMini(d.appointment(fields{"emphasis_keyword": "keyword2.DATA"}))
		wantGolden(t, one(t, d.chat(service), "article"), "card_era_a")
		wantGolden(t, one(t, d.chat("notices"), "article"), "card_mini")
		d.era("F")
		wantGolden(t, one(t, d.chat(service), "article"), "card_era_f")
		wantGolden(t, one(t, d.get("/phone/screen?user="+user), "ul.chats"), "chats")
	})
}
