package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits of one connection. Nothing we answer takes longer to read or write
// than these; a slow peer costs a socket, not a worker.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// httpPart serves handler on l until its context ends, then stops accepting
// and lets requests under way finish within grace; endStreams ends those that would not.
func httpPart(l net.Listener, handler http.Handler, endStreams func(), log *slog.Logger, grace time.Duration) part {
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	srv.RegisterOnShutdown(endStreams)
	return part{"http", func(ctx context.Context) error { return ServeUntil(ctx, srv, l, grace) }}
}

// ServeUntil serves on l until ctx ends, then stops accepting and lets requests
// under way finish within grace; whoever is still connected then is cut off. It
// returns nil after that, and the cause when serving failed before.
func ServeUntil(ctx context.Context, srv *http.Server, l net.Listener, grace time.Duration) error {
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := srv.Shutdown(limit)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	<-failed
	return err
}
