package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"

	"hongyan"
	"hongyan/dispatch"
	"hongyan/doctor"
	"hongyan/store"
)

// Options is what a Server is given by its surroundings. The zero value uses
// the process's own.
type Options struct {
	Getenv   func(string) string // reads the keys' variables; nil = os.Getenv
	Stdout   io.Writer           // gets the line "listening on http://HOST:PORT"; nil = os.Stdout
	Logger   *slog.Logger        // nil = by Config.Log, to os.Stderr
	Version  string              // of this build, for the API to show
	Listener net.Listener        // serve here instead of Config.Listen; closed with the Server; nil = bind
}

// Server is one gateway: its store is open and its socket bound, but nothing
// runs before Run.
type Server struct {
	config   Config
	log      *slog.Logger
	stdout   io.Writer
	listener net.Listener
	handler  http.Handler
	// endStreams ends what would outlast a stop by itself.
	endStreams func()
	engine     *dispatch.Engine
	store      store.Store
	parts      []part // all but http, in the order they start
	cleanups   []cleanup

	adminKeyFile string // "" = the key is in the environment
	keySource    doctor.KeySource
	keyFile      string // of the master key; "" = it is in the environment
}

// cleanup undoes one thing New did.
type cleanup struct {
	name string
	undo func() error
}

// New opens the store (made if there is none), applies the accounts of the
// configuration and binds the address. The caller must call Run or Close.
func New(ctx context.Context, config Config, options Options) (*Server, error) {
	s := &Server{config: config, stdout: options.Stdout, log: options.Logger}
	if s.stdout == nil {
		s.stdout = os.Stdout
	}
	if s.log == nil {
		s.log = NewLogger(config.Log, os.Stderr)
	}
	if options.Getenv == nil {
		options.Getenv = os.Getenv
	}
	if s.config.StopGrace == 0 {
		s.config.StopGrace = Default().StopGrace
	}
	if err := s.build(ctx, options); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) build(ctx context.Context, options Options) error {
	if ps := s.config.Validate(); len(ps) > 0 {
		return &ConfigError{Problems: ps}
	}
	if err := s.config.CheckFirstStart(); err != nil {
		return err
	}
	// The socket first: a taken port is the commonest mistake, and costs nothing to find out.
	if err := s.bind(ctx, options.Listener); err != nil {
		return err
	}
	st, err := s.openStore(ctx, options.Getenv)
	if err != nil {
		return err
	}
	hash, file, err := adminKey(s.config.Data, options.Getenv)
	if err != nil {
		return err
	}
	s.adminKeyFile = file
	s.keySource, s.keyFile = keySource(&s.config, options.Getenv)
	if err := applyAccounts(ctx, st, s.config.Accounts); err != nil {
		return err
	}
	s.wire(st, hash, options.Version)
	return nil
}

// bind takes the address of the configuration, or the listener that was given.
func (s *Server) bind(ctx context.Context, l net.Listener) error {
	if l == nil {
		var err error
		if l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", s.config.Listen); err != nil {
			return &hongyan.Error{Kind: hongyan.Unavailable, Message: fmt.Sprintf("listen on %s: %v", s.config.Listen, plainListenError(err)),
				Hint: "choose another address with --listen; port 0 takes a free one"}
		}
	}
	s.listener = l
	s.onClose("listener", func() error { return ignoreClosed(l.Close()) })
	return nil
}

// Engine is what moves the messages, for programs that feed it from inside.
func (s *Server) Engine() *dispatch.Engine { return s.engine }

// Store is what the gateway remembers, for programs that measure it from inside.
func (s *Server) Store() store.Store { return s.store }

// URL is where the gateway is, as http://HOST:PORT.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Run says where it listens, serves until ctx ends, then stops in order: no new
// requests, calls to WeChat under way finished and untried messages returned,
// pushes processed, store closed. It returns nil after such a stop, and the
// cause when a part failed by itself. The Server cannot be used again.
func (s *Server) Run(ctx context.Context) error {
	fmt.Fprintln(s.stdout, "listening on "+s.URL())
	if s.adminKeyFile != "" {
		fmt.Fprintln(s.stdout, "administrator's key in "+s.adminKeyFile)
	}
	parts := append(s.parts, httpPart(s.listener, s.handler, s.endStreams, s.log, s.config.StopGrace))
	err := runParts(ctx, s.log, parts)
	return errors.Join(err, s.Close())
}

// onClose remembers how to undo something.
func (s *Server) onClose(name string, undo func() error) {
	s.cleanups = append(s.cleanups, cleanup{name, undo})
}

// Close undoes what New did, the last thing first. Run has done it already
// when it returns; a second call does nothing.
func (s *Server) Close() error {
	var failures error
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		if err := s.cleanups[i].undo(); err != nil {
			failures = errors.Join(failures, fmt.Errorf("close %s: %w", s.cleanups[i].name, err))
		}
	}
	s.cleanups = nil
	return failures
}

// ignoreClosed drops the complaint that a listener is closed already: the HTTP
// server closes it too.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// plainListenError returns the reason without the address, which is shown already.
func plainListenError(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}
