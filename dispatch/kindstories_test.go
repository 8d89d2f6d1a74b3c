package dispatch_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"hongyan"
	"hongyan/dispatch"
	"hongyan/sandbox"
	"hongyan/wechat"
)

// kindOrder is how a message of one kind is asked for in these stories, and where it goes.
type kindOrder struct {
	kind hongyan.MessageKind
	path string
	ask  func(openID string) dispatch.Request
}

// kindOrders are orders of every kind that the seed's two accounts may send, each
// with the user's consent for one message.
func (w *world) kindOrders() []kindOrder {
	w.t.Helper()
	notice := w.noticeTemplate()
	oneTime := w.box.Sandbox.Accounts()[0].OneTimeTemplate
	pickup := wechat.Data{"character_string1": {Value: "27"}, "thing2": {Value: "人民路店"}}
	return []kindOrder{
		{hongyan.KindTemplate, sendPath, order},
		{hongyan.KindMiniTemplate, "/cgi-bin/message/wxopen/template/send", func(openID string) dispatch.Request {
			return dispatch.Request{AppID: sandbox.SeedMiniAppID, ToUser: openID, TemplateID: sandbox.SeedTemplateMini,
				FormID: w.box.Sandbox.GiveForm("", openID), Data: wechat.Data{"keyword1": {Value: "理发"}}}
		}},
		{hongyan.KindSubscribe, "/cgi-bin/message/subscribe/send", func(openID string) dispatch.Request {
			data := wechat.Data{"time3": {Value: "10:15"}, "character_string1": pickup["character_string1"], "thing2": pickup["thing2"]}
			return dispatch.Request{AppID: sandbox.SeedMiniAppID, Kind: hongyan.KindSubscribe, ToUser: openID,
				TemplateID: sandbox.SeedTemplateSubscribePickup, Page: "index", MiniProgramState: "trial", Lang: "zh_CN", Data: data}
		}},
		{hongyan.KindNotice, "/cgi-bin/message/subscribe/bizsend", func(openID string) dispatch.Request {
			return dispatch.Request{AppID: sandbox.SeedServiceAppID, Kind: hongyan.KindNotice, ToUser: openID,
				TemplateID: notice, Page: "https://shop.example.com/o/1", Data: pickup}
		}},
		{hongyan.KindOneTime, "/cgi-bin/message/template/subscribe", func(openID string) dispatch.Request {
			if err := w.box.Sandbox.ConfirmOneTime("", openID, 1000); err != nil {
				w.t.Fatal(err)
			}
			return dispatch.Request{AppID: sandbox.SeedServiceAppID, Kind: hongyan.KindOneTime, ToUser: openID,
				TemplateID: oneTime, Scene: "1000", Title: "取餐", Data: wechat.Data{"content": {Value: "您的餐已好"}}}
		}},
	}
}

// noticeTemplate takes a template of subscription notices for the service account.
func (w *world) noticeTemplate() string {
	w.t.Helper()
	token, err := w.gateway.Load().tokens.AccessToken(w.t.Context(), sandbox.SeedServiceAppID)
	if err != nil {
		w.t.Fatal(err)
	}
	transport := w.box.Network().Transport()
	defer transport.CloseIdleConnections()
	c := wechat.Client{BaseURL: w.box.URL, Tokens: wechat.StaticToken(token), HTTPClient: &http.Client{Transport: transport}}
	id, err := c.AddSubscribeTemplate(w.t.Context(), wechat.AddSubscribeTemplateRequest{TID: 401, KIDList: []int{1, 2}, SceneDesc: "取餐"})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// repeats are the kinds that may ask again after a call without an answer.
var repeats = map[hongyan.MessageKind]bool{hongyan.KindTemplate: true, hongyan.KindMiniTemplate: true}

func TestEveryKindIsSentAndShownOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for i, k := range w.kindOrders() {
			user := sandbox.OpenID("NOEVT", i)
			m := w.submit(k.ask(user))
			w.sleep(5 * time.Second)
			got := w.want(m, hongyan.Accepted, "")
			hasMsgID := k.kind == hongyan.KindTemplate || k.kind == hongyan.KindSubscribe
			if got.Kind != k.kind || got.Final() == k.kind.HasReceipt() || (got.MsgID != 0) != hasMsgID {
				t.Errorf("%s: kind %s, final %v, msgid %d", k.kind, got.Kind, got.Final(), got.MsgID)
			}
			if calls := w.box.Sandbox.Ledger(sandbox.LedgerFilter{ToUser: user}); len(calls) != 1 || calls[0].Path != k.path {
				t.Errorf("%s: calls %+v, want one to %s", k.kind, calls, k.path)
			}
			if shown := w.box.Sandbox.Inbox(user); len(shown) != 1 {
				t.Errorf("%s: shown %d times, want once", k.kind, len(shown))
			}
		}
	})
}

func TestEveryKindIsRefusedByItsUser(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for i, k := range w.kindOrders() {
			w.box.Sandbox.AddFault(sandbox.Fault{Path: k.path, ErrCode: 43101, Times: 1})
			m := w.submit(k.ask(sandbox.OpenID("", i)))
			w.sleep(5 * time.Second)
			if got := w.want(m, hongyan.Failed, "errcode"); got.Last.Errcode != 43101 || got.Attempts != 1 {
				t.Errorf("%s: %d attempts, last %+v", k.kind, got.Attempts, got.Last)
			}
		}
	})
}

// TestWhatMayHaveBeenSeenIsAskedForAgainOnlyWhereItCannotBeSeenTwice: the answer
// of the first call is lost, under every policy.
func TestWhatMayHaveBeenSeenIsAskedForAgainOnlyWhereItCannotBeSeenTwice(t *testing.T) {
	for _, policy := range []hongyan.UncertainPolicy{"", hongyan.UncertainResend, hongyan.UncertainGiveUp} {
		inBubble(t, func(t *testing.T, w *world) {
			w.setPolicy(policy)
			for i, k := range w.kindOrders() {
				user := sandbox.OpenID("NOEVT", i)
				r := k.ask(user)
				w.box.Sandbox.AddFault(sandbox.Fault{Path: k.path, DropAnswer: true, Times: 1})
				m := w.submit(r)
				w.sleep(time.Second)
				if !repeats[k.kind] {
					want := hongyan.Uncertain
					if policy == hongyan.UncertainGiveUp {
						want = hongyan.Failed
					}
					if got := w.want(m, want, "no_answer"); got.MayDuplicate {
						t.Errorf("%s, policy %q: marked may_duplicate", k.kind, policy)
					}
				}
				w.sleep(time.Hour)
				calls := len(w.box.Sandbox.Ledger(sandbox.LedgerFilter{ToUser: user}))
				if repeats[k.kind] {
					if got := w.message(m.ID); got.State != hongyan.Accepted || calls != 2 {
						t.Errorf("%s, policy %q: %s after %d calls, want accepted after two", k.kind, policy, got.State, calls)
					}
				} else if calls != 1 {
					t.Errorf("%s, policy %q: %d calls, want one", k.kind, policy, calls)
				}
				if shown := w.box.Sandbox.Inbox(user); len(shown) != 1 {
					t.Errorf("%s, policy %q: shown %d times, want once", k.kind, policy, len(shown))
				}
			}
		})
	}
}

func (w *world) setPolicy(policy hongyan.UncertainPolicy) {
	w.t.Helper()
	for _, appID := range []string{sandbox.SeedServiceAppID, sandbox.SeedMiniAppID} {
		a, err := w.store.Account(w.t.Context(), appID)
		if err != nil {
			w.t.Fatal(err)
		}
		a.UncertainPolicy = policy
		if err := w.store.UpdateAccount(w.t.Context(), a); err != nil {
			w.t.Fatal(err)
		}
		w.engine().AccountChanged(appID)
	}
}

// TestWhatACrashLeavesOfEachKind: killed while the calls are under way. What can
// be asked for again is; of the rest nobody can know.
func TestWhatACrashLeavesOfEachKind(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		orders := w.kindOrders()
		ms := make([]hongyan.Message, len(orders))
		w.box.Sandbox.AddFault(sandbox.Fault{Path: "/cgi-bin/message/*", DelayMS: 3000})
		for i, k := range orders {
			ms[i] = w.submit(k.ask(sandbox.OpenID("NOEVT", i)))
		}
		w.sleep(time.Second)
		w.kill()
		w.box.Sandbox.ClearFaults()
		w.start()
		w.sleep(time.Hour)
		for i, k := range orders {
			want, reason := hongyan.Uncertain, "no_answer"
			if got := w.message(ms[i].ID); repeats[k.kind] {
				want, reason = hongyan.Accepted, got.Reason
			}
			w.want(ms[i], want, reason)
			if shown := w.box.Sandbox.Inbox(sandbox.OpenID("NOEVT", i)); len(shown) > 1 {
				t.Errorf("%s: shown %d times", k.kind, len(shown))
			}
		}
	})
}

// TestBusyAndNotSentAreNoDoubt: -1 is an answer, and what did not leave cannot
// have been seen; every kind tries again.
func TestBusyAndNotSentAreNoDoubt(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for i, k := range w.kindOrders() {
			r := k.ask(sandbox.OpenID("NOEVT", i))
			w.box.Sandbox.AddFault(sandbox.Fault{Path: k.path, ErrCode: -1, Times: 1})
			m := w.submit(r)
			w.sleep(10 * time.Second)
			if got := w.want(m, hongyan.Accepted, ""); got.Attempts != 2 {
				t.Errorf("%s: %d attempts, want two", k.kind, got.Attempts)
			}
		}
	})
}

func TestEveryKindExpiresAndIsCancelledUnsent(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for i, k := range w.kindOrders() {
			user := sandbox.OpenID("", i)
			r := k.ask(user)
			r.SendAt = time.Now().Add(time.Hour)
			cancelled, paused := w.submit(r), r
			if _, err := w.engine().Cancel(t.Context(), cancelled.ID); err != nil {
				t.Fatal(err)
			}
			w.want(cancelled, hongyan.Cancelled, "")
			if err := w.engine().Pause(t.Context(), r.AppID); err != nil {
				t.Fatal(err)
			}
			paused.SendAt, paused.ExpiresAt = time.Time{}, time.Now().Add(time.Minute)
			expired := w.submit(paused)
			w.sleep(2 * time.Minute)
			w.want(expired, hongyan.Expired, "")
			if err := w.engine().Resume(t.Context(), r.AppID); err != nil {
				t.Fatal(err)
			}
			w.sleep(2 * time.Hour)
			if calls := w.box.Sandbox.Ledger(sandbox.LedgerFilter{ToUser: user}); len(calls) != 0 {
				t.Errorf("%s: %d calls, want none", k.kind, len(calls))
			}
		}
	})
}

func TestALimitOrAPermissionOfOneKindLeavesTheOthersAlone(t *testing.T) {
	for _, code := range []int{45009, 48001, 43107} {
		inBubble(t, func(t *testing.T, w *world) {
			orders := w.kindOrders()
			subscribe, mini := orders[2], orders[1]
			w.box.Sandbox.AddFault(sandbox.Fault{Path: subscribe.path, ErrCode: code, Times: 1})
			held := w.submit(subscribe.ask(sandbox.OpenID("NOEVT", 1)))
			w.sleep(time.Second)
			if got := w.message(held.ID); got.State != hongyan.Held || got.Hold == nil || got.Hold.Kind != hongyan.KindSubscribe || got.Hold.Errcode != code {
				t.Errorf("%d: %s, hold %+v; want a hold of that kind", code, got.State, got.Hold)
			}
			other := w.submit(mini.ask(sandbox.OpenID("", 2)))
			w.sleep(time.Second)
			w.want(other, hongyan.Accepted, "")
			if err := w.engine().Resume(t.Context(), sandbox.SeedMiniAppID); err != nil {
				t.Fatal(err)
			}
			w.sleep(5 * time.Second)
			w.want(held, hongyan.Accepted, "")
		})
	}
}

// TestATemplateOfAnotherLibraryIsNotMarked: 40037 to a one-time message says nothing of
// the template message's template under that id. A notice that names one is
// refused before it is sent.
func TestATemplateOfAnotherLibraryIsNotMarked(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.sleep(time.Second)
		first := w.submit(order(sandbox.OpenID("NOEVT", 1)))
		for i, k := range w.kindOrders()[3:] {
			r := k.ask(sandbox.OpenID("", i))
			r.TemplateID = sandbox.SeedTemplateOrder
			if k.kind == hongyan.KindNotice {
				done, err := w.engine().Submit(t.Context(), []dispatch.Request{r})
				if problem, _ := errors.AsType[*hongyan.Error](done[0].Err); err != nil || problem == nil || problem.Code != "template_of_another_kind" {
					t.Errorf("a notice with it: %v, %v", done[0].Err, err)
				}
				continue
			}
			m := w.submit(r)
			w.sleep(time.Second)
			if got := w.want(m, hongyan.Failed, "errcode"); got.Last.Errcode != 40037 {
				t.Errorf("%s: last %+v, want 40037", k.kind, got.Last)
			}
		}
		w.want(first, hongyan.Accepted, "")
		w.want(w.submitted(order(sandbox.OpenID("NOEVT", 2))), hongyan.Accepted, "")
	})
}

// submitted stores a message and lets a second pass.
func (w *world) submitted(r dispatch.Request) hongyan.Message {
	w.t.Helper()
	m := w.submit(r)
	w.sleep(time.Second)
	return m
}

// TestAnAccountsOwnClientIsUsedAndFollowsItsChanges: an account may get a proxy
// while messages leave.
func TestAnAccountsOwnClientIsUsedAndFollowsItsChanges(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.stop()
		through := &counting{RoundTripper: w.box.Network().Transport()}
		defer through.RoundTripper.(*http.Transport).CloseIdleConnections()
		w.clientFor = func(a *hongyan.Account) *http.Client {
			if a.EgressProxy == "" {
				return nil
			}
			return &http.Client{Transport: through}
		}
		w.start()
		w.want(w.submitted(order(sandbox.OpenID("NOEVT", 1))), hongyan.Accepted, "")
		if n := through.n.Load(); n != 0 {
			t.Errorf("%d calls through a proxy the account does not have", n)
		}
		a, err := w.store.Account(t.Context(), sandbox.SeedServiceAppID)
		if err != nil {
			t.Fatal(err)
		}
		a.EgressProxy = "http://proxy.test:3128"
		if err := w.store.UpdateAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		w.engine().AccountChanged(a.AppID)
		w.want(w.submitted(order(sandbox.OpenID("NOEVT", 2))), hongyan.Accepted, "")
		if n := through.n.Load(); n != 1 {
			t.Errorf("%d calls through the new proxy, want one", n)
		}
		if _, err := w.gateway.Load().shelf.Sync(t.Context(), a.AppID); err != nil || through.n.Load() != 2 {
			t.Errorf("sync of its templates: %v, %d calls through the proxy; want a second", err, through.n.Load())
		}
	})
}

// counting counts what goes through it.
type counting struct {
	http.RoundTripper
	n atomic.Int64
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.RoundTripper.RoundTrip(r)
}
