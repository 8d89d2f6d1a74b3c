package postgres

import (
	"context"
	"time"

	"hongyan"
	"hongyan/store"
)

const erasureColumns = `id, appid, openid, pseudonym, asked_by, state, requested_at, due_at, finished_at, look_again,
	messages, events, others, left_n`

func collectErasures(all *[]hongyan.Erasure) func(*row) error {
	return func(r *row) error {
		*all = append(*all, hongyan.Erasure{
			ID: r.text(), AppID: r.text(), OpenID: r.text(), Pseudonym: r.text(), By: r.text(), State: hongyan.ErasureState(r.int()),
			RequestedAt: r.time(), DueAt: r.time(), FinishedAt: r.time(), LookAgain: r.bool(),
			Erased: hongyan.Erased{Messages: r.int64(), Events: r.int64(), Others: r.int64(), Left: r.int64()},
		})
		return nil
	}
}

// BeginErasure stores an erasure; see store.Care.
func (s *Store) BeginErasure(ctx context.Context, e hongyan.Erasure) (begun hongyan.Erasure, err error) {
	err = s.write(ctx, func(t *tx) error {
		if _, err := t.exec("SELECT pg_advisory_xact_lock_shared($1, 0)", lockAccounts); err != nil {
			return err
		}
		accounts, err := t.accounts([]string{e.AppID})
		if err == nil && !accounts[e.AppID] {
			err = unknownAccount(e.AppID)
		}
		if err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO erasures ("+erasureColumns+`) VALUES ($1, $2, $3, $4, $5, 0, $6, $7, 0, false, 0, 0, 0, 0)
			ON CONFLICT (appid, openid) WHERE openid <> '' DO UPDATE SET due_at = excluded.due_at, state = 0`,
			e.ID, e.AppID, e.OpenID, e.Pseudonym, e.By, t.now, t.now)
		if err != nil {
			return err
		}
		var all []hongyan.Erasure
		err = t.query(collectErasures(&all), "SELECT "+erasureColumns+" FROM erasures WHERE appid = $1 AND openid = $2 AND openid <> ''", e.AppID, e.OpenID)
		if err == nil {
			begun = all[0]
		}
		return err
	})
	return begun, err
}

// DueErasures lists what is to be gone on with; see store.Care.
func (s *Store) DueErasures(ctx context.Context, limit int) ([]hongyan.Erasure, error) {
	return s.listErasures(ctx, "WHERE openid <> '' AND due_at <= $1 ORDER BY requested_at, id LIMIT $2", millis(s.Now()), limit)
}

// Erasure finds one; see store.Care.
func (s *Store) Erasure(ctx context.Context, appID, id string) (e hongyan.Erasure, err error) {
	all, err := s.listErasures(ctx, "WHERE id = $1 AND appid = $2", id, appID)
	if err == nil && len(all) == 0 {
		err = hongyan.Errorf(hongyan.NotFound, "unknown_erasure", "account %s has no erasure %q", appID, id)
	}
	if err != nil {
		return e, err
	}
	return all[0], nil
}

func (s *Store) listErasures(ctx context.Context, tail string, args ...any) (all []hongyan.Erasure, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, collectErasures(&all), "SELECT "+erasureColumns+" FROM erasures "+tail, args...)
	})
	return all, err
}

// SaveErasure writes how far an erasure is; see store.Care.
func (s *Store) SaveErasure(ctx context.Context, e hongyan.Erasure) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE erasures SET state = $1, due_at = $2, finished_at = $3, look_again = $4, messages = $5, events = $6, others = $7, left_n = $8,
			openid = CASE $1::smallint WHEN 2 THEN '' ELSE openid END WHERE id = $9`,
			int16(e.State), millis(e.DueAt), millis(e.FinishedAt), e.LookAgain, e.Messages, e.Events, e.Others, e.Left, e.ID)
		return err
	})
}

const (
	// eraseBatch is how many rows one transaction of an erasure changes.
	eraseBatch = 200
	// eraseLook is how many pushes are looked at in one reading: they have no index by
	// user, which every one of them would pay for.
	eraseLook = 5000
)

// erasing is one pass over what is stored about a person.
type erasing struct {
	*Store
	ctx context.Context
	e   hongyan.Erasure
	n   hongyan.Erased
}

// EraseUser makes one pass; see store.Care.
func (s *Store) EraseUser(ctx context.Context, e hongyan.Erasure) (hongyan.Erased, error) {
	x := &erasing{Store: s, ctx: ctx, e: e}
	for _, step := range []func() error{x.messages, x.pushes, x.news, x.lists} {
		if err := step(); err != nil {
			return x.n, err
		}
	}
	return x.n, nil
}

// gently runs a transaction and then leaves the database to others for as long as it took.
func (x *erasing) gently(run func(*tx) error) error {
	started := time.Now()
	if err := x.write(x.ctx, run); err != nil {
		return err
	}
	select {
	case <-time.After(time.Since(started)):
		return nil
	case <-x.ctx.Done():
		return x.ctx.Err()
	}
}

// messages cancels what waits, and takes the person out of what left.
func (x *erasing) messages() error {
	x.n.Left, x.n.Awaiting = 0, 0
	for after := int64(0); ; {
		var seqs []int64
		err := x.read(x.ctx, func(c conn) error {
			seqs = nil
			return c.query(x.ctx, func(r *row) error {
				seqs = append(seqs, r.int64())
				return nil
			}, "SELECT seq FROM messages WHERE touser = $1 AND appid = $2 AND seq > $3 ORDER BY seq LIMIT $4",
				x.e.OpenID, x.e.AppID, after, eraseBatch)
		})
		if err != nil || len(seqs) == 0 {
			return err
		}
		after = seqs[len(seqs)-1]
		var n hongyan.Erased
		err = x.gently(func(t *tx) error {
			n = hongyan.Erased{}
			for _, seq := range seqs {
				if err := t.eraseMessage(seq, &x.e, &n); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		x.n.Messages, x.n.Left, x.n.Awaiting = x.n.Messages+n.Messages, x.n.Left+n.Left, x.n.Awaiting+n.Awaiting
	}
}

const eraseMessageSQL = `UPDATE messages SET touser = $1, payload = '', metadata = NULL, client_msg_id = NULL, caller_msg_id = false, receipt = $2 WHERE seq = $3`

func (t *tx) eraseMessage(seq int64, e *hongyan.Erasure, n *hongyan.Erased) error {
	var found []hongyan.Message
	err := t.query(collect(&found), "SELECT "+messageColumns+" FROM messages WHERE seq = $1 AND touser = $2 FOR UPDATE", seq, e.OpenID)
	if err != nil || len(found) == 0 {
		return err
	}
	m := &found[0]
	if m.State.Waiting() && m.DoubtSince.IsZero() {
		if err := t.cancel(m); err != nil {
			return err
		}
	}
	if m.State < hongyan.Uncertain { // being sent, or in doubt: its end will find it
		n.Left++
		return nil
	}
	if store.AwaitsEvent(m, fromMillis(t.now)) {
		n.Awaiting++
	}
	var receipt any
	if m.Receipt != nil {
		m.Receipt.ToUser = e.Pseudonym
		receipt = encodeReceipt(*m.Receipt)
	}
	if _, err := t.exec(forgetAnswersSQL+"seq = $1 AND seq > 0", seq); err != nil {
		return err
	}
	n.Messages++
	return t.execAll(1, eraseMessageSQL, e.Pseudonym, receipt, seq)
}

// pushes takes body and openid from what WeChat pushed, which nobody is handed any more.
func (x *erasing) pushes() error {
	for after := int64(0); ; {
		var ids []int64
		looked, last := 0, after
		err := x.read(x.ctx, func(c conn) error {
			ids, looked = nil, 0
			return c.query(x.ctx, func(r *row) error {
				looked++
				if last = r.int64(); r.text() == x.e.OpenID {
					ids = append(ids, last)
				}
				return nil
			}, "SELECT id, openid FROM events WHERE appid = $1 AND id > $2 ORDER BY id LIMIT $3", x.e.AppID, after, eraseLook)
		})
		if err != nil || looked == 0 {
			return err
		}
		after = last
		for len(ids) > 0 {
			some := ids[:min(len(ids), eraseBatch)]
			ids = ids[len(some):]
			if err := x.gently(func(t *tx) error { return t.erasePushes(some, &x.e) }); err != nil {
				return err
			}
			x.n.Events += int64(len(some))
		}
	}
}

func (t *tx) erasePushes(ids []int64, e *hongyan.Erasure) error {
	var targets []string
	err := t.query(func(r *row) error {
		targets = append(targets, r.text())
		return nil
	}, "SELECT DISTINCT target FROM deliveries WHERE event_id = ANY($1)", ids)
	if err != nil {
		return err
	}
	if err := t.lockTargets(targets); err != nil {
		return err
	}
	if _, err := t.changeAndReorder("DELETE FROM deliveries WHERE event_id = ANY($1) RETURNING target, order_key", ids); err != nil {
		return err
	}
	_, err = t.exec(`WITH theirs AS (SELECT id AS their_id FROM events WHERE id = ANY($1) ORDER BY id FOR UPDATE)
		UPDATE events SET openid = $2, body = '', dedupe_key = 'erased:' || id,
			processed_at = CASE processed_at WHEN 0 THEN (SELECT hongyan_now()) ELSE processed_at END WHERE id = ANY(ARRAY(SELECT their_id FROM theirs))`, ids, e.Pseudonym)
	return err
}

// lists takes the person out of everything short.
func (x *erasing) lists() error {
	var n int
	err := x.gently(func(t *tx) error {
		orphans, err := t.exec("DELETE FROM orphans WHERE touser = $1 AND appid = $2", x.e.OpenID, x.e.AppID)
		n = orphans
		if err == nil {
			_, err = t.exec("DELETE FROM form_takes WHERE form IN (SELECT id FROM form_ids WHERE openid = $1 AND appid = $2)", x.e.OpenID, x.e.AppID)
		}
		for _, table := range store.PersonTables {
			if err != nil {
				return err
			}
			var gone int
			gone, err = t.exec("DELETE FROM "+table+" WHERE openid = $1 AND appid = $2", x.e.OpenID, x.e.AppID)
			n += gone
		}
		if err != nil {
			return err
		}
		fired, err := t.exec(`UPDATE firings SET openid = $1, message = NULL, refusal = '', state = CASE state WHEN 0 THEN 2::smallint ELSE state END,
			code = CASE state WHEN 0 THEN 'erased' ELSE code END, ended_at = CASE state WHEN 0 THEN $2::bigint ELSE ended_at END
			WHERE openid = $3 AND appid = $4`, x.e.Pseudonym, t.now, x.e.OpenID, x.e.AppID)
		n += fired
		return err
	})
	x.n.Others += int64(n)
	return err
}
