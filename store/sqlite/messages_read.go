package sqlite

import (
	"context"
	"math"
	"strconv"

	"hongyan"
	"hongyan/store"
)

// Message finds a message by its id; see store.Messages.
func (s *Store) Message(ctx context.Context, id string) (m hongyan.Message, err error) {
	err = s.snapshot(ctx, func(c *conn) error {
		found, err := c.queryOne(ctx, func(r *row) (err error) {
			m, err = scanMessage(r)
			return err
		}, messageSQL, id)
		if err != nil {
			return err
		}
		if !found {
			return unknownMessage(id)
		}
		if m.State != hongyan.Queued {
			return nil
		}
		holds, err := loadHolds(ctx, c)
		holds.show(&m)
		return err
	})
	return m, err
}

// Attempts lists the finished attempts of a message, oldest first.
func (s *Store) Attempts(ctx context.Context, id string) ([]hongyan.Attempt, error) {
	var all []hongyan.Attempt
	err := s.snapshot(ctx, func(c *conn) error {
		var seq int64
		var last hongyan.Attempt
		found, err := c.queryOne(ctx, func(r *row) error {
			seq, last = r.int64(), scanAttempt(r)
			return nil
		}, `SELECT seq, last_n, last_started_at, last_ended_at, last_outcome, last_errcode, last_errmsg, last_rid, last_msgid
			FROM messages WHERE id = ?`, id)
		if err != nil {
			return err
		}
		if !found {
			return unknownMessage(id)
		}
		err = c.query(ctx, func(r *row) error {
			all = append(all, scanAttempt(r))
			return nil
		}, "SELECT "+attemptColumns+" FROM attempts WHERE seq = ? ORDER BY n", seq)
		if last.N > 0 {
			all = append(all, last)
		}
		return err
	})
	return all, err
}

// maxPage is the most a page holds.
const maxPage = 1000

func pageSize(limit int) int { return min(max(limit, 1), maxPage) }

// Messages lists messages newest first; see store.Messages.
func (s *Store) Messages(ctx context.Context, f store.Filter) (store.Page, error) {
	f.Limit = pageSize(f.Limit)
	f.Before = beforeOrNewest(f.Before)
	var page store.Page
	err := s.snapshot(ctx, func(c *conn) error {
		holds, err := loadHolds(ctx, c)
		if err != nil {
			return err
		}
		page.Items, err = list(ctx, c, holds, f)
		for i := range page.Items {
			holds.show(&page.Items[i])
		}
		return err
	})
	if err != nil {
		return store.Page{}, err
	}
	if len(page.Items) > f.Limit {
		page.Items = page.Items[:f.Limit]
		page.Next = page.Items[f.Limit-1].Seq
	}
	return page, nil
}

// beforeOrNewest turns the cursor 0 into one behind the newest row.
func beforeOrNewest(before int64) int64 {
	if before == 0 {
		return math.MaxInt64
	}
	return before
}

// readBySeq reads messages in the order of their numbers given.
func readBySeq(ctx context.Context, c *conn, seqs []int64) (all []hongyan.Message, err error) {
	for _, seq := range seqs {
		if err := c.query(ctx, collect(&all), "SELECT "+messageColumns+" FROM messages WHERE seq = ?", seq); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// list returns up to one message more than the page holds, so that the caller
// sees whether another page follows. The road it takes depends on the filter:
// by user, by a word, by batch, by account and state, or simply back in time.
func list(ctx context.Context, c *conn, holds holdIndex, f store.Filter) (all []hongyan.Message, err error) {
	q := listQuery{}
	switch {
	case f.Query != "":
		q.from = "messages"
		msgID, _ := strconv.ParseInt(f.Query, 10, 64)
		q.and(wordSQL, f.Query, f.Query, msgID, msgID-hongyan.OwnMsgID(0), msgID, f.Query)
	case f.ToUser != "":
		q.from = "messages INDEXED BY messages_touser"
	case f.Batch != 0:
		return listBatch(ctx, c, holds, f)
	case len(f.AppIDs) > 0 || len(f.States) > 0:
		return listByState(ctx, c, holds, f)
	default:
		q.from = "messages NOT INDEXED"
	}
	if f.ToUser != "" {
		q.and("touser = ?", f.ToUser)
	}
	if len(f.AppIDs) > 0 {
		q.and("appid IN (SELECT value FROM json_each(?))", mustJSON(f.AppIDs))
	}
	if len(f.States) > 0 {
		q.and(shownSQL, stateMask(f.States), millis(holds.now))
	}
	q.filter(f)
	err = c.query(ctx, collect(&all), q.sql(messageColumns), append(q.args, f.Before, f.Limit+1)...)
	return all, err
}

// wordSQL finds rows by what a person pastes: an id, a client_msg_id (ours is
// the id), a msgid (WeChat's or ours, which tells the row) or an openid. Each arm has its index.
const wordSQL = `seq IN (SELECT seq FROM messages WHERE id = ?
		UNION SELECT seq FROM messages INDEXED BY messages_client WHERE client_msg_id = ? AND caller_msg_id = 1
		UNION SELECT seq FROM messages INDEXED BY messages_msgid WHERE msgid = ? AND msgid <> 0
		UNION SELECT seq FROM messages WHERE seq = ? AND own_msgid = ? AND own_msgid <> 0
		UNION SELECT seq FROM messages INDEXED BY messages_touser WHERE touser = ?)`

// shownSQL compares the state as shown, with the view of holds, to a mask.
const shownSQL = `(? >> (CASE WHEN state = 0 AND EXISTS (SELECT 1 FROM holds
	WHERE holds.appid = messages.appid AND holds.kind IN ('', messages.kind) AND (holds.until = 0 OR holds.until > ?)
	AND (holds.before = 0 OR messages.priority > 0 AND messages.due_at < holds.before)) THEN 1 ELSE state END)) & 1`

func stateMask(states []hongyan.State) int64 {
	var mask int64
	for _, s := range states {
		mask |= 1 << s
	}
	return mask
}

// listQuery is a list statement in the making.
type listQuery struct {
	from  string
	where string
	args  []any
}

func (q *listQuery) and(condition string, args ...any) {
	q.where += condition + " AND "
	q.args = append(q.args, args...)
}

// andIfSet adds a condition on a text unless it is empty.
func (q *listQuery) andIfSet(condition, text string) {
	if text != "" {
		q.and(condition, text)
	}
}

// filter adds the conditions that are checked row by row on every road.
func (q *listQuery) filter(f store.Filter) {
	if f.Batch != 0 {
		q.and("batch = ?", f.Batch)
	}
	if f.TemplateID != "" {
		q.and("template_id = ?", f.TemplateID)
	}
	if !f.Since.IsZero() {
		q.and("created_at >= ?", f.Since.UnixMilli())
	}
	if !f.Until.IsZero() {
		q.and("created_at < ?", f.Until.UnixMilli())
	}
}

// sql returns the statement; its last two arguments are the cursor and the limit.
func (q *listQuery) sql(columns string) string { return q.sqlBy("seq", columns) }

// sqlBy is sql for a table whose rows are numbered by another column than seq.
func (q *listQuery) sqlBy(number, columns string) string {
	return "SELECT " + columns + " FROM " + q.from + " WHERE " + q.where + number + " < ? ORDER BY " + number + " DESC LIMIT ? + 0"
}
