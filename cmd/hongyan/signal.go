package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// sameSignal is how close together two signals count as one: a shell and the
// tool it runs under often both pass a Ctrl-C on.
const sameSignal = 200 * time.Millisecond

// untilSignal returns a context that ends with the first SIGINT or SIGTERM:
// then everything stops in order. A second signal ends the process at once.
func untilSignal(parent context.Context) context.Context {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		first := time.Now()
		cancel()
		for range signals {
			if time.Since(first) > sameSignal {
				os.Exit(exitFailed)
			}
		}
	}()
	return ctx
}
