// Package seldom keeps the log short when the same thing happens to every request:
// it is told once in a while, with how often it was not told between.
//
// Start with Teller. What becomes of what is not told is left to the caller, who
// may log it at debug level or count it.
package seldom

import (
	"log/slog"
	"sync"
	"time"
)

// maxKeys bounds the memory. Keys name accounts and downstreams; beyond it all are forgotten.
const maxKeys = 10_000

// Teller says whether something is told. The zero value is of no use: set Every.
// Its methods are safe for concurrent use.
type Teller struct {
	Every time.Duration // the least time between two tellings of one key

	mu   sync.Mutex
	last map[string]told
}

type told struct {
	at     time.Time
	untold int // since
}

// Level returns level when key is told at now, else slog.LevelDebug. untold is how
// often the key was not told since it was the last time.
func (t *Teller) Level(level slog.Level, now time.Time, key string) (_ slog.Level, untold int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, ok := t.last[key]
	if ok && now.Sub(known.at) < t.Every {
		known.untold++
		t.last[key] = known
		return slog.LevelDebug, known.untold
	}
	if t.last == nil || !ok && len(t.last) >= maxKeys {
		t.last = map[string]told{}
	}
	t.last[key] = told{at: now}
	return level, known.untold
}
