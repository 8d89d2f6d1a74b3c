package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// part is something that runs until its context ends.
type part struct {
	name string
	run  func(ctx context.Context) error
}

// running is a part under way.
type running struct {
	name   string
	cancel context.CancelFunc
	done   chan error // receives once
}

// ended says that a part stopped by itself.
type ended struct {
	name string
	err  error
}

// runParts starts the parts in order and, when ctx ends or one of them stops
// by itself, stops them one after the other in reverse order: each has ended
// before the next is told to. It returns the errors of all.
func runParts(ctx context.Context, log *slog.Logger, parts []part) error {
	early := make(chan ended, len(parts))
	started := make([]running, 0, len(parts))
	for _, p := range parts {
		started = append(started, startPart(ctx, p, early))
	}
	var failure error
	select {
	case <-ctx.Done():
		log.Info("stopping")
	case e := <-early:
		failure = fmt.Errorf("%s ended by itself: %w", e.name, e.err)
		log.Error("stopping", "part", e.name, "err", e.err)
	}
	for i := len(started) - 1; i >= 0; i-- {
		failure = errors.Join(failure, started[i].stop(log))
	}
	return failure
}

// errEnded stands for the error of a part that returned none.
var errEnded = errors.New("no error given")

func startPart(ctx context.Context, p part, early chan<- ended) running {
	// The part must outlive ctx until its turn to stop comes.
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := running{name: p.name, cancel: cancel, done: make(chan error, 1)}
	go func() {
		err := p.run(own)
		if own.Err() == nil {
			if err == nil {
				err = errEnded
			}
			early <- ended{p.name, err}
			err = nil // reported already
		}
		r.done <- err
	}()
	return r
}

// stop ends the part and waits for it. That its context ended is no error.
func (r *running) stop(log *slog.Logger) error {
	r.cancel()
	err := <-r.done
	log.Debug("stopped", "part", r.name)
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("stop %s: %w", r.name, err)
}
