package postgres

import (
	"context"
	"time"

	"hongyan"
	"hongyan/store"
)

// Cancel ends a waiting message; see store.Messages.
func (s *Store) Cancel(ctx context.Context, id string) (m hongyan.Message, err error) {
	err = s.write(ctx, func(t *tx) (err error) {
		if m, err = t.messageByID(id); err != nil {
			return err
		}
		return t.cancel(&m)
	})
	return m, err
}

func (t *tx) cancel(m *hongyan.Message) error {
	if !m.State.Waiting() {
		return wrongState("cancelled", m)
	}
	if !m.DoubtSince.IsZero() {
		return hongyan.Errorf(hongyan.Conflict, "in_doubt", "message %s may have been sent already and cannot be cancelled", m.ID)
	}
	if err := t.execAll(1, "UPDATE messages SET state = 6, reason = '', hold = NULL, updated_at = $1 WHERE seq = $2", t.now, m.Seq); err != nil {
		return err
	}
	t.moved(m.AppID, m.Kind, m.State, hongyan.Cancelled, 1)
	m.State, m.Reason, m.Hold, m.UpdatedAt = hongyan.Cancelled, "", nil, fromMillis(t.now)
	t.tellMessage(m, hongyan.NewsCancelled)
	return nil
}

const expireSQL = `WITH late AS (SELECT seq AS late_seq, state AS was FROM messages
		WHERE expires_at > 0 AND expires_at <= (SELECT hongyan_now()) AND state < 2 AND doubt_since = 0
		ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
	UPDATE messages SET state = 7, hold = NULL, updated_at = (SELECT hongyan_now()) FROM late WHERE seq BETWEEN late_seq AND late_seq
	RETURNING appid, kind, was, seq, reason`

// Expire ends waiting messages whose time is over; see store.Messages. The
// reason a message waited for stays with it.
func (s *Store) Expire(ctx context.Context, limit int) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		n = 0
		return t.query(func(r *row) error {
			n++
			appID := r.text()
			t.moved(appID, hongyan.MessageKind(r.text()), hongyan.State(r.int()), hongyan.Expired, 1)
			seq, change := r.int64(), hongyan.MessageChange{State: hongyan.Expired.String(), Reason: r.text(), Final: true}
			t.tell(hongyan.NewsExpired, appID, seq, func() any { return change })
			return nil
		}, expireSQL, limit)
	})
	return n, err
}

// HoldTemplate holds the queued messages of a template; see store.Messages. One
// in doubt goes on, to settle inside its window; one scheduled for later keeps
// its time. Without an end to wait for that is kept below zero, where no claim looks.
func (s *Store) HoldTemplate(ctx context.Context, templateID string, h hongyan.Hold, limit int) (int, error) {
	if h.Since.IsZero() {
		h.Since = s.Now()
	}
	h.Since, h.Until = hongyan.Millis(h.Since), hongyan.Millis(h.Until)
	return s.switchTemplate(ctx, h.AppID, hongyan.Queued, &h, holdTemplateSQL,
		h.AppID, templateID, limit, h.Reason, encodeHold(&h), millis(h.Until))
}

// ReleaseTemplate makes held messages of a template queued again; see
// store.Messages. A zero due is now.
func (s *Store) ReleaseTemplate(ctx context.Context, appID, templateID, reason string, due time.Time, limit int) (int, error) {
	if due.IsZero() {
		due = s.Now()
	}
	return s.switchTemplate(ctx, appID, hongyan.Held, nil, releaseTemplateSQL,
		appID, templateID, limit, reason, millis(due))
}

const (
	holdTemplateSQL = `WITH found AS (SELECT seq AS found_seq FROM messages
			WHERE stream IN (SELECT stream FROM streams WHERE appid = $1) AND due_at > 0 AND state < 2 AND state = 0
				AND template_id = $2 AND doubt_since = 0
			LIMIT $3 FOR UPDATE)
		UPDATE messages SET state = 1, reason = $4, hold = $5, updated_at = (SELECT hongyan_now()),
			due_at = CASE WHEN $6::bigint > 0 THEN greatest(due_at, $6::bigint) WHEN due_at > (SELECT hongyan_now()) THEN -due_at ELSE 0 END
		WHERE seq = ANY(ARRAY(SELECT found_seq FROM found)) RETURNING kind, seq`
	releaseTemplateSQL = `WITH found AS (SELECT seq AS found_seq FROM messages
			WHERE stream IN (SELECT stream FROM streams WHERE appid = $1) AND state = 1 AND ` + rareSQL + `
				AND $2 IN (template_id, '') AND reason = $4
			LIMIT $3 FOR UPDATE)
		UPDATE messages SET state = 0, reason = '', hold = NULL, updated_at = (SELECT hongyan_now()), due_at = greatest($5::bigint, -due_at)
		WHERE seq = ANY(ARRAY(SELECT found_seq FROM found)) RETURNING kind, seq`
)

// switchTemplate holds messages of a template under a hold, or releases them (nil).
func (s *Store) switchTemplate(ctx context.Context, appID string, from hongyan.State, h *hongyan.Hold, sql string, args ...any) (n int, err error) {
	to := hongyan.Queued
	if h != nil {
		to = hongyan.Held
	}
	news := store.NewsOfSwitch(to, h)
	err = s.write(ctx, func(t *tx) error {
		n = 0
		t.notices.add(store.NoticeMessages, appID)
		return t.query(func(r *row) error {
			n++
			t.moved(appID, hongyan.MessageKind(r.text()), from, to, 1)
			t.tell(news.Type, appID, r.int64(), func() any { return news.Change })
			return nil
		}, sql, args...)
	})
	return n, err
}
