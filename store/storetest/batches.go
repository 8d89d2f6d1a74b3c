package storetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hongyan"
	"hongyan/store"
)

var batchCases = []testCase{
	{name: "give back what was made", bubble: true, run: batchesRoundTrip},
	{name: "of an account that is not there are refused", run: batchesNoAccount},
	{name: "are made once with one key", bubble: true, run: batchesOnce},
	{name: "of calls with one key one makes a batch", run: batchesOnceRace},
	{name: "change only from the version that was read", run: batchesVersions},
	{name: "go from the newest to the oldest", run: batchesLists},
	{name: "take chunks in order, while they are open", run: batchesStage},
	{name: "become messages and move on, or do neither", bubble: true, run: batchesFeed},
	{name: "are not fed while they are paused, nor twice", run: batchesFeedOnce},
	{name: "of two that feed at once one wins", run: batchesFeedRace},
	{name: "remember what was refused late", run: batchesLate},
	{name: "have their chunks rewritten", run: batchesRewrite},
	{name: "are counted and listed by their messages", bubble: true, run: batchesCounts},
	{name: "hold, release and cancel what waits", bubble: true, run: batchesHold},
	{name: "keep their account from being deleted", run: batchesKeepAccount},
	{name: "know whose a user is", run: batchesOwners},
	{name: "leave no trace if nothing was ever in them", bubble: true, run: batchesVoid},
	{name: "lose their rows and go in time", bubble: true, run: batchesRetain},
}

func (f *fixture) batch(change ...func(*hongyan.Batch)) hongyan.Batch {
	f.Helper()
	b := hongyan.Batch{ID: hongyan.NewBatchID(), AppID: appA, Kind: hongyan.KindTemplate, TemplateID: "tmpl-1", Spec: []byte(`{}`), Priority: hongyan.Bulk, CallerID: "key_1"}
	for _, c := range change {
		c(&b)
	}
	made, err := f.s.CreateBatch(f.ctx, b, store.Once{})
	f.must(err)
	return made
}

// running is a batch with a chunk of n rows, started.
func (f *fixture) running(n int) hongyan.Batch {
	f.Helper()
	b := f.batch()
	b, err := f.s.StageRows(f.ctx, store.Chunk{Batch: b.Seq, First: 1, N: n, Hashes: make([]byte, 8*n), Data: []byte("rows")})
	f.must(err)
	b.State = hongyan.BatchRunning
	b, err = f.s.UpdateBatch(f.ctx, b)
	f.must(err)
	return b
}

// feed makes rows from to to-1 of a batch's first chunk into messages, leased by epoch.
func (f *fixture) feedRows(b hongyan.Batch, from, to, epoch int64) ([]store.Inserted, error) {
	var ms []store.NewMessage
	for row := from; row < to; row++ {
		ms = append(ms, f.message(func(m *hongyan.Message) {
			m.Batch, m.BatchRow, m.Epoch, m.ToUser = b.Seq, row, epoch, fmt.Sprintf("oUser%023d", row)
		}))
	}
	return f.s.Feed(f.ctx, store.Feed{Batch: b.Seq, From: from, To: to, First: 1, Messages: ms, Speed: 2.5})
}

func (f *fixture) readBatch(id string) hongyan.Batch {
	f.Helper()
	b, err := f.s.Batch(f.ctx, id)
	f.must(err)
	return b
}

func batchesRoundTrip(f *fixture) {
	now := f.s.Now()
	b := f.batch(func(b *hongyan.Batch) {
		b.Name, b.Metadata, b.RetryOf = "十一月账单", []byte(`{"a":1}`), "bat_before"
		b.RatePerSecond, b.QuietHours, b.ExpiresAfter, b.SendAt = 12.5, "22:00-08:00", time.Hour, now.Add(time.Hour)
	})
	if b.Seq == 0 || !b.CreatedAt.Equal(now) || b.Next != 1 {
		f.Fatalf("made: got %+v", b)
	}
	same(f, "batch", f.readBatch(b.ID), b)
	time.Sleep(time.Minute)
	b.Name, b.State, b.Reason, b.Detail, b.SkipBad = "other", hongyan.BatchPaused, "why", "because", true
	b.RatePerSecond, b.QuietHours, b.SendAt = 1, "", time.Time{}
	b.StartedAt, b.EndedAt = f.s.Now(), f.s.Now()
	changed, err := f.s.UpdateBatch(f.ctx, b)
	f.must(err)
	b.Version, b.UpdatedAt = b.Version+1, f.s.Now()
	same(f, "changed", changed, b)
	same(f, "changed, read", f.readBatch(b.ID), b)
	ids, err := f.s.BatchIDs(f.ctx, []int64{b.Seq, b.Seq + 7})
	f.must(err)
	same(f, "ids", ids, map[int64]string{b.Seq: b.ID})
	_, err = f.s.Batch(f.ctx, "bat_none")
	f.wantKind(err, hongyan.NotFound)
}

func batchesNoAccount(f *fixture) {
	_, err := f.s.CreateBatch(f.ctx, hongyan.Batch{ID: "bat_1", AppID: "wxnone"}, store.Once{})
	f.wantKind(err, hongyan.Invalid)
}

func batchesOnce(f *fixture) {
	once := store.Once{Key: "november", BodyHash: [32]byte{1}}
	create := func(caller string, once store.Once) (hongyan.Batch, error) {
		return f.s.CreateBatch(f.ctx, hongyan.Batch{ID: hongyan.NewBatchID(), AppID: appA, Kind: hongyan.KindTemplate, CallerID: caller}, once)
	}
	replay := func(caller string, once store.Once) string {
		f.Helper()
		b, out, err := f.s.ReplayBatch(f.ctx, caller, once)
		f.must(err)
		return fmt.Sprint(out, " ", b.ID)
	}
	first, err := create("key_1", once)
	f.must(err)
	_, err = create("key_1", once)
	f.wantKind(err, hongyan.Conflict)
	other := store.Once{Key: once.Key, BodyHash: [32]byte{2}}
	_, err = create("key_1", other)
	f.wantKind(err, hongyan.Conflict)
	same(f, "the same again", replay("key_1", once), fmt.Sprint(store.InsertedReplay, " ", first.ID))
	same(f, "with another body", replay("key_1", other), fmt.Sprint(store.InsertedMismatch, " ", first.ID))
	same(f, "of another caller", replay("key_2", once), fmt.Sprint(store.InsertedNew, " "))
	theirs, err := create("key_2", once)
	f.must(err)
	same(f, "of another caller, made", replay("key_2", once), fmt.Sprint(store.InsertedReplay, " ", theirs.ID))
	n := f.message(func(m *hongyan.Message) { m.CallerID = "key_1" })
	n.IdempotencyKey = once.Key // a message's keys are others
	out, err := f.s.InsertMessages(f.ctx, []store.NewMessage{n})
	f.must(err)
	same(f, "a message with the key", out[0].Outcome, store.InsertedNew)
	time.Sleep(store.IdempotencyTTL - time.Minute)
	same(f, "after nearly a day", replay("key_1", once), fmt.Sprint(store.InsertedReplay, " ", first.ID))
	time.Sleep(2 * time.Minute)
	same(f, "after a day", replay("key_1", once), fmt.Sprint(store.InsertedNew, " "))
	second, err := create("key_1", other)
	f.must(err)
	same(f, "after a day, made", replay("key_1", other), fmt.Sprint(store.InsertedReplay, " ", second.ID))
}

func batchesOnceRace(f *fixture) {
	yes := countTrue(f, 8, func(ctx context.Context, _ int) (bool, error) {
		_, err := f.s.CreateBatch(ctx, hongyan.Batch{ID: hongyan.NewBatchID(), AppID: appA, Kind: hongyan.KindTemplate}, store.Once{Key: "once"})
		if hongyan.IsKind(err, hongyan.Conflict) {
			return false, nil
		}
		return err == nil, err
	})
	same(f, "batches of one key", yes, 1)
}

func batchesVersions(f *fixture) {
	b := f.batch()
	yes := countTrue(f, 8, func(_ context.Context, i int) (bool, error) {
		mine := b
		mine.Name = fmt.Sprint(i)
		_, err := f.s.UpdateBatch(f.ctx, mine)
		if hongyan.IsKind(err, hongyan.Conflict) {
			return false, nil
		}
		return err == nil, err
	})
	same(f, "changes of one version", yes, 1)
}

func batchesLists(f *fixture) {
	var all []string
	for i := range 5 {
		b := f.batch(func(b *hongyan.Batch) { b.AppID = []string{appA, appB}[i%2] })
		all = append([]string{b.ID}, all...)
	}
	list := func(filter store.BatchFilter) (got []string) {
		f.Helper()
		bs, err := f.s.Batches(f.ctx, filter)
		f.must(err)
		for i := range bs {
			got = append(got, bs[i].ID)
		}
		return got
	}
	same(f, "all", list(store.BatchFilter{Limit: 10}), all)
	same(f, "of an account", list(store.BatchFilter{AppIDs: []string{appB}, Limit: 10}), []string{all[1], all[3]})
	same(f, "a page", list(store.BatchFilter{Limit: 2, Before: f.readBatch(all[1]).Seq}), all[2:4])
	again := f.batch(func(b *hongyan.Batch) { b.RetryOf = all[1] })
	same(f, "retries", list(store.BatchFilter{RetryOf: all[1], States: []hongyan.BatchState{hongyan.BatchOpen}, Limit: 10}), []string{again.ID})
	b := f.readBatch(all[2])
	b.State = hongyan.BatchRunning
	_, err := f.s.UpdateBatch(f.ctx, b)
	f.must(err)
	same(f, "in a state", list(store.BatchFilter{States: []hongyan.BatchState{hongyan.BatchRunning, hongyan.BatchPaused}, Limit: 10}), []string{b.ID})
	counts, err := f.s.BatchStates(f.ctx)
	f.must(err)
	same(f, "by state", counts, map[string]map[hongyan.BatchState]int64{
		appA: {hongyan.BatchOpen: 3, hongyan.BatchRunning: 1}, appB: {hongyan.BatchOpen: 2},
	})
	live, err := f.s.LiveBatches(f.ctx)
	f.must(err)
	if len(live) != 1 || live[0].ID != b.ID {
		f.Fatalf("live: got %v", live)
	}
}

func batchesStage(f *fixture) {
	b := f.batch()
	stage := func(first int64, n, bad int) error {
		_, err := f.s.StageRows(f.ctx, store.Chunk{Batch: b.Seq, First: first, N: n, Bad: bad, Hashes: slices.Repeat([]byte{byte(first)}, 8*n), Data: fmt.Appendf(nil, "from %d", first)})
		return err
	}
	f.must(stage(1, 3, 1))
	f.wantKind(stage(1, 3, 0), hongyan.Conflict)
	f.wantKind(stage(5, 1, 0), hongyan.Conflict)
	f.must(stage(4, 2, 2))
	f.must(stage(6, 4, 0))
	got := f.readBatch(b.ID)
	same(f, "counts", []int64{got.Rows, got.Good, got.Bad(), got.Next}, []int64{9, 6, 3, 1})
	for row, first := range map[int64]int64{1: 1, 3: 1, 4: 4, 5: 4, 9: 6} {
		c, err := f.s.Chunk(f.ctx, b.Seq, row)
		f.must(err)
		if c.First != first || string(c.Data) != fmt.Sprintf("from %d", first) || c.LastSeq != 0 {
			f.Fatalf("chunk of row %d: got %+v", row, c)
		}
	}
	_, err := f.s.Chunk(f.ctx, b.Seq, 10)
	f.wantKind(err, hongyan.NotFound)
	hashes, err := f.s.ChunkHashes(f.ctx, b.Seq, 3, 10)
	f.must(err)
	if len(hashes) != 2 || hashes[0].First != 4 || len(hashes[1].Hashes) != 32 || hashes[1].Hashes[0] != 6 {
		f.Fatalf("hashes: got %+v", hashes)
	}
	for after, want := range map[int64][]int64{0: {1, 4}, 2: {1, 4}, 3: {4}, 5: nil} {
		bad, err := f.s.BadChunks(f.ctx, b.Seq, after, 10)
		f.must(err)
		var firsts []int64
		for i := range bad {
			firsts = append(firsts, bad[i].First)
		}
		same(f, fmt.Sprintf("bad behind row %d", after), firsts, want)
	}
	got.State = hongyan.BatchRunning
	_, err = f.s.UpdateBatch(f.ctx, got)
	f.must(err)
	f.wantKind(stage(10, 1, 0), hongyan.Conflict)
}

func batchesFeed(f *fixture) {
	b := f.running(6)
	ins, err := f.feedRows(b, 1, 4, f.epoch)
	f.must(err)
	for i := range ins {
		m := ins[i].Message
		if ins[i].Outcome != store.InsertedNew || m.State != hongyan.Sending || m.Batch != b.Seq || m.BatchRow != int64(i+1) || m.Epoch != f.epoch {
			f.Fatalf("fed: got %+v", ins[i])
		}
		same(f, "row, read", f.get(m.ID), m)
	}
	got := f.readBatch(b.ID)
	same(f, "moved on", []int64{got.Next, got.Fed, got.Unfed(), got.FedAt.UnixMilli()}, []int64{4, 3, 3, f.s.Now().UnixMilli()})
	if got.Speed != 2.5 {
		f.Fatalf("speed: got %v", got.Speed)
	}
	between := f.insert()
	more, err := f.feedRows(b, 4, 7, 0)
	f.must(err)
	claimed := f.claim(10)
	if len(claimed) != 4 || claimed[1].Batch != b.Seq || claimed[1].BatchRow != 4 {
		f.Fatalf("claimed: got %+v", claimed)
	}
	c, err := f.s.Chunk(f.ctx, b.Seq, 1)
	f.must(err)
	all, err := f.s.ChunkMessages(f.ctx, c)
	f.must(err)
	var rows []int64
	for _, m := range all {
		if m.Payload != nil || m.ID == between.ID {
			f.Fatalf("of the chunk: got %+v", m)
		}
		rows = append(rows, m.BatchRow)
	}
	same(f, "rows", rows, []int64{1, 2, 3, 4, 5, 6})
	same(f, "the last", all[5].ID, more[2].Message.ID)
	counts, err := f.s.Counts(f.ctx)
	f.must(err)
	same(f, "counted", []int64{counts[appA][hongyan.Sending], counts[appA][hongyan.Queued]}, []int64{7, 0})
}

func batchesFeedOnce(f *fixture) {
	b := f.running(4)
	_, err := f.feedRows(b, 1, 3, 0)
	f.must(err)
	_, err = f.feedRows(b, 1, 3, 0)
	f.wantKind(err, hongyan.Conflict)
	b = f.readBatch(b.ID)
	b.State = hongyan.BatchPaused
	b, err = f.s.UpdateBatch(f.ctx, b)
	f.must(err)
	_, err = f.feedRows(b, 3, 5, 0)
	f.wantKind(err, hongyan.Conflict)
	same(f, "messages", len(f.walk(store.Filter{Batch: b.Seq, Limit: 10})), 2)
	b.State = hongyan.BatchRunning
	b, err = f.s.UpdateBatch(f.ctx, b)
	f.must(err)
	_, err = f.feedRows(b, 3, 5, 0)
	f.must(err)
	same(f, "next", f.readBatch(b.ID).Next, int64(5))
}

func batchesFeedRace(f *fixture) {
	b := f.running(50)
	for from := int64(1); from <= 50; from += 10 {
		feeds := make([][]store.NewMessage, 4)
		for i := range feeds {
			for row := from; row < from+10; row++ {
				feeds[i] = append(feeds[i], f.message(func(m *hongyan.Message) { m.Batch, m.BatchRow = b.Seq, row }))
			}
		}
		won := countTrue(f, len(feeds), func(_ context.Context, i int) (bool, error) {
			_, err := f.s.Feed(f.ctx, store.Feed{Batch: b.Seq, From: from, To: from + 10, First: 1, Messages: feeds[i]})
			if hongyan.IsKind(err, hongyan.Conflict) {
				return false, nil
			}
			return err == nil, err
		})
		same(f, "feeders that won", won, 1)
	}
	same(f, "messages", len(f.walk(store.Filter{Batch: b.Seq, Limit: 100})), 50)
	same(f, "fed", f.readBatch(b.ID).Fed, int64(50))
}

func batchesLate(f *fixture) {
	b := f.running(3)
	_, err := f.s.Feed(f.ctx, store.Feed{Batch: b.Seq, From: 1, To: 4, First: 1, Late: 2, Rewritten: &store.Chunk{Bad: 2, Data: []byte("with problems")},
		Messages: []store.NewMessage{f.message(func(m *hongyan.Message) { m.Batch, m.BatchRow = b.Seq, 2 })}})
	f.must(err)
	got := f.readBatch(b.ID)
	same(f, "late", []int64{got.Next, got.Fed, got.Late, got.Unfed()}, []int64{4, 1, 2, 0})
	bad, err := f.s.BadChunks(f.ctx, b.Seq, 0, 5)
	f.must(err)
	if len(bad) != 1 || bad[0].Bad != 2 || string(bad[0].Data) != "with problems" || bad[0].FirstSeq == 0 {
		f.Fatalf("rewritten: got %+v", bad)
	}
}

func batchesRewrite(f *fixture) {
	b := f.running(3)
	c, err := f.s.Chunk(f.ctx, b.Seq, 2)
	f.must(err)
	c.Bad, c.Data, c.Hashes = 1, []byte("other"), slices.Repeat([]byte{9}, 24)
	f.wantKind(f.s.RewriteChunk(f.ctx, c, 2, 1), hongyan.Conflict)
	f.must(f.s.RewriteChunk(f.ctx, c, 1, 1))
	got := f.readBatch(b.ID)
	same(f, "counts", []int64{got.Rows, got.Good, got.Version}, []int64{3, 2, b.Version + 1})
	read, err := f.s.Chunk(f.ctx, b.Seq, 1)
	f.must(err)
	same(f, "chunk", read, c)
	f.must(f.s.RewriteChunk(f.ctx, c, 0, 0))
	same(f, "good", f.readBatch(b.ID).Good, int64(2))
	c.First = 7
	f.wantKind(f.s.RewriteChunk(f.ctx, c, 0, 0), hongyan.NotFound)
}

func batchesCounts(f *fixture) {
	b := f.running(10)
	first, err := f.feedRows(b, 1, 4, f.epoch)
	f.must(err)
	_, err = f.feedRows(b, 4, 8, 0)
	f.must(err)
	f.insert() // of no batch
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(first[1].Message, 9001))
	want := func(what string, wanted map[hongyan.State]int64, waiting int64) {
		f.Helper()
		counts, err := f.s.BatchCounts(f.ctx, b.Seq)
		f.must(err)
		for s, n := range counts {
			if n == 0 {
				delete(counts, s)
			}
		}
		same(f, what, counts, wanted)
		n, err := f.s.BatchWaiting(f.ctx, b.Seq)
		f.must(err)
		same(f, what+": waiting", n, waiting)
	}
	want("counted", map[hongyan.State]int64{hongyan.Sending: 2, hongyan.Queued: 4, hongyan.Accepted: 1}, 6)
	f.must(f.s.PutHold(f.ctx, hongyan.Hold{AppID: appA, Reason: hongyan.HoldPaused, Since: f.s.Now()}))
	want("under a hold", map[hongyan.State]int64{hongyan.Sending: 2, hongyan.Held: 4, hongyan.Accepted: 1}, 6)
	list := func(states ...hongyan.State) int {
		return len(f.walk(store.Filter{Batch: b.Seq, States: states, Limit: 2}))
	}
	same(f, "listed", []int{list(), list(hongyan.Held), list(hongyan.Queued), list(hongyan.Accepted, hongyan.Sending)}, []int{7, 4, 0, 3})
	same(f, "of a user", len(f.walk(store.Filter{Batch: b.Seq, ToUser: first[0].Message.ToUser, Limit: 5})), 1)
	same(f, "of another account", len(f.walk(store.Filter{Batch: b.Seq, AppIDs: []string{appB}, Limit: 5})), 0)
	same(f, "of another batch", len(f.walk(store.Filter{Batch: b.Seq + 1, Limit: 5})), 0)
	all := f.walk(store.Filter{Batch: b.Seq, Limit: 3})
	seqs := make([]int64, len(all))
	for i, id := range all {
		seqs[i] = -f.get(id).Seq
	}
	if !slices.IsSorted(seqs) {
		f.Fatalf("not from the newest: %v", seqs)
	}
}

func batchesHold(f *fixture) {
	b := f.running(10)
	_, err := f.feedRows(b, 1, 6, 0)
	f.must(err)
	plain := f.insert()
	sending, err := f.feedRows(b, 6, 8, f.epoch)
	f.must(err)
	f.finish(store.Settled{Applied: true, State: hongyan.Queued}, f.retry(sending[0].Message, time.Hour))
	h := hongyan.Hold{Reason: hongyan.HoldBatchPaused, Release: "resuming the batch"}
	held := func() (total int) {
		f.Helper()
		for {
			n, err := f.s.HoldBatch(f.ctx, b.Seq, h, 4)
			f.must(err)
			if total += n; n < 4 {
				return total
			}
		}
	}
	same(f, "held", held(), 6)
	same(f, "claimed", ids(f.claim(10)), []string{plain.ID})
	n, err := f.s.ReleaseBatch(f.ctx, b.Seq, "other", 10)
	f.must(err)
	same(f, "for another reason", n, 0)
	n, err = f.s.ReleaseBatch(f.ctx, b.Seq, hongyan.HoldBatchPaused, 10)
	f.must(err)
	same(f, "released", n, 6)
	f.wantState(sending[0].Message.ID, hongyan.Queued, "")
	if due := f.get(sending[0].Message.ID).DueAt; due.Before(f.s.Now().Add(59 * time.Minute)) {
		f.Fatalf("one that waits for its next try is due at %v", due)
	}
	same(f, "claimed again", len(f.claim(3)), 3)
	same(f, "held again", held(), 3)
	_, err = f.s.ReleaseBatch(f.ctx, b.Seq, hongyan.HoldBatchPaused, 1)
	f.must(err)
	n, err = f.s.CancelBatch(f.ctx, b.Seq, 2)
	f.must(err)
	same(f, "cancelled at most", n, 2)
	n, err = f.s.CancelBatch(f.ctx, b.Seq, 10)
	f.must(err)
	same(f, "cancelled the rest", n, 1)
	counts, err := f.s.BatchCounts(f.ctx, b.Seq)
	f.must(err)
	same(f, "counts", []int64{counts[hongyan.Cancelled], counts[hongyan.Sending]}, []int64{3, 4})
	total, err := f.s.Counts(f.ctx)
	f.must(err)
	same(f, "counted", total[appA][hongyan.Cancelled], int64(3))
}

func batchesKeepAccount(f *fixture) {
	b := f.batch()
	f.wantKind(f.s.DeleteAccount(f.ctx, appA), hongyan.Conflict)
	b.State, b.EndedAt = hongyan.BatchCancelled, f.s.Now()
	_, err := f.s.UpdateBatch(f.ctx, b)
	f.must(err)
	f.must(f.s.DeleteAccount(f.ctx, appA))
	same(f, "still known", f.readBatch(b.ID).State, hongyan.BatchCancelled)
}

func batchesOwners(f *fixture) {
	sent := func(appID, user string, state hongyan.State) {
		f.insert(func(m *hongyan.Message) { m.ToUser, m.AppID, m.State = user, appID, state })
	}
	sent(appA, "oOne", hongyan.Accepted)
	sent(appB, "oTwo", hongyan.Delivered)
	sent(appA, "oTwo", hongyan.Failed)
	sent(appA, "oBoth", hongyan.Undelivered)
	sent(appB, "oBoth", hongyan.Delivered)
	for i, state := range []hongyan.State{hongyan.Queued, hongyan.Failed, hongyan.Cancelled, hongyan.Expired, hongyan.Uncertain} {
		sent(appB, fmt.Sprintf("oNever%d", i), state)
	}
	asked := []string{"oOne", "oTwo", "oBoth", "oNever0", "oNever1", "oNever2", "oNever3", "oNever4", "oThree", ""}
	for appID, both := range map[string]string{appA: appA, appB: appB, "wxthird": appB} {
		owners, err := f.s.OwnersOf(f.ctx, appID, asked)
		f.must(err)
		same(f, "owners for "+appID, owners, map[string]string{"oOne": appA, "oTwo": appB, "oBoth": both})
	}
}

func batchesVoid(f *fixture) {
	cancel := func(b hongyan.Batch) {
		f.Helper()
		b.State, b.EndedAt = hongyan.BatchCancelled, f.s.Now()
		_, err := f.s.UpdateBatch(f.ctx, b)
		f.must(err)
	}
	open, void, used := f.batch(), f.batch(), f.batch()
	used, err := f.s.StageRows(f.ctx, store.Chunk{Batch: used.Seq, First: 1, N: 1, Hashes: make([]byte, 8), Data: []byte("x")})
	f.must(err)
	cancel(void)
	cancel(used)
	list := func(filter store.BatchFilter) (ids []string) {
		f.Helper()
		filter.Limit = 10
		all, err := f.s.Batches(f.ctx, filter)
		f.must(err)
		for i := range all {
			ids = append(ids, all[i].ID)
		}
		return ids
	}
	same(f, "listed", list(store.BatchFilter{NoVoid: true}), []string{used.ID, open.ID})
	same(f, "all", list(store.BatchFilter{}), []string{used.ID, void.ID, open.ID})
	time.Sleep(store.VoidKeep - time.Minute)
	_, err = f.s.Sweep(f.ctx)
	f.must(err)
	f.readBatch(void.ID)
	time.Sleep(2 * time.Minute)
	_, err = f.s.Sweep(f.ctx)
	f.must(err)
	same(f, "in the end", list(store.BatchFilter{}), []string{used.ID, open.ID})
}

func batchesRetain(f *fixture) {
	b, young := f.running(3), f.running(3)
	forgotten := f.batch()
	_, err := f.s.StageRows(f.ctx, store.Chunk{Batch: forgotten.Seq, First: 1, N: 1, Hashes: make([]byte, 8), Data: []byte("x")})
	f.must(err)
	_, err = f.feedRows(b, 1, 3, 0)
	f.must(err)
	b = f.readBatch(b.ID)
	b.State, b.EndedAt = hongyan.BatchFinished, f.s.Now()
	_, err = f.s.UpdateBatch(f.ctx, b)
	f.must(err)
	time.Sleep(49 * time.Hour)
	done, err := f.s.Retain(f.ctx, store.Retention{Payload: 48 * time.Hour, Messages: 96 * time.Hour})
	f.must(err)
	same(f, "chunks", []int{done.Chunks, done.Batches}, []int{1, 0})
	_, err = f.s.Chunk(f.ctx, b.Seq, 1)
	f.wantKind(err, hongyan.NotFound)
	_, err = f.s.Chunk(f.ctx, young.Seq, 1)
	f.must(err)
	time.Sleep(48 * time.Hour)
	done, err = f.s.Retain(f.ctx, store.Retention{Payload: 48 * time.Hour, Messages: 96 * time.Hour})
	f.must(err)
	same(f, "batches", []int{done.Chunks, done.Batches}, []int{1, 2})
	_, err = f.s.Batch(f.ctx, forgotten.ID)
	f.wantKind(err, hongyan.NotFound)
	f.readBatch(young.ID)
}
