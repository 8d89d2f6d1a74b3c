package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"hongyan"
	"hongyan/store"
)

var newsCases = []testCase{
	{name: "are not written while nobody wants them", bubble: true, run: newsUnwanted},
	{name: "of a message's whole life are written with each change", bubble: true, run: newsLife},
	{name: "of every other end and wait of a message are written", bubble: true, run: newsEnds},
	{name: "of a template's messages that are held and released are written", run: newsTemplateHold},
	{name: "of receipts nobody owns are written, and of those that find their message later", bubble: true, run: newsReceipts},
	{name: "of an account's holds are written when they begin and end, not when they are renewed", bubble: true, run: newsHolds},
	{name: "of a template's ban are written once", run: newsTemplates},
	{name: "of a result that is not applied are not written", run: newsStale},
	{name: "are put by others, and what is told once is told once", bubble: true, run: newsPut},
	{name: "are written for an hour after somebody listened", bubble: true, run: newsListen},
	{name: "that an endpoint does not want are not written for it", run: newsFilter},
	{name: "are read after one, or newest first, by type, account and time", bubble: true, run: newsRead},
	{name: "that name a person are emptied with his erasure", bubble: true, run: newsErased},
	{name: "that were erased while an attempt was under way get no answer", bubble: true, run: newsErasedMeanwhile},
	{name: "are forgotten after a week, with their deliveries", bubble: true, run: newsForgotten},
	{name: "keep their order, and none is passed over, while many write", run: newsRace},
}

// hook adds an endpoint and returns its id.
func (f *fixture) hook(name string, change ...func(*hongyan.Webhook)) string {
	f.Helper()
	w := hongyan.Webhook{ID: hongyan.NewWebhookID(), Name: name, Kind: hongyan.WebhookStandard, URL: "https://example.com/" + hongyan.Secret(name),
		Secrets: []hongyan.WebhookSecret{{Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}}
	for _, c := range change {
		c(&w)
	}
	f.must(f.s.CreateWebhook(f.ctx, w))
	return w.ID
}

func wanting(types ...string) func(*hongyan.Webhook) {
	return func(w *hongyan.Webhook) { w.Events = types }
}

// spread spreads everything and returns how many news there were.
func (f *fixture) spread() (total int) {
	f.Helper()
	for {
		n, err := f.s.SpreadNews(f.ctx, 100)
		f.must(err)
		if total += n; n == 0 {
			return total
		}
	}
}

// news spreads and reads the whole log, oldest first.
func (f *fixture) news() []hongyan.News {
	f.Helper()
	f.spread()
	page, err := f.s.ReadNews(f.ctx, store.NewsFilter{Limit: 1000})
	f.must(err)
	return page.Items
}

func typesOf(all []hongyan.News) []string {
	types := []string{}
	for _, n := range all {
		types = append(types, n.Type)
	}
	return types
}

func (f *fixture) change(n hongyan.News) (c hongyan.MessageChange) {
	f.Helper()
	f.must(json.Unmarshal(n.Data, &c))
	return c
}

func newsUnwanted(f *fixture) {
	m := f.lease()
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(m, 7))
	f.must(f.s.PutHold(f.ctx, hongyan.Hold{AppID: appA, Reason: hongyan.HoldAccount}))
	f.must(f.s.PutNews(f.ctx, []hongyan.News{{Type: hongyan.NewsQuota, AppID: appA}}))
	same(f, "news", len(f.news()), 0)
}

func newsLife(f *fixture) {
	f.hook("all")
	m := f.lease()
	now := f.s.Now()
	busy := hongyan.Attempt{N: 1, StartedAt: now, EndedAt: now, Outcome: hongyan.Answered, Errcode: -1, Errmsg: "system error", RID: "rid-1"}
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, store.Result{Fence: fenceOf(m), AppID: appA, State: hongyan.Queued, Reason: "errcode",
		DueAt: now.Add(5 * time.Second), Tries: 1, Attempts: []hongyan.Attempt{busy}})
	time.Sleep(6 * time.Second)
	again := f.claim(1)[0]
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(again, 99))
	f.receive(hongyan.Receipt{AppID: appA, MsgID: 99, ToUser: userA, Status: "user_block", Raw: "failed:user block", At: f.s.Now()})
	all := f.news()
	same(f, "types", typesOf(all), []string{hongyan.NewsRetrying, hongyan.NewsAccepted, hongyan.NewsUndelivered})
	for _, n := range all {
		same(f, "about", []any{n.AppID, n.MessageSeq, n.MessageID}, []any{appA, m.Seq, m.ID})
		same(f, "message", *n.Message, hongyan.NewsMessage{Kind: m.Kind, ToUser: m.ToUser, TemplateID: m.TemplateID, ClientMsgID: m.ClientMsgID, CreatedAt: m.CreatedAt})
	}
	same(f, "retrying", f.change(all[0]), hongyan.MessageChange{State: "queued", Reason: "errcode", Errcode: new(-1), Errmsg: "system error", RID: "rid-1",
		Attempts: 1, DueAt: hongyan.NewsTime(now.Add(5 * time.Second))})
	same(f, "accepted", f.change(all[1]), hongyan.MessageChange{State: "accepted", Errcode: new(0), Errmsg: "ok", MsgID: "99", Attempts: 2})
	end := f.change(all[2])
	same(f, "undelivered", []any{end.State, end.Reason, end.Final, end.MsgID, end.Receipt.Status, end.Receipt.JoinedBy}, []any{"undelivered", "user_block", true, "99", "user_block", "msgid"})
}

func newsEnds(f *fixture) {
	f.hook("all", wanting("message.*"))
	cancelled, late := f.insert(), f.insert(func(m *hongyan.Message) { m.ExpiresAt = f.s.Now().Add(time.Minute) })
	_, err := f.s.Cancel(f.ctx, cancelled.ID)
	f.must(err)
	time.Sleep(2 * time.Minute)
	n, err := f.s.Expire(f.ctx, 10)
	f.must(err)
	same(f, "expired", n, 1)
	held := f.lease()
	f.finish(store.Settled{Applied: true, State: hongyan.Held}, store.Result{Fence: fenceOf(held), AppID: appA, State: hongyan.Held, Reason: hongyan.HoldTemplate,
		Hold: &hongyan.Hold{Reason: hongyan.HoldTemplate, Errcode: 43116}})
	untried := f.lease()
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, store.Result{Fence: fenceOf(untried), AppID: appA, State: hongyan.Queued}) // no call: no news
	all := f.news()
	same(f, "types", typesOf(all), []string{hongyan.NewsCancelled, hongyan.NewsExpired, hongyan.NewsHeld})
	same(f, "messages", []int64{all[0].MessageSeq, all[1].MessageSeq, all[2].MessageSeq}, []int64{cancelled.Seq, late.Seq, held.Seq})
	same(f, "hold", f.change(all[2]).Hold.Errcode, 43116)
}

func newsTemplateHold(f *fixture) {
	f.hook("all")
	m := f.insert()
	_, err := f.s.HoldTemplate(f.ctx, "tmpl-1", hongyan.Hold{AppID: appA, Reason: hongyan.HoldTemplate, Release: "a person"}, 10)
	f.must(err)
	_, err = f.s.ReleaseTemplate(f.ctx, appA, "tmpl-1", hongyan.HoldTemplate, time.Time{}, 10)
	f.must(err)
	all := f.news()
	same(f, "types", typesOf(all), []string{hongyan.NewsHeld, hongyan.NewsReleased})
	same(f, "message", all[0].MessageID, m.ID)
	c := f.change(all[0])
	same(f, "held", []string{c.State, c.Reason, c.Hold.Release}, []string{"held", hongyan.HoldTemplate, "a person"})
}

func newsReceipts(f *fixture) {
	f.hook("all")
	f.receive(hongyan.Receipt{AppID: appA, MsgID: 5, ToUser: userA, Status: "success", Raw: "success", At: f.s.Now()})
	m := f.lease()
	f.finish(store.Settled{Applied: true, State: hongyan.Delivered}, f.accepted(m, 5))
	all := f.news()
	same(f, "types", typesOf(all), []string{hongyan.NewsReceiptUnmatched, hongyan.NewsAccepted, hongyan.NewsDelivered})
	var r hongyan.ReceiptChange
	f.must(json.Unmarshal(all[0].Data, &r))
	same(f, "receipt", []string{r.MsgID, r.ToUser, r.Status}, []string{"5", userA, "success"})
}

func newsHolds(f *fixture) {
	f.hook("all")
	stop := hongyan.Hold{AppID: appA, Reason: hongyan.HoldAccount, Errcode: 40125, Release: "mend the secret"}
	f.must(f.s.PutHold(f.ctx, stop))
	f.must(f.s.PutHold(f.ctx, stop)) // known already
	f.must(f.s.PutHold(f.ctx, hongyan.Hold{AppID: appA, Reason: hongyan.HoldQuietHours, Before: f.s.Now()}))
	quota := hongyan.Hold{AppID: appA, Kind: hongyan.KindTemplate, Reason: hongyan.HoldQuota, Until: f.s.Now().Add(time.Hour)}
	f.must(f.s.PutHold(f.ctx, quota))
	time.Sleep(time.Hour)
	_, err := f.s.LapseHold(f.ctx, quota)
	f.must(err)
	_, err = f.s.ClearHold(f.ctx, appA, "*", "*")
	f.must(err)
	all := f.news()
	same(f, "types", typesOf(all), []string{hongyan.NewsAccountStopped, hongyan.NewsAccountAlarm, hongyan.NewsAccountResumed, hongyan.NewsAccountResumed})
	var h hongyan.HoldChange
	f.must(json.Unmarshal(all[0].Data, &h))
	same(f, "stop", []any{h.Reason, h.Errcode, h.Release}, []any{hongyan.HoldAccount, 40125, "mend the secret"})
}

func newsTemplates(f *fixture) {
	f.hook("all")
	f.must(f.s.PutTemplates(f.ctx, []hongyan.Template{{AppID: appA, TemplateID: "t", Title: "订单", Status: "active"}}))
	f.must(f.s.SetTemplateStatus(f.ctx, appA, "t", "banned", "abuse"))
	f.must(f.s.SetTemplateStatus(f.ctx, appA, "t", "banned", "abuse"))
	f.must(f.s.SetTemplateStatus(f.ctx, appA, "t", "active", ""))
	all := f.news()
	same(f, "types", typesOf(all), []string{hongyan.NewsTemplateBanned})
	var c hongyan.TemplateChange
	f.must(json.Unmarshal(all[0].Data, &c))
	same(f, "template", c, hongyan.TemplateChange{TemplateID: "t", Title: "订单", Status: "banned", Reason: "abuse"})
}

func newsStale(f *fixture) {
	f.hook("all")
	m := f.lease()
	r := f.accepted(m, 7)
	r.Fence.Attempts++
	f.finish(store.Settled{State: hongyan.Sending}, r)
	same(f, "news", len(f.news()), 0)
}

func newsPut(f *fixture) {
	f.hook("all")
	m := f.insert()
	once := hongyan.News{Type: hongyan.NewsQuota, AppID: appA, Once: "80 of today", Data: []byte(`{"percent":80}`)}
	f.must(f.s.PutNews(f.ctx, []hongyan.News{once, once, {Type: hongyan.NewsRuleFired, AppID: appB, MessageID: m.ID}}))
	f.must(f.s.PutNews(f.ctx, []hongyan.News{once}))
	all := f.news()
	same(f, "types", typesOf(all), []string{hongyan.NewsQuota, hongyan.NewsRuleFired})
	same(f, "data", string(all[0].Data), `{"percent":80}`)
	same(f, "message", []any{all[1].MessageSeq, all[1].MessageID}, []any{m.Seq, m.ID})
	time.Sleep(store.OnceKept + time.Hour)
	_, err := f.s.Sweep(f.ctx)
	f.must(err)
	f.must(f.s.PutNews(f.ctx, []hongyan.News{once}))
	same(f, "news after 40 days", typesOf(f.news()), []string{hongyan.NewsQuota})
}

func newsListen(f *fixture) {
	put := func() { f.must(f.s.PutNews(f.ctx, []hongyan.News{{Type: hongyan.NewsBatchFinished, AppID: appA}})) }
	put()
	begun := f.s.Now()
	f.must(f.s.ListenNews(f.ctx, begun.Add(time.Hour)))
	put()
	time.Sleep(30 * time.Minute)
	f.must(f.s.ListenNews(f.ctx, f.s.Now().Add(time.Hour)))
	time.Sleep(45 * time.Minute)
	put()
	page, err := f.s.ReadNews(f.ctx, store.NewsFilter{})
	f.must(err)
	same(f, "before it is spread", len(page.Items), 0)
	same(f, "since", page.Since, begun)
	same(f, "news", len(f.news()), 2)
	time.Sleep(time.Hour)
	put()
	f.must(f.s.ListenNews(f.ctx, f.s.Now().Add(time.Hour)))
	page, err = f.s.ReadNews(f.ctx, store.NewsFilter{})
	f.must(err)
	same(f, "since the break", page.Since, f.s.Now())
	same(f, "news after the break", len(f.news()), 2)
}

func newsFilter(f *fixture) {
	f.hook("one account", func(w *hongyan.Webhook) { w.AppIDs = []string{appB} })
	f.hook("one type", wanting(hongyan.NewsQuota))
	off := f.hook("disabled", func(w *hongyan.Webhook) { w.Disabled = "gone" })
	f.must(f.s.PutNews(f.ctx, []hongyan.News{{Type: hongyan.NewsRuleFired, AppID: appA}, {Type: hongyan.NewsRuleFired, AppID: appB}, {Type: hongyan.NewsQuota, AppID: appA}, {Type: hongyan.NewsQuota}}))
	all := f.news()
	same(f, "types", typesOf(all), []string{hongyan.NewsRuleFired, hongyan.NewsQuota, hongyan.NewsQuota})
	_, err := f.s.UpdateWebhook(f.ctx, off, func(w *hongyan.Webhook) error { w.Disabled = ""; return nil })
	f.must(err)
	f.must(f.s.PutNews(f.ctx, []hongyan.News{{Type: hongyan.NewsRuleFired, AppID: appA}}))
	same(f, "after one is used again", len(f.news()), 4)
}

func newsRead(f *fixture) {
	f.hook("all")
	for i := range 5 {
		typ, app := hongyan.NewsQuota, appA
		if i%2 == 1 {
			typ, app = hongyan.NewsRuleFired, appB
		}
		f.must(f.s.PutNews(f.ctx, []hongyan.News{{Type: typ, AppID: app, Data: fmt.Appendf(nil, `{"n":%d}`, i)}}))
		time.Sleep(time.Minute)
	}
	all := f.news()
	read := func(filter store.NewsFilter) string {
		page, err := f.s.ReadNews(f.ctx, filter)
		f.must(err)
		var text strings.Builder
		for _, n := range page.Items {
			text.WriteString(strings.Trim(string(n.Data), `{}":n`))
		}
		return text.String()
	}
	same(f, "after", read(store.NewsFilter{After: all[1].ID, Limit: 10}), "234")
	same(f, "newest", read(store.NewsFilter{Newest: true, Limit: 2}), "43")
	same(f, "before", read(store.NewsFilter{Newest: true, Before: all[3].ID, Limit: 10}), "210")
	same(f, "type", read(store.NewsFilter{Types: []string{"rule.*"}, Limit: 10}), "13")
	same(f, "account", read(store.NewsFilter{AppIDs: []string{appA}, Limit: 10}), "024")
	same(f, "time", read(store.NewsFilter{Since: all[1].At, Until: all[3].At, Limit: 10}), "12")
	page, err := f.s.ReadNews(f.ctx, store.NewsFilter{Limit: 2})
	f.must(err)
	same(f, "pages", []any{page.Last, page.Head}, []any{all[1].ID, all[4].ID})
	page, err = f.s.ReadNews(f.ctx, store.NewsFilter{After: all[2].ID, Limit: 3})
	f.must(err)
	same(f, "last page", []any{len(page.Items), page.Last}, []any{2, int64(0)})
}

func newsErased(f *fixture) {
	id := f.hook("all")
	other := "oUserBBBBBBBBBBBBBBBBBBBBBBB"
	f.receive(hongyan.Receipt{AppID: appA, MsgID: 5, ToUser: userA, Status: "success", Raw: "success", At: f.s.Now()})
	f.receive(hongyan.Receipt{AppID: appA, MsgID: 6, ToUser: other, Status: "success", Raw: "success", At: f.s.Now()})
	m := f.insert()
	_, err := f.s.Cancel(f.ctx, m.ID)
	f.must(err)
	f.must(f.s.PutNews(f.ctx, []hongyan.News{{Type: hongyan.NewsRuleFired, AppID: appA, Data: []byte(`{"refusal":"it says ` + userA + `"}`)}}))
	f.spread()
	claimed, err := f.s.ClaimNews(f.ctx, store.NewsClaim{WebhookID: id, Max: 10, Lease: time.Minute})
	f.must(err)
	for _, c := range claimed { // an endpoint that echoes
		f.must(f.s.FinishNews(f.ctx, []store.NewsResult{{ID: c.ID, Attempts: 1, State: hongyan.DeliveryDone, Status: 200, Answer: string(c.News.Body())}}))
	}
	f.must(f.s.PutNews(f.ctx, []hongyan.News{{Type: hongyan.NewsRuleFired, AppID: appA, Data: []byte(`{"refusal":"of ` + userA + `"}`)}}))
	f.spread()
	own := []string{"you said " + userA, "answered 500", "you said " + userA}
	for i, said := range own { // one that says it where errors are made of it
		c := f.claimNews(id, 1)[0]
		f.must(f.s.FinishNews(f.ctx, []store.NewsResult{{ID: c.ID, Attempts: i + 1, State: hongyan.DeliveryPending, Error: said}}))
	}
	_, err = f.s.EraseUser(f.ctx, hongyan.Erasure{AppID: appA, OpenID: userA, Pseudonym: "erased-1"})
	f.must(err)
	for _, d := range f.hookDeliveries(store.WebhookDeliveryFilter{WebhookID: id}) {
		if strings.Contains(d.LastAnswer, userA) {
			f.Errorf("what was answered to %s names the person: %s", d.Type, d.LastAnswer)
		}
		same(f, "answer to another person's is kept", strings.Contains(d.LastAnswer, other), strings.Contains(string(d.News.Data), other))
	}
	var errs []string
	for _, a := range f.history(f.hookDeliveries(store.WebhookDeliveryFilter{WebhookID: id, States: []hongyan.DeliveryState{hongyan.DeliveryPending}})[0].WebhookDelivery.ID) {
		errs = append(errs, a.Error)
	}
	same(f, "errors", errs, []string{store.ErasedError, "answered 500", store.ErasedError})
	all := f.news()
	same(f, "types", typesOf(all), []string{hongyan.NewsReceiptUnmatched, hongyan.NewsReceiptUnmatched, hongyan.NewsCancelled, hongyan.NewsRuleFired, hongyan.NewsRuleFired})
	for i, n := range all {
		if strings.Contains(string(n.Body()), userA) {
			f.Fatalf("news %d still name the person: %s", i, n.Body())
		}
	}
	same(f, "another person's", strings.Contains(string(all[1].Data), other), true)
}

// newsErasedMeanwhile: an attempt that was under way during the erasure was told of the
// person before it, and brings what the endpoint says of them after it.
func newsErasedMeanwhile(f *fixture) {
	id := f.hook("all")
	f.receive(hongyan.Receipt{AppID: appA, MsgID: 5, ToUser: userA, Status: "success", Raw: "success", At: f.s.Now()})
	m := f.insert()
	_, err := f.s.Cancel(f.ctx, m.ID)
	f.must(err)
	f.tell(hongyan.NewsQuota)
	finish := func(attempt int) {
		f.Helper()
		var rs []store.NewsResult
		for _, c := range f.claimNews(id, 10) {
			rs = append(rs, store.NewsResult{ID: c.ID, Attempts: attempt, State: hongyan.DeliveryPending, Status: 500, Answer: "you said " + userA})
		}
		if attempt == 3 {
			_, err := f.s.EraseUser(f.ctx, hongyan.Erasure{AppID: appA, OpenID: userA, Pseudonym: "erased-1"})
			f.must(err)
		}
		same(f, "claimed", len(rs), 3)
		f.must(f.s.FinishNews(f.ctx, rs))
	}
	for attempt := 1; attempt <= 3; attempt++ {
		finish(attempt)
	}
	for _, d := range f.hookDeliveries(store.WebhookDeliveryFilter{WebhookID: id}) {
		answers := 0
		all := f.history(d.WebhookDelivery.ID)
		for _, a := range all {
			answers += strings.Count(a.Answer, userA)
		}
		want := []any{3, 0, 500, ""}
		if d.News.Type == hongyan.NewsQuota { // is not about the person
			want = []any{3, 3, 500, "you said " + userA}
		}
		same(f, "attempts and answers to "+d.News.Type, []any{len(all), answers, d.LastStatus, d.LastAnswer}, want)
	}
}

func newsForgotten(f *fixture) {
	id := f.hook("all")
	f.must(f.s.PutNews(f.ctx, []hongyan.News{{Type: hongyan.NewsQuota}}))
	old := f.news()[0]
	time.Sleep(store.NewsKept - time.Hour)
	f.must(f.s.PutNews(f.ctx, []hongyan.News{{Type: hongyan.NewsQuota}}))
	f.spread()
	time.Sleep(2 * time.Hour)
	_, err := f.s.Sweep(f.ctx)
	f.must(err)
	all := f.news()
	same(f, "kept", len(all), 1)
	page, err := f.s.ReadNews(f.ctx, store.NewsFilter{Limit: 10})
	f.must(err)
	same(f, "gone", page.Gone, old.ID)
	same(f, "deliveries", len(f.hookDeliveries(store.WebhookDeliveryFilter{WebhookID: id})), 1)
	time.Sleep(store.NewsKept)
	_, err = f.s.Sweep(f.ctx)
	f.must(err)
	f.must(f.s.PutNews(f.ctx, []hongyan.News{{Type: hongyan.NewsQuota}}))
	if next := f.news()[0]; next.ID <= all[0].ID {
		f.Fatalf("number %d is used after %d was", next.ID, all[0].ID)
	}
}

func newsRace(f *fixture) {
	f.hook("all")
	const writers, each = 8, 25
	ctx, stop := context.WithCancel(f.ctx)
	var reading, writing sync.WaitGroup
	var seen []int64
	reading.Go(func() {
		after := int64(0)
		for last := false; ; {
			_, err := f.s.SpreadNews(f.ctx, 10)
			f.must(err)
			page, err := f.s.ReadNews(f.ctx, store.NewsFilter{After: after, Limit: 1000})
			f.must(err)
			for _, n := range page.Items {
				seen = append(seen, n.ID)
				after = n.ID
			}
			if len(seen) == writers*each || last && len(page.Items) == 0 {
				return
			}
			last = ctx.Err() != nil && f.spread() == 0
		}
	})
	for range writers {
		writing.Go(func() {
			for range each {
				f.must(f.s.PutNews(f.ctx, []hongyan.News{{Type: hongyan.NewsRuleFired, AppID: appA}}))
			}
		})
	}
	writing.Wait()
	stop()
	reading.Wait()
	same(f, "news seen by a reader who goes on behind the last", len(seen), writers*each)
	same(f, "in order", slices.IsSorted(seen), true)
}
