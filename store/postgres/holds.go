package postgres

import (
	"context"
	"slices"
	"time"

	"hongyan"
	"hongyan/store"
)

// PutHold records a hold on an account; see store.Accounts.
func (s *Store) PutHold(ctx context.Context, h hongyan.Hold) error {
	return s.write(ctx, func(t *tx) error {
		put := h
		put.Since, put.Until, put.Before = hongyan.Millis(h.Since), hongyan.Millis(h.Until), hongyan.Millis(h.Before)
		if put.Since.IsZero() {
			put.Since = fromMillis(t.now)
		}
		standing, found, err := t.hold(h)
		if err != nil {
			return err
		}
		if found {
			put = standing.Renewed(put)
		} else {
			begins, _ := hongyan.NewsOfHold(&put)
			t.tellHold(begins, &put)
		}
		t.notices.add(store.NoticeAccount, h.AppID)
		_, err = t.exec("INSERT INTO holds ("+holdColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (appid, kind, reason) DO UPDATE SET since = excluded.since, until = excluded.until, before = excluded.before,
				release = excluded.release, errcode = excluded.errcode, detail = excluded.detail`,
			put.AppID, string(put.Kind), put.Reason, millis(put.Since), millis(put.Until), millis(put.Before), put.Release, put.Errcode, put.Detail)
		return err
	})
}

// hold reads the hold with the account, kind and reason of h. Until the transaction
// ends nobody else changes the account's.
func (t *tx) hold(h hongyan.Hold) (standing hongyan.Hold, found bool, err error) {
	if err := t.lock(lockHolds, h.AppID); err != nil {
		return standing, false, err
	}
	found, err = t.queryOne(func(r *row) error {
		standing = scanHold(r)
		return nil
	}, "SELECT "+holdColumns+" FROM holds WHERE appid = $1 AND kind = $2 AND reason = $3", h.AppID, string(h.Kind), h.Reason)
	return standing, found, err
}

// LapseHold removes a hold whose time has come; see store.Accounts.
func (s *Store) LapseHold(ctx context.Context, h hongyan.Hold) (bool, error) {
	n := 0
	err := s.write(ctx, func(t *tx) error {
		n = 0
		standing, found, err := t.hold(h)
		if err != nil || !found || longer(standing.Until, hongyan.Millis(h.Until)) {
			return err
		}
		t.notices.add(store.NoticeAccount, h.AppID)
		n, err = t.endHolds("appid = $1 AND kind = $2 AND reason = $3", h.AppID, string(h.Kind), h.Reason)
		return err
	})
	return n > 0, err
}

// ClearHold removes holds; see store.Accounts.
func (s *Store) ClearHold(ctx context.Context, appID string, kind hongyan.MessageKind, reason string) (int, error) {
	n := 0
	err := s.write(ctx, func(t *tx) (err error) {
		t.notices.add(store.NoticeAccount, appID)
		n, err = t.endHolds("appid = $1 AND $2 IN (kind, '*') AND $3 IN (reason, '*')", appID, string(kind), reason)
		return err
	})
	return n, err
}

// endHolds removes holds, tells of it, and returns how many there were.
func (t *tx) endHolds(where string, args ...any) (n int, err error) {
	err = t.query(func(r *row) error {
		n++
		h := scanHold(r)
		_, ends := hongyan.NewsOfHold(&h)
		t.tellHold(ends, &h)
		return nil
	}, "DELETE FROM holds WHERE "+where+" RETURNING "+holdColumns, args...)
	return n, err
}

// Holds lists all holds, by account, kind and reason.
func (s *Store) Holds(ctx context.Context) ([]hongyan.Hold, error) {
	var all []hongyan.Hold
	err := s.read(ctx, func(c conn) (err error) {
		all, err = listHolds(ctx, c)
		return err
	})
	return all, err
}

func listHolds(ctx context.Context, c conn) (all []hongyan.Hold, err error) {
	err = c.query(ctx, func(r *row) error {
		all = append(all, scanHold(r))
		return nil
	}, "SELECT "+holdColumns+` FROM holds ORDER BY appid COLLATE "C", kind COLLATE "C", reason COLLATE "C"`)
	return all, err
}

const holdColumns = "appid, kind, reason, since, until, before, release, errcode, detail"

func scanHold(r *row) hongyan.Hold {
	return hongyan.Hold{AppID: r.text(), Kind: hongyan.MessageKind(r.text()), Reason: r.text(),
		Since: r.time(), Until: r.time(), Before: r.time(), Release: r.text(), Errcode: r.int(), Detail: r.text()}
}

// holdIndex is the holds in force by account. It makes the view in which queued
// messages of a held account are held, though their rows stay as they are.
type holdIndex struct {
	now   time.Time
	holds map[string][]hongyan.Hold
}

func (s *Store) loadHolds(ctx context.Context, c conn) (holdIndex, error) {
	all, err := listHolds(ctx, c)
	index := holdIndex{now: s.Now(), holds: make(map[string][]hongyan.Hold)}
	for _, h := range all {
		if h.Until.IsZero() || h.Until.After(index.now) {
			index.holds[h.AppID] = append(index.holds[h.AppID], h)
		}
	}
	return index, err
}

// covering returns the longest hold on all messages of a kind, nil when there is none.
func (x holdIndex) covering(appID string, kind hongyan.MessageKind) *hongyan.Hold {
	return x.longest(appID, func(h *hongyan.Hold) bool { return h.Before.IsZero() && (h.Kind == "" || h.Kind == kind) })
}

// partial returns the hold on some messages of a kind, nil when there is none.
func (x holdIndex) partial(appID string, kind hongyan.MessageKind) *hongyan.Hold {
	return x.longest(appID, func(h *hongyan.Hold) bool { return !h.Before.IsZero() && (h.Kind == "" || h.Kind == kind) })
}

func (x holdIndex) longest(appID string, covers func(*hongyan.Hold) bool) *hongyan.Hold {
	var longest *hongyan.Hold
	for i := range x.holds[appID] {
		h := &x.holds[appID][i]
		if covers(h) && (longest == nil || longer(h.Until, longest.Until)) {
			longest = h
		}
	}
	return longest
}

// longer reports whether a lasts longer than b; zero lasts until somebody acts.
func longer(a, b time.Time) bool { return !b.IsZero() && (a.IsZero() || a.After(b)) }

// show turns a queued message of a held account into a held one.
func (x holdIndex) show(m *hongyan.Message) {
	if m.State != hongyan.Queued {
		return
	}
	h := x.longest(m.AppID, func(h *hongyan.Hold) bool { return h.Covers(m.Kind, m.Priority, m.DueAt, x.now) })
	if h != nil {
		copied := *h
		m.State, m.Reason, m.Hold = hongyan.Held, h.Reason, &copied
	}
}

// shown is the state in which the messages of a counter appear, those under a
// partial hold aside.
func (x holdIndex) shown(k countKey) hongyan.State {
	if k.state == hongyan.Queued && x.covering(k.appID, k.kind) != nil {
		return hongyan.Held
	}
	return k.state
}

// mayShow reports whether a message of a counter may appear in one of states.
func (x holdIndex) mayShow(k countKey, states []hongyan.State) bool {
	if slices.Contains(states, x.shown(k)) {
		return true
	}
	return k.state == hongyan.Queued && slices.Contains(states, hongyan.Held) && x.partial(k.appID, k.kind) != nil
}
