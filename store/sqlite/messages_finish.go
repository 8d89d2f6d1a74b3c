package sqlite

import (
	"context"

	"hongyan"
	"hongyan/internal/fault"
	"hongyan/store"
)

// finishing is one call of FinishAttempts on its way through the writer.
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
	if err := s.submit(ctx, &op{finish: f, weight: len(rs)}); err != nil {
		return nil, err
	}
	return f.out, nil
}

// finishAll settles the results of all finishings of the group together.
func (t *tx) finishAll(group []*op) error {
	var receipts receiptBatch
	for _, o := range group {
		if o.finish == nil {
			continue
		}
		o.finish.out = make([]store.Settled, len(o.finish.in))
		for i := range o.finish.in {
			r, out := &o.finish.in[i], &o.finish.out[i]
			if err := t.settle(r, out); err != nil {
				return alone(err)
			}
			if t.orphans > 0 && out.Applied && r.MsgID != 0 {
				receipts = append(receipts, awaited{r, out})
			}
		}
	}
	return alone(t.joinEarly(receipts))
}

const settleSQL = `UPDATE OR FAIL messages SET state = ?, reason = ?, hold = ?, due_at = coalesce(?, due_at), updated_at = ?,
	epoch = 0, tries = ?, doubt_since = ?, msgid = coalesce(?, msgid), accepted_at = coalesce(?, accepted_at),
	in_review = ?, may_duplicate = ?`

// untriedSQL goes between settleSQL and fencedSQL when no call was made: the
// claim leaves no trace.
const untriedSQL = `, attempts = attempts - 1, first_at = CASE attempts WHEN 1 THEN 0 ELSE first_at END`

// lastSQL goes between settleSQL and fencedSQL when the result has an attempt.
const lastSQL = `, attempts = attempts - 1 + ?, last_n = ?, last_started_at = ?, last_ended_at = ?,
	last_outcome = ?, last_errcode = ?, last_errmsg = ?, last_rid = ?, last_msgid = ?`

const fencedSQL = " WHERE seq = ? AND epoch = ? AND attempts = ? AND appid = ? AND state = 2"

// unfencedSQL stands for fencedSQL where that defect is planted.
const unfencedSQL = " WHERE seq = ?"

// acceptedSQL is settleSQL with lastSQL for the usual result, see usual. It
// has half the arguments.
const acceptedSQL = `UPDATE OR FAIL messages SET state = 4, reason = '', hold = NULL, updated_at = ?,
	epoch = 0, tries = 0, doubt_since = 0, msgid = ?, accepted_at = ?, in_review = 0, may_duplicate = 0,
	last_n = ?, last_started_at = ?, last_ended_at = ?,
	last_outcome = 1, last_errcode = 0, last_errmsg = '` + usualMsg + `', last_rid = '', last_msgid = ?`

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

// settle applies one result if its fence holds.
func (t *tx) settle(r *store.Result, out *store.Settled) error {
	*out = store.Settled{}
	if r.Epoch == 0 || r.Epoch != t.epoch {
		return t.unsettled(r, out)
	}
	if err := t.keepLast(r); err != nil {
		return err
	}
	query, args := t.settleStatement(r)
	if fault.Broken(fault.Fence) {
		query, args = query+unfencedSQL, append(args, r.Seq)
	} else {
		query, args = query+fencedSQL, append(args, r.Seq, r.Epoch, r.Fence.Attempts, r.AppID)
	}
	n, err := t.exec(query, args...)
	if err != nil {
		return err
	}
	if n == 0 {
		return t.unsettled(r, out)
	}
	kind, err := t.kindOf(r.AppID, r.Seq)
	if err != nil {
		return err
	}
	t.moved(r.AppID, kind, hongyan.Sending, r.State, 1)
	*out = store.Settled{Applied: true, State: r.State}
	if err := t.tellResult(r, kind); err != nil {
		return err
	}
	return t.settled(r, out)
}

// settleStatement returns the statement for a result, without its fence.
func (t *tx) settleStatement(r *store.Result) (string, []any) {
	if usual(r) {
		a := &r.Attempts[0]
		return acceptedSQL, []any{t.now, r.MsgID, millis(r.AcceptedAt), a.N, millis(a.StartedAt), millis(a.EndedAt), a.MsgID}
	}
	return withLast(r, settleSQL, t.settleArgs(r))
}

// withLast adds to a statement what is written of the calls of a result.
func withLast(r *store.Result, query string, args []any) (string, []any) {
	n := len(r.Attempts)
	if n == 0 {
		return query + untriedSQL, args
	}
	return query + lastSQL, appendAttempt(append(args, n), &r.Attempts[n-1])
}

// settleArgs are the arguments of settleSQL.
func (t *tx) settleArgs(r *store.Result) []any {
	var due, msgID, acceptedAt any
	if r.State.Waiting() {
		due = millis(r.DueAt)
		if r.State == hongyan.Queued && r.DueAt.IsZero() {
			due = t.now
		}
	}
	if r.MsgID != 0 {
		msgID = r.MsgID
	}
	if !r.AcceptedAt.IsZero() {
		acceptedAt = millis(r.AcceptedAt)
	}
	args := make([]any, 0, 24)
	return append(args, int64(r.State), r.Reason, encodeHold(r.Hold), due, t.now,
		r.Tries, millis(r.DoubtSince), msgID, acceptedAt, r.InReview, r.MayDuplicate)
}

// appendAttempt appends the values of attemptColumns.
func appendAttempt(args []any, a *hongyan.Attempt) []any {
	return append(args, a.N, millis(a.StartedAt), millis(a.EndedAt), int64(a.Outcome), a.Errcode, a.Errmsg, a.RID, a.MsgID)
}

// keepLast moves the attempt in the row to table attempts, if the result
// brings another. A first lease has none to move, which is nearly always.
func (t *tx) keepLast(r *store.Result) error {
	if r.Fence.Attempts == 1 || len(r.Attempts) == 0 {
		return nil
	}
	_, err := t.exec(`INSERT OR REPLACE INTO attempts (seq, `+attemptColumns+`)
		SELECT seq, last_n, last_started_at, last_ended_at, last_outcome, last_errcode, last_errmsg, last_rid, last_msgid
		FROM messages WHERE seq = ? AND epoch = ? AND attempts = ? AND last_n > 0`, r.Seq, r.Epoch, r.Fence.Attempts)
	return err
}

// settled writes what goes with an applied result: all attempts but the last, usage,
// and what became of its form_id.
func (t *tx) settled(r *store.Result, out *store.Settled) error {
	for i := range max(0, len(r.Attempts)-1) {
		args := appendAttempt([]any{r.Seq}, &r.Attempts[i])
		err := t.execAll(1, "INSERT OR REPLACE INTO attempts (seq, "+attemptColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", args...)
		if err != nil {
			return err
		}
	}
	t.use(r.Usage)
	if r.Form != nil {
		return t.settleForm(r, out)
	}
	return nil
}

// unsettled handles a result that did not find its row sending. Either the
// fence does not hold, or a receipt ended the message while the call was under
// way: then the call is recorded, and the state stays what the receipt made it.
func (t *tx) unsettled(r *store.Result, out *store.Settled) error {
	var epoch int64
	var attempts int
	found, err := t.queryOne(func(row *row) error {
		out.State, epoch, attempts = hongyan.State(row.int()), row.int64(), row.int()
		return nil
	}, "SELECT state, epoch, attempts FROM messages WHERE seq = ? AND appid = ?", r.Seq, r.AppID)
	holds := found && r.Epoch != 0 && r.Epoch == t.epoch && epoch == r.Epoch && attempts == r.Fence.Attempts
	if err != nil || !holds {
		return err
	}
	out.Applied = true
	query, args := withLast(r, recordSQL, []any{t.now, r.MsgID, millis(r.AcceptedAt)})
	if err := t.execAll(1, query+" WHERE seq = ?", append(args, r.Seq)...); err != nil {
		return err
	}
	return t.settled(r, out)
}

// recordSQL ends the lease of a message that has ended already.
const recordSQL = `UPDATE OR FAIL messages SET epoch = 0, updated_at = ?,
	msgid = CASE msgid WHEN 0 THEN ? ELSE msgid END, accepted_at = CASE accepted_at WHEN 0 THEN ? ELSE accepted_at END`
