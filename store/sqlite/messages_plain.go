package sqlite

import (
	"fmt"

	"hongyan"
)

// Nearly every message is plain: new, with nothing but a
// payload. Its statement has the few values that are words of ours written in,
// and takes only the rest as arguments. That matters because the driver looks
// each argument up by searching the list from its start: the cost of a
// statement grows with the square of its arguments, and a multi-row insert of
// all columns is slower than its rows one by one.

const (
	plainColumns = 16
	// plainChunk is how many rows one statement inserts at most; measured, see
	// BenchmarkInsertBatch.
	plainChunk = 8
)

// shape is what plain messages in one statement have in common.
type shape struct {
	kind     hongyan.MessageKind
	priority hongyan.Priority
	state    hongyan.State
	batch    bool // they are rows of a batch
}

// shapeOf returns the shape of a message and whether it is plain.
func shapeOf(m *hongyan.Message) (shape, bool) {
	plain := isWord(string(m.Kind)) &&
		(m.State == hongyan.Queued || m.State == hongyan.Sending) &&
		m.ClientMsgID == m.ID && !m.CallerMsgID && m.RetryOf == "" && m.Reason == "" && m.Hold == nil &&
		m.Metadata == nil && m.Payload != nil
	return shape{m.Kind, m.Priority, m.State, m.Batch != 0}, plain
}

// isWord reports whether s can stand inside a statement: kinds are words of ours,
// but this is not the place to believe it.
func isWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return s != ""
}

// run returns how many of the first rows have the shape, at most plainChunk.
func (sh shape) run(rows []newRow) int {
	n := 1
	for n < len(rows) && n < plainChunk {
		if other, plain := shapeOf(rows[n].Message); !plain || other != sh {
			break
		}
		n++
	}
	return n
}

// plainKey names a plain insert.
type plainKey struct {
	shape
	rows int
}

// plainSQL returns the statement that inserts n rows of a shape. Statements
// are made once per connection.
func (c *conn) plainSQL(sh shape, n int) string {
	key := plainKey{sh, n}
	if c.plain[key] == "" {
		attempts := 0
		if sh.state == hongyan.Sending {
			attempts = 1
		}
		columns, places := "payload", "?"
		if sh.batch {
			columns, places = "payload, batch, batch_row", "?, ?, ?"
		}
		row := fmt.Sprintf("(?, ?, ?, ?, '%s', ?, ?, NULL, 0, %d, '', ?, %d, '', ?, ?, ?, ?, ?, %d, ?, NULL, NULL, %s)",
			sh.kind, sh.priority, sh.state, attempts, places)
		c.plain[key] = `INSERT OR FAIL INTO messages (
	seq, id, stream, appid, kind, touser, template_id, client_msg_id, caller_msg_id, priority, retry_of, caller_id,
	state, reason, created_at, due_at, expires_at, updated_at, epoch, attempts, first_at, hold, metadata, ` + columns + `)
	VALUES ` + row + repeat(", "+row, n-1)
	}
	return c.plain[key]
}

func appendPlain(args []any, rows []newRow) []any {
	for _, m := range rows {
		args = append(args, m.Seq, m.ID, m.stream, m.AppID, m.ToUser, m.TemplateID, m.CallerID, millis(m.CreatedAt),
			millis(m.DueAt), millis(m.ExpiresAt), millis(m.UpdatedAt), m.Epoch, millis(m.FirstAt), m.Payload)
		if m.Batch != 0 {
			args = append(args, m.Batch, m.BatchRow)
		}
	}
	return args
}
