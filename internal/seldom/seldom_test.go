package seldom

import (
	"log/slog"
	"strconv"
	"testing"
	"time"
)

func TestWhatRepeatsIsToldOnceInAWhile(t *testing.T) {
	teller, start := Teller{Every: time.Minute}, time.Unix(1790000000, 0)
	steps := []struct {
		after  time.Duration
		key    string
		level  slog.Level
		untold int
	}{
		{0, "a", slog.LevelWarn, 0},
		{time.Second, "a", slog.LevelDebug, 1},
		{time.Second, "b", slog.LevelWarn, 0},
		{59 * time.Second, "a", slog.LevelDebug, 2},
		{time.Minute, "a", slog.LevelWarn, 2},
		{3 * time.Minute, "a", slog.LevelWarn, 0},
	}
	for _, s := range steps {
		level, untold := teller.Level(slog.LevelWarn, start.Add(s.after), s.key)
		if level != s.level || untold != s.untold {
			t.Errorf("%s after %s: %s, %d untold; want %s, %d", s.key, s.after, level, untold, s.level, s.untold)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	teller := Teller{Every: time.Minute}
	for i := range 2*maxKeys + 5 {
		teller.Level(slog.LevelInfo, time.Unix(1790000000, 0), strconv.Itoa(i))
	}
	if got := len(teller.last); got > maxKeys {
		t.Errorf("%d keys are kept, want %d at most", got, maxKeys)
	}
}
