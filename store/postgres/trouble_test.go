package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"hongyan"
	"hongyan/store"
	"hongyan/store/postgres/postgrestest"
)

// proxy stands between a store and the server and cuts what passes it.
type proxy struct {
	t        *testing.T
	listener net.Listener
	server   string

	mu    sync.Mutex
	conns map[net.Conn]bool
	down  bool
	// onCommit is told of each COMMIT before the server is, and may cut: true passes
	// the COMMIT on. Its answer does not come back when answer is false.
	onCommit func() (pass, answer bool)
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	server, err := postgrestest.Start()
	mustDo(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	mustDo(t, err)
	p := &proxy{t: t, listener: l, server: server.Address(), conns: make(map[net.Conn]bool)}
	go p.accept()
	t.Cleanup(func() { l.Close(); p.cut() })
	return p
}

// url is the URL of a database through the proxy.
func (p *proxy) url(database string) string {
	server, err := postgrestest.Start()
	mustDo(p.t, err)
	return server.Over(p.listener.Addr().String(), server.Password(), databaseName(database))
}

func (p *proxy) password() string {
	server, err := postgrestest.Start()
	mustDo(p.t, err)
	return server.Password()
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		down := p.down
		p.conns[c] = true
		p.mu.Unlock()
		if down {
			c.Close()
			continue
		}
		go p.serve(c)
	}
}

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer s.Close()
	mute := make(chan struct{})
	go func() {
		buffer := make([]byte, 1<<16)
		for {
			n, err := s.Read(buffer)
			select {
			case <-mute:
				c.Close()
				return
			default:
			}
			if _, e := c.Write(buffer[:n]); err != nil || e != nil {
				c.Close()
				return
			}
		}
	}()
	buffer := make([]byte, 1<<16)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		on := p.onCommit
		p.mu.Unlock()
		if on != nil && bytes.Contains(buffer[:n], []byte("COMMIT\x00")) {
			pass, answer := on()
			if !answer {
				close(mute)
			}
			if !pass {
				return
			}
		}
		if _, err := s.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

func (p *proxy) setDown(down bool) {
	p.mu.Lock()
	p.down = down
	p.mu.Unlock()
	if down {
		p.cut()
	}
}

func (p *proxy) setOnCommit(f func() (pass, answer bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onCommit = f
}

// once does something at the first COMMIT only.
func once(pass, answer bool) func() (bool, bool) {
	var first sync.Once
	return func() (p, a bool) {
		p, a = true, true
		first.Do(func() { p, a = pass, answer })
		return p, a
	}
}

// proxied opens a store through a proxy.
func proxied(t *testing.T, patience time.Duration) (*Store, *proxy) {
	t.Helper()
	p := newProxy(t)
	s, err := Open(t.Context(), Options{URL: p.url(newTestURL(t)), Keyring: newTestKeyring(t, 7), patience: patience})
	mustDo(t, err)
	t.Cleanup(func() { mustDo(t, s.Close()) })
	return withAccount(t, s), p
}

// rows counts the messages there are.
func rows(t *testing.T, s *Store) (n int) {
	t.Helper()
	mustDo(t, s.read(t.Context(), func(c conn) error {
		return c.query(t.Context(), func(r *row) error { n = r.int(); return nil }, "SELECT count(*) FROM messages")
	}))
	return n
}

// TestACommitWithoutAnAnswerIsLookedUp: whether it was carried out or not, the caller
// learns the truth, and there is one row.
func TestACommitWithoutAnAnswerIsLookedUp(t *testing.T) {
	for name, pass := range map[string]bool{"carried out": true, "lost on its way": false} {
		t.Run(name, func(t *testing.T) {
			s, p := proxied(t, 0)
			_, err := s.InsertMessages(t.Context(), testMessages(1, 0)) // so that the next has one commit only
			mustDo(t, err)
			p.setOnCommit(once(pass, false))
			out, err := s.InsertMessages(t.Context(), testMessages(1, 0))
			mustDo(t, err)
			if _, err := s.Message(t.Context(), out[0].Message.ID); err != nil || rows(t, s) != 2 {
				t.Errorf("%d rows, %v; want two, one of them that of the answer", rows(t, s), err)
			}
		})
	}
}

// TestLeasesNobodyKnowsOfAreGivenBack: the database takes a leased message, and is not
// reachable before anybody can learn it. The message must not wait for its node's end.
func TestLeasesNobodyKnowsOfAreGivenBack(t *testing.T) {
	s, p := proxied(t, 700*time.Millisecond)
	epoch, err := s.Join(t.Context(), "node", time.Minute)
	mustDo(t, err)
	first, err := s.InsertMessages(t.Context(), testMessages(1, 0)) // so that the next has one commit only
	mustDo(t, err)
	_, err = s.Cancel(t.Context(), first[0].Message.ID)
	mustDo(t, err)
	p.setOnCommit(func() (bool, bool) {
		p.setOnCommit(nil)
		p.setDown(true) // for the store; the COMMIT still goes its way
		return true, false
	})
	_, err = s.InsertMessages(t.Context(), testMessages(1, epoch))
	if !hongyan.IsKind(err, hongyan.Unavailable) {
		t.Fatalf("got %v, want unavailable", err)
	}
	p.setDown(false)
	deadline := time.Now().Add(20 * time.Second)
	for {
		ms, err := s.Claim(t.Context(), epoch, []store.Want{{AppID: testAppID, Kind: hongyan.KindTemplate, Max: 1}})
		mustDo(t, err)
		if len(ms) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the message was not given back")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestALostDatabaseComesBack: while it is away everything fails as unavailable, nothing
// hangs, and afterwards everything works again.
func TestALostDatabaseComesBack(t *testing.T) {
	s, p := proxied(t, 2*time.Second)
	p.setDown(true)
	_, insertErr := s.InsertMessages(t.Context(), testMessages(1, 0))
	_, claimErr := s.Claim(t.Context(), 1, []store.Want{{AppID: testAppID, Kind: hongyan.KindTemplate, Max: 1}})
	_, listErr := s.Accounts(t.Context())
	for what, err := range map[string]error{"insert": insertErr, "claim": claimErr, "list": listErr, "ready": s.Ready(t.Context())} {
		if !hongyan.IsKind(err, hongyan.Unavailable) {
			t.Errorf("%s: got %v, want unavailable", what, err)
		}
		if err != nil && strings.Contains(err.Error(), p.password()) {
			t.Errorf("%s: the error shows the password: %v", what, err)
		}
	}
	p.setDown(false)
	mustDo(t, s.Ready(t.Context()))
	_, err := s.InsertMessages(t.Context(), testMessages(1, 0))
	mustDo(t, err)
	_, err = s.Accounts(t.Context())
	mustDo(t, err)
}

// TestARestartIsNotNoticed: connections that died while nobody used them are replaced
// without anybody seeing an error.
func TestARestartIsNotNoticed(t *testing.T) {
	s, p := proxied(t, 0)
	for range 3 {
		_, err := s.InsertMessages(t.Context(), testMessages(1, 0))
		mustDo(t, err)
		_, err = s.Accounts(t.Context())
		mustDo(t, err, s.Ready(t.Context()))
		p.cut()
	}
	_, err := s.Accounts(t.Context())
	mustDo(t, err)
}

// TestWatchConnectsAgain: and says that anything may have changed meanwhile.
func TestWatchConnectsAgain(t *testing.T) {
	s, p := proxied(t, 0)
	ctx, stop := context.WithCancel(t.Context())
	heard := make(chan store.Notice, 100)
	ended := make(chan error)
	go func() { ended <- s.Watch(ctx, func(n store.Notice) { heard <- n }) }()
	for range 2 {
		for _, kind := range store.NoticeKinds() {
			if got := <-heard; got != (store.Notice{Kind: kind}) {
				t.Fatalf("got %v, want any account of kind %d", got, kind)
			}
		}
		p.cut()
	}
	stop()
	mustDo(t, <-ended)
}

// TestWithdrawnCallsEndAtOnce: the caller's context ends the wait for a connection.
func TestWithdrawnCallsEndAtOnce(t *testing.T) {
	s := withAccount(t, newTestStore(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Accounts(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's end", err)
	}
	if err := s.Ready(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's end", err)
	}
}

// TestDatabasesThatCannotBeUsed: each is refused with its remedy, none shows a password.
func TestDatabasesThatCannotBeUsed(t *testing.T) {
	server, err := postgrestest.Start()
	mustDo(t, err)
	const wrong = "s3cr3t-wrong"
	as := func(password, database string) string { return server.Over(server.Address(), password, database) }
	tests := map[string]struct {
		url       func(t *testing.T) string
		kind      hongyan.Kind
		say, hint string
	}{
		"no URL":           {func(*testing.T) string { return "mysql://me:" + wrong + "@host/db" }, hongyan.Invalid, "cannot be read", "postgres://USER"},
		"a broken URL":     {func(*testing.T) string { return "postgres://me:" + wrong + "%zz@host/db" }, hongyan.Invalid, "cannot be read", "%25"},
		"a wrong setting":  {func(*testing.T) string { return "postgres://me:" + wrong + "@host/db?sslmode=maybe" }, hongyan.Invalid, "sslmode is invalid", "postgres://USER"},
		"nobody there":     {func(*testing.T) string { return "postgres://me:" + wrong + "@127.0.0.1:1/db" }, hongyan.Unavailable, "no PostgreSQL answers at 127.0.0.1:1", "check that it runs"},
		"a wrong password": {func(*testing.T) string { return as(wrong, "postgres") }, hongyan.Invalid, "does not let user", "check user and password"},
		"no such database": {func(*testing.T) string { return as(server.Password(), "nowhere") }, hongyan.Invalid, `has no database "nowhere"`, "createdb"},
		"no rights":        {func(t *testing.T) string { return postgrestest.URL(t) + "&search_path=pg_catalog" }, hongyan.Unavailable, "may not", "GRANT"},
		"read only": {func(t *testing.T) string {
			url := newTestURL(t)
			run(t, url, "ALTER DATABASE "+databaseName(url)+" SET default_transaction_read_only = on")
			return url
		}, hongyan.Unavailable, "read only", "default_transaction_read_only"},
		"no schema": {func(t *testing.T) string { return newTestURL(t) + "&search_path=elsewhere" }, hongyan.Invalid, "no schema", "CREATE SCHEMA"},
		"a newer schema": {func(t *testing.T) string {
			url := newTestURL(t)
			run(t, url, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)")
			return url
		}, hongyan.Unavailable, "schema version 9999", "run the newer hongyan"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), Options{URL: tt.url(t), Keyring: newTestKeyring(t, 7)})
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			e, ok := errors.AsType[*hongyan.Error](err)
			if !ok || e.Kind != tt.kind || !strings.Contains(e.Message, tt.say) || !strings.Contains(e.Hint, tt.hint) {
				t.Errorf("got %v: %v (hint %q), want kind %v, %q and hint %q", hongyan.KindOf(err), err, e.Hint, tt.kind, tt.say, tt.hint)
			}
			if text := fmt.Sprintf("%v %+v", err, e); strings.Contains(text, wrong) || strings.Contains(text, server.Password()) {
				t.Errorf("it shows a password: %s", text)
			}
		})
	}
}

func databaseName(url string) string {
	cfg, _ := pgx.ParseConfig(url)
	return cfg.Database
}

// run runs statements on a connection of their own.
func run(t *testing.T, url, sql string) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	mustDo(t, err)
	defer c.Close(ctx)
	_, err = c.Exec(ctx, sql)
	mustDo(t, err)
}

// TestAWrongMasterKeyIsRefused: and so is the second of two processes that bring one.
func TestAWrongMasterKeyIsRefused(t *testing.T) {
	url := newTestURL(t)
	mustDo(t, openTestStore(t, url).Close())
	s, err := Open(t.Context(), Options{URL: url, Keyring: newTestKeyring(t, 8)})
	if err == nil {
		s.Close()
		t.Fatal("it was opened")
	}
	if e, ok := errors.AsType[*hongyan.Error](err); !ok || e.Code != "master_key" || !strings.Contains(e.Hint, "HONGYAN_MASTER_KEY") {
		t.Errorf("got %v, want a refusal that names the earlier key", err)
	}
}

// TestProcessesMigrateTheSameDatabaseAtOnce: one does, the others wait for it.
func TestProcessesMigrateTheSameDatabaseAtOnce(t *testing.T) {
	url := postgrestest.URL(t)
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			var s *Store
			if s, errs[i] = Open(t.Context(), Options{URL: url, Keyring: newTestKeyring(t, 7)}); errs[i] == nil {
				errs[i] = s.Close()
			}
		})
	}
	wg.Wait()
	mustDo(t, errs...)
	from, to, err := SchemaVersion(t.Context(), url)
	if mustDo(t, err); from != to || from == 0 {
		t.Errorf("version %d of %d", from, to)
	}
}

// TestExplainKinds: what PostgreSQL says, and what the caller can do about it.
func TestExplainKinds(t *testing.T) {
	for code, want := range map[string]hongyan.Kind{
		"53100": hongyan.Full, "23505": hongyan.Conflict, "25006": hongyan.Unavailable, "57P01": hongyan.Unavailable, "57014": hongyan.Unavailable,
		"53300": hongyan.Unavailable, "40P01": hongyan.Unavailable, "42501": hongyan.Unavailable, "55P03": hongyan.Unavailable, "42601": hongyan.Internal,
	} {
		err := explain(fmt.Errorf("insert: %w", &pgconn.PgError{Code: code, Message: "said"}))
		if got := hongyan.KindOf(err); got != want {
			t.Errorf("%s: got %v, want %v", code, got, want)
		}
	}
	for _, err := range []error{io.ErrUnexpectedEOF, &net.OpError{Op: "read", Err: errors.New("connection reset")}, context.DeadlineExceeded} {
		if got := hongyan.KindOf(explain(fmt.Errorf("claim: %w", err))); got != hongyan.Unavailable {
			t.Errorf("%v: got %v, want unavailable", err, got)
		}
	}
}

// TestTheEndOfATransactionIsNotThatOfAnother: after a crash the number of a transaction
// that was lost is another's. What was to be stored tells; where nothing was, nothing does.
func TestTheEndOfATransactionIsNotThatOfAnother(t *testing.T) {
	s := withAccount(t, openTestStore(t, newTestURL(t)))
	out, err := s.InsertMessages(t.Context(), testMessages(1, 0))
	mustDo(t, err)
	var xid string
	mustDo(t, s.write(t.Context(), func(t *tx) error { xid = t.xid; return t.setMeta("other", []byte("s")) }))
	now := s.Now().UnixMilli()
	const beforeTheCrash = 1000 // the server started later
	for _, c := range []struct {
		name, stored string
		began        int64
		want         xactEnd
	}{
		{"no crash", "", now + 2000, committedEnd},
		{"a crash, and nothing to tell by", "", beforeTheCrash, unknownEnd},
		{"a crash, and the message is there", out[0].Message.ID, beforeTheCrash, committedEnd},
		{"a crash, and the message is not there", "msg_lost", beforeTheCrash, abortedEnd},
	} {
		got, err := s.endOf(t.Context(), xid, c.began, c.stored)
		if err != nil || got != c.want {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
	}
}
