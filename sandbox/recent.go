package sandbox

import "time"

// recent remembers something for the length of a window. order is by time, so
// forgetting is cheap.
type recent[K comparable, V any] struct {
	window time.Duration
	byKey  map[K]V
	order  []recentKey[K]
}

type recentKey[K comparable] struct {
	key K
	at  time.Time
}

func newRecent[K comparable, V any](window time.Duration) recent[K, V] {
	return recent[K, V]{window: window, byKey: map[K]V{}}
}

func (r *recent[K, V]) forget(now time.Time) {
	n := 0
	for n < len(r.order) && now.Sub(r.order[n].at) >= r.window {
		delete(r.byKey, r.order[n].key)
		n++
	}
	r.order = r.order[n:]
}

func (r *recent[K, V]) remember(key K, v V, now time.Time) {
	r.byKey[key] = v
	r.order = append(r.order, recentKey[K]{key, now})
}
