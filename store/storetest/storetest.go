// Package storetest is the meaning of package store as tests: every store
// passes the same suite, so that the rest of Hongyan need not know which one
// it has.
//
// Start with Run. Each file holds the cases about one noun. Cases about time
// run in synctest bubbles, where a day passes at once; a store must therefore
// be openable inside a bubble and take its time from the time package.
package storetest

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/store"
)

// Open opens a new, empty store that is closed when the test ends.
type Open func(t testing.TB) store.Store

// Run runs the whole suite against the stores that open makes.
func Run(t *testing.T, open Open) {
	for _, c := range accountCases { // they begin without accounts
		t.Run("accounts/"+c.name, func(t *testing.T) { c.start(t, open) })
	}
	groups := []struct {
		name  string
		cases []testCase
	}{
		{"templates", templateCases},
		{"template aliases", aliasCases},
		{"tokens", tokenCases},
		{"keys", keyCases},
		{"audit", auditCases},
		{"insert", insertCases},
		{"claim", claimCases},
		{"finish", finishCases},
		{"nodes", nodeCases},
		{"cluster", clusterCases},
		{"holds", holdCases},
		{"ends", endCases},
		{"lists", listCases},
		{"receipts", receiptCases},
		{"own numbers", ownCases},
		{"events", eventCases},
		{"deliveries", deliveryCases},
		{"news", newsCases},
		{"webhooks", webhookCases},
		{"batches", batchCases},
		{"life", lifeCases},
		{"retention", retentionCases},
		{"rules", ruleCases},
		{"care", careCases},
		{"forms", formCases},
		{"consents", consentCases},
		{"model", modelCases},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.cases {
				c.accounts = []string{appA, appB}
				t.Run(c.name, func(t *testing.T) { c.start(t, open) })
			}
		})
	}
}

// testCase is one story. In a bubble, time.Sleep takes no time.
type testCase struct {
	name   string
	bubble bool
	run    func(f *fixture)

	accounts []string // there from the start
}

func (c testCase) start(t *testing.T, open Open) {
	if !c.bubble {
		t.Parallel()
		c.run(newFixture(t, open, c.accounts))
		return
	}
	synctest.Test(t, func(t *testing.T) { c.run(newFixture(t, open, c.accounts)) })
}

// fixture is a store with a node that has joined, and short words for what
// the stories do.
type fixture struct {
	*testing.T
	ctx   context.Context
	s     store.Store
	epoch int64
	n     int // messages made
	open  Open
}

const (
	appA, appB = "wxaaaaaaaaaaaaaaaa", "wxbbbbbbbbbbbbbbbb"
	userA      = "oUserAAAAAAAAAAAAAAAAAAAAAAA"
)

func newFixture(t *testing.T, open Open, accounts []string) *fixture {
	f := &fixture{T: t, ctx: context.Background(), s: open(t), open: open}
	for _, appID := range accounts {
		f.must(f.s.CreateAccount(f.ctx, hongyan.Account{AppID: appID, Kind: hongyan.ServiceAccount}))
	}
	f.epoch = f.join("node-1")
	return f
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// wantKind fails unless err carries the kind.
func (f *fixture) wantKind(err error, kind hongyan.Kind) {
	f.Helper()
	if !hongyan.IsKind(err, kind) {
		f.Fatalf("got error %v, want one of kind %v", err, kind)
	}
}

// same fails unless got equals want.
func same[T any](f *fixture, what string, got, want T) {
	f.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func (f *fixture) join(name string) int64 {
	f.Helper()
	epoch, err := f.s.Join(f.ctx, name, time.Minute)
	f.must(err)
	return epoch
}

// message makes a message of account A to user A, due now.
func (f *fixture) message(change ...func(*hongyan.Message)) store.NewMessage {
	f.n++
	now := f.s.Now()
	m := hongyan.Message{
		ID: hongyan.NewMessageID(), AppID: appA, Kind: hongyan.KindTemplate, ToUser: userA, TemplateID: "tmpl-1",
		Payload: fmt.Appendf(nil, `{"n":%d}`, f.n), Priority: hongyan.Normal, CallerID: "key_1",
		CreatedAt: now, DueAt: now, ExpiresAt: now.Add(24 * time.Hour),
	}
	m.ClientMsgID = m.ID
	for _, c := range change {
		c(&m)
	}
	return store.NewMessage{Message: m}
}

// insert stores one message that must be new and returns its row.
func (f *fixture) insert(change ...func(*hongyan.Message)) hongyan.Message {
	f.Helper()
	return f.insertNew(f.message(change...), store.InsertedNew)
}

// insertNew stores n and checks the outcome.
func (f *fixture) insertNew(n store.NewMessage, want store.InsertOutcome) hongyan.Message {
	f.Helper()
	out, err := f.s.InsertMessages(f.ctx, []store.NewMessage{n})
	f.must(err)
	if len(out) != 1 || out[0].Outcome != want {
		f.Fatalf("insert: got %d answers, the first %v, want one %v", len(out), out[0].Outcome, want)
	}
	return out[0].Message
}

// claim leases up to max messages of account A's template stream.
func (f *fixture) claim(maximum int) []hongyan.Message {
	f.Helper()
	return f.claimFrom(appA, maximum)
}

func (f *fixture) claimFrom(appID string, maximum int) []hongyan.Message {
	f.Helper()
	ms, err := f.s.Claim(f.ctx, f.epoch, []store.Want{{AppID: appID, Kind: hongyan.KindTemplate, Max: maximum}})
	f.must(err)
	return ms
}

// lease inserts a message and claims it.
func (f *fixture) lease(change ...func(*hongyan.Message)) hongyan.Message {
	f.Helper()
	m := f.insert(change...)
	got, err := f.s.ClaimOne(f.ctx, f.epoch, m.ID)
	f.must(err)
	return got
}

// get reads a message.
func (f *fixture) get(id string) hongyan.Message {
	f.Helper()
	m, err := f.s.Message(f.ctx, id)
	f.must(err)
	return m
}

// wantState fails unless the message is in a state for a reason.
func (f *fixture) wantState(id string, state hongyan.State, reason string) {
	f.Helper()
	m := f.get(id)
	if m.State != state || m.Reason != reason {
		f.Fatalf("message is %v (%q), want %v (%q)", m.State, m.Reason, state, reason)
	}
}

func fenceOf(m hongyan.Message) store.Fence {
	return store.Fence{Seq: m.Seq, Epoch: m.Epoch, Attempts: m.Attempts}
}

// accepted is the result of a call that WeChat took, with msgid.
func (f *fixture) accepted(m hongyan.Message, msgID int64) store.Result {
	now := f.s.Now()
	return store.Result{
		Fence: fenceOf(m), AppID: m.AppID, State: hongyan.Accepted, MsgID: msgID, AcceptedAt: now,
		Attempts: []hongyan.Attempt{{N: m.Attempts, StartedAt: now, EndedAt: now, Outcome: hongyan.Answered, Errmsg: "ok", MsgID: msgID}},
		Usage:    []store.UsageDelta{{AppID: m.AppID, Scope: "account", Period: "day", PeriodFrom: hongyan.PeriodStart("day", now), N: 1}},
	}
}

// retry is the result of a call answered with "system busy".
func (f *fixture) retry(m hongyan.Message, after time.Duration) store.Result {
	now := f.s.Now()
	return store.Result{
		Fence: fenceOf(m), AppID: m.AppID, State: hongyan.Queued, Reason: "errcode", DueAt: now.Add(after), Tries: m.Tries + 1,
		Attempts: []hongyan.Attempt{{N: m.Attempts, StartedAt: now, EndedAt: now, Outcome: hongyan.Answered, Errcode: -1, Errmsg: "system error"}},
	}
}

// finish settles results and checks whether they applied and the states after.
func (f *fixture) finish(want store.Settled, rs ...store.Result) {
	f.Helper()
	got, err := f.s.FinishAttempts(f.ctx, rs)
	f.must(err)
	if len(got) != len(rs) {
		f.Fatalf("got %d answers for %d results", len(got), len(rs))
	}
	for _, g := range got {
		same(f, "settled", g, want)
	}
}

// ids are the ids of messages, in order.
func ids(ms []hongyan.Message) []string {
	all := []string{}
	for _, m := range ms {
		all = append(all, m.ID)
	}
	return all
}

// days are the used calls of account A's day.
func (f *fixture) usedToday(appID string) int64 {
	f.Helper()
	all, err := f.s.Usage(f.ctx, appID)
	f.must(err)
	for _, u := range all {
		if u.Period == "day" && u.Scope == "account" {
			return u.Used
		}
	}
	return 0
}
