package store

import "time"

// Retention says how long what has ended is kept, counted from its last change;
// 0 = for ever. A message has ended for this purpose when nothing of ours happens
// to it any more: in every state but queued, held and sending. One that is
// accepted and still waits for its event, or is uncertain, goes with the others.
type Retention struct {
	// Payload: after this a message loses WeChat's body and the caller's metadata,
	// and keeps its state, attempts and receipt. It cannot be retried then. The rows
	// staged for a batch go so long after its end.
	Payload time.Duration
	// Messages: after this the message goes, with attempts and receipt, and out of
	// the counts. Less than MinRetention stands for MinRetention. A batch goes so
	// long after its end, and one that was never started after its last change.
	Messages time.Duration
	// Events: after this a processed event goes, unless a delivery of it is still
	// there. Less than MinRetention stands for MinRetention.
	Events time.Duration
}

// MinRetention is the least time for which messages and events are kept: longer
// than an idempotency key lives, that answers with its message, and than a receipt
// without an owner is offered.
const MinRetention = 48 * time.Hour

// Bounded returns r with the least times filled in.
func (r Retention) Bounded() Retention {
	for _, keep := range []*time.Duration{&r.Messages, &r.Events} {
		if *keep > 0 {
			*keep = max(*keep, MinRetention)
		}
	}
	return r
}

// Retained is what one call of Retain did.
type Retained struct {
	Payloads int // messages that lost their payload
	Messages int // messages removed
	Events   int // events removed
	Chunks   int // chunks of staged rows removed
	Batches  int // batches removed
}
