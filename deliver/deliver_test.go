package deliver

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"

	"github.com/google/go-cmp/cmp"
)

// TestEachDownstreamReadsThePushWithItsOwnSettings: every mode, XML and JSON.
func TestEachDownstreamReadsThePushWithItsOwnSettings(t *testing.T) {
	downstreams := []hongyan.Downstream{
		{Name: "as-account", URL: "http://as-account/wx?shop=1"},
		{Name: "plain", URL: "http://plain/", Mode: "plain", Token: ownToken},
		{Name: "compatible", URL: "http://compatible/", Mode: "compatible", Token: ownToken, AESKey: ownKey},
		{Name: "safe", URL: "http://safe/", Mode: "safe", AESKey: ownKey},
	}
	bubble(t, downstreams, func(t *testing.T, w *world) {
		inboxes := []*inbox{
			w.inbox("as-account", wechat.ModeSafe, token, aesKey), w.inbox("plain", wechat.ModePlain, ownToken, ""),
			w.inbox("compatible", wechat.ModeCompat, ownToken, ownKey), w.inbox("safe", wechat.ModeSafe, token, ownKey),
		}
		w.start()
		want := []string{w.text(openID), `{"ToUserName":"gh_0a1b2c3d4e5f","FromUserName":"` + openID + `","CreateTime":1,"MsgType":"text","MsgId":"7"}`}
		for _, body := range want {
			w.push(openID, body)
			w.after(time.Second)
		}
		for i, in := range inboxes {
			if diff := cmp.Diff(want, in.bodies()); diff != "" {
				t.Errorf("%s (-want +got)\n%s", downstreams[i].Name, diff)
			}
			for _, d := range w.deliveries(downstreams[i].Name) {
				if d.State != hongyan.DeliveryDone || d.Attempts != 1 || d.LastStatus != 200 {
					t.Errorf("%s: %+v, want delivered at once", downstreams[i].Name, d)
				}
			}
		}
		if q := inboxes[0].queries[0]; !strings.HasPrefix(q, "shop=1&") || !strings.Contains(q, "openid="+openID) {
			t.Errorf("query %s, want the operator's own parameter kept and the openid", q)
		}
	})
}

// TestWhatFailsComesBackLaterAndIsGivenUpAfterThreeDays keeps the times of every attempt.
func TestWhatFailsComesBackLaterAndIsGivenUpAfterThreeDays(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/"}}, func(t *testing.T, w *world) {
		in := w.inbox("a", wechat.ModeSafe, token, aesKey)
		in.answer = func(_ int, _ wechat.Push, rw http.ResponseWriter) { rw.WriteHeader(http.StatusInternalServerError) }
		w.start()
		w.push(openID, w.text(openID))
		w.after(80 * time.Hour)

		var pauses []time.Duration
		for i := 1; i < len(in.at); i++ {
			pauses = append(pauses, in.at[i].Sub(in.at[i-1]))
		}
		const m, h = time.Minute, time.Hour
		for i, want := range []time.Duration{5 * time.Second, 30 * time.Second, 2 * m, 10 * m, 30 * m, h, 2 * h, 2 * h, 2 * h} {
			if got := pauses[i]; got < want || got > want*11/10+time.Second {
				t.Errorf("pause %d is %s, want %s and a tenth at most", i+1, got, want)
			}
		}
		d := w.one("a")
		if d.State != hongyan.DeliveryGaveUp || d.LastStatus != 500 || d.LastError != "answered 500" || d.Attempts != len(in.at) {
			t.Errorf("after three days: %+v after %d calls, want given up", d, len(in.at))
		}
		if life := d.EndedAt.Sub(d.CreatedAt); life > keepTrying || life < keepTrying-3*h {
			t.Errorf("given up after %s, want close to %s", life, keepTrying)
		}
		if w.count("a", "gave_up") != 1 {
			t.Error("the end was not observed")
		}
	})
}

// TestWhatADownstreamCanDo has one server for each way to answer.
func TestWhatADownstreamCanDo(t *testing.T) {
	endless := func(rw http.ResponseWriter, status int) {
		rw.WriteHeader(status)
		block := make([]byte, 1<<20)
		for range 10 << 10 { // 10 GB
			if _, err := rw.Write(block); err != nil {
				return
			}
		}
	}
	tests := []struct {
		name    string
		answer  func(rw http.ResponseWriter, r *http.Request)
		state   hongyan.DeliveryState
		status  int
		err     string
		outcome string
	}{
		{"takes", func(http.ResponseWriter, *http.Request) {}, hongyan.DeliveryDone, 200, "", "delivered"},
		{"nonsense", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>ok</html>")) }, hongyan.DeliveryDone, 200, "", "delivered"},
		{"nocontent", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(204) }, hongyan.DeliveryDone, 204, "", "delivered"},
		{"endless", func(rw http.ResponseWriter, _ *http.Request) { endless(rw, 200) }, hongyan.DeliveryDone, 200, "", "delivered"},
		{"endlessno", func(rw http.ResponseWriter, _ *http.Request) { endless(rw, 500) }, hongyan.DeliveryPending, 500, "answered 500", "refused"},
		{"gone", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(410) }, hongyan.DeliveryPending, 410, "answered 410", "refused"},
		{"busy", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(429) }, hongyan.DeliveryPending, 429, "answered 429", "refused"},
		{"broken", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(500) }, hongyan.DeliveryPending, 500, "answered 500", "refused"},
		{"redirect", func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "http://victim/", http.StatusTemporaryRedirect)
		},
			hongyan.DeliveryPending, 307, "answered 307: redirects are not followed", "refused"},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, hongyan.DeliveryPending, 0, "no whole answer within 10s", "unreachable"},
		{"drips", func(rw http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = rw.Write([]byte("x"))
				_ = http.NewResponseController(rw).Flush()
				time.Sleep(100 * time.Millisecond)
			}
		}, hongyan.DeliveryPending, 0, "no whole answer within 10s", "unreachable"},
		{"breaks", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", "100")
			_, _ = rw.Write([]byte("half"))
		}, hongyan.DeliveryPending, 200, "the answer broke off: unexpected EOF", "unreachable"},
		{"nobody", nil, hongyan.DeliveryPending, 0, "dial memory: connection refused", "unreachable"},
	}
	var downstreams []hongyan.Downstream
	for _, tt := range tests {
		downstreams = append(downstreams, hongyan.Downstream{Name: tt.name, URL: "http://" + tt.name + "/?key=SEKRET"})
	}
	bubble(t, downstreams, func(t *testing.T, w *world) {
		victim := false
		w.serve("victim", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { victim = true }))
		for _, tt := range tests {
			if tt.answer != nil {
				w.serve(tt.name, http.HandlerFunc(tt.answer))
			}
		}
		w.start()
		w.push(openID, w.text(openID))
		w.after(4 * time.Second)
		for _, tt := range tests {
			if fast := tt.name != "hangs" && tt.name != "drips"; fast && w.count(tt.name, tt.outcome) != 1 {
				t.Errorf("%s has no outcome %s within 4 s: another held it up", tt.name, tt.outcome)
			}
		}
		w.after(6*time.Second + linger) // those that failed at once came back after 5 s
		for _, tt := range tests {
			d := w.one(tt.name)
			if d.State != tt.state || d.LastStatus != tt.status || d.LastError != tt.err {
				t.Errorf("%s: %s %d %q, want %s %d %q", tt.name, d.State, d.LastStatus, d.LastError, tt.state, tt.status, tt.err)
			}
		}
		if victim {
			t.Error("a redirect was followed")
		}
		if strings.Contains(w.logged(), "SEKRET") {
			t.Errorf("the log names a URL's query:\n%s", w.logged())
		}
	})
}

// TestADeadServerIsNotStormed: a thousand pushes wait for it, one probes it now and
// then, and all go when it is back.
func TestADeadServerIsNotStormed(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/"}}, func(t *testing.T, w *world) {
		w.start()
		for range 1000 {
			w.push(openID, w.text(openID))
		}
		w.after(10 * time.Minute)
		if got := w.count("a", "unreachable"); got < 600/15 || got > width+10+600/15 {
			t.Errorf("%d attempts in 10 minutes, want a probe every 15 s", got)
		}
		if got := strings.Count(w.logged(), "does not take pushes"); got != 1 {
			t.Errorf("the trouble is logged %d times, want once", got)
		}
		in := w.inbox("a", wechat.ModeSafe, token, aesKey)
		w.after(20 * time.Second)
		back := len(in.bodies())
		if back < 900 {
			t.Errorf("%d of 1000 are there 20 s after the server is back", back)
		}
		w.after(outagePause * 11 / 10)
		if got := len(in.bodies()); got != 1000 {
			t.Errorf("%d of 1000 are there, want all", got)
		}
		if got := strings.Count(w.logged(), "takes pushes again"); got != 1 {
			t.Errorf("the recovery is logged %d times, want once", got)
		}
	})
}

func TestAPausedDownstreamKeepsItsPushes(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/"}, {Name: "b", URL: "http://b/", Paused: true}}, func(t *testing.T, w *world) {
		a, b := w.inbox("a", wechat.ModeSafe, token, aesKey), w.inbox("b", wechat.ModeSafe, token, aesKey)
		w.start()
		for range 3 {
			w.push(openID, w.text(openID))
		}
		w.after(6 * time.Hour)
		if len(a.bodies()) != 3 || len(b.bodies()) != 0 {
			t.Fatalf("%d and %d calls, want 3 and none", len(a.bodies()), len(b.bodies()))
		}
		w.change(func(a *hongyan.Account) { a.Downstreams[1].Paused = false })
		w.after(time.Second)
		if diff := cmp.Diff(slices.Sorted(slices.Values(a.bodies())), slices.Sorted(slices.Values(b.bodies()))); diff != "" {
			t.Errorf("after it was resumed (-want +got)\n%s", diff)
		}
	})
}

// TestALongPauseGivesNothingUp: the first tries after it may meet a busy server.
func TestALongPauseGivesNothingUp(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/", Paused: true}}, func(t *testing.T, w *world) {
		in := w.inbox("a", wechat.ModeSafe, token, aesKey)
		in.answer = func(n int, _ wechat.Push, rw http.ResponseWriter) {
			if n < 3 {
				rw.WriteHeader(http.StatusServiceUnavailable)
			}
		}
		w.start()
		w.push(openID, w.text(openID))
		w.after(2 * keepTrying)
		w.change(func(a *hongyan.Account) { a.Downstreams[0].Paused = false })
		w.after(10 * time.Minute)
		if d := w.one("a"); d.State != hongyan.DeliveryDone || d.Attempts != 4 {
			t.Errorf("%s after %d attempts, want it taken by the fourth", d.State, d.Attempts)
		}
	})
}

func TestReplay(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/"}}, func(t *testing.T, w *world) {
		in := w.inbox("a", wechat.ModeSafe, token, aesKey)
		w.start()
		var bodies []string
		for range 3 {
			bodies = append(bodies, w.text(openID))
			w.push(openID, bodies[len(bodies)-1])
			w.after(time.Hour)
		}
		follow := `{"FromUserName":"` + openID + `","CreateTime":1,"MsgType":"event","Event":"subscribe"}`
		w.push(openID, follow)
		w.after(time.Second)
		a := w.account()
		start := w.deliveries("a")[0].CreatedAt
		for _, tt := range []struct {
			name        string
			from, until time.Time
			types       []string
			want        []string
		}{
			{"everything", time.Time{}, time.Time{}, nil, append(slices.Clone(bodies), follow)},
			{"from a time", start.Add(30 * time.Minute), time.Time{}, nil, append(slices.Clone(bodies[1:]), follow)},
			{"between two times", start.Add(30 * time.Minute), start.Add(90 * time.Minute), nil, bodies[1:2]},
			{"of a type", time.Time{}, time.Time{}, []string{"subscribe"}, []string{follow}},
		} {
			before := len(in.bodies())
			n, err := w.Replay(t.Context(), a, &a.Downstreams[0], tt.from, tt.until, tt.types)
			if err != nil || n != len(tt.want) {
				t.Errorf("%s: %d, %v, want %d", tt.name, n, err, len(tt.want))
			}
			w.after(time.Minute)
			got, want := in.bodies()[before:], slices.Clone(tt.want)
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tt.name, diff)
			}
		}
	})
}

// TestADownstreamGetsOnlyTheTypesItWantsInAReplay: those it named, unless others are asked for.
func TestADownstreamGetsOnlyTheTypesItWantsInAReplay(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/", Events: []string{"subscribe"}}}, func(t *testing.T, w *world) {
		w.push(openID, w.text(openID))
		w.after(time.Second)
		a := w.account()
		if n, err := w.Replay(t.Context(), a, &a.Downstreams[0], time.Time{}, time.Time{}, nil); err != nil || n != 0 {
			t.Errorf("without types: %d, %v, want none", n, err)
		}
		if n, err := w.Replay(t.Context(), a, &a.Downstreams[0], time.Time{}, time.Time{}, []string{"text"}); err != nil || n != 1 {
			t.Errorf("texts: %d, %v, want 1", n, err)
		}
	})
}

// TestOrderOfOneUserIsKeptAroundAFailure: the second of three fails twice. The third
// waits for it; another user's do not.
func TestOrderOfOneUserIsKeptAroundAFailure(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/", Ordered: true}}, func(t *testing.T, w *world) {
		in := w.inbox("a", wechat.ModeSafe, token, aesKey)
		failures := 2
		bodies := []string{w.text(openID), w.text(openID), w.text(openID), w.text(otherID)}
		in.answer = func(_ int, push wechat.Push, rw http.ResponseWriter) {
			if string(push.Plain) == bodies[1] && failures > 0 {
				failures--
				rw.WriteHeader(http.StatusInternalServerError)
			}
		}
		for _, body := range bodies[:3] {
			w.push(openID, body)
		}
		w.push(otherID, bodies[3])
		w.start()
		w.after(time.Second)
		if !slices.Contains(in.bodies(), bodies[3]) || slices.Contains(in.bodies(), bodies[2]) {
			t.Errorf("after a second: %q, want the other user's, not the third", in.bodies())
		}
		w.after(time.Minute)
		got := slices.DeleteFunc(in.bodies(), func(b string) bool { return b == bodies[3] })
		if diff := cmp.Diff([]string{bodies[0], bodies[1], bodies[1], bodies[1], bodies[2]}, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

// TestACrashBetweenCallAndRecordDeliversAgain: the process dies with the answer in hand.
func TestACrashBetweenCallAndRecordDeliversAgain(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/"}}, func(t *testing.T, w *world) {
		in := w.inbox("a", wechat.ModeSafe, token, aesKey)
		dead := &cutStore{Store: w.store, cut: true}
		w.Sender = w.newSender(dead)
		w.start()
		w.push(openID, w.text(openID))
		w.after(time.Second)
		w.end()
		if got := len(in.bodies()); got != 1 {
			t.Fatalf("%d calls before the crash, want 1", got)
		}
		w.Sender = w.newSender(w.store)
		w.start()
		w.after(time.Second)
		if got := len(in.bodies()); got != 1 {
			t.Errorf("%d calls while the lease lasts, want 1", got)
		}
		w.after(lease)
		if d := w.one("a"); len(in.bodies()) != 2 || d.State != hongyan.DeliveryDone || d.Attempts != 2 {
			t.Errorf("%d calls, delivery %+v, want the second to end it", len(in.bodies()), d)
		}
	})
}

// TestAStopLeavesNothingUndone: calls under way end or are cut off, and the next start goes on.
func TestAStopLeavesNothingUndone(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "slow", URL: "http://slow/"}, {Name: "hangs", URL: "http://hangs/"}}, func(t *testing.T, w *world) {
		slow := w.inbox("slow", wechat.ModeSafe, token, aesKey)
		slow.answer = func(int, wechat.Push, http.ResponseWriter) { time.Sleep(3 * time.Second) }
		hangs := w.inbox("hangs", wechat.ModeSafe, token, aesKey)
		hangs.answer = func(n int, _ wechat.Push, _ http.ResponseWriter) {
			if n == 0 {
				time.Sleep(time.Minute)
			}
		}
		w.start()
		w.push(openID, w.text(openID))
		w.after(time.Second)
		begun := time.Now()
		w.end()
		if took := time.Since(begun); took < stopGrace || took > stopGrace+time.Second {
			t.Errorf("the stop took %s, want %s", took, stopGrace)
		}
		if d := w.one("slow"); d.State != hongyan.DeliveryDone {
			t.Errorf("slow: %+v, want delivered inside the grace", d)
		}
		if d := w.one("hangs"); d.State != hongyan.DeliveryPending || d.DueAt.After(time.Now()) || d.LastError != errStopped.Error() {
			t.Errorf("hangs: %+v, want due now", d)
		}
		w.Sender = w.newSender(w.store)
		w.start()
		w.after(time.Second)
		if d := w.one("hangs"); d.State != hongyan.DeliveryDone {
			t.Errorf("hangs after the next start: %+v, want delivered", d)
		}
	})
}

// TestWhatWasClaimedAndNotTriedGoesBack when a stop comes between.
func TestWhatWasClaimedAndNotTriedGoesBack(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/"}}, func(t *testing.T, w *world) {
		w.push(openID, w.text(openID))
		target := appID + "/a"
		claimed, err := w.store.ClaimDeliveries(t.Context(), store.DeliveryClaim{Target: target, Max: 1, Lease: lease})
		if err != nil || len(claimed) != 1 {
			t.Fatal(claimed, err)
		}
		o, err := w.outlet(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		stopped, cancel := cancelled(t)
		defer cancel()
		r := w.attempt(t.Context(), stopped, o, &claimed[0])
		w.record(t.Context(), &lane[store.DeliveryResult]{target: target}, []store.DeliveryResult{r})
		if d := w.one("a"); d.State != hongyan.DeliveryPending || d.Attempts != 0 || !d.LastAt.IsZero() || d.DueAt.After(time.Now()) {
			t.Errorf("%+v, want it as if it had not been claimed", d)
		}
	})
}

// TestADownstreamThatIsGoneIsForgotten, though its account is known without it from earlier.
func TestADownstreamThatIsGoneIsForgotten(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/"}, {Name: "b", URL: "http://b/"}}, func(t *testing.T, w *world) {
		w.push(openID, w.text(openID))
		w.start()
		w.after(time.Minute)
		w.change(func(a *hongyan.Account) { a.Downstreams = a.Downstreams[1:] })
		w.after(time.Second)
		if a, b := w.deliveries("a"), w.deliveries("b"); len(a) != 0 || len(b) != 1 {
			t.Errorf("%d and %d deliveries, want none of a, and b's", len(a), len(b))
		}
	})
}

// TestADownstreamAddedThroughAnotherNodeIsNotTakenForGone: what this one knows of
// the account is older.
func TestADownstreamAddedThroughAnotherNodeIsNotTakenForGone(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/"}}, func(t *testing.T, w *world) {
		w.inbox("a", wechat.ModeSafe, token, aesKey)
		b := w.inbox("b", wechat.ModeSafe, token, aesKey)
		w.start()
		w.push(openID, w.text(openID))
		w.after(time.Second)
		changed := w.account()
		changed.Downstreams = append(changed.Downstreams, hongyan.Downstream{Name: "b", URL: "http://b/"})
		if err := w.store.UpdateAccount(t.Context(), *changed); err != nil {
			t.Fatal(err)
		}
		w.push(openID, w.text(openID))
		w.after(time.Second)
		if got := len(b.bodies()); got != 1 {
			t.Errorf("%d pushes reached b, want 1", got)
		}
	})
}

func TestADownstreamThatIsNotSetUpSaysSo(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/", Mode: "sideways"}}, func(t *testing.T, w *world) {
		w.start()
		w.push(openID, w.text(openID))
		w.after(time.Second)
		if d := w.one("a"); d.State != hongyan.DeliveryPending || !strings.Contains(d.LastError, `unknown callback mode "sideways"`) {
			t.Errorf("%+v, want the reason", d)
		}
	})
}

// TestWhatMetALongOutageIsThereSoonAfterIt: not after the two hours of its own schedule.
func TestWhatMetALongOutageIsThereSoonAfterIt(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/"}}, func(t *testing.T, w *world) {
		w.start()
		for range troubleAfter {
			w.push(openID, w.text(openID))
		}
		w.after(9 * time.Hour)
		in := w.inbox("a", wechat.ModeSafe, token, aesKey)
		w.after(outagePause * 11 / 10)
		if got := len(in.bodies()); got != troubleAfter {
			t.Errorf("%d pushes are there 11 minutes after the server is back, want %d", got, troubleAfter)
		}
	})
}

// TestAHangingPushHoldsUpNoOtherOfItsTarget that comes while it is under way.
func TestAHangingPushHoldsUpNoOtherOfItsTarget(t *testing.T) {
	bubble(t, []hongyan.Downstream{{Name: "a", URL: "http://a/"}}, func(t *testing.T, w *world) {
		in := w.inbox("a", wechat.ModeSafe, token, aesKey)
		in.answer = func(n int, _ wechat.Push, _ http.ResponseWriter) {
			if n == 0 {
				time.Sleep(8 * time.Second)
			}
		}
		w.start()
		w.push(openID, w.text(openID))
		w.after(time.Second)
		w.push(otherID, w.text(otherID))
		w.after(time.Second)
		if got := len(in.bodies()); got != 2 {
			t.Errorf("%d pushes are there, want the second beside the first", got)
		}
	})
}
