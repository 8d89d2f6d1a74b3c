package postgres

import (
	"context"
	"strings"

	"hongyan"
	"hongyan/internal/fault"
	"hongyan/store"
)

// finishing is one call of FinishAttempts on its way through a flush.
type finishing struct {
	in  []store.Result
	out []store.Settled
}

// FinishAttempts writes what became of leased messages; see store.Messages.
//
// A Result that names no MsgID, AcceptedAt or (outside a wait) DueAt leaves the
// row's as they are. Its AppID is part of the fence.
func (s *Store) FinishAttempts(ctx context.Context, rs []store.Result) ([]store.Settled, error) {
	if len(rs) == 0 {
		return nil, nil
	}
	f := &finishing{in: rs}
	if err := s.results.submit(ctx, s, f, len(rs)); err != nil {
		return nil, err
	}
	return f.out, nil
}

// settling is one result of a flush, its answer, and whether its row is settled.
type settling struct {
	*store.Result
	out  *store.Settled
	done bool
	kind hongyan.MessageKind
}

// flushResults settles the results of several calls together.
func (s *Store) flushResults(ctx context.Context, ops []*op[*finishing]) error {
	var f flushing
	for _, o := range ops {
		o.in.out = make([]store.Settled, len(o.in.in))
		for i := range o.in.in {
			f.all = append(f.all, settling{Result: &o.in.in[i], out: &o.in.out[i]})
		}
	}
	err := s.transact(ctx, f.look, f.settle)
	if err == nil {
		passAll(fault.ResultAfter, len(ops))
	}
	return err
}

// passAll passes a fault point for each call of a flush.
func passAll(p fault.Point, n int) {
	for range n {
		fault.At(p)
	}
}

// flushing is the results of a flush on their way.
type flushing struct {
	all   []settling
	alive map[int64]bool // the nodes whose word counts
}

// look adds the questions to the transaction's first round trip. The lock keeps away
// who stores a receipt without an owner: either that one sees our msgids, or we its
// receipt.
func (f *flushing) look(q *batch) {
	f.alive = make(map[int64]bool)
	var epochs []int64
	for i := range f.all {
		r := &f.all[i]
		*r.out, r.done = store.Settled{}, false
		if !f.alive[r.Epoch] && r.Epoch != 0 {
			f.alive[r.Epoch] = true
			epochs = append(epochs, r.Epoch)
		}
	}
	clear(f.alive)
	q.exec(nil, "SELECT pg_advisory_xact_lock_shared($1, 0)", lockReceipts)
	q.query(func(r *row) error { f.alive[r.int64()] = true; return nil }, "SELECT epoch FROM nodes WHERE epoch = ANY($1) AND NOT dead", epochs)
}

// settle applies the results whose fences hold, the usual ones by a statement of their own.
func (f *flushing) settle(t *tx) error {
	var common, others, retried []*settling
	for i := range f.all {
		r := &f.all[i]
		if !f.alive[r.Epoch] && !fault.Broken(fault.Fence) {
			continue
		}
		if usual(r.Result) {
			common = append(common, r)
		} else {
			others = append(others, r)
		}
		if r.Fence.Attempts > 1 && len(r.Attempts) > 0 {
			retried = append(retried, r)
		}
	}
	var q batch
	if len(retried) > 0 {
		seqs, epochs, attempts, _ := fencesOf(retried)
		q.exec(nil, keepLastSQL, seqs, epochs, attempts)
	}
	if len(common) > 0 {
		q.query(applied(t, common), withFence(acceptedSQL), acceptedArgs(common)...)
	}
	if len(others) > 0 {
		q.query(applied(t, others), withFence(settleSQL), settleArgs(others, t.now)...)
	}
	if err := t.run(&q); err != nil {
		return err
	}
	if err := f.unsettled(t); err != nil {
		return err
	}
	if err := f.settled(t); err != nil {
		return err
	}
	if err := f.settleForms(t); err != nil {
		return err
	}
	passAll(fault.ResultBefore, len(f.all))
	return nil
}

// withFence is the statement as it is, unless the defect is planted that leaves out
// everything a result is held against but its row.
func withFence(sql string) string {
	if !fault.Broken(fault.Fence) {
		return sql
	}
	for _, condition := range []string{" AND messages.epoch = done.epoch AND messages.attempts = done.attempts", " AND state + 0 = 2", " AND messages.state + 0 = 2"} {
		sql = strings.Replace(sql, condition, "", 1)
	}
	return sql
}

// applied marks the results that a statement applied; it returns their places.
func applied(t *tx, all []*settling) func(*row) error {
	return func(row *row) error {
		r := all[row.int64()-1]
		r.done, r.kind = true, hongyan.MessageKind(row.text())
		*r.out = store.Settled{Applied: true, State: r.State}
		t.moved(r.AppID, r.kind, hongyan.Sending, r.State, 1)
		t.tellResult(r.Result, r.kind)
		return nil
	}
}

// fencesOf returns the fences of results, and the accounts that are part of them.
func fencesOf(all []*settling) (seqs, epochs []int64, attempts []int32, appIDs []string) {
	for _, r := range all {
		seqs, epochs = append(seqs, r.Seq), append(epochs, r.Epoch)
		attempts, appIDs = append(attempts, int32(r.Fence.Attempts)), append(appIDs, r.AppID)
	}
	return seqs, epochs, attempts, appIDs
}

// keepLastSQL moves the attempt in a row to table attempts, when the result brings
// another. A first lease has none to move, which is nearly always.
const keepLastSQL = `INSERT INTO attempts (seq, ` + attemptColumns + `)
	SELECT messages.seq, last_n, last_started_at, last_ended_at, last_outcome, last_errcode, last_errmsg, last_rid, last_msgid
	FROM unnest($1::bigint[], $2::bigint[], $3::integer[]) AS done (seq, epoch, attempts)
	JOIN messages ON messages.seq BETWEEN done.seq AND done.seq AND messages.epoch = done.epoch AND messages.attempts = done.attempts
	WHERE last_n > 0 ` + replaceAttemptSQL

const replaceAttemptSQL = `ON CONFLICT (seq, n) DO UPDATE SET started_at = excluded.started_at, ended_at = excluded.ended_at, outcome = excluded.outcome,
	errcode = excluded.errcode, errmsg = excluded.errmsg, rid = excluded.rid, msgid = excluded.msgid`

// usualMsg is what WeChat says with errcode 0 (spec §4.2.6).
const usualMsg = "ok"

// usual reports whether a result is one call, answered with a msgid and nothing else to say.
func usual(r *store.Result) bool {
	if len(r.Attempts) != 1 || r.State != hongyan.Accepted || r.MsgID == 0 || r.AcceptedAt.IsZero() {
		return false
	}
	a := &r.Attempts[0]
	return a.Outcome == hongyan.Answered && a.Errcode == 0 && a.Errmsg == usualMsg && a.RID == "" &&
		r.Reason == "" && r.Hold == nil && r.Tries == 0 && r.DoubtSince.IsZero() && !r.InReview && !r.MayDuplicate
}

// acceptedSQL is settleSQL for the usual results. It has half the arguments.
const acceptedSQL = `UPDATE messages SET state = 4, reason = '', hold = NULL, updated_at = (SELECT hongyan_now()),
	epoch = 0, tries = 0, doubt_since = 0, msgid = done.msgid, accepted_at = done.accepted_at, in_review = false, may_duplicate = false,
	last_n = done.n, last_started_at = done.started_at, last_ended_at = done.ended_at,
	last_outcome = 1, last_errcode = 0, last_errmsg = '` + usualMsg + `', last_rid = '', last_msgid = done.last_msgid
	FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::text[], $5::bigint[], $6::bigint[], $7::integer[], $8::bigint[], $9::bigint[], $10::bigint[])
		WITH ORDINALITY AS done (seq, epoch, attempts, appid, msgid, accepted_at, n, started_at, ended_at, last_msgid, place)
	WHERE messages.seq BETWEEN done.seq AND done.seq AND messages.epoch = done.epoch AND messages.attempts = done.attempts
		AND messages.appid = done.appid AND state + 0 = 2
	RETURNING done.place, messages.kind`

func acceptedArgs(all []*settling) []any {
	seqs, epochs, attempts, appIDs := fencesOf(all)
	n := len(all)
	msgIDs, accepted, started, ended, lastMsgIDs := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	ns := make([]int32, n)
	for i, r := range all {
		a := &r.Attempts[0]
		msgIDs[i], accepted[i], ns[i] = r.MsgID, millis(r.AcceptedAt), int32(a.N)
		started[i], ended[i], lastMsgIDs[i] = millis(a.StartedAt), millis(a.EndedAt), a.MsgID
	}
	return []any{seqs, epochs, attempts, appIDs, msgIDs, accepted, ns, started, ended, lastMsgIDs}
}

// settleSQL writes any results. One without a call (calls 0) leaves no trace of the claim.
const settleSQL = `UPDATE messages SET state = done.state, reason = done.reason, hold = done.hold, due_at = coalesce(done.due_at, messages.due_at),
	updated_at = (SELECT hongyan_now()), epoch = 0, tries = done.tries, doubt_since = done.doubt_since,
	msgid = coalesce(done.msgid, messages.msgid), accepted_at = coalesce(done.accepted_at, messages.accepted_at),
	in_review = done.in_review, may_duplicate = done.may_duplicate,
	first_at = CASE WHEN calls = 0 AND messages.attempts = 1 THEN 0 ELSE first_at END, ` + lastSQL + `
	FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::text[], $5::smallint[], $6::text[], $7::text[], $8::bigint[], $9::integer[],
		$10::bigint[], $11::bigint[], $12::bigint[], $13::boolean[], $14::boolean[],
		$15::integer[], $16::integer[], $17::bigint[], $18::bigint[], $19::smallint[], $20::integer[], $21::text[], $22::text[], $23::bigint[])
		WITH ORDINALITY AS done (seq, epoch, attempts, appid, state, reason, hold, due_at, tries,
		doubt_since, msgid, accepted_at, in_review, may_duplicate,
		calls, n, started_at, ended_at, outcome, errcode, errmsg, rid, last_msgid, place)
	WHERE messages.seq BETWEEN done.seq AND done.seq AND messages.epoch = done.epoch AND messages.attempts = done.attempts
		AND messages.appid = done.appid AND messages.state + 0 = 2
	RETURNING done.place, messages.kind`

// lastSQL writes the last call of a result, if it had any.
const lastSQL = `attempts = messages.attempts - 1 + calls,
	last_n = CASE calls WHEN 0 THEN last_n ELSE done.n END, last_started_at = CASE calls WHEN 0 THEN last_started_at ELSE done.started_at END,
	last_ended_at = CASE calls WHEN 0 THEN last_ended_at ELSE done.ended_at END, last_outcome = CASE calls WHEN 0 THEN last_outcome ELSE done.outcome END,
	last_errcode = CASE calls WHEN 0 THEN last_errcode ELSE done.errcode END, last_errmsg = CASE calls WHEN 0 THEN last_errmsg ELSE done.errmsg END,
	last_rid = CASE calls WHEN 0 THEN messages.last_rid ELSE done.rid END, last_msgid = CASE calls WHEN 0 THEN messages.last_msgid ELSE done.last_msgid END`

// settleArgs are the arguments of settleSQL.
func settleArgs(all []*settling, now int64) []any {
	seqs, epochs, attempts, appIDs := fencesOf(all)
	n := len(all)
	states, reasons, holds, dues, tries := make([]int16, n), make([]string, n), make([]*string, n), make([]*int64, n), make([]int32, n)
	doubts, msgIDs, accepted := make([]int64, n), make([]*int64, n), make([]*int64, n)
	reviews, duplicates := make([]bool, n), make([]bool, n)
	for i, r := range all {
		states[i], reasons[i], holds[i], tries[i] = int16(r.State), r.Reason, encodeHold(r.Hold), int32(r.Tries)
		doubts[i], reviews[i], duplicates[i] = millis(r.DoubtSince), r.InReview, r.MayDuplicate
		if r.State.Waiting() {
			dues[i] = new(millis(r.DueAt))
			if r.State == hongyan.Queued && r.DueAt.IsZero() {
				dues[i] = new(now)
			}
		}
		if r.MsgID != 0 {
			msgIDs[i] = &r.MsgID
		}
		if !r.AcceptedAt.IsZero() {
			accepted[i] = new(millis(r.AcceptedAt))
		}
	}
	return append([]any{seqs, epochs, attempts, appIDs, states, reasons, holds, dues, tries, doubts, msgIDs, accepted, reviews, duplicates}, lastArgs(all)...)
}

// lastArgs are how many calls each result had, and the last of them.
func lastArgs(all []*settling) []any {
	n := len(all)
	calls := make([]int32, n)
	last := make([]hongyan.Attempt, n)
	for i, r := range all {
		if calls[i] = int32(len(r.Attempts)); calls[i] > 0 {
			last[i] = r.Attempts[calls[i]-1]
		}
	}
	return append([]any{calls}, attemptArgs(last)...)
}

// attemptArgs are attemptColumns, each an array.
func attemptArgs(all []hongyan.Attempt) []any {
	n := len(all)
	ns, outcomes, errcodes := make([]int32, n), make([]int16, n), make([]int32, n)
	started, ended, msgIDs := make([]int64, n), make([]int64, n), make([]int64, n)
	errmsgs, rids := make([]string, n), make([]string, n)
	for i := range all {
		a := &all[i]
		ns[i], started[i], ended[i], outcomes[i] = int32(a.N), millis(a.StartedAt), millis(a.EndedAt), int16(a.Outcome)
		errcodes[i], errmsgs[i], rids[i], msgIDs[i] = int32(a.Errcode), a.Errmsg, a.RID, a.MsgID
	}
	return []any{ns, started, ended, outcomes, errcodes, errmsgs, rids, msgIDs}
}

const stateSQL = `SELECT place, state, messages.epoch, messages.attempts, messages.kind
	FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS done (seq, appid, place)
	JOIN messages ON messages.seq BETWEEN done.seq AND done.seq AND messages.appid = done.appid`

// unsettled handles results that did not find their rows sending. Either the fence
// does not hold, or a receipt ended the message while the call was under way: then the
// call is recorded, and the state stays what the receipt made it.
func (f *flushing) unsettled(t *tx) error {
	var late, ended []*settling
	for i := range f.all {
		if !f.all[i].done {
			late = append(late, &f.all[i])
		}
	}
	if len(late) == 0 {
		return nil
	}
	seqs, _, _, appIDs := fencesOf(late)
	taken := make(map[int64]bool)
	err := t.query(func(row *row) error {
		r := late[row.int64()-1]
		state, epoch, attempts, kind := hongyan.State(row.int()), row.int64(), row.int(), row.text()
		r.out.State = state
		if f.alive[r.Epoch] && epoch == r.Epoch && attempts == r.Fence.Attempts && !taken[r.Seq] {
			taken[r.Seq] = true
			r.kind = hongyan.MessageKind(kind)
			ended = append(ended, r)
		}
		return nil
	}, stateSQL, seqs, appIDs)
	if err != nil || len(ended) == 0 {
		return err
	}
	return t.recordEnded(ended)
}

// recordSQL ends the leases of messages that have ended already.
const recordSQL = `UPDATE messages SET epoch = 0, updated_at = (SELECT hongyan_now()),
	msgid = CASE messages.msgid WHEN 0 THEN done.msgid ELSE messages.msgid END,
	accepted_at = CASE messages.accepted_at WHEN 0 THEN done.accepted_at ELSE messages.accepted_at END, ` + lastSQL + `
	FROM unnest($1::bigint[], $2::bigint[], $3::bigint[],
		$4::integer[], $5::integer[], $6::bigint[], $7::bigint[], $8::smallint[], $9::integer[], $10::text[], $11::text[], $12::bigint[])
		AS done (seq, msgid, accepted_at, calls, n, started_at, ended_at, outcome, errcode, errmsg, rid, last_msgid)
	WHERE messages.seq BETWEEN done.seq AND done.seq`

func (t *tx) recordEnded(ended []*settling) error {
	seqs, _, _, _ := fencesOf(ended)
	msgIDs, accepted := make([]int64, len(ended)), make([]int64, len(ended))
	for i, r := range ended {
		msgIDs[i], accepted[i] = r.MsgID, millis(r.AcceptedAt)
		r.done, r.out.Applied = true, true
	}
	var q batch
	q.execAll(len(ended), recordSQL, append([]any{seqs, msgIDs, accepted}, lastArgs(ended)...)...)
	return t.run(&q)
}

// settled writes what goes with the applied results: all attempts but the last, usage,
// and receipts that came first.
func (f *flushing) settled(t *tx) error {
	var seqs []int64
	var attempts []hongyan.Attempt
	var awaited []*settling
	for i := range f.all {
		r := &f.all[i]
		if !r.done {
			continue
		}
		for j := range max(0, len(r.Attempts)-1) {
			seqs, attempts = append(seqs, r.Seq), append(attempts, r.Attempts[j])
		}
		t.use(r.Usage)
		t.spend(r.Epoch, r.Usage)
		if r.MsgID != 0 {
			awaited = append(awaited, r)
		}
	}
	if len(seqs) > 0 {
		var q batch
		q.exec(nil, `INSERT INTO attempts (seq, `+attemptColumns+`)
			SELECT * FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::bigint[], $5::smallint[], $6::integer[], $7::text[], $8::text[], $9::bigint[]) `+
			replaceAttemptSQL, append([]any{seqs}, attemptArgs(attempts)...)...)
		if err := t.run(&q); err != nil {
			return err
		}
	}
	return t.joinEarly(awaited)
}
