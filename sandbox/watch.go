package sandbox

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Notice says what changed since the last one. It holds no content: whoever gets
// it reads again what it shows.
type Notice struct {
	Inbox    []string `json:"inbox"` // openids whose inbox changed, in order
	All      bool     `json:"all"`   // everything may have changed: a reset, or more inboxes than can be named
	Traffic  bool     `json:"traffic"`
	Users    bool     `json:"users"`
	Clock    bool     `json:"clock"`
	Accounts bool     `json:"accounts"`
	Faults   bool     `json:"faults"`

	version int64 // of the feed when it was taken
}

// change is a set of the things that a Notice names.
type change uint8

const (
	changedTraffic change = 1 << iota
	changedUsers
	changedClock
	changedAccounts
	changedFaults
	changedAll
)

// maxNamedInboxes bounds what a watcher that does not listen makes us remember.
const maxNamedInboxes = 10_000

// feed tells watchers about changes. Its mutex is held for moments only, mostly
// with the sandbox's around it; it takes no other.
type feed struct {
	born     int64 // nanoseconds; tells the ids of one life from those of another
	mu       sync.Mutex
	version  int64 // rises with every change
	watchers map[*watcher]struct{}
}

// watcher is what one listener has not been told yet.
type watcher struct {
	pending change
	inbox   map[string]struct{}
	signal  chan struct{} // capacity one: something is pending
}

// mark notes a change for everybody who watches. It never blocks.
func (f *feed) mark(what change) { f.tell(what, "") }

// markInbox notes that a user's inbox changed.
func (f *feed) markInbox(openid string) { f.tell(0, openid) }

func (f *feed) tell(what change, openid string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.version++
	for w := range f.watchers {
		w.note(what, openid)
	}
}

func (w *watcher) note(what change, openid string) {
	w.pending |= what
	if openid != "" {
		if len(w.inbox) >= maxNamedInboxes {
			w.pending |= changedAll
			clear(w.inbox)
		}
		if w.pending&changedAll == 0 {
			w.inbox[openid] = struct{}{}
		}
	}
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// take empties what is pending.
func (f *feed) take(w *watcher) Notice {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := w.pending&changedAll != 0
	has := func(what change) bool { return all || w.pending&what != 0 }
	n := Notice{
		version: f.version, Inbox: slices.AppendSeq([]string{}, maps.Keys(w.inbox)), All: all, Traffic: has(changedTraffic), Users: has(changedUsers),
		Clock: has(changedClock), Accounts: has(changedAccounts), Faults: has(changedFaults),
	}
	slices.Sort(n.Inbox)
	w.pending = 0
	clear(w.inbox)
	return n
}

func (f *feed) join() *watcher {
	w := &watcher{inbox: map[string]struct{}{}, signal: make(chan struct{}, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watchers == nil {
		f.watchers = map[*watcher]struct{}{}
	}
	f.watchers[w] = struct{}{}
	return w
}

func (f *feed) leave(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watchers, w)
}

// now is the version that a reader who reads everything now is informed up to.
func (f *feed) now() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.version
}

// Watch returns a channel of what changes from now on. Changes that come while
// nobody receives are gathered into one notice, so that a slow listener holds up
// nothing and misses nothing. The channel is closed after ctx ended.
func (s *Sandbox) Watch(ctx context.Context) <-chan Notice {
	out := make(chan Notice)
	w := s.feed.join()
	go func() {
		defer close(out)
		defer s.feed.leave(w)
		for {
			select {
			case <-ctx.Done():
				return
			case <-w.signal:
			}
			select {
			case <-ctx.Done():
				return
			case out <- s.feed.take(w):
			}
		}
	}()
	return out
}
