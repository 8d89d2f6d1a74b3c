package postgres

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"hongyan"
	"hongyan/store"
)

// Message finds a message by its id; see store.Messages.
func (s *Store) Message(ctx context.Context, id string) (m hongyan.Message, err error) {
	err = s.snapshot(ctx, func(c conn) error {
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
		holds, err := s.loadHolds(ctx, c)
		holds.show(&m)
		return err
	})
	return m, err
}

// Attempts lists the finished attempts of a message, oldest first.
func (s *Store) Attempts(ctx context.Context, id string) ([]hongyan.Attempt, error) {
	var all []hongyan.Attempt
	err := s.snapshot(ctx, func(c conn) error {
		all = nil
		var seq int64
		var last hongyan.Attempt
		found, err := c.queryOne(ctx, func(r *row) error {
			seq, last = r.int64(), scanAttempt(r)
			return nil
		}, `SELECT seq, last_n, last_started_at, last_ended_at, last_outcome, last_errcode, last_errmsg, last_rid, last_msgid
			FROM messages WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if !found {
			return unknownMessage(id)
		}
		err = c.query(ctx, func(r *row) error {
			all = append(all, scanAttempt(r))
			return nil
		}, "SELECT "+attemptColumns+" FROM attempts WHERE seq = $1 ORDER BY n", seq)
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
	err := s.snapshot(ctx, func(c conn) error {
		holds, err := s.loadHolds(ctx, c)
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

// readBySeq reads messages, the newest first.
func readBySeq(ctx context.Context, c conn, seqs []int64) (all []hongyan.Message, err error) {
	err = c.query(ctx, collect(&all), "SELECT "+messageColumns+" FROM messages WHERE seq = ANY($1) ORDER BY seq DESC", seqs)
	return all, err
}

// list returns up to one message more than the page holds, so that the caller
// sees whether another page follows. The road it takes depends on the filter:
// by user, by a word, by batch, by account and state, or simply back in time.
func list(ctx context.Context, c conn, holds holdIndex, f store.Filter) (all []hongyan.Message, err error) {
	if f.Query == "" && f.ToUser == "" && f.Batch != 0 {
		return listBatch(ctx, c, holds, f)
	}
	if f.Query == "" && f.ToUser == "" && (len(f.AppIDs) > 0 || len(f.States) > 0) {
		return listByState(ctx, c, holds, f)
	}
	q := listQuery{from: "messages"}
	if f.Query != "" {
		q.and(q.word(f.Query))
	}
	q.andIfSet("touser", f.ToUser)
	if len(f.AppIDs) > 0 {
		q.and("appid = ANY(" + q.arg(f.AppIDs) + ")")
	}
	if len(f.States) > 0 {
		q.and(q.shown(holds, f.States))
	}
	q.filter(f)
	text, args := q.by("seq", messageColumns, f.Before, f.Limit+1)
	err = c.query(ctx, collect(&all), text, args...)
	return all, err
}

// word finds rows by what a person pastes: an id, a client_msg_id (ours is the id), a
// msgid (WeChat's or ours, which tells the row) or an openid. Each arm has its index.
func (q *listQuery) word(word string) string {
	msgID, _ := strconv.ParseInt(word, 10, 64)
	text, number, seq := q.arg(word), q.arg(msgID), q.arg(msgID-hongyan.OwnMsgID(0))
	return fmt.Sprintf(`seq IN (SELECT seq FROM messages WHERE id = %[1]s
		UNION SELECT seq FROM messages WHERE client_msg_id = %[1]s AND caller_msg_id
		UNION SELECT seq FROM messages WHERE msgid = %[2]s AND msgid <> 0
		UNION SELECT seq FROM messages WHERE seq = %[3]s AND own_msgid = %[2]s AND own_msgid <> 0
		UNION SELECT seq FROM messages WHERE touser = %[1]s)`, text, number, seq)
}

// shown compares the state as shown, with the view of holds, to states.
func (q *listQuery) shown(holds holdIndex, states []hongyan.State) string {
	return `(CASE WHEN state = 0 AND EXISTS (SELECT 1 FROM holds
		WHERE holds.appid = messages.appid AND holds.kind IN ('', messages.kind) AND (holds.until = 0 OR holds.until > ` + q.arg(millis(holds.now)) + `)
		AND (holds.before = 0 OR messages.priority > 0 AND messages.due_at < holds.before)) THEN 1 ELSE state END) = ANY(` + q.arg(stateArray(states)) + ")"
}

// listQuery is a list statement in the making.
type listQuery struct {
	from  string
	where string
	args  []any
}

// arg adds an argument and returns its placeholder.
func (q *listQuery) arg(a any) string {
	q.args = append(q.args, a)
	return "$" + strconv.Itoa(len(q.args))
}

func (q *listQuery) and(condition string) { q.where += condition + " AND " }

// andIfSet compares a text column with text unless it is empty.
func (q *listQuery) andIfSet(column, text string) {
	if text != "" {
		q.and(column + " = " + q.arg(text))
	}
}

// filter adds the conditions that are checked row by row on every road.
func (q *listQuery) filter(f store.Filter) {
	if f.Batch != 0 {
		q.and("batch = " + q.arg(f.Batch))
	}
	q.andIfSet("template_id", f.TemplateID)
	if !f.Since.IsZero() {
		q.and("created_at >= " + q.arg(f.Since.UnixMilli()))
	}
	if !f.Until.IsZero() {
		q.and("created_at < " + q.arg(f.Until.UnixMilli()))
	}
}

// by returns the statement and its arguments for one page, newest first by the column
// that numbers the rows.
func (q *listQuery) by(number, columns string, before int64, limit int) (string, []any) {
	return "SELECT " + columns + " FROM " + q.from + " WHERE " + q.where + number + " < " + q.arg(before) +
		" ORDER BY " + number + " DESC LIMIT " + q.arg(limit), q.args
}
