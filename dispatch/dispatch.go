// Package dispatch is the life of a message: accept, claim, send, settle,
// hold, retry. Submit stores messages; Run leases due ones, calls WeChat and
// writes what became of each.
//
// Start with state.go (which states follow which), then accept.go, engine.go,
// send.go and decide.go in that order. Receipts are package callback's, tokens package
// token's.
package dispatch

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongyan"
	"hongyan/store"
)

// Tokens is what the engine needs of the access_token central server. Errors
// are *hongyan.TokenError.
type Tokens interface {
	// AccessToken returns the current token of an account.
	AccessToken(ctx context.Context, appID string) (string, error)
	// Invalidate says that WeChat refused failed. It compares before it
	// refreshes: if failed is no longer current nothing is fetched.
	Invalidate(ctx context.Context, appID, failed string) error
}

// Consents is what the engine needs of the ledger of users' consents to subscribe
// messages and notices.
type Consents interface {
	// May says whether a message to be stored may go, by the account's setting: an
	// error (*hongyan.Error) refuses it, a warning goes back to its caller.
	May(ctx context.Context, a *hongyan.Account, m *hongyan.Message) (warning string, err error)
	// Refused takes note that WeChat answered 43101 to an attempt that began at at.
	Refused(ctx context.Context, m *hongyan.Message, at time.Time) error
}

// Config is what an Engine is built from.
type Config struct {
	Store  store.Store
	Tokens Tokens
	// HTTPClient calls WeChat; nil = wechat's default (connect 5 s, total 15 s).
	HTTPClient *http.Client
	// ClientFor gives the client of one account, e.g. one that goes through its
	// proxy. It is asked when the account is first used and whenever it changed, and
	// must not block; nil, and an answer of nil, mean HTTPClient.
	ClientFor func(*hongyan.Account) *http.Client
	// NodeName is this process in the nodes table; "" = "local".
	NodeName string
	// Slots is how many messages may be leased at once, and so how many may be
	// doubtful after a crash. 0 = 1024.
	Slots int
	// Lease is how long a silent node keeps its messages; renewed every sixth of it. 0 = 60 s.
	Lease time.Duration
	// StopGrace is how long Run lets calls under way finish once its context ends. 0 = 10 s.
	StopGrace time.Duration
	// SyncTemplates reads an account's templates from WeChat into the store. It is
	// asked, at most every half minute, when a message names a template that is
	// not known, and at most every ten minutes when WeChat refuses one. nil = never.
	SyncTemplates func(ctx context.Context, appID string) error
	// Tell is told what happens to an account beyond its messages and holds: of parts of
	// its limits that are used (QuotaThreshold). nil = nobody.
	Tell func(ctx context.Context, appID, typ string, data any)
	// Care keeps messages from people who should get none; nil = nobody does.
	Care       Care
	Consents   Consents              // nil = nobody keeps them
	Logger     *slog.Logger          // nil = discard
	Registerer prometheus.Registerer // where metrics go; nil = nowhere
}

// Request is a message somebody wants sent: WeChat's own fields and ours.
// Zero fields take the defaults named in design §3.2.
type Request struct {
	AppID            string // AppID or alias of the account
	Kind             hongyan.MessageKind
	ToUser           string
	TemplateID       string
	URL              string       // template, one_time
	MiniProgram      *MiniProgram // template, notice, one_time
	TopColor         string       // template
	Page             string       // mini_template, subscribe: a page; notice: a URL
	FormID           string       // mini_template: form_id or prepay_id; "" = one of the user's stored ones
	EmphasisKeyword  string       // mini_template
	Color            string       // mini_template
	MiniProgramState string       // subscribe: developer, trial or formal
	Lang             string       // subscribe: zh_CN, en_US, zh_HK or zh_TW
	Scene            string       // one_time: the number the user confirmed, "0" to "10000"
	Title            string       // one_time
	Data             Data
	ClientMsgID      string
	SendAt           time.Time
	ExpiresAt        time.Time
	Priority         hongyan.Priority // its zero value is Urgent: set it
	Metadata         []byte           // a JSON object, or nil

	IdempotencyKey string
	BodyHash       [32]byte
	CallerID       string
	RetryOf        string
	Batch          int64 // the batch (its Seq) whose row this is; 0 = none
	BatchRow       int64
}
