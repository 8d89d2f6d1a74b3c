package batch

import (
	"context"
	"sync"

	"hongyan"
)

// uploads are the uploads of this process that may still store rows, by batch: one each.
// The zero value is empty; it is safe for concurrent use.
type uploads struct {
	mu   sync.Mutex
	last map[string]*turn
}

// turn is one upload's time to store rows. It is over before the upload itself may be:
// one whose connection is lost goes on waiting for a body that never comes.
type turn struct {
	cancel context.CancelCauseFunc
	over   chan struct{}
	once   sync.Once
}

// end says that nothing of the upload is stored any more.
func (t *turn) end() { t.once.Do(func() { close(t.over) }) }

// take ends the turn of the batch's older upload and waits until that stores nothing any
// more. The new turn's context ends when a still later upload comes. release gives back
// what is kept for it; it ends the turn, too.
func (u *uploads) take(ctx context.Context, id string) (mine context.Context, t *turn, release func(), err error) {
	t = &turn{over: make(chan struct{})}
	mine, t.cancel = context.WithCancelCause(ctx)
	u.mu.Lock()
	older := u.last[id]
	if u.last == nil {
		u.last = make(map[string]*turn)
	}
	u.last[id] = t
	u.mu.Unlock()
	release = func() {
		t.end()
		t.cancel(nil)
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.last[id] == t {
			delete(u.last, id)
		}
	}
	if older == nil {
		return mine, t, release, nil
	}
	older.cancel(hongyan.Errorf(hongyan.Conflict, "upload_replaced", "a later upload of batch %s goes on in the place of this one", id))
	<-older.over // soon: it stores a chunk at most, or waits for one older itself
	if err = context.Cause(mine); err != nil {
		release()
	}
	return mine, t, release, err
}
