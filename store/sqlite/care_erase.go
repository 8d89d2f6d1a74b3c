package sqlite

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
		if !t.accounts[e.AppID] {
			return unknownAccount(e.AppID)
		}
		_, err := t.exec("INSERT INTO erasures ("+erasureColumns+`) VALUES (?, ?, ?, ?, ?, 0, ?, ?, 0, 0, 0, 0, 0, 0)
			ON CONFLICT (appid, openid) WHERE openid <> '' DO UPDATE SET due_at = excluded.due_at, state = 0`,
			e.ID, e.AppID, e.OpenID, e.Pseudonym, e.By, t.now, t.now)
		if err != nil {
			return err
		}
		var all []hongyan.Erasure
		err = t.query(collectErasures(&all), "SELECT "+erasureColumns+" FROM erasures WHERE appid = ? AND openid = ? AND openid <> ''", e.AppID, e.OpenID)
		if err == nil {
			begun = all[0]
		}
		return err
	})
	return begun, err
}

// DueErasures lists what is to be gone on with; see store.Care.
func (s *Store) DueErasures(ctx context.Context, limit int) ([]hongyan.Erasure, error) {
	return s.listErasures(ctx, "INDEXED BY erasures_open WHERE openid <> '' AND due_at <= ? ORDER BY requested_at, id LIMIT ? + 0", millis(s.Now()), limit)
}

// Erasure finds one; see store.Care.
func (s *Store) Erasure(ctx context.Context, appID, id string) (e hongyan.Erasure, err error) {
	all, err := s.listErasures(ctx, "WHERE id = ? AND appid = ?", id, appID)
	if err == nil && len(all) == 0 {
		err = hongyan.Errorf(hongyan.NotFound, "unknown_erasure", "account %s has no erasure %q", appID, id)
	}
	if err != nil {
		return e, err
	}
	return all[0], nil
}

func (s *Store) listErasures(ctx context.Context, tail string, args ...any) (all []hongyan.Erasure, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, collectErasures(&all), "SELECT "+erasureColumns+" FROM erasures "+tail, args...)
	})
	return all, err
}

// SaveErasure writes how far an erasure is; see store.Care.
func (s *Store) SaveErasure(ctx context.Context, e hongyan.Erasure) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE erasures SET state = ?, due_at = ?, finished_at = ?, look_again = ?, messages = ?, events = ?, others = ?, left_n = ?,
			openid = CASE WHEN ? = 2 THEN '' ELSE openid END WHERE id = ?`,
			int64(e.State), millis(e.DueAt), millis(e.FinishedAt), e.LookAgain, e.Messages, e.Events, e.Others, e.Left, int64(e.State), e.ID)
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

// gently runs a transaction and then leaves the writer to others for as long as it took.
func (x *erasing) gently(weight int, run func(*tx) error) error {
	started := time.Now()
	if err := x.submit(x.ctx, &op{weight: weight + 1, run: run}); err != nil {
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
		err := x.read(x.ctx, func(c *conn) error {
			return c.query(x.ctx, func(r *row) error {
				seqs = append(seqs, r.int64())
				return nil
			}, "SELECT seq FROM messages INDEXED BY messages_touser WHERE touser = ? AND appid = ? AND seq > ? ORDER BY seq LIMIT ? + 0",
				x.e.OpenID, x.e.AppID, after, eraseBatch)
		})
		if err != nil || len(seqs) == 0 {
			return err
		}
		after = seqs[len(seqs)-1]
		var n hongyan.Erased
		err = x.gently(len(seqs), func(t *tx) error {
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

const eraseMessageSQL = `UPDATE messages SET touser = ?, payload = x'', metadata = NULL, client_msg_id = NULL, caller_msg_id = 0, receipt = ? WHERE seq = ?`

func (t *tx) eraseMessage(seq int64, e *hongyan.Erasure, n *hongyan.Erased) error {
	var found []hongyan.Message
	err := t.query(collect(&found), "SELECT "+messageColumns+" FROM messages WHERE seq = ? AND touser = ?", seq, e.OpenID)
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
	if _, err := t.exec(forgetAnswersSQL+"seq = ? AND seq > 0", seq); err != nil {
		return err
	}
	n.Messages++
	return t.execAll(1, eraseMessageSQL, e.Pseudonym, receipt, seq)
}

// pushes takes body and openid from what WeChat pushed, which nobody is handed any more.
func (x *erasing) pushes() error {
	for after := int64(0); ; {
		var ids []int64
		looked := 0
		err := x.read(x.ctx, func(c *conn) error {
			return c.query(x.ctx, func(r *row) error {
				looked++
				if after = r.int64(); r.text() == x.e.OpenID {
					ids = append(ids, after)
				}
				return nil
			}, "SELECT id, openid FROM events INDEXED BY events_appid WHERE appid = ? AND id > ? ORDER BY id LIMIT ? + 0", x.e.AppID, after, eraseLook)
		})
		if err != nil || looked == 0 {
			return err
		}
		for len(ids) > 0 {
			some := ids[:min(len(ids), eraseBatch)]
			ids = ids[len(some):]
			if err := x.gently(2*len(some), func(t *tx) error { return t.erasePushes(some, &x.e) }); err != nil {
				return err
			}
			x.n.Events += int64(len(some))
		}
	}
}

func (t *tx) erasePushes(ids []int64, e *hongyan.Erasure) error {
	for _, id := range ids {
		if _, err := t.changeAndUnblock("DELETE FROM deliveries WHERE event_id = ? RETURNING target, order_key", id); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE events SET openid = ?, body = x'', dedupe_key = 'erased:' || id,
			processed_at = CASE processed_at WHEN 0 THEN ? ELSE processed_at END WHERE id = ?`, e.Pseudonym, t.now, id)
		if err != nil {
			return err
		}
	}
	return nil
}

// lists takes the person out of everything short.
func (x *erasing) lists() error {
	var n int
	err := x.gently(eraseBatch, func(t *tx) error {
		orphans, err := t.exec("DELETE FROM orphans WHERE touser = ? AND appid = ?", x.e.OpenID, x.e.AppID)
		t.orphans -= int64(orphans)
		n = orphans
		if err == nil {
			_, err = t.exec("DELETE FROM form_takes WHERE form IN (SELECT id FROM form_ids WHERE openid = ? AND appid = ?)", x.e.OpenID, x.e.AppID)
		}
		for _, table := range store.PersonTables {
			if err != nil {
				return err
			}
			var gone int
			gone, err = t.exec("DELETE FROM "+table+" WHERE openid = ? AND appid = ?", x.e.OpenID, x.e.AppID)
			n += gone
		}
		if err != nil {
			return err
		}
		fired, err := t.exec(`UPDATE firings SET openid = ?, message = NULL, refusal = '', state = CASE state WHEN 0 THEN 2 ELSE state END,
			code = CASE state WHEN 0 THEN 'erased' ELSE code END, ended_at = CASE state WHEN 0 THEN ? ELSE ended_at END
			WHERE openid = ? AND appid = ?`, x.e.Pseudonym, t.now, x.e.OpenID, x.e.AppID)
		n += fired
		return err
	})
	x.n.Others += int64(n)
	return err
}
