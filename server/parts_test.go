package server

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// record is a list that several goroutines add to.
type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

// untilStopped is a part that notes when it starts and when it has ended.
func untilStopped(name string, r *record, started chan<- struct{}) part {
	return part{name, func(ctx context.Context) error {
		started <- struct{}{}
		<-ctx.Done()
		r.add(name + " ended")
		return ctx.Err()
	}}
}

func TestPartsStopInReverseOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var r record
	started := make(chan struct{}, 3)
	parts := []part{untilStopped("token", &r, started), untilStopped("engine", &r, started), untilStopped("http", &r, started)}
	go func() {
		for range parts {
			<-started
		}
		cancel()
	}()
	if err := runParts(ctx, slog.New(slog.DiscardHandler), parts); err != nil {
		t.Errorf("got %v, want nil: an ordered stop is no failure", err)
	}
	want := []string{"http ended", "engine ended", "token ended"}
	if diff := cmp.Diff(want, r.lines); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAPartThatEndsByItselfStopsTheOthers(t *testing.T) {
	var r record
	started := make(chan struct{}, 1)
	broken := part{"engine", func(context.Context) error { <-started; return errors.New("disk gone") }}
	err := runParts(t.Context(), slog.New(slog.DiscardHandler), []part{untilStopped("token", &r, started), broken})
	if err == nil || !strings.Contains(err.Error(), "engine ended by itself: disk gone") {
		t.Errorf("got %v, want the cause", err)
	}
	if diff := cmp.Diff([]string{"token ended"}, r.lines); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
