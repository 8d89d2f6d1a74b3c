package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/store"
)

// schema returns the schema of the database as text.
func schema(t *testing.T, s *Store) string {
	t.Helper()
	var all []string
	err := s.read(t.Context(), func(c *conn) error {
		return c.query(t.Context(), func(r *row) error {
			all = append(all, r.text()+";\n")
			return nil
		}, `SELECT sql FROM sqlite_schema WHERE sql <> '' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name <> 'goose_db_version'
			ORDER BY tbl_name, type DESC, name`)
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

// TestSchema compares the result of all migrations with schema.sql.
func TestSchema(t *testing.T) {
	got := schema(t, newTestStore(t))
	golden := filepath.Join("testdata", "schema.sql")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
	for table := range strings.SplitSeq(got, "\n\n") {
		if strings.HasPrefix(table, "CREATE TABLE") && !strings.Contains(table, "STRICT") {
			t.Errorf("not STRICT: %s", table)
		}
	}
}

func TestOpenMakesFolderAndFilesForTheOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	s := openTestStore(t, filepath.Join(dir, "hongyan.db"))
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range append(entries, mustStat(t, dir)) {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = info.Mode().Perm().String()
	}
	want := map[string]string{"data": "-rwx------", "hongyan.db": "-rw-------", "hongyan.db-wal": "-rw-------", "hongyan.db-shm": "-rw-------", "hongyan.db.lock": "-rw-------"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("permissions (-want +got):\n%s", diff)
	}
}

func mustStat(t *testing.T, dir string) os.DirEntry {
	t.Helper()
	all, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(all) != 1 {
		t.Fatalf("read the parent: %d entries, %v", len(all), err)
	}
	return all[0]
}

func TestOpenTreatsOddPathsLiterally(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?mode=memory#%41&x.db")
	openTestStore(t, path)
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestOpenSetsPragmas(t *testing.T) {
	s := newTestStore(t)
	ctx := t.Context()
	pragma := func(c *conn, name string) (v string) {
		if _, err := c.queryOne(ctx, func(r *row) error { v = fmt.Sprint(r.take()); return nil }, "PRAGMA "+name); err != nil {
			t.Fatal(err)
		}
		return v
	}
	check := func(c *conn, want map[string]string) {
		t.Helper()
		for name, w := range want {
			if got := pragma(c, name); got != w {
				t.Errorf("%s: got %s, want %s", name, got, w)
			}
		}
	}
	err := s.write(ctx, func(tx *tx) error {
		check(tx.conn, map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000", "cache_size": "-8192", "query_only": "0"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.read(ctx, func(c *conn) error {
		check(c, map[string]string{"query_only": "1", "busy_timeout": "5000", "cache_size": "-2048"})
		_, err := c.exec("DELETE FROM messages")
		return err
	})
	if !hongyan.IsKind(err, hongyan.Unavailable) {
		t.Errorf("a write on a reading connection: got %v, want it refused", err)
	}
}

func TestOpenRefusesSecondOpener(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hongyan.db")
	s := openTestStore(t, path)
	_, err := Open(t.Context(), Options{Path: path, Keyring: newTestKeyring(t, 7)})
	wantError(t, err, hongyan.Conflict, "in_use", path+".lock", fmt.Sprint(os.Getpid()))
	_, _, err = Migrate(t.Context(), path)
	wantError(t, err, hongyan.Conflict, "in_use")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openTestStore(t, path)
}

// wantError fails unless err has the kind and code, a hint, and the words in its message.
func wantError(t *testing.T, err error, kind hongyan.Kind, code string, words ...string) {
	t.Helper()
	e, ok := errors.AsType[*hongyan.Error](err)
	if !ok || e.Kind != kind || e.Code != code {
		t.Fatalf("got error %v, want kind %v, code %s", err, kind, code)
	}
	if e.Hint == "" {
		t.Errorf("the error has no hint: %v", err)
	}
	for _, w := range words {
		if !strings.Contains(e.Message, w) {
			t.Errorf("got %q, want it to name %q", e.Message, w)
		}
	}
}

func TestOpenRefusesAnotherMasterKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hongyan.db")
	if err := openTestStore(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Options{Path: path, Keyring: newTestKeyring(t, 8)})
	wantError(t, err, hongyan.Invalid, "master_key")
	openTestStore(t, path)
}

func TestOpenRefusesNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hongyan.db")
	s := openTestStore(t, path)
	err := s.write(t.Context(), func(tx *tx) error {
		_, err := tx.exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), Options{Path: path, Keyring: newTestKeyring(t, 7)})
	wantError(t, err, hongyan.Unavailable, "newer_schema", "99999")
	_, _, err = Migrate(t.Context(), path)
	wantError(t, err, hongyan.Unavailable, "newer_schema")
}

func TestMigrateReportsVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hongyan.db")
	current, latest, err := SchemaVersion(t.Context(), path)
	if err != nil || current != 0 || latest < 1 {
		t.Fatalf("before: got %d, %d, %v, want 0 and the latest", current, latest, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("asking for the version made the file")
	}
	for _, want := range []int64{0, latest} {
		from, to, err := Migrate(t.Context(), path)
		if err != nil || from != want || to != latest {
			t.Fatalf("migrate: got %d to %d, %v, want %d to %d", from, to, err, want, latest)
		}
	}
	current, _, err = SchemaVersion(t.Context(), path)
	if err != nil || current != latest {
		t.Errorf("after: got %d, %v, want %d", current, err, latest)
	}
}

func TestReopenFindsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hongyan.db")
	s := withAccount(t, openTestStore(t, path))
	ctx := t.Context()
	epoch, err := s.Join(ctx, "one", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	ms := benchMessages(20, epoch)
	ms[0].IdempotencyKey = "k"
	out, err := s.InsertMessages(ctx, ms)
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	s = openTestStore(t, path)
	if got, err := s.InsertMessages(ctx, ms[:1]); err != nil || got[0].Outcome != store.InsertedReplay {
		t.Errorf("replay after reopening: got %v, %v", got, err)
	}
	// The node of the earlier process is dead, even before another joins.
	late, err := s.FinishAttempts(ctx, benchResults([]hongyan.Message{out[3].Message}))
	if err != nil || late[0].Applied {
		t.Errorf("result of the earlier process: got %v, %v, want it not applied", late, err)
	}
	next, err := s.Join(ctx, "two", time.Minute)
	if err != nil || next <= epoch {
		t.Fatalf("join: got epoch %d after %d, %v", next, epoch, err)
	}
	taken, err := s.TakeOver(ctx, next, 100)
	if err != nil || len(taken) != len(ms) {
		t.Errorf("taken over: got %d, %v, want %d", len(taken), err, len(ms))
	}
	more, err := s.InsertMessages(ctx, benchMessages(1, 0))
	if err != nil || more[0].Message.Seq != int64(len(ms)+1) {
		t.Errorf("next row: got %v, %v, want number %d", more, err, len(ms)+1)
	}
}

// TestSecondJoinFencesTheFirst is SQLite's own rule: one process, one node.
func TestSecondJoinFencesTheFirst(t *testing.T) {
	s := withAccount(t, newTestStore(t))
	ctx := t.Context()
	first, err := s.Join(ctx, "node", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.InsertMessages(ctx, benchMessages(1, first))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Join(ctx, "node", time.Hour); err != nil {
		t.Fatal(err)
	}
	got, err := s.FinishAttempts(ctx, benchResults([]hongyan.Message{out[0].Message}))
	if diff := cmp.Diff([]store.Settled{{State: hongyan.Sending}}, got); err != nil || diff != "" {
		t.Errorf("late result: %v (-want +got):\n%s", err, diff)
	}
	if err := s.Renew(ctx, first, time.Hour); !hongyan.IsKind(err, hongyan.Conflict) {
		t.Errorf("renew: got %v, want a conflict", err)
	}
}

// TestSecretsAreSealed looks for the plain text in the files.
func TestSecretsAreSealed(t *testing.T) {
	dir := t.TempDir()
	s := openTestStore(t, filepath.Join(dir, "hongyan.db"))
	ctx := t.Context()
	const plain = "very-secret-value"
	a := hongyan.Account{AppID: "wx1", Secret: plain, Callback: hongyan.Callback{Token: plain, AESKey: plain, PreviousToken: plain, PreviousAESKey: plain},
		TokenURL: plain, EgressProxy: plain, Downstreams: []hongyan.Downstream{{Name: "a", Token: plain, AESKey: plain}}}
	if err := s.CreateAccount(ctx, a); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveToken(ctx, hongyan.Token{AppID: "wx1", Generation: 1, AccessToken: plain, Previous: plain}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files: %v, %v", files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(plain)) {
			t.Errorf("%s holds a secret in plain text", name)
		}
	}
}

// TestSealedValuesDoNotMove copies one account's sealed secret to another.
func TestSealedValuesDoNotMove(t *testing.T) {
	s := newTestStore(t)
	ctx := t.Context()
	for _, id := range []string{"wx1", "wx2"} {
		if err := s.CreateAccount(ctx, hongyan.Account{AppID: id, Secret: hongyan.Secret("secret of " + id)}); err != nil {
			t.Fatal(err)
		}
	}
	err := s.write(ctx, func(t *tx) error {
		return t.execAll(1, "UPDATE accounts SET secret = (SELECT secret FROM accounts WHERE appid = 'wx1') WHERE appid = 'wx2'")
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Account(ctx, "wx2"); err == nil || strings.Contains(err.Error(), "secret of") {
		t.Errorf("got %v, want a refusal that shows nothing", err)
	}
}

func TestSlowCommitsAreLogged(t *testing.T) {
	var log bytes.Buffer
	s, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "x.db"), Keyring: newTestKeyring(t, 7),
		Logger: slog.New(slog.NewTextHandler(&log, nil)), SlowWait: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Ready(context.Background()), s.Close()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "slow commit") {
		t.Errorf("got log %q, want a slow commit", log.String())
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]Options{"no keyring": {Path: "x.db"}, "no path": {Keyring: newTestKeyring(t, 1)}} {
		if _, err := Open(t.Context(), o); !hongyan.IsKind(err, hongyan.Invalid) {
			t.Errorf("%s: got %v, want an invalid error", name, err)
		}
	}
}

// TestMigrationsAreNumbered keeps the numbers without gaps and in order.
func TestMigrationsAreNumbered(t *testing.T) {
	entries, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for i, e := range entries {
		got = append(got, e.Name()[:5])
		want = append(want, fmt.Sprintf("%05d", i+1))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
