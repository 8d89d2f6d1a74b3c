package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/store"
)

const testAppID = "wx0123456789abcdef"

// testMessages makes n messages that are due now, leased by epoch if it is not 0.
func testMessages(n int, epoch int64) []store.NewMessage {
	ms := make([]store.NewMessage, n)
	for i := range ms {
		id := hongyan.NewMessageID()
		ms[i].Message = hongyan.Message{
			ID: id, AppID: testAppID, Kind: hongyan.KindTemplate, ToUser: "o" + id[len(id)-27:], TemplateID: "tmpl-1", ClientMsgID: id,
			Payload: fmt.Appendf(nil, `{"touser":%q}`, id), Priority: hongyan.Normal, CallerID: "key_1", Epoch: epoch,
		}
	}
	return ms
}

// testResults are acceptances of leased messages.
func testResults(ms []hongyan.Message, now time.Time) []store.Result {
	rs := make([]store.Result, len(ms))
	for i, m := range ms {
		msgID := 2_000_000_000 + m.Seq
		rs[i] = store.Result{
			Fence: store.Fence{Seq: m.Seq, Epoch: m.Epoch, Attempts: m.Attempts}, AppID: m.AppID,
			Attempts: []hongyan.Attempt{{N: m.Attempts, StartedAt: now, EndedAt: now, Outcome: hongyan.Answered, Errmsg: "ok", MsgID: msgID}},
			State:    hongyan.Accepted, MsgID: msgID, AcceptedAt: now,
			Usage: []store.UsageDelta{{AppID: m.AppID, Scope: "account", Period: "day", PeriodFrom: hongyan.PeriodStart("day", now), N: 1}},
		}
	}
	return rs
}

// newTestNodes opens n stores on one database, each with a node that has joined.
func newTestNodes(t *testing.T, n int) (stores []*Store, epochs []int64) {
	t.Helper()
	url := newTestURL(t)
	for i := range n {
		s := withAccount(t, openTestStore(t, url))
		epoch, err := s.Join(t.Context(), fmt.Sprintf("node-%d", i), time.Minute)
		mustDo(t, err)
		stores, epochs = append(stores, s), append(epochs, epoch)
	}
	return stores, epochs
}

func claimAll(ctx context.Context, s *Store, epoch int64, portion int) ([]hongyan.Message, error) {
	var all []hongyan.Message
	for {
		ms, err := s.Claim(ctx, epoch, []store.Want{{AppID: testAppID, Kind: hongyan.KindTemplate, Max: portion}})
		if err != nil || len(ms) == 0 {
			return all, err
		}
		all = append(all, ms...)
	}
}

// TestNodesClaimEachRowOnce: whatever claims run at the same moment, on whatever node.
func TestNodesClaimEachRowOnce(t *testing.T) {
	const total = 900
	stores, epochs := newTestNodes(t, 3)
	_, err := stores[0].InsertMessages(t.Context(), testMessages(total, 0))
	mustDo(t, err)
	claimed := make([][]hongyan.Message, 3*4)
	errs := make([]error, len(claimed))
	var wg sync.WaitGroup
	for i := range claimed {
		wg.Go(func() { claimed[i], errs[i] = claimAll(t.Context(), stores[i%3], epochs[i%3], 7) })
	}
	wg.Wait()
	mustDo(t, errs...)
	seen := make(map[int64]bool)
	for i := range claimed {
		for _, m := range claimed[i] {
			if seen[m.Seq] || m.Epoch != epochs[i%3] {
				t.Fatalf("message %d of epoch %d was claimed twice, or by another", m.Seq, m.Epoch)
			}
			seen[m.Seq] = true
		}
	}
	if len(seen) != total {
		t.Fatalf("%d messages were claimed, want %d", len(seen), total)
	}
	wantCounts(t, stores[1], map[hongyan.State]int64{hongyan.Sending: total})
}

// wantCounts compares the counters of every node's transactions with what is there.
func wantCounts(t *testing.T, s *Store, want map[hongyan.State]int64) {
	t.Helper()
	counts, err := s.Counts(t.Context())
	mustDo(t, err)
	got := map[hongyan.State]int64{}
	for state, n := range counts[testAppID] {
		if n != 0 {
			got[state] = n
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

// TestADeadNodesMessagesAreTakenOver: after its lease, by one node each; what it says
// afterwards does not count, and it can hold nothing new.
func TestADeadNodesMessagesAreTakenOver(t *testing.T) {
	const total = 300
	stores, epochs := newTestNodes(t, 3)
	dead := epochs[0]
	out, err := stores[0].InsertMessages(t.Context(), testMessages(total, dead))
	mustDo(t, err)
	taken, err := stores[1].TakeOver(t.Context(), epochs[1], 1000)
	if mustDo(t, err); len(taken) != 0 {
		t.Fatalf("%d messages of a living node were taken over", len(taken))
	}
	mustDo(t, stores[0].Renew(t.Context(), dead, 0)) // its lease ends now
	both := make([][]hongyan.Message, 2)
	var wg sync.WaitGroup
	for i := range both {
		wg.Go(func() {
			for {
				ms, err := stores[i+1].TakeOver(t.Context(), epochs[i+1], 20)
				if err != nil {
					t.Error(err)
				}
				if len(ms) == 0 {
					return
				}
				both[i] = append(both[i], ms...)
			}
		})
	}
	wg.Wait()
	if got := len(both[0]) + len(both[1]); got != total {
		t.Fatalf("%d messages were taken over, want %d", got, total)
	}
	var leased []hongyan.Message
	for i := range out {
		leased = append(leased, out[i].Message)
	}
	late, err := stores[0].FinishAttempts(t.Context(), testResults(leased, stores[0].Now()))
	mustDo(t, err)
	if slices.ContainsFunc(late, func(s store.Settled) bool { return s.Applied }) {
		t.Error("a late result of the dead node was applied")
	}
	if err := stores[0].Renew(t.Context(), dead, time.Minute); !hongyan.IsKind(err, hongyan.Conflict) {
		t.Errorf("renewing: got %v, want a conflict", err)
	}
	if _, err := stores[0].Claim(t.Context(), dead, nil); !hongyan.IsKind(err, hongyan.Conflict) {
		t.Errorf("claiming: got %v, want a conflict", err)
	}
	again, err := stores[0].InsertMessages(t.Context(), testMessages(1, dead))
	if mustDo(t, err); again[0].Message.State != hongyan.Queued || again[0].Message.Epoch != 0 {
		t.Errorf("a message leased by the dead node is %v of epoch %d", again[0].Message.State, again[0].Message.Epoch)
	}
	for i := range both {
		settled, err := stores[i+1].FinishAttempts(t.Context(), testResults(both[i], stores[i+1].Now()))
		mustDo(t, err)
		if slices.ContainsFunc(settled, func(s store.Settled) bool { return !s.Applied }) {
			t.Error("a result of the node that took over was not applied")
		}
	}
	wantCounts(t, stores[2], map[hongyan.State]int64{hongyan.Accepted: total, hongyan.Queued: 1})
}

// TestNodesShareKeysAndNumbers: equal requests on several nodes at once make one row.
func TestNodesShareKeysAndNumbers(t *testing.T) {
	stores, _ := newTestNodes(t, 3)
	made := make([]map[string]bool, 3)
	var wg sync.WaitGroup
	for i, s := range stores {
		made[i] = make(map[string]bool)
		wg.Go(func() {
			for round := range 40 {
				keyed, chosen := testMessages(1, 0)[0], testMessages(1, 0)[0]
				keyed.IdempotencyKey, keyed.BodyHash = fmt.Sprint("key-", round), [32]byte{1}
				chosen.Message.ToUser, chosen.Message.ClientMsgID, chosen.Message.CallerMsgID = "oUser", fmt.Sprint("order-", round), true
				for what, n := range map[string]store.NewMessage{"key": keyed, "order": chosen} {
					out, err := s.InsertMessages(t.Context(), []store.NewMessage{n})
					if err != nil {
						t.Error(err)
						return
					}
					if out[0].Outcome == store.InsertedNew {
						made[i][fmt.Sprint(what, round)] = true
					}
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for i := range made {
		for what := range made[i] {
			total++
			for j := range i {
				if made[j][what] {
					t.Errorf("%s was made by two nodes", what)
				}
			}
		}
	}
	if total != 80 {
		t.Errorf("%d rows were made, want 80", total)
	}
}

// TestReceiptsMeetAnswersOfOtherNodes: a receipt that one node takes in and the answer
// that another records at the same moment find each other, whichever is first.
func TestReceiptsMeetAnswersOfOtherNodes(t *testing.T) {
	const rounds, each = 25, 8
	stores, epochs := newTestNodes(t, 2)
	for round := range rounds {
		out, err := stores[0].InsertMessages(t.Context(), testMessages(each, epochs[0]))
		mustDo(t, err)
		var leased []hongyan.Message
		for i := range out {
			leased = append(leased, out[i].Message)
		}
		results := testResults(leased, stores[0].Now())
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() {
				_, err := stores[0].FinishAttempts(t.Context(), results[i:i+1])
				if err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				id, _, err := stores[1].InsertEvent(t.Context(), hongyan.Event{AppID: testAppID, DedupeKey: fmt.Sprint(round, "/", i)})
				if err == nil {
					err = stores[1].FinishEvents(t.Context(), []store.EventDone{{EventID: id, Receipts: []hongyan.Receipt{{
						AppID: testAppID, MsgID: results[i].MsgID, ToUser: leased[i].ToUser, Status: "success", At: stores[1].Now()}}}})
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	orphans, err := stores[0].Orphans(t.Context(), 0, 1000)
	if mustDo(t, err); len(orphans) != 0 {
		t.Errorf("%d receipts are left without their messages", len(orphans))
	}
	wantCounts(t, stores[0], map[hongyan.State]int64{hongyan.Delivered: rounds * each})
}

// TestDeliveriesKeepTheirOrderAcrossNodes: of one user's, the first pending one is free
// and the others are not, whoever began and ended which at the same moment.
func TestDeliveriesKeepTheirOrderAcrossNodes(t *testing.T) {
	const events = 60
	target := hongyan.DownstreamTarget(testAppID, "shop")
	stores, _ := newTestNodes(t, 2)
	var wg sync.WaitGroup
	for i, s := range stores {
		wg.Go(func() {
			for n := range events {
				id, _, err := s.InsertEvent(t.Context(), hongyan.Event{AppID: testAppID, DedupeKey: fmt.Sprint(i, "/", n), OpenID: "oAnn"})
				if err == nil {
					err = s.FinishEvents(t.Context(), []store.EventDone{{EventID: id, Deliveries: []store.NewDelivery{{Target: target, Key: "oAnn"}}}})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for done := 0; done < events && t.Context().Err() == nil; {
				claimed, err := s.ClaimDeliveries(t.Context(), store.DeliveryClaim{Target: target, Ordered: true, Max: 5, Lease: time.Minute})
				if err == nil && len(claimed) > 1 {
					err = fmt.Errorf("%d deliveries of one user are free at once", len(claimed))
				}
				for _, d := range claimed {
					err = s.FinishDeliveries(t.Context(), []store.DeliveryResult{{ID: d.ID, Attempts: d.Attempts, State: hongyan.DeliveryDone, Status: 200}})
					done++
				}
				counts, countErr := s.DeliveryCounts(t.Context(), testAppID)
				if err != nil || countErr != nil {
					t.Error(err, countErr)
					return
				}
				if counts[target].Done == 2*events {
					return
				}
			}
		})
	}
	wg.Wait()
	for { // what is left is taken one by one: none is blocked for ever
		claimed, err := stores[0].ClaimDeliveries(t.Context(), store.DeliveryClaim{Target: target, Ordered: true, Max: 5, Lease: time.Minute})
		if mustDo(t, err); len(claimed) == 0 {
			break
		}
		mustDo(t, stores[0].FinishDeliveries(t.Context(), []store.DeliveryResult{{ID: claimed[0].ID, Attempts: claimed[0].Attempts, State: hongyan.DeliveryDone}}))
	}
	counts, err := stores[0].DeliveryCounts(t.Context(), testAppID)
	if mustDo(t, err); counts[target].Done != 2*events || counts[target].Pending != 0 {
		t.Errorf("%d deliveries ended and %d are pending, want %d and 0", counts[target].Done, counts[target].Pending, 2*events)
	}
}

// TestNoticesReachOtherNodes: each kind, once, and none of a node's own.
func TestNoticesReachOtherNodes(t *testing.T) {
	stores, epochs := newTestNodes(t, 2)
	heard := make([]chan store.Notice, 2)
	ctx, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	for i, s := range stores {
		heard[i] = make(chan store.Notice, 100)
		watching.Go(func() {
			if err := s.Watch(ctx, func(n store.Notice) { heard[i] <- n }); err != nil {
				t.Error(err)
			}
		})
		for _, kind := range store.NoticeKinds() { // at first anything may have changed
			if got := <-heard[i]; got != (store.Notice{Kind: kind}) {
				t.Fatalf("got %v, want any account of kind %d", got, kind)
			}
		}
	}
	s := stores[0]
	_, err := s.InsertMessages(t.Context(), testMessages(3, 0))
	mustDo(t, err)
	wantNotice(t, heard[1], store.NoticeMessages, testAppID)
	_, err = s.InsertMessages(t.Context(), testMessages(1, epochs[0])) // leased: nobody else need know
	mustDo(t, err, s.PutHold(t.Context(), hongyan.Hold{AppID: testAppID, Reason: hongyan.HoldPaused}))
	wantNotice(t, heard[1], store.NoticeAccount, testAppID)
	id, _, err := s.InsertEvent(t.Context(), hongyan.Event{AppID: testAppID, DedupeKey: "k"})
	mustDo(t, err)
	wantNotice(t, heard[1], store.NoticeEvents, testAppID)
	mustDo(t, s.FinishEvents(t.Context(), []store.EventDone{{EventID: id, Deliveries: []store.NewDelivery{{Target: testAppID + "/shop"}}}}))
	wantNotice(t, heard[1], store.NoticeDeliveries, testAppID)
	mustDo(t, s.CreateKey(t.Context(), hongyan.Key{ID: "key_1", Hash: []byte("h")}))
	wantNotice(t, heard[1], store.NoticeKeys, "")
	stop()
	watching.Wait()
	if len(heard[0]) != 0 {
		t.Errorf("the node was told of its own change: %v", <-heard[0])
	}
}

func wantNotice(t *testing.T, heard chan store.Notice, kind store.NoticeKind, appID string) {
	t.Helper()
	if got, want := <-heard, (store.Notice{Kind: kind, AppID: appID}); got != want {
		t.Fatalf("got notice %v, want %v", got, want)
	}
}

// TestOneNodeLeads: until its time is over or it is gone.
func TestOneNodeLeads(t *testing.T) {
	stores, epochs := newTestNodes(t, 2)
	lead := func(i int, d time.Duration) bool {
		leads, err := stores[i].Lead(t.Context(), "sweep", epochs[i], d)
		mustDo(t, err)
		return leads
	}
	if !lead(0, time.Hour) || lead(1, time.Hour) || !lead(0, time.Hour) {
		t.Fatal("not the first one leads, or not again")
	}
	mustDo(t, stores[0].Leave(t.Context(), epochs[0]))
	if !lead(1, time.Hour) || lead(0, time.Hour) {
		t.Fatal("not the one that is left leads")
	}
}
