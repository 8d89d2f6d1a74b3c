package e2e

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"hongyan/client"
	"hongyan/sandbox"
)

// TestThePhone starts one sandbox, one gateway and one browser; each story has a
// user and a window of its own.
func TestThePhone(t *testing.T) {
	chromium := startChromium(t)
	w := newWorld(t)
	for i, story := range []struct {
		name string
		tell func(*world, *reader, string)
	}{
		{"what is posted slides in, and what the user does reaches the gateway", testPostedAndHeard},
		{"a payment lets a message through once its prepay_id works", testPayment},
		{"a tap opens what the message names", testTap},
		{"who follows is greeted", testGreeting},
		{"a keyboard is enough", testKeyboard},
		{"language and darkness are kept", testPreferences},
	} {
		t.Run(story.name, func(t *testing.T) {
			story.tell(w, newReader(t, chromium, w), sandbox.OpenID("", i+1))
		})
	}
}

// cards are the messages of the open chat, oldest first, by msgid.
const cards = "$$('#screen [data-card]').map(e => e.dataset.card)"

// linesOf are the lines of a card.
func linesOf(selector string) string {
	return "$$(" + quote(selector+" [data-part=line]") + ").map(e => e.dataset.label + ' ' + e.querySelector('dd').textContent)"
}

// staysLoaded leaves a mark in the page and returns a check that it is still there:
// a page that is loaded again has none.
func staysLoaded(r *reader) (check func()) {
	r.t.Helper()
	read[bool](r, "window.loadedOnce = true")
	return func() {
		r.t.Helper()
		if !read[bool](r, "window.loadedOnce === true") {
			r.t.Error("the page was loaded again")
		}
	}
}

// testPostedAndHeard is a day of one user on one page, which is never loaded again.
func testPostedAndHeard(w *world, r *reader, user string) {
	t := r.t
	shown := []string{}
	for _, number := range []string{"A0997", "A0998", "A0999"} { // more than the screen holds
		shown = append(shown, w.delivers(t, order(user, number)))
	}
	r.open(user, "")
	check := staysLoaded(r)

	// A message arrives in the open chat.
	r.presses("#chat-" + shop)
	r.awaits("#screen-state[data-kind=chat]")
	first := w.delivers(t, order(user, "A1001"))
	r.sees("#card-" + first)
	r.text("#title-"+first, "订单支付通知")
	r.wantAll("lines", linesOf("#card-"+first), "订单编号 A1001", "商品名称 巧克力", "支付金额 ￥39.80", "支付时间 2026-11-20 10:15")
	check()

	// The user refuses messages; the next one does not come, and the gateway knows why.
	r.presses("#switch-refuse")
	r.awaits("#switch-refuse[aria-checked=true]")
	refused := w.ends(t, w.send(t, order(user, "A1002")).ID, "undelivered", "user_block")
	r.awaits(`#traffic [data-direction=push] [data-status="failed:user block"]`)
	r.wantAll("cards while the user refuses", cards, append(shown, first)...)

	// Deliveries keep their order: once the next message is there, the refused one never comes.
	r.presses("#switch-refuse")
	r.awaits("#switch-refuse[aria-checked=false]")
	second := w.delivers(t, order(user, "A1003"))
	r.sees("#card-" + second)
	r.wantAll("cards after that", cards, append(shown, first, second)...)
	r.loses("#card-" + *refused.MsgID)
	check()

	formStory(w, r, user)
	check()
	followStory(w, r, user)
	check()
}

// formStory submits a form on the page; the mini program's message comes in 服务通知.
func formStory(w *world, r *reader, user string) {
	r.presses("#back")
	r.awaits("#screen-state[data-kind=chats]")
	r.loses("#chat-notices")
	r.presses("#form-" + mini)
	r.awaits("[data-grant][data-state=ready]")
	formID := read[string](r, "$('[data-grant]').dataset.grant")
	w.ends(r.t, w.send(r.t, appointment(user, formID)).ID, "accepted", "")
	r.awaits("#chat-notices[data-unread='1']")
	r.text("#chat-notices .chat-name", "服务通知")
	r.awaits(`[data-grant="` + formID + `"][data-state=used]`)

	r.presses("#chat-notices")
	const card = "#screen [data-style=mini]"
	r.sees(card)
	r.text(card+" [data-part=title]", "预约成功通知")
	r.wantAll("lines", linesOf(card), "预约项目 洗剪吹", "预约时间 11月28日 14:30", "预约地点 人民路店", "备注 请提前五分钟到店")
	r.presses("#back")
	r.awaits("#chat-notices[data-unread='0']")
}

// followStory unfollows and follows again; the gateway hears both, and a message in
// between is refused.
func followStory(w *world, r *reader, user string) {
	r.presses("#follow-" + shop + "[data-action=unfollow]")
	r.awaits("#follow-" + shop + "[data-action=follow]")
	r.loses("#chat-" + shop)
	w.hears(r.t, "unsubscribe", user)
	failed := w.comesTo(r.t, w.send(r.t, order(user, "A1004")).ID, "final", func(m client.Message) bool { return m.Final })
	if failed.State != "failed" || number(failed.Errcode) != "43004" {
		r.t.Errorf("a message to somebody who does not follow: got %s, errcode %s, want failed, 43004", failed.State, number(failed.Errcode))
	}

	r.presses("#follow-" + shop + "[data-action=follow]")
	r.awaits("#chat-" + shop)
	w.hears(r.t, "subscribe", user)
	w.delivers(r.t, order(user, "A1005"))
	r.awaits("#chat-" + shop + "[data-unread='1']")
}

// testGreeting follows on the phone: a rule of the gateway's sends the card (S57).
func testGreeting(w *world, r *reader, user string) {
	t := r.t
	_, err := w.api.CreateRule(t.Context(), shop, client.RuleRequest{
		Name: "welcome", On: "follow", OncePer: "ever",
		Message: client.RuleMessage{TemplateID: sandbox.SeedTemplateOrder, Data: map[string]client.Field{
			"character_string1": {Value: "WELCOME"}, "thing2": {Value: "欢迎关注"}, "amount3": {Value: "￥0.00"}, "time4": {Value: "{{time}}"},
		}},
	})
	mustNil(t, err)
	r.open(user, "")
	r.presses("#follow-" + shop + "[data-action=unfollow]")
	r.awaits("#follow-" + shop + "[data-action=follow]")
	r.presses("#follow-" + shop + "[data-action=follow]")
	r.awaits("#chat-" + shop + "[data-unread='1']")
	var rule client.Rule
	await(t, func() (bool, string) {
		rule, err = w.api.Rule(t.Context(), shop, "welcome")
		mustNil(t, err)
		return rule.Fired > 0, "the rule never fired"
	})
	m := w.ends(t, rule.LastMessageID, "delivered", "")
	if m.ToUser != user {
		t.Errorf("the card is for %s, want %s", m.ToUser, user)
	}
	r.presses("#chat-" + shop)
	r.sees("#card-" + *m.MsgID)
	r.text("#title-"+*m.MsgID, "订单支付通知")
	mustNil(t, w.api.DeleteRule(t.Context(), shop, "welcome"))
}

// testPayment sends before WeChat's message service knows the payment (spec §6.3).
// The sandbox's clock is moved by the page, so that nobody waits ten minutes; the
// gateway's own next try, five seconds later, is real.
func testPayment(w *world, r *reader, user string) {
	w.setAccount(r.t, mini, sandbox.AccountSpec{Switches: sandbox.Switches{PrepayActivationDelayMS: new(600_000)}})
	r.open(user, "")
	check := staysLoaded(r)
	r.presses("#pay-" + mini)
	r.awaits("[data-grant][data-state=waiting]")
	prepayID := read[string](r, "$('[data-grant]').dataset.grant")

	sent := w.send(r.t, appointment(user, prepayID))
	w.comesTo(r.t, sent.ID, "refused once", func(m client.Message) bool {
		return m.State == "queued" && m.Reason == "prepay_not_ready" && number(m.Errcode) == "41028"
	})
	r.awaits("#traffic [data-direction=call][data-errcode='41028'][data-failed=true]")
	r.loses("#chat-notices")

	r.presses("#panel-clock")
	r.presses("#advance-10m")
	r.awaits("#fired [data-fired='fired.payments']")
	r.awaits(`[data-grant="` + prepayID + `"][data-state=ready]`)
	m := w.ends(r.t, sent.ID, "accepted", "")
	if n := len(m.Attempts); n < 2 || number(m.Attempts[0].Errcode) != "41028" || number(m.Attempts[n-1].Errcode) != "0" {
		r.t.Errorf("attempts: got %+v, want 41028 first and 0 last", m.Attempts)
	}
	r.awaits(`[data-grant="` + prepayID + `"][data-state=used]`)
	r.presses("#chat-notices")
	r.sees("#screen [data-style=mini]")
	check()
}

// testTap opens a message's url, which nothing fetches, and finds it again by the
// page's address.
func testTap(w *world, r *reader, user string) {
	msgid := w.delivers(r.t, order(user, "B2001"))
	r.open(user, "&chat="+shop)
	r.presses("#tap-" + msgid)
	for _, again := range []bool{false, true} {
		if again {
			r.reload()
		}
		r.awaits("#screen-state[data-kind=browser]")
		r.text("[data-part=host]", "shop.example.com")
		r.text("[data-part=url]", "https://shop.example.com/o/B2001")
	}
	r.presses("#back")
	r.sees("#card-" + msgid)
}

// testKeyboard finds, opens and leaves everything without a pointer.
func testKeyboard(w *world, r *reader, user string) {
	first := w.delivers(r.t, order(user, "C3001"))
	second := w.delivers(r.t, order(user, "C3002"))
	r.open(user, "")

	// The first stop of the page leads past the people to the phone.
	r.types(kb.Tab)
	wantFocus(r, "a.skip")
	r.types(kb.Enter)
	wantFocus(r, "#screen")
	tabTo(r, "#chat-"+shop)
	r.types(kb.Enter)
	r.awaits("#screen-state[data-kind=chat]")

	// The reader is in the chat; arrows go from card to card, and a card opens.
	wantFocus(r, "#screen")
	tabTo(r, "#tap-"+first)
	r.types(kb.ArrowDown)
	wantFocus(r, "#tap-"+second)
	r.types(kb.Enter)
	r.text("[data-part=url]", "https://shop.example.com/o/C3002")

	// Back by the arrow at the top, then by Escape.
	wantFocus(r, "#screen")
	tabTo(r, "#back")
	r.types(kb.Enter)
	r.awaits("#screen-state[data-kind=chat]")
	wantFocus(r, "#back") // the chat has such an arrow too, and keeps the keys on it
	r.types(kb.Escape)
	r.awaits("#screen-state[data-kind=chats]")

	// Space opens what Enter opens.
	wantFocus(r, "#screen")
	tabTo(r, "#chat-"+shop)
	r.types(" ")
	r.awaits("#screen-state[data-kind=chat]")
}

// wantFocus waits until the keys go to an element.
func wantFocus(r *reader, selector string) {
	r.t.Helper()
	r.until("document.activeElement.matches("+quote(selector)+")", "the keys never went to "+selector)
}

// tabTo presses Tab until the keys go to an element, and wants the reader to see so.
func tabTo(r *reader, selector string) {
	r.t.Helper()
	const enough = 10 // stops: from the phone to anything on it
	for range enough {
		r.types(kb.Tab)
		if read[bool](r, "document.activeElement.matches("+quote(selector)+")") {
			if !read[bool](r, "document.activeElement.matches(':focus-visible')") {
				r.t.Errorf("nothing shows that the keys go to %s", selector)
			}
			return
		}
	}
	r.t.Fatalf("%d times Tab do not lead to %s, but to %s", enough, selector, read[string](r, "document.activeElement.outerHTML.slice(0, 120)"))
}

// testPreferences changes both by the page's buttons and loads the page again.
func testPreferences(_ *world, r *reader, user string) {
	r.open(user, "")
	r.awaits("html[lang=zh-CN][data-theme=auto]")
	r.text("#screen .bar-title", "微信")
	light := colours(r)
	r.prefers("dark")
	dark := colours(r)
	if dark.page >= light.page || dark.screen >= light.screen {
		r.t.Errorf("a dark system: got brightness %+v, want less than %+v", dark, light)
	}

	// What is chosen goes before what the system prefers.
	r.presses("#theme")
	r.awaits("html[data-theme=light] #live[data-state=open]")
	wantColours(r, light)
	r.presses("#theme")
	r.awaits("html[data-theme=dark] #live[data-state=open]")
	r.prefers("light")
	r.presses("#language")
	r.awaits("html[lang=en] #live[data-state=open]")
	for _, again := range []bool{false, true} {
		if again {
			r.reload()
		}
		r.awaits("html[lang=en][data-theme=dark]")
		r.text("#screen .bar-title", "Chats")
		wantColours(r, dark)
	}
}

// brightness is how bright the grounds of the page and of the phone are, 0 to 765.
type brightness struct{ page, screen int }

func colours(r *reader) brightness {
	r.t.Helper()
	of := func(selector string) int {
		r.t.Helper()
		var red, green, blue int
		colour := read[string](r, "getComputedStyle($("+quote(selector)+")).backgroundColor")
		if _, err := fmt.Sscanf(colour, "rgb(%d, %d, %d)", &red, &green, &blue); err != nil {
			r.t.Fatalf("the ground of %s is %q: %v", selector, colour, err)
		}
		return red + green + blue
	}
	return brightness{page: of("body"), screen: of("#screen")}
}

func wantColours(r *reader, want brightness) {
	r.t.Helper()
	if got := colours(r); got != want {
		r.t.Errorf("brightness: got %+v, want %+v", got, want)
	}
}
