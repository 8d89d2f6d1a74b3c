package postgres

import (
	"context"
	"time"

	"hongyan"
)

// AnswerMsgID gives a message the number a caller is answered with while WeChat's
// is not known; see store.Messages. UpdatedAt stays: of a leased message it is the
// time of the lease.
func (s *Store) AnswerMsgID(ctx context.Context, id string) (m hongyan.Message, err error) {
	err = s.write(ctx, func(t *tx) error {
		if m, err = t.messageByID(id); err != nil {
			return err
		}
		if m.OwnMsgID == 0 && m.MsgID == 0 && m.Receipt == nil && !m.Final() {
			m.OwnMsgID = hongyan.OwnMsgID(m.Seq)
			if err := t.execAll(1, "UPDATE messages SET own_msgid = $1 WHERE seq = $2", m.OwnMsgID, m.Seq); err != nil {
				return err
			}
		}
		if m.State != hongyan.Queued {
			return nil
		}
		holds, err := s.loadHolds(t.ctx, t.conn)
		holds.show(&m)
		return err
	})
	if err != nil {
		return hongyan.Message{}, err
	}
	return m, nil
}

// ownedSQL finds the own number of the message that has a msgid.
const ownedSQL = `SELECT own_msgid FROM messages
	WHERE msgid = $1 AND msgid <> 0 AND appid = $2 ORDER BY seq LIMIT 1`

// numberedSQL lists a user's messages with an own number that have the receipt with
// a msgid, and those that may still get one: tried, and neither WeChat's number nor
// its event known. What was given up in doubt may get one too.
const numberedSQL = `SELECT own_msgid, receipt IS NOT NULL FROM messages
	WHERE touser = $1 AND own_msgid <> 0 AND appid = $2 AND CASE WHEN receipt IS NOT NULL
		THEN (receipt::json ->> 'msgid')::bigint = $3
		ELSE msgid = 0 AND first_at > 0 AND created_at > $4 AND (state < 5 OR state = 5 AND doubt_since > 0) END`

// openLife is for how long a message without WeChat's number leaves open whose a
// receipt is.
const openLife = 24 * time.Hour

// HandedOnMsgID returns the number a receipt is handed on with; see store.Messages.
// A message never tried leaves nothing open: no receipt can be about it.
func (s *Store) HandedOnMsgID(ctx context.Context, appID string, msgID int64, toUser string) (own int64, open bool, err error) {
	err = s.snapshot(ctx, func(c conn) error {
		own, open = 0, false
		found, err := c.queryOne(ctx, func(r *row) error {
			own = r.int64()
			return nil
		}, ownedSQL, msgID, appID)
		if err != nil || found {
			return err
		}
		var owners []int64
		err = c.query(ctx, func(r *row) error {
			if n := r.int64(); r.bool() {
				owners = append(owners, n)
			} else {
				open = true
			}
			return nil
		}, numberedSQL, toUser, appID, msgID, millis(s.Now().Add(-openLife)))
		// Of receipts without msgid nobody can tell whose this one is, once several were
		// given to messages of one user; and one that waits may get it.
		open = open && (len(owners) == 0 || msgID == 0)
		if len(owners) == 1 && !open {
			own = owners[0]
		}
		return err
	})
	return own, open, err
}
