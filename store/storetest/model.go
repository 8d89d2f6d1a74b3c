package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hongyan"
	"hongyan/store"
)

var modelCases = []testCase{
	{name: "any sequence of acts leaves the rows that the model has", run: modelWalks},
}

// modelTime bounds the walks: a hundred without the race detector, some with it.
const modelTime = 10 * time.Second

// modelWalks lets rapid choose sequences of acts, each on a store and in a bubble of
// its own, and compares every row with the model's after each act. A failure is
// shrunk, and replayed with the flag it prints.
func modelWalks(f *fixture) {
	enough := time.Now().Add(modelTime)
	rapid.Check(f.T, func(rt *rapid.T) {
		if time.Now().After(enough) {
			return
		}
		var failure any // rapid's own panics must not end in the bubble
		synctest.Test(f.T, func(t *testing.T) {
			defer func() { failure = recover() }()
			newMachine(rt, f.open(t)).walk(rt)
		})
		if failure != nil {
			panic(failure)
		}
	})
}

func (m *machine) walk(t *rapid.T) {
	t.Repeat(map[string]func(*rapid.T){
		"":         m.compare,
		"insert":   m.insert,
		"claim":    m.claim,
		"finish":   m.finish,
		"outdated": m.finishOutdated,
		"return":   m.giveBack,
		"receipt":  m.receipt,
		"join":     m.join,
		"cancel":   m.cancel,
		"expire":   m.expire,
		"hold":     m.holdTemplate,
		"release":  m.releaseTemplate,
		"die":      m.die,
		"retain":   m.retain,
		"wait":     m.wait,
	})
}

// modelRow is what a row must be, with what Message does not show of it.
type modelRow struct {
	hongyan.Message
	parked   bool // held without an end: no claim looks at it
	attempts []hongyan.Attempt
}

// modelOrphan is a receipt without an owner.
type modelOrphan struct {
	hongyan.Receipt
	storedAt time.Time
}

type modelKey struct {
	id      string
	hash    byte
	expires time.Time
}

// machine is a store and what it must hold.
type machine struct {
	s       store.Store
	ctx     context.Context
	epoch   int64
	n       int
	rows    []*modelRow // in the order of acceptance
	gone    []string
	orphans []modelOrphan
	keys    map[string]modelKey
	rank    map[string]int
	maxSeq  int64
}

const modelTemplate = "tmpl-1"

func newMachine(t *rapid.T, s store.Store) *machine {
	m := &machine{s: s, ctx: context.Background(), keys: map[string]modelKey{}, rank: map[string]int{}}
	for _, appID := range []string{appA, appB} {
		ok(t, s.CreateAccount(m.ctx, hongyan.Account{AppID: appID, Kind: hongyan.ServiceAccount}))
	}
	m.join0(t)
	return m
}

func ok(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// equal fails unless the store's answer is the model's.
func equal[T any](t *rapid.T, what string, got, want T) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-model +store):\n%s", what, diff)
	}
}

func (m *machine) join0(t *rapid.T) {
	epoch, err := m.s.Join(m.ctx, "node", time.Minute)
	ok(t, err)
	m.epoch = epoch
}

func drawApp(t *rapid.T) string { return rapid.SampledFrom([]string{appA, appB}).Draw(t, "account") }

// pick draws one of the rows that suit; the act is skipped when there is none.
func (m *machine) pick(t *rapid.T, suits func(*modelRow) bool) *modelRow {
	var all []*modelRow
	for _, r := range m.rows {
		if suits(r) {
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		t.Skip("no message suits")
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(t, "message")]
}

func (m *machine) find(id string) *modelRow {
	for _, r := range m.rows {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// compare holds every row, the attempts, the counters and the receipts without an
// owner against the model, and every rank against the one before.
func (m *machine) compare(t *rapid.T) {
	counts := map[string]map[hongyan.State]int64{}
	for _, r := range m.rows {
		got, err := m.s.Message(m.ctx, r.ID)
		ok(t, err)
		equal(t, "message", got, r.Message)
		attempts, err := m.s.Attempts(m.ctx, r.ID)
		ok(t, err)
		equal(t, "attempts", attempts, r.attempts)
		if got.State.Rank() < m.rank[r.ID] {
			t.Fatalf("%s fell from rank %d to %v", r.ID, m.rank[r.ID], got.State)
		}
		m.rank[r.ID] = got.State.Rank()
		if counts[r.AppID] == nil {
			counts[r.AppID] = map[hongyan.State]int64{}
		}
		counts[r.AppID][r.State]++
	}
	for _, id := range m.gone {
		if _, err := m.s.Message(m.ctx, id); !hongyan.IsKind(err, hongyan.NotFound) {
			t.Fatalf("%s was removed, got %v", id, err)
		}
	}
	got, err := m.s.Counts(m.ctx)
	ok(t, err)
	equal(t, "counts", nonZero(got), counts)
	m.compareOrphans(t)
}

// orphanLife is how long a receipt without an owner is offered (store.Events).
const orphanLife = 24 * time.Hour

func (m *machine) compareOrphans(t *rapid.T) {
	listed, err := m.s.Orphans(m.ctx, 0, 1000)
	ok(t, err)
	got, want := []string{}, []string{}
	for _, o := range listed {
		got = append(got, o.Receipt.AppID+fmt.Sprint(o.Receipt.MsgID))
	}
	for _, o := range m.orphans {
		if m.s.Now().Sub(o.storedAt) <= orphanLife {
			want = append(want, o.AppID+fmt.Sprint(o.MsgID))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	equal(t, "receipts without an owner", got, want)
}

func (m *machine) wait(t *rapid.T) {
	time.Sleep(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Minute, 11 * time.Minute, time.Hour, 25 * time.Hour, 3 * day}).Draw(t, "time"))
	// The node lives on: it renews its lease, or joins again.
	if err := m.s.Renew(m.ctx, m.epoch, time.Minute); err != nil {
		m.takeOver(t)
	}
}

// die is a crash: another node comes, and takes over what was leased.
func (m *machine) die(t *rapid.T) {
	time.Sleep(2 * time.Minute)
	m.takeOver(t)
}

func (m *machine) takeOver(t *rapid.T) {
	m.join0(t)
	taken, err := m.s.TakeOver(m.ctx, m.epoch, 1000)
	ok(t, err)
	got, want := []string{}, []string{}
	for _, r := range m.rows {
		if r.State == hongyan.Sending {
			r.Epoch = m.epoch
			want = append(want, r.ID)
		}
	}
	for _, x := range taken {
		got = append(got, x.ID)
	}
	slices.Sort(got)
	slices.Sort(want)
	equal(t, "taken over", got, want)
}

// modelKeep is short, so that walks of some days meet it.
var modelKeep = store.Retention{Payload: day, Messages: store.MinRetention}

func (m *machine) retain(t *rapid.T) {
	now := m.s.Now()
	old := func(r *modelRow, keep time.Duration) bool {
		return r.State >= hongyan.Uncertain && !r.UpdatedAt.After(now.Add(-keep))
	}
	var want store.Retained
	m.rows = slices.DeleteFunc(m.rows, func(r *modelRow) bool {
		if old(r, modelKeep.Messages) {
			m.gone = append(m.gone, r.ID)
			want.Messages++
			return true
		}
		if r.Payload != nil && old(r, modelKeep.Payload) {
			r.Payload, r.Metadata = nil, nil
			want.Payloads++
		}
		return false
	})
	got, err := m.s.Retain(m.ctx, modelKeep)
	ok(t, err)
	equal(t, "retained", got, want)
}

// byTurn orders rows as claims take them.
func byTurn(a, b *modelRow) int {
	return cmp.Or(cmp.Compare(a.Priority, b.Priority), a.DueAt.Compare(b.DueAt), cmp.Compare(a.Seq, b.Seq))
}
