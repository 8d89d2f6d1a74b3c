package sqlite

import (
	"context"
	"time"

	"hongyan"
	"hongyan/internal/fault"
	"hongyan/store"
)

// awaited is an applied result whose receipt may have come first.
type awaited struct {
	result  *store.Result
	settled *store.Settled
}

type receiptBatch []awaited

// joinEarly gives the results the receipts that came before them. It is asked
// only while there are orphans at all.
func (t *tx) joinEarly(all receiptBatch) error {
	for len(all) > 0 {
		query, n := orphanByMsgIDSQL+"(?)", 1
		if len(all) >= inChunk {
			query, n = orphanByMsgIDSQL+inPlaces, inChunk
		}
		if err := t.joinChunk(query, all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

const orphanByMsgIDSQL = "SELECT " + orphanColumns + " FROM orphans INDEXED BY orphans_msgid WHERE msgid <> 0 AND msgid IN "

func (t *tx) joinChunk(query string, chunk receiptBatch) error {
	args := make([]any, len(chunk))
	for i := range chunk {
		args[i] = chunk[i].result.MsgID
	}
	var orphans []store.Orphan
	if err := t.query(collectOrphans(&orphans), query, args...); err != nil {
		return err
	}
	for _, o := range orphans {
		for _, a := range chunk {
			if a.result.MsgID != o.Receipt.MsgID || a.result.AppID != o.Receipt.AppID {
				continue
			}
			state, err := t.adopt(o, a.result.Seq, "msgid")
			if err != nil {
				return err
			}
			a.settled.State = state
			break
		}
	}
	return nil
}

// adopt gives an orphan to the message in row seq and returns the state that
// row is in then.
func (t *tx) adopt(o store.Orphan, seq int64, joinedBy string) (hongyan.State, error) {
	m, err := t.messageBySeq(seq)
	if err != nil {
		return 0, err
	}
	o.Receipt.JoinedBy = joinedBy
	if _, err := t.receive(&m, o.Receipt); err != nil {
		return 0, err
	}
	return m.State, t.dropOrphan(o.ID)
}

func (t *tx) dropOrphan(id int64) error {
	t.orphans--
	return t.execAll(1, "DELETE FROM orphans WHERE id = ?", id)
}

// receive applies a receipt to its message and reports whether it changed
// anything: the first receipt wins and rank never falls.
func (t *tx) receive(m *hongyan.Message, r hongyan.Receipt) (bool, error) {
	to := r.State()
	if m.Receipt != nil || to.Rank() <= m.State.Rank() {
		return false, nil
	}
	r.ToUser = m.ToUser // or what stands in its place: the person may have been erased
	err := t.execAll(1, `UPDATE messages SET state = ?, reason = ?, hold = NULL, receipt = ?, updated_at = ?,
		msgid = CASE msgid WHEN 0 THEN ? ELSE msgid END WHERE seq = ?`,
		int64(to), r.Reason(), encodeReceipt(r), t.now, r.MsgID, m.Seq)
	if err != nil {
		return false, err
	}
	t.moved(m.AppID, m.Kind, m.State, to, 1)
	m.State, m.Reason, m.Hold, m.Receipt = to, r.Reason(), nil, &r
	return true, t.tellMessage(m, hongyan.MessageNews(to, true))
}

// ownerSQL finds the message a receipt names.
const ownerSQL = "SELECT " + messageColumns + ` FROM messages INDEXED BY messages_msgid
	WHERE msgid = ? AND msgid <> 0 AND appid = ? ORDER BY seq LIMIT 1`

// arrive takes in a receipt: its owner gets it, or it becomes an orphan.
func (t *tx) arrive(r hongyan.Receipt) error {
	if fault.Drops() {
		return nil
	}
	var m hongyan.Message
	found, err := t.queryOne(func(row *row) (err error) {
		m, err = scanMessage(row)
		return err
	}, ownerSQL, r.MsgID, r.AppID)
	if err != nil {
		return err
	}
	if found {
		r.JoinedBy = "msgid"
		_, err = t.receive(&m, r)
		return err
	}
	n, err := t.exec(`INSERT INTO orphans (appid, msgid, touser, status, raw, at, stored_at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (msgid, appid) WHERE msgid <> 0 DO NOTHING`,
		r.AppID, r.MsgID, r.ToUser, r.Status, r.Raw, millis(r.At), t.now)
	if t.orphans += int64(n); err != nil || n == 0 {
		return err
	}
	return t.tell(hongyan.NewsReceiptUnmatched, r.AppID, 0, func() any { return hongyan.NewReceiptChange(&r, true) })
}

// orphanColumns are the columns collectOrphans reads.
const orphanColumns = "id, appid, msgid, touser, status, raw, at, stored_at"

func collectOrphans(all *[]store.Orphan) func(*row) error {
	return func(r *row) error {
		*all = append(*all, store.Orphan{
			ID: r.int64(),
			Receipt: hongyan.Receipt{AppID: r.text(), MsgID: r.int64(), ToUser: r.text(),
				Status: r.text(), Raw: r.text(), At: r.time()},
			StoredAt: r.time(),
		})
		return nil
	}
}

// orphanLife is how long an orphan is offered to people and rules.
const orphanLife = 24 * time.Hour

// Orphans lists receipts without an owner; see store.Events.
func (s *Store) Orphans(ctx context.Context, age time.Duration, limit int) ([]store.Orphan, error) {
	now := s.Now()
	var all []store.Orphan
	err := s.read(ctx, func(c *conn) error {
		return c.query(ctx, collectOrphans(&all), "SELECT "+orphanColumns+` FROM orphans INDEXED BY orphans_stored
			WHERE stored_at <= ? AND stored_at >= ? ORDER BY stored_at, id LIMIT ? + 0`,
			millis(now.Add(-age)), millis(now.Add(-orphanLife)), limit)
	})
	return all, err
}

// joinableSQL starts from the messages in doubt. A doubt older than twice an
// orphan's life cannot be about one that is still offered.
const joinableSQL = `SELECT ` + orphanColumns + ` FROM (
	SELECT orphans.* FROM messages INDEXED BY messages_doubt
		CROSS JOIN orphans INDEXED BY orphans_touser ON orphans.touser = messages.touser AND orphans.appid = messages.appid
		WHERE messages.doubt_since > 0 AND messages.receipt IS NULL AND messages.doubt_since >= ?
	UNION
	SELECT * FROM orphans INDEXED BY orphans_nameless WHERE msgid = 0 AND stored_at >= ?)
	WHERE stored_at <= ? AND stored_at >= ? AND id > ? ORDER BY id LIMIT ? + 0`

// Joinable lists receipts that a message may own; see store.Events.
func (s *Store) Joinable(ctx context.Context, age time.Duration, after int64, limit int) ([]store.Orphan, error) {
	now := s.Now()
	oldest := millis(now.Add(-orphanLife))
	var all []store.Orphan
	err := s.read(ctx, func(c *conn) error {
		return c.query(ctx, collectOrphans(&all), joinableSQL,
			millis(now.Add(-2*orphanLife)), oldest, millis(now.Add(-age)), oldest, after, limit)
	})
	return all, err
}

// JoinOrphan gives an orphan to a message; see store.Events.
func (s *Store) JoinOrphan(ctx context.Context, orphan int64, messageID string) (bool, error) {
	var joined bool
	err := s.write(ctx, func(t *tx) error {
		joined = false
		m, err := t.messageByID(messageID)
		if err != nil {
			return err
		}
		var found []store.Orphan
		err = t.query(collectOrphans(&found), "SELECT "+orphanColumns+" FROM orphans WHERE id = ? AND appid = ?", orphan, m.AppID)
		if err != nil || len(found) == 0 {
			return err
		}
		r := found[0].Receipt
		r.JoinedBy = "user_and_time"
		if joined, err = t.receive(&m, r); err != nil || !joined {
			return err
		}
		return t.dropOrphan(orphan)
	})
	return joined, err
}

// candidatesSQL lists what may own a receipt, by the time of creation or of
// any attempt. A sending row's present attempt began when it was last updated.
const candidatesSQL = "SELECT " + messageColumns + ` FROM messages INDEXED BY messages_touser
	WHERE touser = ? AND appid = ? AND receipt IS NULL AND (state IN (2, 3, 4) OR (state IN (0, 1, 5) AND doubt_since > 0))
	AND (created_at BETWEEN ? AND ? OR first_at BETWEEN ? AND ? OR last_started_at BETWEEN ? AND ?
		OR (state = 2 AND updated_at BETWEEN ? AND ?)
		OR EXISTS (SELECT 1 FROM attempts WHERE attempts.seq = messages.seq AND attempts.started_at BETWEEN ? AND ?))
	ORDER BY seq`

// maxCandidates is more than anybody can choose from.
const maxCandidates = 10

// Candidates lists the messages that may own a receipt; see store.Events.
func (s *Store) Candidates(ctx context.Context, appID, toUser string, from, to time.Time) ([]hongyan.Message, error) {
	args := []any{toUser, appID}
	for range 5 {
		args = append(args, millis(from), millis(to))
	}
	var all []hongyan.Message
	err := s.snapshot(ctx, func(c *conn) error {
		holds, err := loadHolds(ctx, c)
		if err != nil {
			return err
		}
		return c.query(ctx, func(r *row) error {
			m, err := scanMessage(r)
			if m.Kind.HasReceipt() && len(all) < maxCandidates {
				holds.show(&m)
				all = append(all, m)
			}
			return err
		}, candidatesSQL, args...)
	})
	return all, err
}
