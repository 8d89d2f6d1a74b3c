package storetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"hongyan"
	"hongyan/store"
)

var webhookCases = []testCase{
	{name: "come back as they were given, and are changed and removed", bubble: true, run: webhookLife},
	{name: "are not changed when the change says no, nor into another's name", run: webhookRefused},
	{name: "get the news they want, each once", run: webhookSpread},
	{name: "are claimed with their news when due, those due longest first", bubble: true, run: webhookClaim},
	{name: "deliveries end, are tried again, or were never tried", bubble: true, run: webhookFinish},
	{name: "deliveries are claimed again after their lease; who held one is late", bubble: true, run: webhookLease},
	{name: "deliveries remember every attempt, lost ones too", bubble: true, run: webhookHistory},
	{name: "deliveries remember their newest twenty attempts, and little of old answers", bubble: true, run: webhookLongHistory},
	{name: "are told again by type, time and state", bubble: true, run: webhookRedeliver},
	{name: "deliveries are listed by endpoint, message, state and type, newest first", run: webhookList},
	{name: "that are gone leave nothing behind", run: webhookGone},
}

func webhookLife(f *fixture) {
	w := hongyan.Webhook{ID: hongyan.NewWebhookID(), Name: "订单", Kind: hongyan.WebhookDingTalk, URL: "https://oapi.dingtalk.com/robot/send?access_token=x", Events: []string{"message.*"},
		AppIDs: []string{appA}, Language: "zh", Paused: true, CreatedAt: f.s.Now(), UpdatedAt: f.s.Now(),
		Secrets: []hongyan.WebhookSecret{{Secret: "SECnew"}, {Secret: "SECold", Until: f.s.Now().Add(time.Hour)}}}
	f.must(f.s.CreateWebhook(f.ctx, w))
	got, err := f.s.Webhook(f.ctx, w.ID)
	f.must(err)
	same(f, "webhook", got, w)
	time.Sleep(time.Second)
	changed, err := f.s.UpdateWebhook(f.ctx, w.ID, func(w *hongyan.Webhook) error {
		w.Paused, w.Disabled, w.DisabledAt, w.Secrets, w.Events = false, "410", f.s.Now(), nil, nil
		return nil
	})
	f.must(err)
	w.Paused, w.Disabled, w.DisabledAt, w.Secrets, w.Events, w.UpdatedAt = false, "410", f.s.Now(), nil, nil, f.s.Now()
	same(f, "changed", changed, w)
	all, err := f.s.Webhooks(f.ctx)
	f.must(err)
	same(f, "list", all, []hongyan.Webhook{w})
	f.must(f.s.DeleteWebhook(f.ctx, w.ID))
	_, err = f.s.Webhook(f.ctx, w.ID)
	f.wantKind(err, hongyan.NotFound)
	f.wantKind(f.s.DeleteWebhook(f.ctx, w.ID), hongyan.NotFound)
}

func webhookRefused(f *fixture) {
	first, second := f.hook("first"), f.hook("second")
	f.wantKind(f.s.CreateWebhook(f.ctx, hongyan.Webhook{ID: hongyan.NewWebhookID(), Name: "first", Kind: hongyan.WebhookStandard}), hongyan.Conflict)
	_, err := f.s.UpdateWebhook(f.ctx, second, func(w *hongyan.Webhook) error { w.Name = "first"; return nil })
	f.wantKind(err, hongyan.Conflict)
	no := errors.New("no")
	if _, err := f.s.UpdateWebhook(f.ctx, first, func(w *hongyan.Webhook) error { w.Name = "other"; return no }); !errors.Is(err, no) {
		f.Fatalf("got %v, want the error of the change", err)
	}
	_, err = f.s.UpdateWebhook(f.ctx, "whk_none", func(*hongyan.Webhook) error { return nil })
	f.wantKind(err, hongyan.NotFound)
	w, err := f.s.Webhook(f.ctx, first)
	f.must(err)
	same(f, "name", w.Name, "first")
}

// hookDeliveries lists deliveries of endpoints.
func (f *fixture) hookDeliveries(filter store.WebhookDeliveryFilter) []store.ClaimedNews {
	f.Helper()
	if filter.Limit == 0 {
		filter.Limit = 1000
	}
	all, err := f.s.WebhookDeliveries(f.ctx, filter)
	f.must(err)
	return all
}

// tell puts news and spreads them.
func (f *fixture) tell(types ...string) {
	f.Helper()
	for _, t := range types {
		f.must(f.s.PutNews(f.ctx, []hongyan.News{{Type: t, AppID: appA}}))
	}
	f.spread()
}

func (f *fixture) claimNews(id string, most int) []store.ClaimedNews {
	f.Helper()
	all, err := f.s.ClaimNews(f.ctx, store.NewsClaim{WebhookID: id, Max: most, Lease: time.Minute})
	f.must(err)
	return all
}

func claimedTypes(all []store.ClaimedNews) []string {
	types := []string{}
	for _, c := range all {
		types = append(types, c.WebhookDelivery.Type)
	}
	return types
}

func webhookSpread(f *fixture) {
	all, quotas := f.hook("all"), f.hook("quotas", wanting(hongyan.NewsQuota))
	f.hook("other account", func(w *hongyan.Webhook) { w.AppIDs = []string{appB} })
	f.tell(hongyan.NewsQuota, hongyan.NewsRuleFired)
	same(f, "spread again", f.spread(), 0)
	same(f, "all", claimedTypes(f.hookDeliveries(store.WebhookDeliveryFilter{WebhookID: all})), []string{hongyan.NewsRuleFired, hongyan.NewsQuota})
	same(f, "quotas", claimedTypes(f.hookDeliveries(store.WebhookDeliveryFilter{WebhookID: quotas})), []string{hongyan.NewsQuota})
	due, err := f.s.DueWebhooks(f.ctx)
	f.must(err)
	same(f, "due", len(due), 2)
	counts, err := f.s.WebhookCounts(f.ctx)
	f.must(err)
	same(f, "counts", []int64{counts[all].Pending, counts[quotas].Pending}, []int64{2, 1})
}

func webhookClaim(f *fixture) {
	id := f.hook("all")
	m := f.insert(func(m *hongyan.Message) { m.Metadata = []byte(`{"order":1}`) })
	_, err := f.s.Cancel(f.ctx, m.ID)
	f.must(err)
	f.spread()
	time.Sleep(time.Second)
	f.tell(hongyan.NewsQuota)
	one := f.claimNews(id, 1)
	same(f, "first", claimedTypes(one), []string{hongyan.NewsCancelled})
	c := one[0]
	same(f, "attempt", []any{c.Attempts, c.LastAt, c.DueAt}, []any{1, f.s.Now(), f.s.Now().Add(time.Minute)})
	same(f, "message", []any{c.News.MessageID, string(c.News.Message.Metadata)}, []any{m.ID, `{"order":1}`})
	same(f, "rest", claimedTypes(f.claimNews(id, 10)), []string{hongyan.NewsQuota})
	same(f, "nothing left", len(f.claimNews(id, 10)), 0)
}

func webhookFinish(f *fixture) {
	id := f.hook("all")
	f.tell(hongyan.NewsQuota, hongyan.NewsRuleFired, hongyan.NewsConsentLow)
	claimed := f.claimNews(id, 10)
	begun := f.s.Now()
	time.Sleep(time.Second)
	later := f.s.Now().Add(time.Hour)
	f.must(f.s.FinishNews(f.ctx, []store.NewsResult{
		{ID: claimed[0].ID, Attempts: 1, State: hongyan.DeliveryDone, Status: 204, Answer: "fine", Took: 15 * time.Millisecond},
		{ID: claimed[1].ID, Attempts: 1, State: hongyan.DeliveryPending, DueAt: later, Status: 500, Error: "answered 500", Answer: "oops"},
		{ID: claimed[2].ID, Attempts: 1, State: hongyan.DeliveryPending, DueAt: f.s.Now(), Untried: true},
	}))
	f.must(f.s.FinishNews(f.ctx, []store.NewsResult{{ID: claimed[0].ID, Attempts: 1, State: hongyan.DeliveryGaveUp, Status: 410}})) // late
	all := f.hookDeliveries(store.WebhookDeliveryFilter{WebhookID: id})
	done, again, untried := all[2].WebhookDelivery, all[1].WebhookDelivery, all[0].WebhookDelivery
	same(f, "done", []any{done.State, done.LastStatus, done.LastAnswer, done.LastTook, done.LastAt, done.EndedAt, done.Attempts},
		[]any{hongyan.DeliveryDone, 204, "fine", 15 * time.Millisecond, begun, f.s.Now(), 1})
	same(f, "again", []any{again.State, again.DueAt, again.LastError, again.LastAnswer, again.Attempts}, []any{hongyan.DeliveryPending, later, "answered 500", "oops", 1})
	same(f, "untried", []any{untried.Attempts, untried.LastAt.IsZero()}, []any{0, true})
	counts, err := f.s.WebhookCounts(f.ctx)
	f.must(err)
	same(f, "counts", counts[id], store.DeliveryCount{Pending: 2, Done: 1, Oldest: again.CreatedAt, Error: "answered 500"})
	same(f, "claimed next", claimedTypes(f.claimNews(id, 10)), []string{hongyan.NewsConsentLow})
}

func webhookLease(f *fixture) {
	id := f.hook("all")
	f.tell(hongyan.NewsQuota)
	first := f.claimNews(id, 1)[0]
	same(f, "while the lease lasts", len(f.claimNews(id, 1)), 0)
	time.Sleep(time.Minute)
	second := f.claimNews(id, 1)[0]
	same(f, "attempts", second.Attempts, 2)
	f.must(f.s.FinishNews(f.ctx, []store.NewsResult{{ID: first.ID, Attempts: first.Attempts, State: hongyan.DeliveryDone}}))
	same(f, "state after who is late", f.hookDeliveries(store.WebhookDeliveryFilter{WebhookID: id})[0].State, hongyan.DeliveryPending)
}

// history reads the attempts of a delivery.
func (f *fixture) history(id int64) []hongyan.WebhookAttempt {
	f.Helper()
	return f.hookDeliveries(store.WebhookDeliveryFilter{ID: id})[0].History
}

func webhookHistory(f *fixture) {
	hook := f.hook("all")
	f.tell(hongyan.NewsQuota)
	begun := f.s.Now()
	first := f.claimNews(hook, 1)[0]
	same(f, "while the first is under way", len(f.history(first.ID)), 0)
	time.Sleep(time.Second)
	f.must(f.s.FinishNews(f.ctx, []store.NewsResult{{ID: first.ID, Attempts: 1, State: hongyan.DeliveryPending, Status: 500, Error: `answered "500"`, Answer: "oops\n\t\x01 错误", Took: time.Second}}))
	refused := hongyan.WebhookAttempt{At: begun, Status: 500, Error: `answered "500"`, Answer: "oops\n\t\x01 错误", Took: time.Second}
	same(f, "one that ended", f.history(first.ID), []hongyan.WebhookAttempt{refused})
	time.Sleep(time.Second)
	lost := f.s.Now()
	f.claimNews(hook, 1) // and its process is gone
	same(f, "while the second is under way", f.history(first.ID), []hongyan.WebhookAttempt{refused})
	time.Sleep(time.Minute)
	third := f.claimNews(hook, 1)[0]
	want := []hongyan.WebhookAttempt{refused, {At: lost, Error: store.LostAttempt}}
	same(f, "one that was lost", f.history(first.ID), want)
	f.must(f.s.FinishNews(f.ctx, []store.NewsResult{{ID: first.ID, Attempts: third.Attempts, State: hongyan.DeliveryPending, Untried: true}}))
	same(f, "one that was not made", f.history(first.ID), want)
	third = f.claimNews(hook, 1)[0]
	f.must(f.s.FinishNews(f.ctx, []store.NewsResult{{ID: first.ID, Attempts: third.Attempts, State: hongyan.DeliveryDone, Status: 204}}))
	want = append(want, hongyan.WebhookAttempt{At: f.s.Now(), Status: 204})
	same(f, "all", f.history(first.ID), want)
	same(f, "in a list", len(f.hookDeliveries(store.WebhookDeliveryFilter{WebhookID: hook})[0].History), 0)

	_, _, err := f.s.RedeliverNews(f.ctx, store.Redelivery{WebhookID: hook, Limit: 10})
	f.must(err)
	fourth := f.claimNews(hook, 1)[0]
	f.must(f.s.FinishNews(f.ctx, []store.NewsResult{{ID: first.ID, Attempts: fourth.Attempts, State: hongyan.DeliveryDone, Status: 200}}))
	same(f, "told once more", []any{fourth.Attempts, f.history(first.ID)}, []any{1, append(want, hongyan.WebhookAttempt{At: f.s.Now(), Status: 200})})
}

func webhookLongHistory(f *fixture) {
	hook := f.hook("all")
	f.tell(hongyan.NewsQuota)
	begun, answer := f.s.Now(), strings.Repeat("长", 300)
	for i := range 25 {
		c := f.claimNews(hook, 1)[0]
		f.must(f.s.FinishNews(f.ctx, []store.NewsResult{{ID: c.ID, Attempts: i + 1, State: hongyan.DeliveryPending, Status: 500 + i, Answer: answer}}))
		time.Sleep(time.Minute)
	}
	all := f.history(f.hookDeliveries(store.WebhookDeliveryFilter{WebhookID: hook})[0].WebhookDelivery.ID)
	if len(all) != hongyan.MaxWebhookHistory {
		f.Fatalf("%d attempts, want %d", len(all), hongyan.MaxWebhookHistory)
	}
	for i, a := range all {
		want := hongyan.WebhookAttempt{At: begun.Add(time.Duration(i+5) * time.Minute), Status: 505 + i, Answer: strings.Repeat("长", store.EarlierAnswer)}
		if i == len(all)-1 {
			want.Answer = answer
		}
		same(f, fmt.Sprint("attempt ", i), a, want)
	}
}

func webhookRedeliver(f *fixture) {
	id := f.hook("quotas", wanting(hongyan.NewsQuota))
	f.must(f.s.ListenNews(f.ctx, f.s.Now().Add(24*time.Hour)))
	f.tell(hongyan.NewsQuota, hongyan.NewsRuleFired)
	time.Sleep(time.Hour)
	hour := f.s.Now()
	f.tell(hongyan.NewsQuota)
	for i, c := range f.claimNews(id, 10) {
		state := []hongyan.DeliveryState{hongyan.DeliveryDone, hongyan.DeliveryGaveUp}[i]
		f.must(f.s.FinishNews(f.ctx, []store.NewsResult{{ID: c.ID, Attempts: c.Attempts, State: state}}))
	}
	again := func(r store.Redelivery) int {
		r.WebhookID, r.Limit = id, 2
		total := 0
		for {
			n, last, err := f.s.RedeliverNews(f.ctx, r)
			f.must(err)
			if total += n; last == 0 {
				break
			}
			r.After = last
		}
		return total
	}
	finish := func() int {
		claimed := f.claimNews(id, 10)
		for _, c := range claimed {
			f.must(f.s.FinishNews(f.ctx, []store.NewsResult{{ID: c.ID, Attempts: c.Attempts, State: hongyan.DeliveryDone}}))
		}
		return len(claimed)
	}
	same(f, "those given up", []int{again(store.Redelivery{States: []hongyan.DeliveryState{hongyan.DeliveryGaveUp}}), finish()}, []int{1, 1})
	same(f, "of a time", []int{again(store.Redelivery{Until: hour}), finish()}, []int{1, 1})
	same(f, "what it was not sent", []int{again(store.Redelivery{Types: []string{"rule.*"}}), finish()}, []int{1, 1})
	same(f, "all it wants, and had", []int{again(store.Redelivery{}), finish()}, []int{3, 3})
	f.tell(hongyan.NewsQuota)
	c := f.claimNews(id, 1)[0]
	pending := store.Redelivery{States: []hongyan.DeliveryState{hongyan.DeliveryPending}}
	fail := func(state hongyan.DeliveryState) {
		f.must(f.s.FinishNews(f.ctx, []store.NewsResult{{ID: c.ID, Attempts: c.Attempts, State: state, DueAt: f.s.Now().Add(time.Hour), Error: "answered 500"}}))
	}
	again1 := func(what string, want int) {
		f.Helper()
		claimed := f.claimNews(id, 10)
		if same(f, what, len(claimed), want); len(claimed) > 0 {
			c = claimed[0]
		}
	}
	for _, state := range []hongyan.DeliveryState{hongyan.DeliveryPending, hongyan.DeliveryGaveUp} {
		same(f, "one under way", again(pending), 1)
		again1("while it is", 0)
		fail(state)
		again1("when it failed", 1)
	}
	fail(hongyan.DeliveryPending)
	again1("when it failed without being asked for", 0)
	same(f, "one that waits", again(pending), 1)
	same(f, "one that is due", again(pending), 1)
	again1("when it is due", 1)
	again(pending)
	f.must(f.s.FinishNews(f.ctx, []store.NewsResult{{ID: c.ID, Attempts: c.Attempts, State: hongyan.DeliveryDone, Status: 200}}))
	again1("when the one under way was taken", 0)
	_, _, err := f.s.RedeliverNews(f.ctx, store.Redelivery{WebhookID: "whk_none", Limit: 1})
	f.wantKind(err, hongyan.NotFound)
}

func webhookList(f *fixture) {
	id, other := f.hook("one"), f.hook("two", wanting("message.*"))
	m := f.insert()
	_, err := f.s.Cancel(f.ctx, m.ID)
	f.must(err)
	f.tell(hongyan.NewsQuota, hongyan.NewsRuleFired)
	c := f.claimNews(id, 1)[0]
	f.must(f.s.FinishNews(f.ctx, []store.NewsResult{{ID: c.ID, Attempts: 1, State: hongyan.DeliveryDone}}))
	list := func(filter store.WebhookDeliveryFilter) []string { return claimedTypes(f.hookDeliveries(filter)) }
	same(f, "of one", list(store.WebhookDeliveryFilter{WebhookID: id}), []string{hongyan.NewsRuleFired, hongyan.NewsQuota, hongyan.NewsCancelled})
	same(f, "pending", list(store.WebhookDeliveryFilter{WebhookID: id, States: []hongyan.DeliveryState{hongyan.DeliveryPending}}), []string{hongyan.NewsRuleFired, hongyan.NewsQuota})
	same(f, "type", list(store.WebhookDeliveryFilter{WebhookID: id, Types: []string{"quota.*"}}), []string{hongyan.NewsQuota})
	same(f, "of the message", list(store.WebhookDeliveryFilter{MessageSeq: m.Seq}), []string{hongyan.NewsCancelled, hongyan.NewsCancelled})
	same(f, "page", list(store.WebhookDeliveryFilter{WebhookID: id, Limit: 1}), []string{hongyan.NewsRuleFired})
	one := f.hookDeliveries(store.WebhookDeliveryFilter{ID: c.ID, WebhookID: id})
	same(f, "one", []any{len(one), one[0].News.EventID()}, []any{1, c.News.EventID()})
	same(f, "of another endpoint", len(f.hookDeliveries(store.WebhookDeliveryFilter{ID: c.ID, WebhookID: other})), 0)
}

func webhookGone(f *fixture) {
	id := f.hook("all")
	f.tell(hongyan.NewsQuota, hongyan.NewsRuleFired)
	f.must(f.s.DeleteWebhook(f.ctx, id))
	same(f, "deliveries", len(f.hookDeliveries(store.WebhookDeliveryFilter{WebhookID: id})), 0)
	due, err := f.s.DueWebhooks(f.ctx)
	f.must(err)
	same(f, "due", len(due), 0)
	f.must(f.s.PutNews(f.ctx, []hongyan.News{{Type: hongyan.NewsQuota}}))
	same(f, "news that nobody wants any more", f.spread(), 0)
}
