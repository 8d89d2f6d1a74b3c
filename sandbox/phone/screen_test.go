package phone_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/html"

	"hongyan/sandbox"
)

// tapFirst taps the first card of a chat and returns the screen it opens.
func (d *desk) tapFirst(chat string) *html.Node {
	d.t.Helper()
	buttons := all(d.chat(chat), "button[data-tap]")
	if len(buttons) == 0 {
		d.t.Fatal("no card reacts to a tap")
	}
	return d.press("/phone/taps", "chat", chat, "open", attr(buttons[0], "value"))
}

func kind(t *testing.T, screen *html.Node) string {
	t.Helper()
	return attr(one(t, screen, "#screen-state"), "data-kind")
}

func TestATapOpensTheURLInABrowserThatFetchesNothing(t *testing.T) {
	d := newDesk(t)
	fetched := false
	d.RegisterHost("shop.example.com", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched = true }))
	d.era("B")
	d.send(historical(fields{"url": "http://shop.example.com/o?a=1&b=2"}))
	screen := d.tapFirst(service)
	wantTexts(t, screen, "[data-part=host]", "shop.example.com")
	wantTexts(t, screen, "[data-part=url]", "http://shop.example.com/o?a=1&b=2")
	wantTexts(t, screen, ".insecure", "不安全")
	if fetched {
		t.Error("the url was fetched")
	}
}

func TestAnEmptyURLInEraA(t *testing.T) {
	d := newDesk(t)
	d.era("A")
	d.send(historical(fields{"url": ""}))
	wantTexts(t, d.chat(service), "[data-part=foot]", "详情")
	if got := kind(t, d.tapFirst(service)); got != "blank" {
		t.Errorf("an iPhone opens %q, want an empty page", got)
	}
	d.platform("android")
	screen := d.chat(service)
	wantTexts(t, screen, "[data-part=foot]")
	wantTexts(t, screen, "button[data-tap]")
	d.platform("ios")
	d.era("B")
	wantTexts(t, d.chat(service), "button[data-tap]")
}

func TestTheMiniProgramComesBeforeTheURL(t *testing.T) {
	both := historical(fields{"miniprogram": fields{"appid": sandbox.SeedMiniAppID, "pagepath": "pages/order?id=1001&from=%E5%8D%A1"}})
	d := newDesk(t)
	d.era("C")
	d.send(both)
	screen := d.tapFirst(service)
	wantTexts(t, screen, "[data-part=mini-name]", "鸿雁小店 Hongyan Mini")
	wantTexts(t, screen, "[data-part=path]", "pages/order")
	wantTexts(t, screen, ".route-query dt", "id", "from")
	wantTexts(t, screen, ".route-query dd", "1001", "卡")

	d.press("/phone/user", "supports_miniprogram", "false")
	if got := kind(t, d.tapFirst(service)); got != "browser" {
		t.Errorf("an old client opens %q, want the url in the browser", got)
	}
	d.press("/phone/user", "supports_miniprogram", "true")
	d.era("B")
	if got := kind(t, d.tapFirst(service)); got != "browser" {
		t.Errorf("era B opens %q, want the url: it had no mini programs", got)
	}
}

func TestWhatMiniProgramsSendGathersUnderServiceNotifications(t *testing.T) {
	d := newDesk(t)
	wantTexts(t, d.get("/phone/screen"), ".chat-name", "鸿雁商城 Hongyan Shop")
	d.sendMini(d.appointment(nil))
	wantTexts(t, d.get("/phone/screen"), ".chat-name", "服务通知", "鸿雁商城 Hongyan Shop")
}

func TestTheNewestChatIsOnTop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.sendMini(d.appointment(nil))
		time.Sleep(time.Second)
		d.send(historical(nil))
		wantTexts(t, d.get("/phone/screen"), ".chat-name", "鸿雁商城 Hongyan Shop", "服务通知")
		wantTexts(t, d.get("/phone/screen"), ".chat-last", "订单支付成功通知", "预约成功通知")
	})
}

func TestUnreadIsCountedUntilTheChatIsOpened(t *testing.T) {
	d := newDesk(t)
	d.send(historical(nil))
	d.send(historical(nil))
	wantTexts(t, d.get("/phone/screen"), ".chat .unread", "2")
	wantTexts(t, d.get("/phone/screen"), ".bar-title", "微信 (2)")
	wantTexts(t, d.get("/phone/people"), "#person-"+user+" .unread", "2")
	d.chat(service)
	wantTexts(t, d.get("/phone/screen"), ".chat .unread")
	wantTexts(t, d.get("/phone/people"), "#person-"+user+" .unread")
}

func TestUnfollowingTakesTheChatAlong(t *testing.T) {
	d := newDesk(t)
	d.send(historical(nil))
	d.press("/phone/user", "appid", service, "follows", "false")
	screen := d.get("/phone/screen")
	wantTexts(t, screen, ".chat-name")
	if got := len(all(screen, ".nothing")); got != 1 {
		t.Error("an empty list says nothing about what to do")
	}
	d.press("/phone/user", "appid", service, "follows", "true")
	wantTexts(t, d.get("/phone/screen"), ".chat-name", "鸿雁商城 Hongyan Shop")
}

func TestTimesAreWrittenAsWeChatWritesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.send(historical(nil)) // 2000-01-01 08:00 in Beijing
		stamps := func(ahead time.Duration, list, chat string) {
			t.Helper()
			d.must(d.Sandbox.Advance(ahead))
			wantTexts(t, d.get("/phone/screen"), ".chat-time", list)
			wantTexts(t, d.chat(service), ".stamp", chat)
		}
		stamps(time.Hour, "08:00", "08:00")
		stamps(24*time.Hour, "昨天", "昨天 08:00")
		stamps(24*time.Hour, "1月1日", "1月1日 08:00")
		stamps(366*24*time.Hour, "2000年1月1日", "2000年1月1日 08:00")
	})
}

func TestARefusedMessageLeavesNothingOnThePhoneAndANoteInThePanel(t *testing.T) {
	d := newDesk(t)
	d.must(d.Sandbox.Unfollow(user))
	if code := d.call(service, sandbox.SeedServiceSecret, pathSend, historical(nil)); code != 43004 {
		t.Fatalf("errcode %d, want 43004", code)
	}
	d.must(d.Sandbox.Follow(user))
	wantTexts(t, d.chat(service), "article")
	note := one(t, d.get("/phone/panel"), ".note[data-note=43004]")
	if got := text(note); len(got) < 40 || got[:24] != "43004 require subscribe " {
		t.Errorf("note = %q, want code, text and why", got)
	}
	d.send(historical(nil))
	row := all(d.get("/phone/panel"), ".exchange")[0]
	wantTexts(t, row, ".x-result", "0")
	wantTexts(t, row, ".note", "")
}

func TestABlockedUserSeesNothing(t *testing.T) {
	d := newDesk(t)
	d.press("/phone/user", "blocked", "true")
	d.send(historical(nil))
	wantTexts(t, d.chat(service), "article")
	row := all(d.get("/phone/panel"), ".exchange")[0]
	wantTexts(t, row, ".note", "用户拒收 — 手机上没有这条消息，事件为 failed:user block。")
	d.press("/phone/user", "blocked", "false")
	d.send(historical(nil))
	if n := len(all(d.chat(service), "article")); n != 1 {
		t.Errorf("%d cards, want the second message only", n)
	}
}
