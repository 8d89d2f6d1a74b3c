package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"hongyan"
	"hongyan/internal/fault"
	"hongyan/store"
)

const (
	// readers is the size of the read-only pool. Lists are for people, and two
	// or three at a time are already rare.
	readers = 4
	// writerCache and readerCache are page caches in KiB. Larger ones only cost memory.
	writerCache = 8 << 10
	readerCache = 2 << 10
	// busyTimeout is for the moments in which another program (a backup, a
	// shell) holds a lock; Hongyan itself never waits for itself.
	busyTimeout = 5 * time.Second
	// checkpointPages is after how many pages (16 MiB) the WAL is folded into the
	// database. A page written often in between is folded once; SQLite's 1000
	// cost a tenth more processor time per message.
	checkpointPages = 4000
	// walLimit is the size, in bytes, to which the WAL file is cut back after a
	// burst. SQLite would keep the longest it ever was.
	walLimit = 64 << 20
	// defaultSlow is how long a commit may take before it is logged.
	defaultSlow = time.Second
)

// Options configure Open.
type Options struct {
	Path     string         // the database file; its folder is made when missing
	Keyring  *store.Keyring // seals the secrets; required
	Logger   *slog.Logger   // nil = silent
	SlowWait time.Duration  // commits that take longer are logged; 0 = 1 s
}

// Store is a store.Store in one SQLite file.
type Store struct {
	path    string
	keys    *store.Keyring
	lock    io.Closer
	queue   *queue
	writer  *conn
	stopped chan struct{} // closed when the writer has ended
	closing chan struct{} // closed when no more reads may start
	pool    chan *conn    // of length readers; nil = not opened yet
	rates   rates
	again   chan again    // where Retain goes on; holds one
	told    chan struct{} // news were written; holds one
}

var _ store.Store = (*Store)(nil)

// Open opens the database, creating or upgrading it as needed, and starts its
// writer; Close stops it. It fails, with a hint, when another process has the
// file open, when the schema is newer than this program, or when the keyring
// is not the one the secrets were sealed with.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Keyring == nil || o.Path == "" {
		return nil, hongyan.Errorf(hongyan.Invalid, "", "opening a store needs a path and a master key")
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Path, err)
	}
	lock, err := prepareFile(path)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, path, o)
	if err != nil {
		lock.Close()
		return nil, err
	}
	s.lock = lock
	return s, nil
}

// prepareFile makes the folder and the file, readable by the owner alone, and
// takes the lock that keeps a second process out.
func prepareFile(path string) (lock io.Closer, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the database: %w", err)
	}
	if lock, err = lockFile(path); err != nil {
		return nil, err
	}
	// SQLite gives its -wal and -shm files the mode of the database file.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return lock, nil
}

func open(ctx context.Context, path string, o Options) (_ *Store, err error) {
	if err := migrate(ctx, path); err != nil {
		return nil, err
	}
	c, err := openConn(writerDSN(path))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, explain(err))
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if err := checkKey(ctx, c, o.Keyring); err != nil {
		return nil, err
	}
	if err := rememberTokens(ctx, c, o.Keyring); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, explain(err))
	}
	memory, err := loadMemory(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, explain(err))
	}
	s := &Store{path: path, keys: o.Keyring, queue: newQueue(), writer: c,
		stopped: make(chan struct{}), closing: make(chan struct{}), pool: make(chan *conn, readers),
		again: make(chan again, 1), told: make(chan struct{}, 1), rates: rates{buckets: make(map[string]*rateBucket)}}
	for range readers {
		s.pool <- nil
	}
	s.again <- again{}
	w := &writer{c: c, queue: s.queue, memory: memory, log: o.Logger, slow: o.SlowWait, told: s.told}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	if w.slow == 0 {
		w.slow = defaultSlow
	}
	go func() {
		defer close(s.stopped)
		w.loop()
	}()
	return s, nil
}

// loadMemory reads what the writer keeps in mind. No node of an earlier
// process is alive: this one holds the lock.
func loadMemory(ctx context.Context, c *conn) (memory, error) {
	var m memory
	_, err := c.queryOne(ctx, func(r *row) error {
		m.nextSeq, m.orphans = r.int64()+1, r.int64()
		return nil
	}, "SELECT (SELECT max(seq) FROM messages), (SELECT count(*) FROM orphans)")
	if err != nil {
		return m, err
	}
	floor, err := loadNumber(ctx, c, seqFloor)
	if err != nil {
		return m, err
	}
	m.nextSeq = max(m.nextSeq, floor)
	if m.streams, err = loadStreams(ctx, c); err != nil {
		return m, err
	}
	if m.accounts, err = loadAppIDs(ctx, c); err != nil {
		return m, err
	}
	if m.news, err = loadNewsMemory(ctx, c); err != nil {
		return m, err
	}
	if m.pending, err = loadPending(ctx, c); err != nil {
		return m, err
	}
	return m, err
}

// writerDSN and readerDSN name the database for the driver. The pragmas belong
// here: run as statements they would reach one connection of a pool only.
func writerDSN(path string) string {
	return dsn(path, "_txlock=immediate", "journal_mode(WAL)", "synchronous(FULL)", "temp_store(MEMORY)",
		fmt.Sprintf("cache_size(-%d)", writerCache), fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages), fmt.Sprintf("journal_size_limit(%d)", walLimit))
}

func readerDSN(path string) string {
	return dsn(path, "mode=ro", "query_only(1)", "temp_store(MEMORY)", fmt.Sprintf("cache_size(-%d)", readerCache))
}

func dsn(path, option string, pragmas ...string) string {
	name := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}
	s := name.String() + "?" + option + fmt.Sprintf("&_pragma=busy_timeout(%d)", busyTimeout.Milliseconds())
	for _, p := range pragmas {
		s += "&_pragma=" + p
	}
	return s
}

// Now is the wall clock in UTC, cut to milliseconds.
func (s *Store) Now() time.Time { return hongyan.Millis(fault.Now()) }

// RowsWritten returns how many rows were inserted, changed or removed since Open,
// those that were undone included. It is for measurements.
func (s *Store) RowsWritten() int64 { return s.writer.rows.Load() }

// Ready reports why the store cannot take records at the moment. It writes a row.
func (s *Store) Ready(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		return t.setMeta("ready", fmt.Appendf(nil, "%d", t.now))
	})
}

// Close lets operations under way end and closes the database.
// Later operations fail with kind Unavailable. A second Close does nothing.
func (s *Store) Close() error {
	if !s.queue.close() {
		<-s.stopped
		return nil
	}
	close(s.closing)
	<-s.stopped
	var errs []error
	for range readers {
		if c := <-s.pool; c != nil {
			errs = append(errs, c.close())
		}
	}
	// Last, for the last connection folds the WAL into the database.
	errs = append(errs, s.writer.close(), s.lock.Close())
	return errors.Join(errs...)
}

// read runs f on a connection that cannot write.
func (s *Store) read(ctx context.Context, f func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.closing:
		return errClosed
	default:
	}
	var c *conn
	select {
	case c = <-s.pool:
	case <-s.closing:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.pool <- c }()
	if c == nil {
		var err error
		if c, err = openConn(readerDSN(s.path)); err != nil {
			c = nil
			return fmt.Errorf("open %s for reading: %w", s.path, explain(err))
		}
	}
	return explain(f(c))
}

// snapshot is read, with all of f seeing the same state of the database.
func (s *Store) snapshot(ctx context.Context, f func(*conn) error) error {
	return s.read(ctx, func(c *conn) error {
		if err := c.command("BEGIN"); err != nil {
			return err
		}
		err := f(c)
		if e := c.command("COMMIT"); err == nil {
			err = e
		}
		return err
	})
}
