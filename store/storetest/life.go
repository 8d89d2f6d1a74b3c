package storetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"hongyan"
	"hongyan/store"
)

var lifeCases = []testCase{
	{name: "the clock is UTC in milliseconds", run: lifeClock},
	{name: "ready when it can write", run: lifeReady},
	{name: "closed refuses everything", run: lifeClosed},
	{name: "random days keep ranks rising and counters true", bubble: true, run: lifeRandom},
}

func lifeClock(f *fixture) {
	now := f.s.Now()
	same(f, "now", now, hongyan.Millis(now))
}

func lifeReady(f *fixture) { f.must(f.s.Ready(f.ctx)) }

func lifeClosed(f *fixture) {
	m := f.message()
	f.must(f.s.Close())
	_, err := f.s.InsertMessages(f.ctx, []store.NewMessage{m})
	f.wantKind(err, hongyan.Unavailable)
	_, err = f.s.Message(f.ctx, m.Message.ID)
	f.wantKind(err, hongyan.Unavailable)
	f.wantKind(f.s.Ready(f.ctx), hongyan.Unavailable)
	f.must(f.s.Close())
}

// walker does random things to a store and watches every message.
type walker struct {
	*fixture
	rand *rand.Rand
	ids  []string
	rank map[string]int
	used int64
}

// lifeRandom plays random acts from a fixed seed; a failure can be replayed.
func lifeRandom(f *fixture) {
	w := &walker{fixture: f, rand: rand.New(rand.NewPCG(1, 2)), rank: map[string]int{}}
	acts := []func(){w.insert, w.insert, w.insert, w.claimAndFinish, w.claimAndFinish, w.claimAndDie, w.receipt, w.cancel, w.expire, w.template, w.pause}
	for range 400 {
		acts[w.rand.IntN(len(acts))]()
		time.Sleep(time.Duration(w.rand.IntN(60_000)) * time.Millisecond)
		if w.rand.IntN(10) == 0 {
			w.check()
		}
	}
	w.check()
}

func (w *walker) account() string { return []string{appA, appB}[w.rand.IntN(2)] }

func (w *walker) insert() {
	for range w.rand.IntN(5) {
		m := w.fixture.insert(func(m *hongyan.Message) {
			m.AppID = w.account()
			m.Priority = hongyan.Priority(w.rand.IntN(3))
			m.ExpiresAt = w.s.Now().Add(time.Duration(w.rand.IntN(120)) * time.Minute)
			if w.rand.IntN(3) == 0 {
				m.Epoch = w.epoch
			}
		})
		w.ids = append(w.ids, m.ID)
		if m.State == hongyan.Sending {
			w.settle(m)
		}
	}
}

func (w *walker) claimAndFinish() {
	for _, m := range w.claimFrom(w.account(), 1+w.rand.IntN(4)) {
		w.settle(m)
	}
}

func (w *walker) settle(m hongyan.Message) {
	if w.rand.IntN(6) == 0 {
		w.must(w.s.Return(w.ctx, []store.Fence{fenceOf(m)}))
		return
	}
	r := w.accepted(m, m.Seq+1000)
	switch w.rand.IntN(5) {
	case 0:
		r = w.retry(m, time.Minute)
		r.DoubtSince = w.s.Now()
	case 1:
		r.State, r.Reason, r.MsgID = hongyan.Failed, "errcode", 0
	case 2:
		r = store.Result{Fence: fenceOf(m), AppID: m.AppID, State: hongyan.Uncertain, Reason: "no_answer"}
	}
	if m.AppID == appA {
		for _, u := range r.Usage {
			w.used += u.N
		}
	}
	got, err := w.s.FinishAttempts(w.ctx, []store.Result{r})
	w.must(err)
	same(w.fixture, "applied", got[0].Applied, true)
}

func (w *walker) claimAndDie() {
	left := w.claimFrom(w.account(), 3)
	w.die()
	taken, err := w.s.TakeOver(w.ctx, w.epoch, 100)
	w.must(err)
	same(w.fixture, "taken over", len(taken), len(left))
	for _, m := range taken {
		w.settle(m)
	}
}

func (w *walker) receipt() {
	r := w.fixture.receipt(1000+w.rand.Int64N(int64(len(w.ids)+1)), []string{"success", "user_block"}[w.rand.IntN(2)])
	r.AppID = w.account()
	w.receive(r)
}

func (w *walker) cancel() {
	if len(w.ids) == 0 {
		return
	}
	_, err := w.s.Cancel(w.ctx, w.ids[w.rand.IntN(len(w.ids))])
	if err != nil && !errors.Is(err, context.Canceled) {
		w.wantKind(err, hongyan.Conflict)
	}
}

func (w *walker) expire() {
	_, err := w.s.Expire(w.ctx, 1+w.rand.IntN(20))
	w.must(err)
}

func (w *walker) template() {
	_, err := w.s.HoldTemplate(w.ctx, "tmpl-1", hongyan.Hold{AppID: w.account(), Reason: hongyan.HoldTemplate}, 2)
	w.must(err)
	_, err = w.s.ReleaseTemplate(w.ctx, w.account(), "tmpl-1", hongyan.HoldTemplate, time.Time{}, 2)
	w.must(err)
}

func (w *walker) pause() {
	w.hold(hongyan.Hold{AppID: w.account(), Reason: hongyan.HoldPaused})
	_, err := w.s.ClearHold(w.ctx, w.account(), "*", "*")
	w.must(err)
}

// check compares what is listed with what was seen before and with the counters.
func (w *walker) check() {
	w.Helper()
	recount := map[string]map[hongyan.State]int64{}
	seen := 0
	filter := store.Filter{Limit: 100}
	for {
		page := w.list(filter)
		for _, m := range page.Items {
			seen++
			if m.State.Rank() < w.rank[m.ID] {
				w.Fatalf("message %s fell from rank %d to %v", m.ID, w.rank[m.ID], m.State)
			}
			w.rank[m.ID] = m.State.Rank()
			if recount[m.AppID] == nil {
				recount[m.AppID] = map[hongyan.State]int64{}
			}
			recount[m.AppID][m.State]++
		}
		if filter.Before = page.Next; page.Next == 0 {
			break
		}
	}
	same(w.fixture, "messages", seen, len(w.ids))
	counts, err := w.s.Counts(w.ctx)
	w.must(err)
	same(w.fixture, "counters and a recount", nonZero(counts), recount)
	w.checkUsage()
	w.checkStates(recount)
}

// checkUsage compares the month's calls with those reported.
func (w *walker) checkUsage() {
	w.Helper()
	// The whole walk is shorter than a Beijing day from its start at midnight UTC.
	same(w.fixture, "usage", w.usedToday(appA), w.used)
}

// checkStates reads the lists by account and state, which go by another road.
func (w *walker) checkStates(recount map[string]map[hongyan.State]int64) {
	w.Helper()
	for appID, states := range recount {
		for s, n := range states {
			got := w.walk(store.Filter{AppIDs: []string{appID}, States: []hongyan.State{s}, Limit: 50})
			same(w.fixture, "listed as "+s.String(), int64(len(got)), n)
		}
	}
}
