package postgres

import (
	"context"
	"slices"
	"time"

	"hongyan"
	"hongyan/internal/fault"
	"hongyan/store"
)

// joinEarly gives results the receipts that came before them.
func (t *tx) joinEarly(all []*settling) error {
	if len(all) == 0 {
		return nil
	}
	msgIDs := make([]int64, len(all))
	for i, r := range all {
		msgIDs[i] = r.MsgID
	}
	var orphans []store.Orphan
	if err := t.query(collectOrphans(&orphans), "SELECT "+orphanColumns+" FROM orphans WHERE msgid = ANY($1) AND msgid <> 0 FOR UPDATE", msgIDs); err != nil {
		return err
	}
	for _, o := range orphans {
		for _, r := range all {
			if r.MsgID != o.Receipt.MsgID || r.AppID != o.Receipt.AppID {
				continue
			}
			state, err := t.adopt(o, r.Seq, "msgid")
			if err != nil {
				return err
			}
			r.out.State = state
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
	if _, err := t.receive([]received{{&m, o.Receipt}}); err != nil {
		return 0, err
	}
	return m.State, t.dropOrphan(o.ID)
}

func (t *tx) dropOrphan(id int64) error {
	return t.execAll(1, "DELETE FROM orphans WHERE id = $1", id)
}

// received is a message, whose row is locked, and a receipt for it.
type received struct {
	m *hongyan.Message
	r hongyan.Receipt
}

const receiveSQL = `UPDATE messages SET state = came.state, reason = came.reason, hold = NULL, receipt = came.receipt, updated_at = (SELECT hongyan_now()),
	msgid = CASE messages.msgid WHEN 0 THEN came.msgid ELSE messages.msgid END
	FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[], $5::bigint[]) AS came (seq, state, reason, receipt, msgid)
	WHERE messages.seq BETWEEN came.seq AND came.seq`

// receive applies receipts to their messages and returns how many changed something:
// the first receipt wins and rank never falls.
func (t *tx) receive(all []received) (int, error) {
	var seqs, msgIDs []int64
	var states []int16
	var reasons, receipts []string
	for _, x := range all {
		to := x.r.State()
		if x.m.Receipt != nil || to.Rank() <= x.m.State.Rank() {
			continue
		}
		x.r.ToUser = x.m.ToUser // or what stands in its place: the person may have been erased
		seqs, states, reasons = append(seqs, x.m.Seq), append(states, int16(to)), append(reasons, x.r.Reason())
		receipts, msgIDs = append(receipts, encodeReceipt(x.r)), append(msgIDs, x.r.MsgID)
		t.moved(x.m.AppID, x.m.Kind, x.m.State, to, 1)
		x.m.State, x.m.Reason, x.m.Hold, x.m.Receipt = to, x.r.Reason(), nil, new(x.r)
		t.tellMessage(x.m, hongyan.MessageNews(to, true))
	}
	if len(seqs) == 0 {
		return 0, nil
	}
	return len(seqs), t.execAll(len(seqs), receiveSQL, seqs, states, reasons, receipts, msgIDs)
}

// ownersSQL finds the message that each receipt names.
const ownersSQL = `SELECT place, owner.seq FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS came (msgid, appid, place)
	CROSS JOIN LATERAL (SELECT seq FROM messages WHERE messages.msgid = came.msgid AND messages.msgid <> 0 AND messages.appid = came.appid
		ORDER BY seq + 0 LIMIT 1) AS owner`

// arrive takes in receipts: their owners get them, or they become orphans. Before one
// becomes an orphan whoever may be writing its msgid is waited for.
func (t *tx) arrive(all []hongyan.Receipt) error {
	if fault.Armed() {
		all = slices.DeleteFunc(slices.Clone(all), func(hongyan.Receipt) bool { return fault.Drops() })
	}
	rest, err := t.deliverTo(all)
	if err != nil || len(rest) == 0 {
		return err
	}
	if _, err := t.exec("SELECT pg_advisory_xact_lock($1, 0)", lockReceipts); err != nil {
		return err
	}
	if rest, err = t.deliverTo(rest); err != nil || len(rest) == 0 {
		return err
	}
	return t.orphan(rest)
}

// deliverTo gives the receipts to the messages they name and returns the others.
func (t *tx) deliverTo(all []hongyan.Receipt) (rest []hongyan.Receipt, err error) {
	msgIDs, appIDs := make([]int64, len(all)), make([]string, len(all))
	for i := range all {
		msgIDs[i], appIDs[i] = all[i].MsgID, all[i].AppID
	}
	owners := make(map[int]int64) // row numbers by place
	var seqs []int64
	err = t.query(func(r *row) error {
		place := r.int() - 1
		owners[place] = r.int64()
		seqs = append(seqs, owners[place])
		return nil
	}, ownersSQL, msgIDs, appIDs)
	if err != nil {
		return nil, err
	}
	rows, err := t.messagesBySeq(seqs)
	if err != nil {
		return nil, err
	}
	for i, r := range all {
		m := rows[owners[i]]
		if m == nil {
			rest = append(rest, r)
			continue
		}
		r.JoinedBy = "msgid"
		if _, err := t.receive([]received{{m, r}}); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// messagesBySeq reads rows and locks them, always in the same order.
func (t *tx) messagesBySeq(seqs []int64) (map[int64]*hongyan.Message, error) {
	rows := make(map[int64]*hongyan.Message, len(seqs))
	if len(seqs) == 0 {
		return rows, nil
	}
	err := t.query(func(r *row) error {
		m, err := scanMessage(r)
		rows[m.Seq] = &m
		return err
	}, "SELECT "+messageColumns+" FROM messages WHERE seq = ANY($1) ORDER BY seq FOR UPDATE", seqs)
	return rows, err
}

// orphan stores receipts nobody owns, the first of those with one msgid.
func (t *tx) orphan(all []hongyan.Receipt) error {
	n := len(all)
	appIDs, users, statuses, raws := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	msgIDs, ats := make([]int64, n), make([]int64, n)
	for i, r := range all {
		appIDs[i], msgIDs[i], users[i], statuses[i], raws[i], ats[i] = r.AppID, r.MsgID, r.ToUser, r.Status, r.Raw, millis(r.At)
	}
	return t.query(func(r *row) error {
		appID, msgID, user := r.text(), r.int64(), r.text()
		i := slices.IndexFunc(all, func(x hongyan.Receipt) bool { return x.AppID == appID && x.MsgID == msgID && x.ToUser == user })
		if i >= 0 {
			t.tell(hongyan.NewsReceiptUnmatched, appID, 0, func() any { return hongyan.NewReceiptChange(&all[i], true) })
		}
		return nil
	}, `INSERT INTO orphans (appid, msgid, touser, status, raw, at, stored_at)
		SELECT appid, msgid, touser, status, raw, at, (SELECT hongyan_now())
		FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[])
			WITH ORDINALITY AS came (appid, msgid, touser, status, raw, at, place) ORDER BY place
		ON CONFLICT (msgid, appid) WHERE msgid <> 0 DO NOTHING RETURNING appid, msgid, touser`, appIDs, msgIDs, users, statuses, raws, ats)
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
func (s *Store) Orphans(ctx context.Context, age time.Duration, limit int) (all []store.Orphan, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, collectOrphans(&all), "SELECT "+orphanColumns+` FROM orphans
			WHERE stored_at <= (SELECT hongyan_now()) - $1::bigint AND stored_at >= (SELECT hongyan_now()) - $2::bigint ORDER BY stored_at, id LIMIT $3`,
			age.Milliseconds(), orphanLife.Milliseconds(), limit)
	})
	return all, err
}

// joinableSQL starts from the messages in doubt. A doubt older than twice an
// orphan's life cannot be about one that is still offered.
const joinableSQL = `SELECT ` + orphanColumns + ` FROM (
	SELECT orphans.* FROM messages
		CROSS JOIN LATERAL (SELECT * FROM orphans WHERE orphans.touser = messages.touser AND orphans.appid = messages.appid OFFSET 0) AS orphans
		WHERE messages.doubt_since > 0 AND messages.receipt IS NULL AND messages.doubt_since >= (SELECT hongyan_now()) - 2 * $1::bigint
	UNION
	SELECT * FROM orphans WHERE msgid = 0 AND stored_at >= (SELECT hongyan_now()) - $1::bigint) AS maybe
	WHERE stored_at <= (SELECT hongyan_now()) - $2::bigint AND stored_at >= (SELECT hongyan_now()) - $1::bigint AND id > $3 ORDER BY id LIMIT $4`

// Joinable lists receipts that a message may own; see store.Events.
func (s *Store) Joinable(ctx context.Context, age time.Duration, after int64, limit int) (all []store.Orphan, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, collectOrphans(&all), joinableSQL, orphanLife.Milliseconds(), age.Milliseconds(), after, limit)
	})
	return all, err
}

// JoinOrphan gives an orphan to a message; see store.Events.
func (s *Store) JoinOrphan(ctx context.Context, orphan int64, messageID string) (joined bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		joined = false
		m, err := t.messageByID(messageID)
		if err != nil {
			return err
		}
		var found []store.Orphan
		err = t.query(collectOrphans(&found), "SELECT "+orphanColumns+" FROM orphans WHERE id = $1 AND appid = $2 FOR UPDATE", orphan, m.AppID)
		if err != nil || len(found) == 0 {
			return err
		}
		r := found[0].Receipt
		r.JoinedBy = "user_and_time"
		n, err := t.receive([]received{{&m, r}})
		if joined = n > 0; err != nil || !joined {
			return err
		}
		return t.dropOrphan(orphan)
	})
	return joined && err == nil, err
}

// candidatesSQL lists what may own a receipt, by the time of creation or of
// any attempt. A sending row's present attempt began when it was last updated.
const candidatesSQL = "SELECT " + messageColumns + ` FROM messages
	WHERE touser = $1 AND appid = $2 AND receipt IS NULL AND (state IN (2, 3, 4) OR (state IN (0, 1, 5) AND doubt_since > 0))
	AND (created_at BETWEEN $3 AND $4 OR first_at BETWEEN $3 AND $4 OR last_started_at BETWEEN $3 AND $4
		OR (state = 2 AND updated_at BETWEEN $3 AND $4)
		OR EXISTS (SELECT 1 FROM attempts WHERE attempts.seq = messages.seq AND attempts.started_at BETWEEN $3 AND $4))
	ORDER BY seq`

// maxCandidates is more than anybody can choose from.
const maxCandidates = 10

// Candidates lists the messages that may own a receipt; see store.Events.
func (s *Store) Candidates(ctx context.Context, appID, toUser string, from, to time.Time) (all []hongyan.Message, err error) {
	err = s.snapshot(ctx, func(c conn) error {
		all = nil
		holds, err := s.loadHolds(ctx, c)
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
		}, candidatesSQL, toUser, appID, millis(from), millis(to))
	})
	return all, err
}
