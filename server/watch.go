package server

import (
	"context"
	"sync"
	"time"

	"hongyan/store"
)

// watcher makes this process take note of what others on the same database change.
type watcher struct {
	w *works

	mu      sync.Mutex
	pending map[store.Notice]bool
	signal  chan struct{} // capacity 1: something is pending

	accounts map[string]time.Time // when each was updated, as far as this process knows; of act's goroutine
}

func newWatcher(w *works) *watcher {
	return &watcher{w: w, pending: make(map[store.Notice]bool), signal: make(chan struct{}, 1)}
}

// run listens, and acts on what it hears, until ctx ends.
func (x *watcher) run(ctx context.Context) error {
	var acting sync.WaitGroup
	acting.Go(func() { x.actAll(ctx) })
	err := x.w.store.Watch(ctx, x.hear)
	acting.Wait()
	return err
}

// hear takes a notice down. What is heard again before it is acted on counts once.
func (x *watcher) hear(n store.Notice) {
	x.mu.Lock()
	x.pending[n] = true
	x.mu.Unlock()
	select {
	case x.signal <- struct{}{}:
	default:
	}
}

// actAll acts on notices until ctx ends.
func (x *watcher) actAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.signal:
		}
		x.mu.Lock()
		all := x.pending
		x.pending = make(map[store.Notice]bool)
		x.mu.Unlock()
		for n := range all {
			x.act(ctx, n)
		}
	}
}

// act passes a notice on to those it concerns.
func (x *watcher) act(ctx context.Context, n store.Notice) {
	switch n.Kind {
	case store.NoticeMessages:
		x.w.engine.Noticed(n)
	case store.NoticeEvents:
		x.w.pushes.Wake()
	case store.NoticeDeliveries:
		x.w.sender.Wake()
	case store.NoticeNews:
		x.w.herald.Wake()
	case store.NoticeBatches:
		x.w.batches.Wake()
	case store.NoticeKeys:
		x.w.desk.ForgetAll()
	case store.NoticeAccount:
		if n.AppID != "" {
			x.w.changed(n.AppID)
		} else {
			x.compareAccounts(ctx)
		}
	}
}

// compareAccounts finds the accounts that were changed while nobody was told. Holds
// are read by the engine's own poll, and a token that was replaced is found out by its
// first use.
func (x *watcher) compareAccounts(ctx context.Context) {
	all, err := x.w.store.Accounts(ctx)
	if err != nil {
		if ctx.Err() == nil {
			x.w.log.WarnContext(ctx, "accounts cannot be compared with what is known of them", "err", err)
		}
		return
	}
	seen := make(map[string]time.Time, len(all))
	for i := range all {
		seen[all[i].AppID] = all[i].UpdatedAt
	}
	for _, appID := range changedAccounts(x.accounts, seen) {
		x.w.changed(appID)
	}
	x.accounts = seen
}

// changedAccounts returns the accounts that are new, gone, or not as they were. At
// first all that is known has just been read.
func changedAccounts(before, now map[string]time.Time) (appIDs []string) {
	if before == nil {
		return nil
	}
	for appID, at := range now {
		if was, ok := before[appID]; !ok || !was.Equal(at) {
			appIDs = append(appIDs, appID)
		}
	}
	for appID := range before {
		if _, ok := now[appID]; !ok {
			appIDs = append(appIDs, appID)
		}
	}
	return appIDs
}
