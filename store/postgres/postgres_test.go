package postgres

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"hongyan"
	"hongyan/store"
	"hongyan/store/postgres/postgrestest"
	"hongyan/store/storetest"
)

// TestMain starts the server before any bubble does. Each of rapid's walks makes a
// database of its own, so that there are fewer of them than usual, unless the flag is given.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "30"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if _, err := postgrestest.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// template is a database with the schema and nothing else.
var template = sync.OnceValues(func() (string, error) {
	server, err := postgrestest.Start()
	if err != nil {
		return "", err
	}
	url, err := server.Make("")
	if err != nil {
		return "", err
	}
	_, _, err = Migrate(context.Background(), url)
	return url, err
})

// newTestURL makes a database with the schema.
func newTestURL(t testing.TB) string {
	t.Helper()
	from, err := template()
	if err != nil {
		t.Fatal(err)
	}
	return postgrestest.Copy(t, from)
}

func newTestKeyring(t testing.TB, fill byte) *store.Keyring {
	t.Helper()
	keys, err := store.NewKeyring(bytes.Repeat([]byte{fill}, store.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func openTestStore(t testing.TB, url string) *Store {
	t.Helper()
	return openTraced(t, url, bubbleClock)
}

func openTraced(t testing.TB, url string, configure func(*pgxpool.Config)) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{URL: url, Keyring: newTestKeyring(t, 7), configure: configure})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newTestStore(t testing.TB) *Store {
	t.Helper()
	return openTestStore(t, newTestURL(t))
}

// withAccount adds the account that the messages of the tests belong to.
func withAccount(t testing.TB, s *Store) *Store {
	t.Helper()
	err := s.CreateAccount(t.Context(), hongyan.Account{AppID: "wx0123456789abcdef", Kind: hongyan.ServiceAccount})
	if err != nil && !hongyan.IsKind(err, hongyan.Conflict) {
		t.Fatal(err)
	}
	return s
}

// bubbleClock makes the database's clock follow that of a synctest bubble, which
// begins with the year 2000: a session gets the time whenever it is taken from its pool,
// and time stands still while somebody waits for the database. Outside of bubbles
// the database keeps its own clock.
func bubbleClock(cfg *pgxpool.Config) {
	if time.Now().Year() > 2020 {
		return
	}
	cfg.HealthCheckPeriod = 100 * 365 * 24 * time.Hour
	cfg.MaxConnLifetime, cfg.MaxConnIdleTime = cfg.HealthCheckPeriod, cfg.HealthCheckPeriod
	cfg.PrepareConn = func(ctx context.Context, c *pgx.Conn) (bool, error) {
		_, err := c.Exec(ctx, "SELECT set_config('hongyan.now', $1, false)", fmt.Sprint(time.Now().UnixMilli()))
		return err == nil, err
	}
}

// TestStore runs the suite, and then looks at how PostgreSQL would run every statement
// the suite made.
func TestStore(t *testing.T) {
	if _, err := template(); err != nil {
		t.Fatal(err)
	}
	st := &statements{texts: make(map[string]bool)}
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(t testing.TB) store.Store {
			return openTraced(t, newTestURL(t), func(cfg *pgxpool.Config) {
				bubbleClock(cfg)
				cfg.ConnConfig.Tracer = st
			})
		})
	})
	t.Run("plans", func(t *testing.T) { checkPlans(t, st.collected()) })
}

func mustDo(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
