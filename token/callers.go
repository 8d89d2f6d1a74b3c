package token

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"hongyan"
)

const (
	// askedPause is how often the record of who asked is written down.
	askedPause = 30 * time.Second
	// askedTimeout bounds the last writing, after Run's context has ended.
	askedTimeout = 5 * time.Second
)

// register gathers who asked for tokens until that is written down. It is safe for
// concurrent use, and holds one entry for each account, caller and endpoint.
type register struct {
	mu   sync.Mutex
	rows map[rowKey]hongyan.TokenCaller
}

type rowKey struct{ appID, callerID, endpoint string }

func newRegister() *register { return &register{rows: map[rowKey]hongyan.TokenCaller{}} }

// note records one request.
func (r *register) note(ask Ask, at time.Time) {
	row := hongyan.TokenCaller{AppID: ask.AppID, CallerID: ask.CallerID, Endpoint: ask.Endpoint,
		FirstAt: at, LastAt: at, Requests: 1, Remote: ask.Remote}
	if ask.Force {
		row.Forced = 1
	}
	r.add(row)
}

func (r *register) add(row hongyan.TokenCaller) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := rowKey{row.AppID, row.CallerID, row.Endpoint}
	if before, ok := r.rows[key]; ok {
		row.Requests += before.Requests
		row.Forced += before.Forced
		if before.FirstAt.Before(row.FirstAt) {
			row.FirstAt = before.FirstAt
		}
		if before.LastAt.After(row.LastAt) {
			row.LastAt, row.Remote = before.LastAt, before.Remote
		}
	}
	r.rows[key] = row
}

// take empties the register.
func (r *register) take() []hongyan.TokenCaller {
	r.mu.Lock()
	defer r.mu.Unlock()
	rows := slices.Collect(maps.Values(r.rows))
	clear(r.rows)
	return rows
}

// writeAsked writes the register down until ctx ends, and once after that.
func (c *Central) writeAsked(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, askedPause)
		if ctx.Err() == nil {
			c.flushAsked(ctx)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askedTimeout)
	defer cancel()
	c.flushAsked(ctx)
}

// flushAsked writes the register down; what the store does not take is kept for the next time.
func (c *Central) flushAsked(ctx context.Context) {
	rows := c.asked.take()
	if len(rows) == 0 {
		return
	}
	if err := c.store.NoteTokenCallers(ctx, rows); err != nil {
		c.log.ErrorContext(ctx, "who asked for access_tokens could not be written down", "callers", len(rows), "err", err)
		for _, row := range rows {
			c.asked.add(row)
		}
	}
}
