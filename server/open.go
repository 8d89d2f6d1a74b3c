package server

import (
	"context"
	"errors"
	"fmt"
	"os"

	"hongyan/store"
	"hongyan/store/sqlite"
)

// openStore makes the data folder, finds the master key and opens the database.
func (s *Server) openStore(ctx context.Context, getenv func(string) string) (store.Store, error) {
	if err := os.MkdirAll(s.config.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	ring, err := keyring(&s.config, getenv)
	if err != nil {
		return nil, err
	}
	st, err := sqlite.Open(ctx, sqlite.Options{Path: s.config.DatabasePath(), Keyring: ring, Logger: s.log.With("part", "store")})
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s.onClose("store", st.Close)
	return st, nil
}

// Migrate brings the database of config to this build's schema, making it if
// there is none. It does what every start does, without starting anything.
func Migrate(ctx context.Context, config Config, options Options) error {
	if ps := config.Validate(); len(ps) > 0 {
		return &ConfigError{Problems: ps}
	}
	if options.Getenv == nil {
		options.Getenv = os.Getenv
	}
	s := &Server{config: config, log: options.Logger}
	if s.log == nil {
		s.log = NewLogger(config.Log, os.Stderr)
	}
	_, err := s.openStore(ctx, options.Getenv)
	return errors.Join(err, s.Close())
}
