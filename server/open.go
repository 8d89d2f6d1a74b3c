package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"hongyan"
	"hongyan/store"
	"hongyan/store/postgres"
	"hongyan/store/sqlite"
)

// openStore makes the data folder, finds the master key and opens the database,
// whichever it is.
func (s *Server) openStore(ctx context.Context, getenv func(string) string) (store.Store, error) {
	if err := makeFolder(s.config.Data); err != nil {
		return nil, err
	}
	ring, err := keyring(&s.config, getenv)
	if err != nil {
		return nil, err
	}
	st, err := openDatabase(ctx, &s.config, ring, s.log.With("part", "store"))
	if err != nil {
		return nil, err
	}
	s.onClose("store", st.Close)
	return st, nil
}

func openDatabase(ctx context.Context, c *Config, ring *store.Keyring, log *slog.Logger) (store.Store, error) {
	if c.OnPostgres() {
		st, err := postgres.Open(ctx, postgres.Options{URL: c.Database, Keyring: ring, Logger: log})
		if err != nil {
			return nil, fmt.Errorf("open database: %w", err)
		}
		return st, nil
	}
	st, err := sqlite.Open(ctx, sqlite.Options{Path: c.DatabasePath(), Keyring: ring, Logger: log})
	if err != nil {
		return nil, notWritable(filepath.Dir(c.DatabasePath()), fmt.Errorf("open database: %w", err))
	}
	return st, nil
}

// makeFolder makes the data folder, if it is not there.
func makeFolder(folder string) error {
	err := os.MkdirAll(folder, 0o700)
	if errors.Is(err, syscall.ENOTDIR) {
		return wrongSetting("data", "name a folder with --data", "%q names a file, or leads through one", folder)
	}
	return notWritable(folder, err)
}

// notWritable gives an error that keeps us from writing in a folder its cure.
// One that has a kind has a cure already.
func notWritable(folder string, err error) error {
	path, ok := errors.AsType[*fs.PathError](err)
	if _, told := errors.AsType[*hongyan.Error](err); told || !ok {
		return err
	}
	return &hongyan.Error{Kind: hongyan.Unavailable, Message: fmt.Sprintf("nothing can be written in the folder %s", folder),
		Hint: "let this user write there, or choose another folder with --data", Err: path.Err}
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
