package store

import (
	"context"
	"time"
)

// Cluster is what processes that share a database tell one another, and agree on
// beyond rows.
type Cluster interface {
	// Watch tells each of what processes on this database changed, until ctx ends; it
	// returns nil then. A store for one process (SQLite) only tells of news. It may tell of
	// this process's own changes too, and of NoticeNews it does. After a connection was lost, and now and then as a
	// backstop, it tells a Notice without AppID of every Kind: anything may have changed.
	// each is called by one goroutine and should not take long.
	Watch(ctx context.Context, each func(Notice)) error
	// Lead makes epoch the one that does role's periodic work until d from now, or
	// prolongs it; false while another node leads. A store for one process always says true.
	Lead(ctx context.Context, role string, epoch int64, d time.Duration) (bool, error)
	// TakeRate takes up to want sends from the account's bucket that all nodes share: it
	// holds at most burst and refills perSecond; without a rate (0) it never says no. It
	// returns how many, and when the next can be had if they are fewer than wanted. A bucket
	// that the store does not know begins empty: what it held may have been taken already.
	TakeRate(ctx context.Context, appID string, perSecond float64, burst, want int) (got int, next time.Time, err error)
	// ReserveUsage makes u.N the calls of a counter that a node holds reserved, or as many
	// as limit leaves beside what is used and what other nodes hold, and returns how many
	// that is. What it held before stays, as far as it asks for it again. Conflict when the
	// node is not alive.
	//
	// FinishAttempts takes the calls it counts from what the epoch of its results holds.
	// What a dead node held stays reserved until its messages are taken over; TakeOver then
	// gives what it held of their accounts to the node that takes over, until that asks for
	// its own number, and forgets the rest.
	ReserveUsage(ctx context.Context, epoch int64, u UsageDelta, limit int64) (held int64, err error)
}

// Notice says that something changed that other processes may want to know of. It
// says where to look, not what is there, and it may come late or for nothing.
type Notice struct {
	Kind  NoticeKind
	AppID string // "" = any account
}

// NoticeKind says what changed.
type NoticeKind uint8

// The kinds of notice.
const (
	NoticeMessages   NoticeKind = iota // a message waits
	NoticeAccount                      // the account, a hold on it, a template of it or its token
	NoticeEvents                       // an event was stored
	NoticeDeliveries                   // a delivery is pending
	NoticeKeys                         // an API key
	NoticeNews                         // news were written, or an endpoint changed
	NoticeBatches                      // the state of a batch
)

// NoticeKinds returns all kinds.
func NoticeKinds() []NoticeKind {
	return []NoticeKind{NoticeMessages, NoticeAccount, NoticeEvents, NoticeDeliveries, NoticeKeys, NoticeNews, NoticeBatches}
}
