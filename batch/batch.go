// Package batch sends one template to many (批量): recipients are staged first, each row
// held against the rules that a single message is held to, and nothing leaves before an
// operator says so; then rows become messages as fast as they leave.
//
// Start with Desk: Create, Upload, Start, and Run, which feeds. spec.go says how a row
// becomes a message, chunk.go how rows are kept, feeder.go how they are fed exactly once.
// What happens to a message from there on is the engine's business; how a table is read
// is internal/sheet's.
package batch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// Engine is what batches need of whoever sends messages.
type Engine interface {
	// Check says what is wrong with a message, as if it was posted alone; a
	// *hongyan.Error of kind Invalid names the fields at fault. In m an alias becomes the
	// template_id that it stands for.
	Check(ctx context.Context, m *Message) error
	// Room returns how many messages of a kind of an account could leave now, and a
	// channel that is closed when there is more room.
	Room(ctx context.Context, appID string, k hongyan.MessageKind) (n int, more <-chan struct{}, err error)
	// Feed prepares messages and lets commit store those that break no rule together
	// with what else belongs to them. refused has an error for each message that does
	// break one, at its place.
	Feed(ctx context.Context, ms []Message, commit func(ctx context.Context, rows []store.NewMessage, refused []error) ([]store.Inserted, error)) error
	// Epoch names this process among the nodes; 0 = it sends nothing at present.
	Epoch() int64
	// Still keeps what this process has leased of a batch from leaving, held under h; Unstill ends that.
	Still(batch int64, h hongyan.Hold)
	Unstill(batch int64)
}

// Config is what a Desk is built from.
type Config struct {
	Store  store.Store
	Engine Engine
	// Tell is told of what others may want to know of: batch.finished. nil = nobody.
	Tell       func(ctx context.Context, appID, typ string, data any)
	Registerer prometheus.Registerer // where metrics go; nil = nowhere
	Logger     *slog.Logger          // nil = discard
}

// Desk makes batches and looks after them. It is safe for concurrent use.
type Desk struct {
	store   store.Store
	engine  Engine
	tell    func(ctx context.Context, appID, typ string, data any)
	log     *slog.Logger
	metrics *metrics
	names   names
	counts  countCache
	uploads uploads
	// retrying is held from looking for a batch's retries to making one.
	retrying sync.Mutex
	wake     chan struct{} // capacity 1: a batch was started, or changed elsewhere
}

// New builds a Desk; it starts nothing.
func New(cfg Config) *Desk {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Tell == nil {
		cfg.Tell = func(context.Context, string, string, any) {}
	}
	return &Desk{store: cfg.Store, engine: cfg.Engine, tell: cfg.Tell, log: cfg.Logger,
		metrics: newMetrics(cfg.Registerer), wake: make(chan struct{}, 1)}
}

// Wake makes Run look at the batches now: one was started, paused or cancelled, here or
// by another process.
func (d *Desk) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Fields are what of a message a batch sets for all, and a row may set for itself:
// those of POST /v1/messages that can differ between users. In a batch's own, texts
// may hold {{column}}; of metadata nothing is replaced.
type Fields struct {
	ToUser           string              `json:"touser,omitempty"`
	URL              string              `json:"url,omitempty"`
	MiniProgram      *wechat.MiniProgram `json:"miniprogram,omitempty"`
	TopColor         string              `json:"topcolor,omitempty"`
	Page             string              `json:"page,omitempty"`
	FormID           string              `json:"form_id,omitempty"`
	EmphasisKeyword  string              `json:"emphasis_keyword,omitempty"`
	Color            string              `json:"color,omitempty"`
	MiniProgramState string              `json:"miniprogram_state,omitempty"`
	Lang             string              `json:"lang,omitempty"`
	Scene            string              `json:"scene,omitempty"`
	Title            string              `json:"title,omitempty"`
	Data             wechat.Data         `json:"data,omitempty"`
	Metadata         RawObject           `json:"metadata,omitempty"`
}

// RawObject is a JSON object as it came.
type RawObject []byte

// MarshalJSON writes it as it came.
func (o RawObject) MarshalJSON() ([]byte, error) {
	if len(o) == 0 {
		return []byte("null"), nil
	}
	return o, nil
}

// UnmarshalJSON keeps it as it comes; null is none.
func (o *RawObject) UnmarshalJSON(b []byte) error {
	*o = nil
	if string(b) != "null" {
		*o = append([]byte(nil), b...)
	}
	return nil
}

// Message is a row as a message to send.
type Message struct {
	Fields
	AppID      string
	Kind       hongyan.MessageKind
	TemplateID string
	Priority   hongyan.Priority
	ExpiresAt  time.Time // zero = by the account's setting
	CallerID   string
	RetryOf    string // the message of an earlier batch that is sent again, or ""
	Batch, Row int64
}

// message makes one of a row's fields. expires is counted from now on.
func messageOf(b *hongyan.Batch, f Fields, row int64, retryOf string, now time.Time) Message {
	m := Message{Fields: f, AppID: b.AppID, Kind: b.Kind, TemplateID: b.TemplateID, Priority: b.Priority,
		CallerID: b.CallerID, RetryOf: retryOf, Batch: b.Seq, Row: row}
	if b.ExpiresAfter > 0 {
		m.ExpiresAt = now.Add(b.ExpiresAfter)
	}
	return m
}
