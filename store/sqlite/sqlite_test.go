package sqlite

import (
	"bytes"
	"flag"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"hongyan"
	"hongyan/store"
	"hongyan/store/sqlite/sqlitetest"
	"hongyan/store/storetest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func newTestKeyring(t testing.TB, fill byte) *store.Keyring {
	t.Helper()
	keys, err := store.NewKeyring(bytes.Repeat([]byte{fill}, store.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newTestStore(t testing.TB) *Store {
	t.Helper()
	return openTestStore(t, sqlitetest.File(t, t.TempDir(), Migrate))
}

func openTestStore(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Path: path, Keyring: newTestKeyring(t, 7)})
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

// withAccount adds the account that the messages of benchMessages belong to.
func withAccount(t testing.TB, s *Store) *Store {
	t.Helper()
	err := s.CreateAccount(t.Context(), hongyan.Account{AppID: "wx0123456789abcdef", Kind: hongyan.ServiceAccount})
	if err != nil && !hongyan.IsKind(err, hongyan.Conflict) {
		t.Fatal(err)
	}
	return s
}

// statements collects the texts of all statements the stores of a test ran.
type statements struct {
	mu    sync.Mutex
	texts map[string]bool
}

// collect adds the statements of a store that is at rest.
func (st *statements) collect(s *Store) {
	var conns []*conn
	for range readers {
		conns = append(conns, <-s.pool)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, c := range append(conns, s.writer) {
		if c != nil {
			for text := range c.stmts {
				st.texts[text] = true
			}
		}
	}
	for _, c := range conns {
		s.pool <- c
	}
}

// TestStore runs the suite, and then looks at how SQLite would run every
// statement the suite made: none may read a table that grows from end to end.
func TestStore(t *testing.T) {
	st := &statements{texts: make(map[string]bool)}
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(t testing.TB) store.Store {
			s := newTestStore(t)
			t.Cleanup(func() {
				select {
				case <-s.closing:
				default:
					st.collect(s)
				}
			})
			return s
		})
	})
	t.Run("plans", func(t *testing.T) { checkPlans(t, slices.Sorted(maps.Keys(st.texts))) })
}

// growing are the tables that may have millions of rows.
var growing = regexp.MustCompile(`^SCAN (messages|attempts|events|orphans|idempotency|usage|deliveries|issued_tokens|audit)\b`)

// harmless are full reads that are meant: counting the orphans when the store opens.
const harmless = "SELECT (SELECT max(seq) FROM messages), (SELECT count(*) FROM orphans)"

func checkPlans(t *testing.T, texts []string) {
	if len(texts) < 50 {
		t.Fatalf("only %d statements were collected", len(texts))
	}
	s := newTestStore(t)
	for _, text := range texts {
		if text == harmless || strings.HasPrefix(text, "BEGIN") || strings.HasPrefix(text, "COMMIT") || strings.HasPrefix(text, "ROLLBACK") {
			continue
		}
		for _, step := range explainPlan(t, s, text) {
			if growing.MatchString(step) {
				t.Errorf("%s\nreads a whole table: %s", text, step)
			}
		}
	}
}

// explainPlan returns the steps in which SQLite would run a statement.
func explainPlan(t *testing.T, s *Store, text string) []string {
	t.Helper()
	var steps []string
	args := make([]any, strings.Count(text, "?"))
	err := s.read(t.Context(), func(c *conn) error {
		return c.query(t.Context(), func(r *row) error {
			r.int64()
			r.int64()
			r.int64()
			steps = append(steps, r.text())
			return nil
		}, "EXPLAIN QUERY PLAN "+text, args...)
	})
	if err != nil {
		t.Fatalf("explain %s: %v", text, err)
	}
	return steps
}

// TestPlansUseTheirIndex pins the index of each statement that runs often.
func TestPlansUseTheirIndex(t *testing.T) {
	s := newTestStore(t)
	for name, c := range map[string]struct{ text, want string }{
		"claim":      {claimSQL, "SEARCH messages USING INDEX messages_queue (stream=? AND priority=? AND due_at>? AND due_at<?)"},
		"expire":     {expireSQL, "SEARCH messages USING INDEX messages_expiry (expires_at>? AND expires_at<?)"},
		"take over":  {takeOverSQL, "SEARCH messages USING INDEX messages_leased (epoch>? AND epoch<?)"},
		"owner":      {ownerSQL, "SEARCH messages USING INDEX messages_msgid (msgid=?)"},
		"candidates": {candidatesSQL, "SEARCH messages USING INDEX messages_touser (touser=?)"},
		"duplicate":  {duplicateSQL, "SEARCH messages USING INDEX messages_client (client_msg_id=?)"},
		"joinable":   {joinableSQL, "SEARCH messages USING INDEX messages_doubt (doubt_since>?)"},
		"orphans":    {orphanByMsgIDSQL + inPlaces, "SEARCH orphans USING INDEX orphans_msgid (msgid=?)"},
		"by id":      {messageSQL, "SEARCH messages USING INDEX sqlite_autoindex_messages_1 (id=?)"},
		"template":   {queuedOfTemplateSQL, "SEARCH messages USING INDEX messages_queue (stream=?)"},
		"own number": {numberedSQL, "SEARCH messages USING INDEX messages_own_msgid (touser=?)"},
		"deliveries": {claimDeliveriesSQL, "SEARCH deliveries USING INDEX deliveries_due (target=? AND blocked=? AND due_at<?)"},
		"targets":    {targetsSQL, "SEARCH deliveries USING COVERING INDEX deliveries_due (target>?)"},
		"in the way": {beginSQL, "SEARCH deliveries USING COVERING INDEX deliveries_order (target=? AND order_key=? AND event_id<?)"},
		"behind":     {unblockSQL, "SEARCH deliveries USING COVERING INDEX deliveries_order (target=? AND order_key=?)"},
		"replay":     {replaySQL, "SEARCH events USING INDEX events_received (appid=? AND received_at>? AND received_at<?)"},
		"old":        {keptSQL, "SEARCH messages USING INTEGER PRIMARY KEY (rowid>?)"},
		"old events": {keptEventSQL, "SEARCH events USING INTEGER PRIMARY KEY (rowid>?)"},
		"form":       {usableFormSQL, "SEARCH form_ids USING INDEX form_ids_usable (appid=? AND openid=? AND expires_at>?)"},
		"formless":   {waitingForFormSQL, "SEARCH messages USING INDEX messages_touser (touser=?)"},
		"whose user": {ownerOfSQL, "SEARCH messages USING INDEX messages_touser (touser=?)"},
		"own user":   {ownUserSQL, "SEARCH messages USING INDEX messages_touser (touser=?)"},
		"consent":    {consentSQL, "SEARCH consents USING INDEX sqlite_autoindex_consents_1 (appid=? AND openid=? AND template_id=?)"},
		"release":    {heldOfTemplateSQL, "SEARCH messages USING INDEX messages_rare (stream=? AND state=?)"},
	} {
		steps := explainPlan(t, s, c.text)
		if !slices.Contains(steps, c.want) {
			t.Errorf("%s: got %q, want a step %q", name, steps, c.want)
		}
		for _, step := range steps {
			if strings.HasPrefix(step, "USE TEMP B-TREE") && name != "duplicate" && name != "joinable" {
				t.Errorf("%s: got %q, want no sorting", name, steps)
			}
		}
	}
}
