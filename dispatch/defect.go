package dispatch

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"hongyan"
	"hongyan/internal/fault"
	"hongyan/store"
)

// What follows is wrong on purpose. It runs only in a process in which `hongyan
// prove` has planted the defect, to show that its checker sees it.

// promiseAhead is how long before the commit the caller is answered.
const promiseAhead = 20 * time.Millisecond

// promise answers every row as stored, and stores it afterwards.
func (e *Engine) promise(rows []store.NewMessage, streams []*stream, index []int, out []Submitted) {
	for j := range rows {
		out[index[j]] = Submitted{Message: rows[j].Message, Outcome: store.InsertedNew}
	}
	go func() {
		time.Sleep(promiseAhead)
		inserted, err := e.cfg.Store.InsertMessages(context.Background(), rows)
		e.inserted(rows, streams, inserted, err)
	}()
}

// bodyOf is what the nth call for a message sends: the same bytes always, unless
// the defect is planted that gives every attempt a client_msg_id of its own.
func bodyOf(m *hongyan.Message, n int) []byte {
	if !fault.Broken(fault.Dedupe) {
		return m.Payload
	}
	quoted := fmt.Appendf(nil, "%q", m.ClientMsgID)
	return bytes.Replace(m.Payload, quoted, fmt.Appendf(nil, "\"%s-%d\"", m.ClientMsgID, n), 1)
}
