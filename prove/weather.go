package prove

import (
	"context"
	"net/http"
	"slices"
	"time"

	"hongyan/client"
)

const (
	weatherTime = 8 * time.Second
	weatherLoad = 800 // of each side in each time
	// fairShare is what the others must keep of their pace: within 10 % (design §7).
	fairShare = 0.9
)

// runMischief is test 8: one account's platform answers with errors, pages,
// fragments, byte by byte, late, or not at all. Its messages are not lost and not
// doubled, and the other account goes on at its pace.
func runMischief(ctx context.Context, t *trial) error {
	r, err := t.rig(ctx, rigOptions{env: []string{orphanAfter}})
	if err != nil {
		return err
	}
	var loads []*load
	both := func(first int) (others float64, err error) {
		good := &load{r: r, messages: weatherLoad, first: first, over: weatherTime, compose: r.orders(shop)}
		bad := &load{r: r, messages: weatherLoad / 4, first: first + weatherLoad, over: weatherTime, compose: r.orders(plain)}
		before, err := r.sentBy(ctx, shop)
		if err != nil {
			return 0, err
		}
		good.begin(ctx)
		bad.begin(ctx)
		good.wait()
		bad.wait()
		loads = append(loads, good, bad)
		after, err := r.sentBy(ctx, shop)
		return float64(after - before), err
	}
	fair, err := both(0)
	if err != nil {
		return err
	}
	for _, m := range []mischief{
		{"http_status": 502, "rate": 0.15}, {"html": true, "rate": 0.15}, {"truncate": true, "rate": 0.15}, {"drip_ms": 5, "rate": 0.15},
		{"hang_ms": 20_000, "rate": 0.05}, {"reset": "before", "rate": 0.2}, {"reset": "after", "rate": 0.2}, {"drop_answer": true, "rate": 0.2},
	} {
		m["path"], m["appid"] = sendPath, plain
		if err := r.wx.fault(ctx, m); err != nil {
			return err
		}
	}
	t.say("the platform misbehaves towards one of two accounts")
	foul, err := both(2 * weatherLoad)
	if err != nil {
		return err
	}
	if err := r.wx.clearFaults(ctx); err != nil {
		return err
	}
	t.want(foul >= fairShare*fair, "the other account sent %g messages beside the trouble, %g without: less than within 10 %%", foul, fair)
	t.figure("others_share", float64(int(foul/fair*1000))/1000)
	return t.judge(ctx, r, loads, nil)
}

// stormLoad is the messages of each storm.
const stormLoad = 600

// runStorms is test 9: an access_token that dies under load, busy answers, the
// quota's and the minute's limit, and a code that nobody knows.
func runStorms(ctx context.Context, t *trial) error {
	r, err := t.rig(ctx, rigOptions{latency: killLatency, env: []string{orphanAfter}})
	if err != nil {
		return err
	}
	var loads []*load
	begin := func(appID string) *load {
		l := &load{r: r, messages: stormLoad, first: len(loads) * stormLoad, over: 4 * time.Second, compose: r.orders(appID)}
		loads = append(loads, l)
		l.begin(ctx)
		return l
	}
	for _, storm := range []func(context.Context, *trial, *rig, func(string) *load) error{stormToken, stormBusy, stormMinute} {
		if err := storm(ctx, t, r, begin); err != nil {
			return err
		}
	}
	if err := t.judge(ctx, r, loads, nil); err != nil {
		return err
	}
	if err := r.dayOver(ctx, t); err != nil {
		return err
	}
	return r.unknownCode(ctx, t)
}

// revocations is how often the token dies.
const revocations = 4

// stormToken revokes the token again and again: each time there is one refresh.
func stormToken(ctx context.Context, t *trial, r *rig, begin func(string) *load) error {
	before, err := r.wx.stats(ctx)
	if err != nil {
		return err
	}
	l := begin(shop)
	for range revocations {
		if err := pause(ctx, 700*time.Millisecond); err != nil {
			return err
		}
		if err := r.wx.post(ctx, "/accounts/"+shop+"/revoke_token", struct{}{}, nil); err != nil {
			return err
		}
	}
	l.wait()
	if err := t.quiet(ctx, r); err != nil {
		return err
	}
	after, err := r.wx.stats(ctx)
	if err != nil {
		return err
	}
	fetches := after.TokenFetches[shop]["stable"] - before.TokenFetches[shop]["stable"]
	dead := after.Calls[sendPath][40001] - before.Calls[sendPath][40001]
	t.say("40001: %d calls met a dead token, %d refreshes after %d revocations", dead, fetches, revocations)
	t.want(dead > 0, "no call met a dead token: the test has not tested")
	// The platform answers the first ask with the token it knows, dead or not; then
	// force_refresh makes a new one.
	t.want(fetches <= 2*revocations, "%d fetches of the token after %d revocations, want one refresh each", fetches, revocations)
	t.figure("refreshes_per_dead_token", float64(fetches)/revocations)
	return nil
}

// stormBusy answers -1 to everything for a while.
func stormBusy(ctx context.Context, t *trial, r *rig, begin func(string) *load) error {
	t.say("-1: the platform is busy for three seconds")
	if err := r.wx.fault(ctx, mischief{"path": sendPath, "appid": plain, "errcode": -1}); err != nil {
		return err
	}
	l := begin(plain)
	if err := pause(ctx, 3*time.Second); err != nil {
		return err
	}
	if err := r.wx.clearFaults(ctx); err != nil {
		return err
	}
	l.wait()
	return t.quiet(ctx, r)
}

// stormMinute answers 45011 a few times: the account waits for the next minute and
// makes no call meanwhile.
func stormMinute(ctx context.Context, t *trial, r *rig, begin func(string) *load) error {
	t.say("45011: the minute's limit is reached")
	if err := r.wx.fault(ctx, mischief{"path": sendPath, "appid": paced, "errcode": 45011, "times": 1}); err != nil {
		return err
	}
	// Not beside the edge of a minute, where there is nothing to wait for.
	if left := time.Minute - time.Duration(time.Now().UnixNano()%int64(time.Minute)); left < 15*time.Second {
		if err := pause(ctx, left+time.Second); err != nil {
			return err
		}
	}
	l := begin(paced)
	l.wait()
	during, err := r.sentBy(ctx, paced)
	if err != nil {
		return err
	}
	t.want(during <= client45011, "45011: %d calls in the minute that was over, want no more than were under way", during)
	t.figure("calls_after_45011", float64(during))
	return t.quiet(ctx, r)
}

// client45011 is the most calls that may be under way when the answer comes.
const client45011 = 50

// dayOver answers 45009 once: the account is held until Beijing midnight, visibly,
// and makes no call.
func (r *rig) dayOver(ctx context.Context, t *trial) error {
	if err := r.wx.fault(ctx, mischief{"path": sendPath, "appid": plain, "errcode": 45009}); err != nil {
		return err
	}
	before, err := r.sentBy(ctx, plain)
	if err != nil {
		return err
	}
	first, err := r.first(ctx, plain, 900_001)
	if err != nil {
		return err
	}
	m, err := r.awaitState(ctx, first.id, 10*time.Second, "held")
	if err != nil {
		return err
	}
	t.want(m.Hold != nil && m.Reason == "quota" && m.Hold.Until != nil, "45009: the message is %s %s, want held for the quota with an end", m.State, m.Reason)
	for i := range 50 {
		if _, err := r.first(ctx, plain, 900_002+i); err != nil {
			return err
		}
	}
	other, err := r.first(ctx, shop, 900_100)
	if err != nil {
		return err
	}
	if _, err := r.awaitState(ctx, other.id, 10*time.Second, "delivered"); err != nil {
		t.wrong("45009 of one account and the message of another: %v", err)
	}
	after, err := r.sentBy(ctx, plain)
	if err != nil {
		return err
	}
	t.want(after-before == 1, "45009: %d calls, want the one that was answered so", after-before)
	return r.wx.clearFaults(ctx)
}

// unknownCode answers a code that no table has: the message fails, and says so.
func (r *rig) unknownCode(ctx context.Context, t *trial) error {
	const code = 987654
	to := userOf(900_200)
	if err := r.wx.fault(ctx, mischief{"path": sendPath, "openid": to, "errcode": code, "times": 1}); err != nil {
		return err
	}
	p, err := r.first(ctx, shop, 900_200)
	if err != nil {
		return err
	}
	m, err := r.awaitState(ctx, p.id, 10*time.Second, "failed")
	if err != nil {
		t.wrong("an unknown errcode: %v", err)
		return nil
	}
	t.want(m.Errcode != nil && *m.Errcode == code, "an unknown errcode: the message shows %s, want %d", errcodeWord(m.Errcode), code)
	return nil
}

// tokenDown is how long the token endpoint is down.
const tokenDown = 20 * time.Second

// runToken is test 10: the token endpoint is down. Nothing fails, the reason is
// shown, and when it is back everything goes out.
func runToken(ctx context.Context, t *trial) error {
	r, err := t.rig(ctx, rigOptions{env: []string{orphanAfter}})
	if err != nil {
		return err
	}
	if err := r.wx.fault(ctx, mischief{"path": "/cgi-bin/stable_token", "http_status": 502}); err != nil {
		return err
	}
	if err := r.wx.post(ctx, "/accounts/"+shop+"/revoke_token", struct{}{}, nil); err != nil {
		return err
	}
	l := &load{r: r, messages: stormLoad, over: tokenDown / 2, compose: r.orders(shop)}
	l.run(ctx)
	t.say("the token endpoint has been down for %v", tokenDown/2)
	held, err := r.api().Messages(ctx, client.MessageFilter{AppID: shop, States: []string{"held"}, Limit: 1000})
	if err != nil {
		return err
	}
	t.want(len(held.Items) > 0 && held.Items[0].Reason == "token" && held.Items[0].Hold != nil, "no message shows that it waits for a token")
	failed, err := r.api().Messages(ctx, client.MessageFilter{AppID: shop, States: []string{"failed", "uncertain"}, Limit: 1000})
	if err != nil {
		return err
	}
	t.want(len(failed.Items) == 0, "%d messages failed for want of a token", len(failed.Items))
	if err := pause(ctx, tokenDown/2); err != nil {
		return err
	}
	calls, err := r.wx.stats(ctx)
	if err != nil {
		return err
	}
	asked := calls.Calls["/cgi-bin/stable_token"][http.StatusBadGateway]
	t.want(asked < 100, "the token endpoint was asked %d times in %v", asked, tokenDown)
	t.figure("asked_while_down", float64(asked))
	if err := r.wx.clearFaults(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := t.quiet(ctx, r); err != nil {
		return err
	}
	t.figure("back_after_ms", ms(time.Since(began)))
	return t.judge(ctx, r, []*load{l}, nil)
}

const (
	noisyBacklog = 3_000
	quietPosts   = 120
	pickupP99    = 250 * time.Millisecond // design §6
)

// runNoisy is test 11: an account with a backlog and a limit of its own. A quiet
// account's messages are picked up at once, and the busy one keeps its rate.
func runNoisy(ctx context.Context, t *trial) error {
	r, err := t.rig(ctx, rigOptions{env: []string{orphanAfter}})
	if err != nil {
		return err
	}
	noisy := &load{r: r, messages: noisyBacklog, compose: r.orders(paced)}
	noisy.run(ctx)
	began := time.Now()
	sent := map[string]time.Time{}
	for i := range quietPosts {
		number := noisyBacklog + i
		sent[userOf(number)] = time.Now()
		if _, err := r.first(ctx, plain, number); err != nil {
			return err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	spent := time.Since(began)
	calls, err := r.callsOf(ctx, plain)
	if err != nil {
		return err
	}
	var took []time.Duration
	for _, e := range calls {
		took = append(took, e.Time.Time.Sub(sent[e.ToUser]))
	}
	slices.Sort(took)
	if len(took) < quietPosts {
		t.wrong("%d of %d messages of the quiet account were sent while the other has a backlog", len(took), quietPosts)
		return nil
	}
	p99 := took[len(took)*99/100]
	t.want(p99 <= pickupP99, "the quiet account's messages are picked up after %v (p99), want %v", p99, pickupP99)
	t.figure("quiet_pickup_p99_ms", ms(p99))
	return r.atRate(ctx, t, began, spent)
}

// atRate wants the paced account to have used its rate, and not more.
func (r *rig) atRate(ctx context.Context, t *trial, from time.Time, d time.Duration) error {
	calls, err := r.callsOf(ctx, paced)
	if err != nil {
		return err
	}
	var times []time.Time
	within := 0
	for _, e := range calls {
		times = append(times, e.Time.Time)
		if at := e.Time.Time; at.After(from) && at.Before(from.Add(d)) {
			within++
		}
	}
	if why := tooFast(times, pacedPerSecond, r.restarts); why != "" {
		t.wrong("%s %s", paced, why)
	}
	share := float64(within) / (pacedPerSecond * d.Seconds())
	t.want(share >= usedShare, "the account with a limit used %.3f of it, want %.2f", share, usedShare)
	t.figure("rate_used", float64(int(share*1000))/1000)
	return nil
}

// usedShare is how much of a limit must be used at least.
const usedShare = 0.95

// limitQuota is the day's limit of test 12.
const limitQuota = 400

// runLimits is test 12: a rate and a day's quota, with a crash in the middle.
// Neither is exceeded, and both are used.
func runLimits(ctx context.Context, t *trial) error {
	messages := t.cfg.Messages
	t.cfg.Messages = limitQuota * 20 // the quota account's limit is a twentieth
	defer func() { t.cfg.Messages = messages }()
	r, err := t.rig(ctx, rigOptions{latency: killLatency, env: []string{orphanAfter}})
	if err != nil {
		return err
	}
	rate := &load{r: r, messages: 900, compose: r.orders(paced)}
	day := &load{r: r, messages: limitQuota * 3 / 2, first: 1000, over: 6 * time.Second, compose: r.orders(quota)}
	rate.begin(ctx)
	day.begin(ctx)
	if err := pause(ctx, 3*time.Second); err != nil {
		return err
	}
	n := r.nodes[len(r.nodes)-1]
	n.kill()
	if err := n.start(ctx); err != nil {
		return err
	}
	rate.wait()
	day.wait()
	if err := r.ready(ctx, readyWithin); err != nil {
		return err
	}
	began := time.Now()
	if err := pause(ctx, 8*time.Second); err != nil {
		return err
	}
	if err := r.atRate(ctx, t, began, time.Since(began)); err != nil {
		return err
	}
	if err := t.judge(ctx, r, []*load{rate, day}, nil); err != nil {
		return err
	}
	calls := 0
	for i := range t.books.calls {
		if t.books.calls[i].AppID == quota {
			calls++
		}
	}
	t.want(calls <= limitQuota, "%d calls of %d a day were made", calls, limitQuota)
	t.want(float64(calls) >= usedShare*limitQuota, "%d calls of %d a day were made, and messages wait", calls, limitQuota)
	t.figure("quota_used", float64(calls)/limitQuota)
	return nil
}
