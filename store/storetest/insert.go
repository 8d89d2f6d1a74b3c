package storetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"hongyan"
	"hongyan/store"
)

// countTrue runs act n times at once and counts how often it said true.
func countTrue(f *fixture, n int, act func(ctx context.Context, i int) (bool, error)) int {
	f.Helper()
	yes := make([]bool, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { yes[i], errs[i] = act(f.ctx, i) })
	}
	wg.Wait()
	total := 0
	for i := range n {
		f.must(errs[i])
		if yes[i] {
			total++
		}
	}
	return total
}

var insertCases = []testCase{
	{name: "gives back the row that is read later", run: insertRoundTrip},
	{name: "takes any kind for the word it is", run: insertKinds},
	{name: "keeps times to the millisecond in UTC", run: insertMillis},
	{name: "numbers rows in order", run: insertOrder},
	{name: "leases at once for a node that is alive", bubble: true, run: insertLeased},
	{name: "queues for a node that is not alive", run: insertDeadLease},
	{name: "answers a repeated idempotency key with the first message as it is now", run: insertReplay},
	{name: "refuses an idempotency key with another body", run: insertMismatch},
	{name: "keeps idempotency keys of callers apart", run: insertCallers},
	{name: "answers an idempotency key repeated within one call", run: insertReplaySameCall},
	{name: "forgets an idempotency key after a day", bubble: true, run: insertKeyExpires},
	{name: "makes one row of 64 equal requests at once", run: insertStorm},
	{name: "takes a caller's client_msg_id once per user and ten minutes", bubble: true, run: insertClientMsgID},
	{name: "remembers the key of a duplicate", bubble: true, run: insertDuplicateKey},
	{name: "fails alone when a message id exists", run: insertSameID},
	{name: "stores a batch larger than any statement", run: insertLarge},
	{name: "stores nothing for nothing", run: insertNothing},
	{name: "gives up when its context is over", run: insertCancelled},
	{name: "answers a known idempotency key without storing anything", bubble: true, run: insertLookup},
	{name: "refuses messages of an account that is not there, those alone", run: insertNoAccount},
	{name: "and a deletion at the same time leave no message without an account", run: insertDeleteRace},
}

func insertKinds(f *fixture) {
	for _, kind := range []hongyan.MessageKind{"subscribe", "one_time", "it's", "", "类"} {
		m := f.insert(func(m *hongyan.Message) { m.Kind = kind })
		same(f, "message", f.get(m.ID), m)
	}
}

func insertRoundTrip(f *fixture) {
	now := f.s.Now()
	until := now.Add(time.Hour)
	variants := map[string]func(*hongyan.Message){
		"plain":           func(*hongyan.Message) {},
		"mini program":    func(m *hongyan.Message) { m.Kind, m.ClientMsgID = hongyan.KindMiniTemplate, "" },
		"urgent":          func(m *hongyan.Message) { m.Priority = hongyan.Urgent },
		"with metadata":   func(m *hongyan.Message) { m.Metadata = []byte(`{"order":"1"}`) },
		"retry":           func(m *hongyan.Message) { m.RetryOf = "msg_1" },
		"caller's id":     func(m *hongyan.Message) { m.ClientMsgID, m.CallerMsgID = "order-1", true },
		"without expiry":  func(m *hongyan.Message) { m.ExpiresAt = time.Time{} },
		"later":           func(m *hongyan.Message) { m.DueAt = until },
		"without payload": func(m *hongyan.Message) { m.Payload = nil },
		"held": func(m *hongyan.Message) {
			m.State, m.Reason, m.DueAt = hongyan.Held, hongyan.HoldTemplate, time.Time{}
			m.Hold = &hongyan.Hold{AppID: appA, Kind: m.Kind, Reason: hongyan.HoldTemplate, Since: now, Until: until,
				Release: "sync", Errcode: 40037, Detail: "unknown template"}
		},
	}
	for name, change := range variants {
		asked := f.message(change)
		want := asked.Message
		got := f.insertNew(asked, store.InsertedNew)
		if got.Seq == 0 {
			f.Fatalf("%s: the row has no number", name)
		}
		want.Seq, want.UpdatedAt = got.Seq, got.UpdatedAt
		same(f, name+", as answered", got, want)
		same(f, name+", as read", f.get(got.ID), want)
	}
}

func insertMillis(f *fixture) {
	odd := time.Date(2026, 3, 1, 8, 0, 0, 123_456_789, hongyan.Beijing)
	got := f.insert(func(m *hongyan.Message) { m.CreatedAt, m.DueAt, m.ExpiresAt = odd, odd, odd.Add(time.Hour) })
	want := time.Date(2026, 3, 1, 0, 0, 0, 123_000_000, time.UTC)
	same(f, "created_at", got.CreatedAt, want)
	same(f, "due_at", f.get(got.ID).DueAt, want)
	none := f.insert(func(m *hongyan.Message) { m.DueAt = time.Time{} })
	same(f, "a queued message without due time is due", none.DueAt.IsZero(), false)
}

func insertOrder(f *fixture) {
	batch := []store.NewMessage{f.message(), f.message(), f.message()}
	out, err := f.s.InsertMessages(f.ctx, batch)
	f.must(err)
	for i := range out {
		same(f, "order of answers", out[i].Message.ID, batch[i].Message.ID)
		if i > 0 && out[i].Message.Seq <= out[i-1].Message.Seq {
			f.Fatalf("row %d has number %d after %d", i, out[i].Message.Seq, out[i-1].Message.Seq)
		}
	}
}

func insertLeased(f *fixture) {
	m := f.insert(func(m *hongyan.Message) { m.Epoch = f.epoch })
	got := f.get(m.ID)
	same(f, "as answered and as read", m, got)
	same(f, "state", got.State, hongyan.Sending)
	same(f, "attempts", got.Attempts, 1)
	same(f, "first attempt", got.FirstAt, f.s.Now())
	same(f, "claimable", len(f.claim(10)), 0)
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(m, 7))
}

func insertDeadLease(f *fixture) {
	m := f.insert(func(m *hongyan.Message) { m.Epoch = f.epoch + 1000 })
	same(f, "epoch", m.Epoch, int64(0))
	same(f, "state", m.State, hongyan.Queued)
	same(f, "claimed", ids(f.claim(10)), []string{m.ID})
}

// keyed makes a message with an idempotency key and a body.
func (f *fixture) keyed(key string, body byte, change ...func(*hongyan.Message)) store.NewMessage {
	n := f.message(change...)
	n.IdempotencyKey, n.BodyHash = key, [32]byte{body}
	return n
}

func insertReplay(f *fixture) {
	first := f.insertNew(f.keyed("k", 1), store.InsertedNew)
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(f.claim(1)[0], 5))
	again := f.insertNew(f.keyed("k", 1), store.InsertedReplay)
	same(f, "replayed", again, f.get(first.ID))
	same(f, "state now", again.State, hongyan.Accepted)
}

func insertMismatch(f *fixture) {
	first := f.insertNew(f.keyed("k", 1), store.InsertedNew)
	other := f.keyed("k", 2)
	f.insertNew(other, store.InsertedMismatch)
	_, err := f.s.Message(f.ctx, other.Message.ID)
	f.wantKind(err, hongyan.NotFound)
	same(f, "claimable", ids(f.claim(10)), []string{first.ID})
}

func insertCallers(f *fixture) {
	f.insertNew(f.keyed("k", 1), store.InsertedNew)
	f.insertNew(f.keyed("k", 2, func(m *hongyan.Message) { m.CallerID = "key_2" }), store.InsertedNew)
}

func insertReplaySameCall(f *fixture) {
	out, err := f.s.InsertMessages(f.ctx, []store.NewMessage{f.keyed("k", 1), f.keyed("k", 1), f.keyed("k", 2), f.keyed("l", 1)})
	f.must(err)
	got := []store.InsertOutcome{}
	for _, o := range out {
		got = append(got, o.Outcome)
	}
	same(f, "outcomes", got, []store.InsertOutcome{store.InsertedNew, store.InsertedReplay, store.InsertedMismatch, store.InsertedNew})
	same(f, "replayed", out[1].Message.ID, out[0].Message.ID)
}

func insertKeyExpires(f *fixture) {
	f.insertNew(f.keyed("k", 1), store.InsertedNew)
	time.Sleep(store.IdempotencyTTL - time.Second)
	f.insertNew(f.keyed("k", 1), store.InsertedReplay)
	n, err := f.s.Sweep(f.ctx)
	f.must(err)
	same(f, "swept too early", n, 0)
	time.Sleep(time.Second)
	f.insertNew(f.keyed("k", 2), store.InsertedNew)
	f.insertNew(f.keyed("k", 2), store.InsertedReplay)
	time.Sleep(store.IdempotencyTTL)
	n, err = f.s.Sweep(f.ctx)
	f.must(err)
	same(f, "swept", n, 1)
}

func insertLookup(f *fixture) {
	first := f.insertNew(f.keyed("k", 1), store.InsertedNew)
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(f.claim(1)[0], 5))
	ask := func(caller, key string, body byte) (store.Inserted, bool) {
		out, found, err := f.s.Replay(f.ctx, caller, key, [32]byte{body})
		f.must(err)
		return out, found
	}
	out, found := ask(first.CallerID, "k", 1)
	same(f, "found", found, true)
	same(f, "answer", out, store.Inserted{Outcome: store.InsertedReplay, Message: f.get(first.ID)})
	out, _ = ask(first.CallerID, "k", 2)
	same(f, "outcome with another body", out.Outcome, store.InsertedMismatch)
	_, found = ask("somebody else", "k", 1)
	same(f, "found by another caller", found, false)
	_, found = ask(first.CallerID, "l", 1)
	same(f, "another key found", found, false)
	time.Sleep(store.IdempotencyTTL)
	_, found = ask(first.CallerID, "k", 1)
	same(f, "found past its life", found, false)
}

func insertStorm(f *fixture) {
	same64 := make([]store.NewMessage, 64)
	for i := range same64 {
		same64[i] = f.keyed("storm", 1)
	}
	created := countTrue(f, len(same64), func(ctx context.Context, i int) (bool, error) {
		out, err := f.s.InsertMessages(ctx, same64[i:i+1])
		if err != nil {
			return false, err
		}
		return out[0].Outcome == store.InsertedNew, nil
	})
	same(f, "rows made", created, 1)
	same(f, "claimable", len(f.claim(100)), 1)
}

func insertClientMsgID(f *fixture) {
	chosen := func(m *hongyan.Message) { m.ClientMsgID, m.CallerMsgID = "order-1", true }
	first := f.insert(chosen)
	same(f, "earlier", f.insertNew(f.message(chosen), store.InsertedDuplicate).ID, first.ID)
	f.insert(chosen, func(m *hongyan.Message) { m.ToUser = "oOther" })
	f.insert(chosen, func(m *hongyan.Message) { m.AppID = appB })
	time.Sleep(store.ClientMsgIDWindow - time.Millisecond)
	same(f, "still the first", f.insertNew(f.message(chosen), store.InsertedDuplicate).ID, first.ID)
	time.Sleep(time.Millisecond)
	second := f.insert(chosen)
	same(f, "now the second", f.insertNew(f.message(chosen), store.InsertedDuplicate).ID, second.ID)
	out, err := f.s.InsertMessages(f.ctx, []store.NewMessage{
		f.message(chosen, func(m *hongyan.Message) { m.ClientMsgID = "order-2" }),
		f.message(chosen, func(m *hongyan.Message) { m.ClientMsgID = "order-2" }),
	})
	f.must(err)
	same(f, "twice in one call", out[1].Outcome, store.InsertedDuplicate)
	same(f, "the earlier of the call", out[1].Message.ID, out[0].Message.ID)
}

func insertDuplicateKey(f *fixture) {
	chosen := func(m *hongyan.Message) { m.ClientMsgID, m.CallerMsgID = "order-1", true }
	first := f.insert(chosen)
	same(f, "duplicate", f.insertNew(f.keyed("k", 1, chosen), store.InsertedDuplicate).ID, first.ID)
	time.Sleep(time.Hour)
	same(f, "replay", f.insertNew(f.keyed("k", 1, chosen), store.InsertedReplay).ID, first.ID)
}

func insertSameID(f *fixture) {
	first := f.insert()
	twin := f.message(func(m *hongyan.Message) { m.ID = first.ID })
	good := make([]store.NewMessage, 20)
	for i := range good {
		good[i] = f.message()
	}
	stored := countTrue(f, len(good)+1, func(ctx context.Context, i int) (bool, error) {
		if i == len(good) {
			_, err := f.s.InsertMessages(ctx, []store.NewMessage{f.messageTwin(twin), twin})
			f.wantKindLater(err, hongyan.Conflict)
			return false, nil
		}
		_, err := f.s.InsertMessages(ctx, good[i:i+1])
		return true, err
	})
	same(f, "others stored", stored, len(good))
	same(f, "rows", len(f.claim(100)), len(good)+1)
}

// messageTwin is a good message in the same call as a bad one.
func (f *fixture) messageTwin(n store.NewMessage) store.NewMessage {
	n.Message.ID = hongyan.NewMessageID()
	return n
}

// wantKindLater is wantKind for goroutines, which must not end the test.
func (f *fixture) wantKindLater(err error, kind hongyan.Kind) {
	if !hongyan.IsKind(err, kind) {
		f.Errorf("got error %v, want one of kind %v", err, kind)
	}
}

func insertLarge(f *fixture) {
	const n = 1237
	batch := make([]store.NewMessage, n)
	for i := range batch {
		batch[i] = f.message(func(m *hongyan.Message) {
			m.Priority = hongyan.Priority(i % 3)
			if i%50 == 0 {
				m.Metadata = []byte(`{}`)
			}
		})
	}
	out, err := f.s.InsertMessages(f.ctx, batch)
	f.must(err)
	for _, i := range []int{0, 1, 49, 50, 51, 600, n - 1} {
		same(f, "row", f.get(batch[i].Message.ID), out[i].Message)
	}
	counts, err := f.s.Counts(f.ctx)
	f.must(err)
	same(f, "counts", counts[appA][hongyan.Queued], int64(n))
}

func insertNothing(f *fixture) {
	out, err := f.s.InsertMessages(f.ctx, nil)
	f.must(err)
	same(f, "answers", len(out), 0)
}

func insertCancelled(f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	m := f.message()
	if _, err := f.s.InsertMessages(ctx, []store.NewMessage{m}); err == nil {
		f.Fatal("inserted although the context was over")
	}
	_, err := f.s.Message(f.ctx, m.Message.ID)
	f.wantKind(err, hongyan.NotFound)
}

func insertNoAccount(f *fixture) {
	chosen := func(m *hongyan.Message) { m.ClientMsgID, m.CallerMsgID = "order-1", true }
	first := f.insertNew(f.keyed("k", 1, chosen), store.InsertedNew)
	_, err := f.s.Cancel(f.ctx, first.ID)
	f.must(err)
	f.must(f.s.DeleteAccount(f.ctx, appA))
	gone, other := f.message(func(m *hongyan.Message) { m.Epoch = f.epoch }), f.message(func(m *hongyan.Message) { m.AppID = appB })
	out, err := f.s.InsertMessages(f.ctx, []store.NewMessage{gone, other})
	f.must(err)
	same(f, "of the deleted account", out[0], store.Inserted{Outcome: store.InsertedNoAccount})
	same(f, "of another", out[1].Outcome, store.InsertedNew)
	_, err = f.s.Message(f.ctx, gone.Message.ID)
	f.wantKind(err, hongyan.NotFound)
	same(f, "an idempotency key is still answered", f.insertNew(f.keyed("k", 1), store.InsertedReplay).ID, first.ID)
	f.must(f.s.CreateAccount(f.ctx, hongyan.Account{AppID: appA}))
	f.insert()
}

// insertDeleteRace deletes accounts while messages come in: whoever is first,
// no account that is gone is left with a message that has not ended.
func insertDeleteRace(f *fixture) {
	const rounds = 40
	deleted := countTrue(f, 2*rounds, func(ctx context.Context, i int) (bool, error) {
		appID := fmt.Sprintf("wxrace%010d", i/2)
		if i%2 == 1 {
			err := f.s.DeleteAccount(ctx, appID)
			for hongyan.IsKind(err, hongyan.NotFound) {
				err = f.s.DeleteAccount(ctx, appID)
			}
			return err == nil, nil
		}
		if err := f.s.CreateAccount(ctx, hongyan.Account{AppID: appID}); err != nil {
			return false, err
		}
		n := store.NewMessage{Message: hongyan.Message{ID: hongyan.NewMessageID(), AppID: appID, Kind: hongyan.KindTemplate, Payload: []byte("{}"), DueAt: f.s.Now()}}
		_, err := f.s.InsertMessages(ctx, []store.NewMessage{n})
		return false, err
	})
	accounts, err := f.s.Accounts(f.ctx)
	f.must(err)
	same(f, "accounts left", len(accounts), 2+rounds-deleted)
	counts, err := f.s.Counts(f.ctx)
	f.must(err)
	same(f, "accounts with messages", len(nonZero(counts)), rounds-deleted)
}
