package postgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"hongyan"
	"hongyan/store"
)

const (
	// writers and readers are the connections a process keeps at most: for what
	// changes something, and for lists and look-ups. One more listens.
	writers = 10
	readers = 4
	// shards is in how many rows each counter is kept, and so how many transactions
	// of one node may add to it at once.
	shards = 8
	// oldest is the oldest PostgreSQL this is written for and tested with.
	oldest = 14
	// connectTimeout is how long one attempt to connect may take.
	connectTimeout = 5 * time.Second
)

// Options configure Open.
type Options struct {
	URL     string         // postgres://USER:PASSWORD@HOST:PORT/DATABASE?…; a schema other than public with search_path=…
	Keyring *store.Keyring // seals the secrets; required
	Logger  *slog.Logger   // nil = silent

	configure func(*pgxpool.Config) // of tests
	patience  time.Duration         // of tests; 0 = opTimeout
}

// Store is a store.Store in a PostgreSQL database that other processes may use too.
type Store struct {
	id    string // of this process in notices
	keys  *store.Keyring
	log   *slog.Logger
	pool  *pgxpool.Pool // for transactions that change something
	lists *pgxpool.Pool // for reading
	clock clock
	work  gate
	// patience bounds one transaction, the wait for a connection included.
	patience time.Duration

	inserts  *group[*insertion]
	results  *group[*finishing]
	events   *group[*arrival]
	finishes *group[[]store.EventDone]
	answers  *group[*hongyan.Delivery]
	attempts *group[[]store.DeliveryResult]
	tidings  *group[[]store.NewsResult]

	streams atomic.Pointer[streamTable]
	shards  chan int
	notices noticeQueue
	unsure  unsureQueue
	wants   atomic.Pointer[wants]

	newsGapMu sync.Mutex
	newsGap   newsGap
	listen    *pgx.ConnConfig
}

var _ store.Store = (*Store)(nil)

// Open opens the database, bringing its schema up to date.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.URL == "" || o.Keyring == nil {
		return nil, hongyan.Errorf(hongyan.Invalid, "", "the store needs a URL and a master key")
	}
	if err := migrate(ctx, o.URL); err != nil {
		return nil, err
	}
	s := &Store{id: rand.Text(), keys: o.Keyring, log: o.Logger, patience: cmp.Or(o.patience, opTimeout), shards: make(chan int, shards*4)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	for i := range cap(s.shards) {
		s.shards <- i % shards
	}
	s.inserts = newGroup(2, 0, s.flushInserts)
	s.results = newGroup(2, resultLinger, s.flushResults)
	s.events = newGroup(2, 0, s.flushEvents)
	s.finishes = newGroup(1, 0, s.flushFinished)
	s.answers = newGroup(1, 0, s.flushAnswers)
	s.attempts = newGroup(1, 0, s.flushDeliveryResults)
	s.tidings = newGroup(1, 0, s.flushNewsResults)
	if err := s.connect(ctx, o); err != nil {
		s.closePools()
		return nil, err
	}
	return s, nil
}

// connect opens the pools and looks whether this is the database to work with.
func (s *Store) connect(ctx context.Context, o Options) (err error) {
	if s.pool, err = openPool(ctx, o, writers, queueSettings); err != nil {
		return err
	}
	if s.lists, err = openPool(ctx, o, readers, listSettings); err != nil {
		return err
	}
	s.listen = s.pool.Config().ConnConfig.Copy()
	s.streams.Store(newStreamTable())
	if err := s.write(ctx, func(t *tx) error { return t.checkKey(s.keys) }); err != nil {
		return unreachable(err, s.listen)
	}
	return s.loadStreams(ctx)
}

// settings of a session, by name.
type settings [][2]string

// queueSettings keep the plans of the queue's statements: every one of them finds
// its rows by an index and goes through its arguments one by one. PostgreSQL plans by
// what a table held when it was looked at last: a queue that was empty then would be
// read from end to end when it is full. Planned anew each time, a statement is planned
// for the table as large as it is. Those that run all the time are planned once (see
// transact), and leave PostgreSQL no choice:
//
//   - rows and arrays are joined as "seq BETWEEN done.seq AND done.seq", which can only be
//     looked up in the primary key, one argument after the other;
//   - "state + 0" keeps it from walking through an index of the rows in a state, and
//     "ORDER BY seq + 0" from walking through the primary key in search of the first;
//   - OFFSET 0 keeps a subquery what it is.
//
// A transaction that its process has forgotten ends.
var queueSettings = settings{
	{"enable_seqscan", "off"}, {"enable_hashjoin", "off"}, {"enable_mergejoin", "off"}, {"enable_bitmapscan", "off"},
	{"plan_cache_mode", "force_custom_plan"}, {"jit", "off"},
	{"statement_timeout", "15s"}, {"lock_timeout", "10s"}, {"idle_in_transaction_session_timeout", "15s"},
	{"default_transaction_isolation", "read committed"}, {"synchronous_commit", "on"},
}

// listSettings are for what people ask. They cannot write, and nothing they ask
// keeps PostgreSQL from cleaning up for long.
var listSettings = settings{
	{"enable_seqscan", "off"}, {"plan_cache_mode", "force_custom_plan"}, {"jit", "off"},
	{"statement_timeout", "15s"}, {"idle_in_transaction_session_timeout", "15s"},
	{"default_transaction_read_only", "on"},
}

// apply sets all settings in one round trip.
func (all settings) apply(ctx context.Context, c *pgx.Conn) error {
	var calls []string
	for _, s := range all {
		calls = append(calls, fmt.Sprintf("set_config('%s', '%s', false)", s[0], s[1]))
	}
	_, err := c.Exec(ctx, "SELECT "+strings.Join(calls, ", "))
	return err
}

func openPool(ctx context.Context, o Options, size int32, all settings) (*pgxpool.Pool, error) {
	cfg, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = size
	cfg.MinConns, cfg.MinIdleConns = 0, 0
	cfg.AfterConnect = all.apply
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement // results must be binary (see row)
	if o.configure != nil {
		o.configure(cfg)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return pool, nil
}

// CheckURL reports why url cannot be the database's, as a *hongyan.Error, nil when it
// can. It connects to nothing.
func CheckURL(url string) error {
	_, err := parseURL(url)
	return err
}

// parseURL reads the database's URL. Its errors never show it: it may hold a password.
func parseURL(text string) (*pgxpool.Config, error) {
	broken := &hongyan.Error{Kind: hongyan.Invalid, Code: "database_url", Message: "the URL cannot be read",
		Hint: "write postgres://USER:PASSWORD@HOST:5432/DATABASE, with signs such as @ / ? % in the password as %40 %2F %3F %25"}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, broken
	}
	cfg, err := pgxpool.ParseConfig(text)
	if err != nil {
		// pgx repeats the URL; its reason, behind the last colon, is of no secret.
		said := err.Error()
		broken.Message += ":" + said[strings.LastIndexByte(said, ':')+1:]
		return nil, broken
	}
	if cfg.ConnConfig.ConnectTimeout == 0 || cfg.ConnConfig.ConnectTimeout > connectTimeout {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "hongyan"
	}
	return cfg, nil
}

// Now is the database's clock as this process knows it, in UTC, cut to milliseconds.
func (s *Store) Now() time.Time { return s.clock.now() }

// Ready reports why the store cannot take records at the moment. It writes a row.
func (s *Store) Ready(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		return t.setMeta("ready", fmt.Appendf(nil, "%d", t.now))
	})
}

// Close lets operations under way end and closes the connections.
// Later operations fail with kind Unavailable. A second Close does nothing.
func (s *Store) Close() error {
	s.work.close()
	s.notices.wait()
	s.closePools()
	return nil
}

func (s *Store) closePools() {
	for _, pool := range []*pgxpool.Pool{s.pool, s.lists} {
		if pool != nil {
			pool.Close()
		}
	}
}

// gate counts operations under way.
type gate struct {
	mu     sync.Mutex
	n      int
	closed bool
	idle   chan struct{} // closed when the last one leaves a closed gate
}

// enter reports whether an operation may begin.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.n++
	}
	return !g.closed
}

func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 && g.closed {
		close(g.idle)
	}
}

// close refuses further operations and waits for those under way.
func (g *gate) close() {
	g.mu.Lock()
	if !g.closed {
		g.closed, g.idle = true, make(chan struct{})
		if g.n == 0 {
			close(g.idle)
		}
	}
	idle := g.idle
	g.mu.Unlock()
	<-idle
}

// unreachable says of a failure to begin where it was tried, and what to look at.
func unreachable(err error, c *pgx.ConnConfig) error {
	if err == nil {
		return nil
	}
	e := &hongyan.Error{Kind: hongyan.Unavailable, Code: "database_unreachable", Err: err}
	where := fmt.Sprintf("%s:%d", c.Host, c.Port)
	switch code(err) {
	case "28P01", "28000":
		e.Kind, e.Code, e.Message = hongyan.Invalid, "database_login", fmt.Sprintf("PostgreSQL at %s does not let user %q in", where, c.User)
		e.Hint = "check user and password in --database (or HONGYAN_DATABASE), and the server's pg_hba.conf"
	case codeNoDatabase:
		e.Kind, e.Code, e.Message = hongyan.Invalid, "no_database", fmt.Sprintf("PostgreSQL at %s has no database %q", where, c.Database)
		e.Hint = fmt.Sprintf("make it: createdb -h %s -p %d %s; or name another in --database", c.Host, c.Port, c.Database)
	case "":
		if told(err) && !hongyan.IsKind(err, hongyan.Unavailable) || !isConnection(err) {
			return err
		}
		e.Message, e.Err = fmt.Sprintf("no PostgreSQL answers at %s", where), plain(err)
		e.Hint = "check that it runs there and that this machine may connect; the address is in --database (or HONGYAN_DATABASE)"
	default:
		return explain(err)
	}
	return e
}

// plain returns the innermost reason of a failure to connect. What is around it says
// the same several times, in several lines.
func plain(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	if c, ok := errors.AsType[*pgconn.ConnectError](err); ok && errors.Unwrap(c) != nil {
		return errors.Unwrap(c)
	}
	return err
}
