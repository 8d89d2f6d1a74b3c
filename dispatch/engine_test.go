package dispatch_test

import (
	"iter"
	"strings"
	"testing"
	"time"

	"hongyan"
	"hongyan/dispatch"
	"hongyan/sandbox"
	"hongyan/store"
)

const sendPath = "/cgi-bin/message/template/send"

func TestEveryFateReachesItsState(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			fate   string
			state  hongyan.State
			reason string
		}{
			{"", hongyan.Delivered, ""},
			{"BLOCK", hongyan.Undelivered, "user_block"},
			{"SYSFL", hongyan.Undelivered, "system_failed"},
			{"FREQL", hongyan.Undelivered, "freq_limit"},
			{"NOFOL", hongyan.Failed, "errcode"},
			{"BADID", hongyan.Failed, "errcode"},
			{"FROZE", hongyan.Failed, "errcode"},
			{"NOEVT", hongyan.Accepted, ""},
		} {
			m := w.submit(order(sandbox.OpenID(c.fate, 1)))
			w.sleep(5 * time.Second)
			w.want(m, c.state, c.reason)
		}
	})
}

func TestAnAnswerThatIsLostIsAskedForAgainAndShownOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.box.Sandbox.AddFault(sandbox.Fault{Path: sendPath, DropAnswer: true, Times: 1})
		user := sandbox.OpenID("", 1)
		m := w.submit(order(user))
		w.sleep(500 * time.Millisecond)
		if got := w.message(m.ID); got.State != hongyan.Queued || got.DoubtSince.IsZero() {
			t.Errorf("after the lost answer: state %s, doubt since %v; want queued and in doubt", got.State, got.DoubtSince)
		}
		w.sleep(10 * time.Second)
		got := w.want(m, hongyan.Delivered, "")
		if got.Attempts != 2 {
			t.Errorf("attempts: got %d, want 2", got.Attempts)
		}
		if shown := w.box.Sandbox.Inbox(user); len(shown) != 1 {
			t.Errorf("the user saw %d messages, want 1", len(shown))
		}
	})
}

// TestWhoSawItAndLeftIsNoFailure: the answer is lost, the user reads the message
// and unfollows; the second attempt is refused, and the event still tells.
func TestWhoSawItAndLeftIsNoFailure(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.box.Sandbox.AddFault(sandbox.Fault{Path: sendPath, DropAnswer: true, Times: 1})
		user := sandbox.OpenID("", 1)
		m := w.submit(order(user))
		w.sleep(2 * time.Second)
		w.box.Sandbox.AddFault(sandbox.Fault{Path: sendPath, ErrCode: 43004, Times: 1})
		w.sleep(10 * time.Second)
		w.want(m, hongyan.Uncertain, "no_answer")
		w.sleep(time.Minute)
		got := w.want(m, hongyan.Delivered, "")
		if shown := w.box.Sandbox.Inbox(user); len(shown) != 1 || got.Receipt == nil || got.Receipt.JoinedBy != "user_and_time" {
			t.Errorf("shown %d times, receipt %+v; want once, joined by user and time", len(shown), got.Receipt)
		}
	})
}

func TestABusySystemIsTriedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.box.Sandbox.AddFault(sandbox.Fault{Path: sendPath, ErrCode: -1, Times: 2})
		m := w.submit(order(sandbox.OpenID("", 1)))
		w.sleep(time.Minute)
		if got := w.want(m, hongyan.Delivered, ""); got.Attempts != 3 {
			t.Errorf("attempts: got %d, want 3", got.Attempts)
		}
	})
}

func TestATokenKilledOutsideIsReplacedOnceForAll(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		first := w.submit(order(sandbox.OpenID("", 0)))
		w.sleep(3 * time.Second)
		w.want(first, hongyan.Delivered, "")
		before := w.tokenFetches()
		if err := w.box.Sandbox.RevokeToken(sandbox.SeedServiceAppID); err != nil {
			t.Fatal(err)
		}
		var all []hongyan.Message
		for i := range 40 {
			all = append(all, w.submit(order(sandbox.OpenID("", i+1))))
		}
		w.sleep(5 * time.Second)
		for _, m := range all {
			w.want(m, hongyan.Delivered, "")
		}
		if got := w.tokenFetches() - before; got < 1 || got > 2 {
			t.Errorf("token fetches for 40 refused sends: got %d, want one refresh", got)
		}
	})
}

// tokenFetches counts the calls to the token endpoints.
func (w *world) tokenFetches() int {
	n := 0
	for _, e := range w.box.Sandbox.Ledger(sandbox.LedgerFilter{}) {
		if strings.HasSuffix(e.Path, "token") {
			n++
		}
	}
	return n
}

func TestAFreshPrepayIDIsTriedEveryFiveSeconds(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		prepay := w.box.Sandbox.GivePayment(user, 12*time.Second)
		m := w.submit(dispatch.Request{
			AppID: sandbox.SeedMiniAppID, ToUser: user, TemplateID: sandbox.SeedTemplateMini, FormID: prepay,
			Data: dispatch.Data{"keyword1": {Value: "巧克力"}},
		})
		w.sleep(time.Second)
		w.want(m, hongyan.Queued, "prepay_not_ready")
		w.sleep(20 * time.Second)
		got := w.want(m, hongyan.Accepted, "")
		if !got.Final() || got.Attempts != 4 {
			t.Errorf("final %v after %d attempts; want final after 4 (at 0, 5, 10 and 15 s)", got.Final(), got.Attempts)
		}
	})
}

func TestAPrepayIDThatNeverWorksFailsAfterTwoMinutes(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		user := sandbox.OpenID("", 1)
		m := w.submit(dispatch.Request{
			AppID: sandbox.SeedMiniAppID, ToUser: user, TemplateID: sandbox.SeedTemplateMini, FormID: "wx20261120101500abcdef0123456789abcd",
			Data: dispatch.Data{"keyword1": {Value: "巧克力"}},
		})
		w.sleep(3 * time.Minute)
		got := w.want(m, hongyan.Failed, "errcode")
		if got.Last.Errcode != 41028 || got.Attempts < 23 || got.Attempts > 26 {
			t.Errorf("errcode %d after %d attempts; want 41028 after about 25", got.Last.Errcode, got.Attempts)
		}
	})
}

func TestADailyLimitHoldsUntilBeijingMidnightAndQuietHoursEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		// The bubble's clock starts at 2000-01-01 00:00 UTC, 08:00 in Beijing.
		w.box.Sandbox.AddFault(sandbox.Fault{Path: sendPath, ErrCode: 45009, Times: 1})
		patient := order(sandbox.OpenID("", 1))
		patient.ExpiresAt = time.Now().Add(48 * time.Hour)
		normal := w.submit(patient)
		w.sleep(time.Second)
		got := w.want(normal, hongyan.Held, hongyan.HoldQuota)
		if midnight := hongyan.NextBeijingMidnight(time.Now()); got.Hold == nil || !got.Hold.Until.Equal(midnight) {
			t.Fatalf("hold: got %+v, want until %v", got.Hold, midnight)
		}
		urgent := order(sandbox.OpenID("", 2))
		urgent.Priority = hongyan.Urgent
		u := w.submit(urgent)
		w.sleep(16*time.Hour + time.Minute) // 00:01 in Beijing
		w.want(u, hongyan.Delivered, "")
		w.want(normal, hongyan.Held, hongyan.HoldQuietHours)
		fresh := w.submit(order(sandbox.OpenID("", 3))) // new at night: not what the hold let go
		w.sleep(time.Minute)
		w.want(fresh, hongyan.Delivered, "")
		w.want(normal, hongyan.Held, hongyan.HoldQuietHours)
		w.sleep(8 * time.Hour) // 08:02
		w.want(normal, hongyan.Delivered, "")
	})
}

func TestOurOwnQuotaIsNeverPassed(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		small := hongyan.Account{AppID: "wxc3c3c3c3c3c3c3c3", Kind: hongyan.ServiceAccount,
			Quotas: []hongyan.QuotaRule{{Scope: "account", Period: "day", Limit: 10}}}
		w.addAccount(small)
		tmpl := w.giveTemplate(small.AppID)
		var all []hongyan.Message
		for i := range 25 {
			r := order(sandbox.OpenID("", i))
			r.AppID, r.TemplateID = small.AppID, tmpl
			r.ExpiresAt = time.Now().Add(48 * time.Hour)
			all = append(all, w.submit(r))
		}
		w.sleep(time.Minute)
		if got := w.sends(small.AppID); got != 10 {
			t.Errorf("sends today: got %d, want the limit of 10", got)
		}
		held := 0
		for _, m := range all {
			if got := w.message(m.ID); got.State == hongyan.Held && got.Hold != nil && got.Hold.Reason == hongyan.HoldQuota {
				held++
			}
		}
		if held != 15 {
			t.Errorf("held on quota: got %d, want 15", held)
		}
		w.sleep(25 * time.Hour)
		if got := w.sends(small.AppID); got != 20 {
			t.Errorf("sends after midnight: got %d, want 20", got)
		}
	})
}

// giveTemplate adds the library's order template to an account and returns its id.
func (w *world) giveTemplate(appID string) string {
	w.t.Helper()
	t, err := w.gateway.Load().shelf.Add(w.t.Context(), appID, "43217", []string{"订单编号", "商品名称", "支付金额", "下单时间"})
	if err != nil {
		w.t.Fatal(err)
	}
	return t.TemplateID
}

// sends counts the calls of template/send by an account.
func (w *world) sends(appID string) int {
	n := 0
	for _, e := range w.box.Sandbox.Ledger(sandbox.LedgerFilter{AppID: appID}) {
		if e.Path == sendPath {
			n++
		}
	}
	return n
}

func TestAPermissionErrorStopsTheAccountUntilAPersonResumesIt(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.box.Sandbox.AddFault(sandbox.Fault{Path: sendPath, ErrCode: 48001})
		first := w.submit(order(sandbox.OpenID("", 1)))
		w.sleep(time.Second)
		got := w.want(first, hongyan.Held, hongyan.HoldAccount)
		if got.Hold == nil || got.Hold.Errcode != 48001 {
			t.Errorf("hold: got %+v, want errcode 48001", got.Hold)
		}
		second := w.submit(order(sandbox.OpenID("", 2)))
		w.sleep(10 * time.Minute)
		w.want(second, hongyan.Held, hongyan.HoldAccount)
		if got := w.sends(sandbox.SeedServiceAppID); got != 1 {
			t.Errorf("calls while stopped: got %d, want 1: no loop", got)
		}
		w.box.Sandbox.ClearFaults()
		if err := w.engine().Resume(t.Context(), sandbox.SeedServiceAppID); err != nil {
			t.Fatal(err)
		}
		w.sleep(5 * time.Second)
		w.want(first, hongyan.Delivered, "")
		w.want(second, hongyan.Delivered, "")
	})
}

func TestAWrongSecretStopsTheAccountAfterOneTokenCall(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, err := w.store.Account(t.Context(), sandbox.SeedServiceAppID)
		if err != nil {
			t.Fatal(err)
		}
		m0 := w.submit(order(sandbox.OpenID("", 0))) // learns the templates
		w.sleep(3 * time.Second)
		w.want(m0, hongyan.Delivered, "")
		before := w.tokenFetches()
		a.Secret = "ffffffffffffffffffffffffffffffff"
		if err := w.store.UpdateAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		p := w.gateway.Load()
		p.engine.AccountChanged(a.AppID)
		p.tokens.AccountChanged(a.AppID)
		if err := w.box.Sandbox.RevokeToken(a.AppID); err != nil {
			t.Fatal(err)
		}
		m := w.submit(order(sandbox.OpenID("", 1)))
		w.sleep(30 * time.Minute)
		w.want(m, hongyan.Held, hongyan.HoldAccount)
		if got := w.tokenFetches() - before; got > 3 {
			t.Errorf("token calls with a wrong secret: got %d, want no loop", got)
		}
		if strings.Contains(w.logs.String(), a.Secret.Reveal()) {
			t.Error("the logs hold the AppSecret")
		}
	})
}

// TestANewWayToWeChatIsTriedAtOnce: whoever has corrected base_url does not wait for
// the end of a pause that the old one has caused.
func TestANewWayToWeChatIsTriedAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		reroute := func(baseURL string) {
			a, err := w.store.Account(t.Context(), sandbox.SeedServiceAppID)
			if err == nil {
				a.BaseURL = baseURL
				err = w.store.UpdateAccount(t.Context(), a)
			}
			if err != nil {
				t.Fatal(err)
			}
			w.engine().AccountChanged(a.AppID)
		}
		w.want(w.submit(order(sandbox.OpenID("", 1))), hongyan.Sending, "") // and the token is there
		w.sleep(time.Second)
		reroute("http://nowhere.test")
		m := w.submit(order(sandbox.OpenID("", 2)))
		w.sleep(3 * time.Minute)
		w.want(m, hongyan.Held, hongyan.HoldUnreachable)
		reroute(w.box.URL)
		w.sleep(4 * time.Second) // its own next attempt, and the event
		w.want(m, hongyan.Delivered, "")
	})
}

func TestOneAccountsOutageLeavesTheOthersAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		healthy := hongyan.Account{AppID: "wxc3c3c3c3c3c3c3c3", Kind: hongyan.ServiceAccount}
		w.addAccount(healthy)
		tmpl := w.giveTemplate(healthy.AppID)
		w.sleep(5 * time.Second)
		w.box.Sandbox.AddFault(sandbox.Fault{Path: sendPath, AppID: sandbox.SeedServiceAppID, HangMS: 60_000})
		for i := range 200 {
			w.submit(order(sandbox.OpenID("", i)))
		}
		w.sleep(time.Second)
		r := order(sandbox.OpenID("", 500))
		r.AppID, r.TemplateID = healthy.AppID, tmpl
		m := w.submit(r)
		w.sleep(2 * time.Second)
		w.want(m, hongyan.Delivered, "")
	})
}

func TestWhatIsDueLaterWaitsAndWhatIsTooLateExpires(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		later := order(sandbox.OpenID("", 1))
		later.SendAt = time.Now().Add(2 * time.Hour)
		l := w.submit(later)
		short := order(sandbox.OpenID("", 2))
		short.ExpiresAt = time.Now().Add(10 * time.Minute)
		if err := w.engine().Pause(t.Context(), sandbox.SeedServiceAppID); err != nil {
			t.Fatal(err)
		}
		s := w.submit(short)
		w.sleep(time.Minute)
		w.want(s, hongyan.Held, hongyan.HoldPaused)
		w.sleep(15 * time.Minute)
		w.want(s, hongyan.Expired, "")
		if err := w.engine().Resume(t.Context(), sandbox.SeedServiceAppID); err != nil {
			t.Fatal(err)
		}
		w.sleep(time.Hour)
		w.want(l, hongyan.Queued, "")
		w.sleep(time.Hour)
		w.want(l, hongyan.Delivered, "")
	})
}

func TestAStopReturnsWhatWasNotTried(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		a, err := w.store.Account(t.Context(), sandbox.SeedServiceAppID)
		if err != nil {
			t.Fatal(err)
		}
		a.MaxInFlight = 2
		if err := w.store.UpdateAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		w.engine().AccountChanged(a.AppID)
		w.submit(order(sandbox.OpenID("", 999)))
		w.sleep(3 * time.Second)
		w.box.Sandbox.AddFault(sandbox.Fault{Path: sendPath, DelayMS: 5_000})
		var all []hongyan.Message
		for i := range 30 {
			all = append(all, w.submit(order(sandbox.OpenID("", i))))
		}
		w.sleep(time.Second)
		w.stop()
		tried, untried := 0, 0
		for _, m := range all {
			switch got := w.message(m.ID); {
			case got.State == hongyan.Sending || !got.DoubtSince.IsZero():
				t.Errorf("message %s is %s, in doubt since %v after a graceful stop", got.ID, got.State, got.DoubtSince)
			case got.Attempts == 0 && got.State == hongyan.Queued:
				untried++
			default:
				tried++
			}
		}
		if tried == 0 || untried == 0 || tried+untried != 30 {
			t.Errorf("tried %d, untried %d; want both, 30 together", tried, untried)
		}
		w.start()
		w.sleep(5 * time.Minute)
		for _, m := range all {
			w.want(m, hongyan.Delivered, "")
		}
	})
}

// TestAnOutageWithAKillInItsMiddle: the platform is down for 15 minutes with
// 50,000 messages waiting, and the gateway is killed half-way. Nothing that was
// never tried may become uncertain. Resets are tried with less: once is proof
// enough.
func TestAnOutageWithAKillInItsMiddle(t *testing.T) {
	for _, c := range []struct {
		name    string
		fault   sandbox.Fault
		backlog int
	}{
		{"calls hang", sandbox.Fault{Path: "*", HangMS: 3_600_000}, outageBacklog},
		{"connections are reset", sandbox.Fault{Path: "*", Reset: "before"}, 2_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) { outage(t, w, c.fault, c.backlog) })
		})
	}
}

func outage(t *testing.T, w *world, fault sandbox.Fault, backlog int) {
	w.submit(order(sandbox.OpenID("", 999_999)))
	w.sleep(3 * time.Second)
	w.box.Sandbox.AddFault(fault)
	for i := 0; i < backlog; i += 500 {
		rs := make([]dispatch.Request, 500)
		for j := range rs {
			rs[j] = order(sandbox.OpenID("", i+j))
		}
		if _, err := w.engine().Submit(t.Context(), rs); err != nil {
			t.Fatal(err)
		}
	}
	w.sleep(7 * time.Minute)
	w.kill()
	tried := w.triedOpenIDs()
	w.start()
	w.sleep(8 * time.Minute)
	for id := range w.triedOpenIDs() {
		tried[id] = true
	}
	w.box.Sandbox.ClearFaults()
	w.sleep(45 * time.Minute)

	counts := map[hongyan.State]int{}
	uncertain := 0
	for m := range w.all() {
		counts[m.State]++
		if m.State == hongyan.Uncertain {
			uncertain++
			if !tried[m.ToUser] {
				t.Errorf("message to %s is uncertain, and was never tried", m.ToUser)
			}
		}
	}
	t.Logf("states: %v; openids tried in the outage: %d", counts, len(tried))
	if counts[hongyan.Delivered]+uncertain != backlog+1 {
		t.Errorf("states: got %v, want every message delivered but for the uncertain", counts)
	}
	if uncertain > 2*64+64 {
		t.Errorf("uncertain: got %d, want no more than the send slots of the outage's start and the crash", uncertain)
	}
}

// all reads every message.
func (w *world) all() iter.Seq[hongyan.Message] {
	return func(yield func(hongyan.Message) bool) {
		f := store.Filter{Limit: 1000}
		for {
			page, err := w.store.Messages(w.t.Context(), f)
			if err != nil {
				w.t.Fatal(err)
			}
			for _, m := range page.Items {
				if !yield(m) {
					return
				}
			}
			if f.Before = page.Next; f.Before == 0 {
				return
			}
		}
	}
}

// triedOpenIDs lists whom the sandbox was asked to send to.
func (w *world) triedOpenIDs() map[string]bool {
	tried := map[string]bool{}
	for _, e := range w.box.Sandbox.Ledger(sandbox.LedgerFilter{}) {
		if e.Path == sendPath {
			tried[e.ToUser] = true
		}
	}
	return tried
}

func TestABubbleDay(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		var all []hongyan.Message
		for hour := range 24 {
			for i := range 5 {
				all = append(all, w.submit(order(sandbox.OpenID("", hour*100+i))))
			}
			if hour%6 == 3 {
				w.box.Sandbox.AddFault(sandbox.Fault{Path: sendPath, ErrCode: -1, Times: 3})
			}
			w.sleep(time.Hour)
		}
		for _, m := range all {
			w.want(m, hongyan.Delivered, "")
		}
		fetches := w.tokenFetches()
		if fetches < 12 || fetches > 30 {
			t.Errorf("token fetches in a day: got %d, want one for each two hours, renewed early", fetches)
		}
		for _, e := range w.box.Sandbox.Ledger(sandbox.LedgerFilter{}) {
			if e.ErrCode == 40001 || e.ErrCode == 42001 {
				t.Errorf("a call met a dead token at %v: errcode %d", e.Time, e.ErrCode)
			}
		}
	})
}
