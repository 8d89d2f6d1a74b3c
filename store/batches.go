package store

import (
	"context"
	"fmt"

	"hongyan"
)

// Batches keeps batches (批量), the rows staged for them, and how far each has been
// made into messages. What a row says is package batch's; here it is part of a blob.
type Batches interface {
	// CreateBatch adds b and returns it with its Seq, and remembers once for b.CallerID.
	// Invalid (unknown_account) when there is no such account; Conflict
	// (idempotency_key_taken), and nothing stored, when once is remembered already.
	CreateBatch(ctx context.Context, b hongyan.Batch, once Once) (hongyan.Batch, error)
	// ReplayBatch answers a caller's key with the batch it made: InsertedReplay, or
	// InsertedMismatch when that was with another body. InsertedNew, and no batch, when
	// the key is not known.
	ReplayBatch(ctx context.Context, callerID string, once Once) (hongyan.Batch, InsertOutcome, error)
	// Batch finds by ID; NotFound (unknown_batch) otherwise.
	Batch(ctx context.Context, id string) (hongyan.Batch, error)
	// Batches lists newest first.
	Batches(ctx context.Context, f BatchFilter) ([]hongyan.Batch, error)
	// BatchIDs returns the ids of batches by Seq; those that are gone are left out.
	BatchIDs(ctx context.Context, seqs []int64) (map[int64]string, error)
	// LiveBatches lists those that were started and have no EndedAt, by Seq.
	LiveBatches(ctx context.Context) ([]hongyan.Batch, error)
	// BatchStates returns how many batches each account has in each state. It reads an
	// index, in time that grows with the batches that are kept.
	BatchStates(ctx context.Context) (map[string]map[hongyan.BatchState]int64, error)
	// UpdateBatch replaces what an operator may change, and StartedAt and EndedAt, if the
	// stored Version is b.Version, and returns the batch as it is then; Conflict
	// (batch_changed) otherwise. What was staged and fed is not touched.
	UpdateBatch(ctx context.Context, b hongyan.Batch) (hongyan.Batch, error)

	// StageRows adds a chunk to an open batch, whose Rows and Good grow, and returns the
	// batch. Conflict: batch_not_open, or rows_gap when c.First is not the next row.
	StageRows(ctx context.Context, c Chunk) (hongyan.Batch, error)
	// Chunk returns the chunk that a row is in; NotFound (unknown_rows) when there is none.
	Chunk(ctx context.Context, batch, row int64) (Chunk, error)
	// ChunkHashes returns First, N and Hashes of up to limit chunks behind row after, in order.
	ChunkHashes(ctx context.Context, batch, after int64, limit int) ([]Chunk, error)
	// BadChunks returns up to limit chunks that end behind row after and have bad rows, in order.
	BadChunks(ctx context.Context, batch, after int64, limit int) ([]Chunk, error)

	// RewriteChunk replaces Bad, Hashes and Data of a chunk, and takes lost, which is how
	// many of its rows were to be sent and no longer are, from the batch's Good; its Version
	// grows. Conflict (batch_moved) when next is not 0 and the batch's Next is another;
	// NotFound (unknown_rows) when the chunk is gone.
	RewriteChunk(ctx context.Context, c Chunk, next int64, lost int) error

	// Feed makes rows of a running batch into messages and moves its Next on, all in one
	// transaction: it returns what InsertMessages would. Conflict (batch_moved) and
	// nothing done when the batch is not running or its Next is not f.From: somebody
	// paused it, or another node feeds it.
	Feed(ctx context.Context, f Feed) ([]Inserted, error)
	// BatchCounts returns how many messages of a batch are in each state, with the view
	// of holds. It reads an index, in time that grows with the batch.
	BatchCounts(ctx context.Context, batch int64) (map[hongyan.State]int64, error)
	// BatchWaiting returns how many messages of a batch are queued, held or sending. It
	// reads those alone.
	BatchWaiting(ctx context.Context, batch int64) (int64, error)
	// ChunkMessages lists the messages that c's rows became, by row, without payload and
	// metadata, with the view of holds. c.FirstSeq and c.LastSeq must be as Chunk returned them.
	ChunkMessages(ctx context.Context, c Chunk) ([]hongyan.Message, error)

	// HoldBatch turns queued messages of a batch that are not in doubt into held ones
	// under h, up to limit, and returns how many.
	HoldBatch(ctx context.Context, batch int64, h hongyan.Hold, limit int) (int, error)
	// ReleaseBatch makes up to limit messages that HoldBatch held for reason queued again, due now.
	ReleaseBatch(ctx context.Context, batch int64, reason string, limit int) (int, error)
	// CancelBatch ends up to limit waiting messages of a batch without doubt as
	// cancelled and returns how many.
	CancelBatch(ctx context.Context, batch int64, limit int) (int, error)
	// OwnersOf returns, of openids that WeChat accepted messages to, the account of the
	// latest one, or appID wherever one of that account was accepted. What failed or never
	// left proves nothing.
	OwnersOf(ctx context.Context, appID string, openIDs []string) (map[string]string, error)
}

// Once is what tells a call that makes a batch from its repetition, for IdempotencyTTL.
// The zero value makes each call one of its own.
type Once struct {
	Key      string // the caller's Idempotency-Key; "" = none
	BodyHash [32]byte
}

// StoredKeys are what the key may be stored as among those of messages; see the func.
func (o Once) StoredKeys() (now, formerly string) { return StoredKeys("batch " + o.Key) }

// KeyTaken is the refusal to make a second batch with a key.
func KeyTaken() error {
	return hongyan.Errorf(hongyan.Conflict, "idempotency_key_taken", "the Idempotency-Key has made a batch already")
}

// BatchFilter selects batches for a list. Zero fields do not filter.
type BatchFilter struct {
	AppIDs []string // nil = any
	States []hongyan.BatchState
	// RetryOf selects the batches that send rows of this one again; "" = any.
	RetryOf string
	// NoVoid leaves out batches that were cancelled before a row was stored: what a dry
	// run leaves. They go VoidKeep after their end.
	NoVoid bool
	Before int64 // Seq < Before, the cursor; 0 = from the newest
	Limit  int   // 1..1000
}

// VoidKeep is how long a batch is kept that was cancelled before a row was stored: not less
// than the key lives that may have made it.
const VoidKeep = IdempotencyTTL

// Chunk is rows staged for a batch, in one blob.
type Chunk struct {
	Batch int64 // Batch.Seq
	First int64 // number of its first row
	N     int   // rows
	Bad   int   // of those, with a problem
	// Hashes is eight bytes for each row that tell its recipient from others, by which
	// one who was given before is found without reading the rows.
	Hashes []byte
	Data   []byte // package batch's
	// The numbers of the first and the last message its rows became; 0 = none yet.
	FirstSeq, LastSeq int64
}

// Last returns the number of its last row.
func (c *Chunk) Last() int64 { return c.First + int64(c.N) - 1 }

// Feed is one step of a batch: rows From to To-1, all of one chunk.
type Feed struct {
	Batch    int64
	From, To int64
	First    int64 // of the chunk the rows are in
	Messages []NewMessage
	Late     int     // of the rows, refused now
	Speed    float64 // rows a second, lately
	// Rewritten replaces the chunk's Data and Bad when not nil: it tells of the late ones.
	Rewritten *Chunk
}

// BatchesOpen is the refusal to delete an account with n batches that have not ended.
func BatchesOpen(appID string, n int64) error {
	return &hongyan.Error{Kind: hongyan.Conflict, Code: "account_busy",
		Message: fmt.Sprintf("account %s has %d batches that have not ended", appID, n), Hint: "cancel them first"}
}
