package hongyan

import (
	"fmt"
	"strings"
	"time"
)

// BatchIDPrefix starts the id of every batch.
const BatchIDPrefix = "bat_"

// NewBatchID returns a new batch id; ids sort by the time they were made.
func NewBatchID() string { return newID(BatchIDPrefix) }

// MaxBatchRows bounds a batch, and so what is kept in memory to find one recipient
// given twice: 20 bytes a row.
const MaxBatchRows = 5_000_000

// BatchState is where a batch (批量) is in its life. The numbers are stored, the
// words are shown.
type BatchState uint8

// The states of a batch. Open takes recipients; nothing leaves before it is started.
const (
	BatchOpen      BatchState = 0 // takes recipients
	BatchScheduled BatchState = 1 // started, and waits for its time
	BatchRunning   BatchState = 2 // rows become messages as fast as they leave
	BatchPaused    BatchState = 3 // nothing leaves until it is resumed
	BatchFinished  BatchState = 4 // every row has left, or was passed over
	BatchCancelled BatchState = 5 // nothing leaves any more
)

var batchStateWords = [...]struct{ en, zh string }{
	BatchOpen: {"open", "待开始"}, BatchScheduled: {"scheduled", "已定时"}, BatchRunning: {"running", "发送中"},
	BatchPaused: {"paused", "已暂停"}, BatchFinished: {"finished", "已完成"}, BatchCancelled: {"cancelled", "已取消"},
}

// String returns the state's word on the wire.
func (s BatchState) String() string {
	if int(s) < len(batchStateWords) {
		return batchStateWords[s].en
	}
	return fmt.Sprintf("batch_state(%d)", uint8(s))
}

// ZH returns the state's short Chinese word, e.g. 发送中.
func (s BatchState) ZH() string {
	if int(s) < len(batchStateWords) {
		return batchStateWords[s].zh
	}
	return s.String()
}

// BatchStates returns every state in ascending order of its number.
func BatchStates() []BatchState {
	all := make([]BatchState, len(batchStateWords))
	for i := range all {
		all[i] = BatchState(i)
	}
	return all
}

// ParseBatchState reads a state's word.
func ParseBatchState(word string) (BatchState, error) {
	words := make([]string, len(batchStateWords))
	for i, w := range batchStateWords {
		if w.en == word {
			return BatchState(i), nil
		}
		words[i] = w.en
	}
	return 0, InvalidField("unknown_state", "/state", "unknown state %q; states of a batch are %s", word, strings.Join(words, ", "))
}

// Started reports whether the batch was started and has not ended: somebody has to
// look after it.
func (s BatchState) Started() bool {
	return s == BatchScheduled || s == BatchRunning || s == BatchPaused
}

// Batch is one template sent to many, each with their own data: staged first, in
// chunks of rows, then made into messages as fast as they leave. Rows are numbered
// from 1. Times are UTC in milliseconds; a zero time means "not set".
type Batch struct {
	Seq        int64 // the store's number; 0 = not stored
	ID         string
	AppID      string
	Name       string
	Kind       MessageKind
	TemplateID string
	Spec       []byte // JSON of package batch: the defaults of its messages, and where columns go
	Priority   Priority
	CallerID   string // the key that made it
	RetryOf    string // the batch whose rows it sends again, or ""
	Metadata   []byte // the caller's JSON object, or nil

	// What an operator may change.
	State         BatchState
	Reason        string // why it is paused: HoldBatchPaused, or what went wrong; "" otherwise
	Detail        string // the same for people
	RatePerSecond float64
	QuietHours    string        // 勿扰时段, e.g. "22:00-08:00" in Beijing; "account" = the account's; "" = none
	ExpiresAfter  time.Duration // the life of a message from the moment its row is due; 0 = the account's
	SendAt        time.Time     // not before this
	SkipBad       bool          // it was started in spite of bad rows
	Version       int64         // grows with each change of the above

	// What was staged, and how far it has been fed.
	Rows  int64   // staged
	Good  int64   // of those, without a problem
	Next  int64   // the row to be fed next; Rows+1 when there is none
	Fed   int64   // messages made
	Late  int64   // rows that were good when they were staged, and refused when their turn came
	Speed float64 // rows a second, lately
	FedAt time.Time

	CreatedAt time.Time
	StartedAt time.Time // when it was started, by an operator
	UpdatedAt time.Time
	EndedAt   time.Time // finished, or cancelled and nothing of it waits any more
}

// Bad returns how many staged rows have a problem.
func (b *Batch) Bad() int64 { return b.Rows - b.Good }

// Unfed returns how many good rows are not messages yet.
func (b *Batch) Unfed() int64 { return max(0, b.Good-b.Fed-b.Late) }

// Quiet returns the batch's quiet hours in an account that has its own.
func (b *Batch) Quiet(account QuietHours) QuietHours {
	switch b.QuietHours {
	case "":
		return QuietHours{Off: true}
	case "account":
		return account
	}
	q, err := ParseQuietHours(b.QuietHours)
	if err != nil { // checked when it was made
		return QuietHours{Off: true}
	}
	return q
}
