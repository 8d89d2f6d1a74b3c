package sqlite

import (
	"bytes"
	"time"

	"hongyan"
	"hongyan/store"
)

// benchPayload is about the size of a real template message.
var benchPayload = bytes.Repeat([]byte("x"), 400)

func benchMessages(n int, epoch int64) []store.NewMessage {
	ms := make([]store.NewMessage, n)
	now := time.Now()
	for i := range ms {
		id := hongyan.NewMessageID()
		ms[i].Message = hongyan.Message{
			ID: id, AppID: "wx0123456789abcdef", Kind: hongyan.KindTemplate, ToUser: "o" + id[len(id)-27:], TemplateID: "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY",
			ClientMsgID: id, Payload: benchPayload, Priority: hongyan.Normal, CallerID: "key_0123456789",
			CreatedAt: now, DueAt: now, ExpiresAt: now.Add(24 * time.Hour), Epoch: epoch,
		}
	}
	return ms
}

func benchResults(ms []hongyan.Message) []store.Result {
	rs := make([]store.Result, len(ms))
	now := time.Now()
	for i, m := range ms {
		msgID := 2_000_000_000 + m.Seq*7919%1_000_003
		rs[i] = store.Result{
			Fence: store.Fence{Seq: m.Seq, Epoch: m.Epoch, Attempts: m.Attempts}, AppID: m.AppID,
			Attempts: []hongyan.Attempt{{N: m.Attempts, StartedAt: now, EndedAt: now, Outcome: hongyan.Answered, Errmsg: "ok", MsgID: msgID}},
			State:    hongyan.Accepted, MsgID: msgID, AcceptedAt: now,
			Usage: []store.UsageDelta{{AppID: m.AppID, Scope: "account", Period: "day", PeriodFrom: hongyan.PeriodStart("day", now), N: 1}},
		}
	}
	return rs
}
