package sqlite

import (
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"hongyan"
	"hongyan/store"
)

// TestAttemptsOfBeforeAreRemembered: a delivery that was tried before every attempt was
// kept shows the one that is known, and the next ones behind it.
func TestAttemptsOfBeforeAreRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hongyan.db")
	db, err := sql.Open("sqlite", writerDSN(path))
	mustDo(t, err)
	files, err := fs.Sub(migrationFiles, "migrations")
	mustDo(t, err)
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	mustDo(t, err)
	_, err = provider.UpTo(t.Context(), 9)
	mustDo(t, err)
	tried := hongyan.Millis(time.Now()).UTC().Add(-time.Hour)
	_, err = db.ExecContext(t.Context(), `
		INSERT INTO webhooks VALUES ('whk_1', 'orders', 'webhook', NULL, NULL, '[]', '[]', '', 0, '', 0, 1, 1);
		INSERT INTO news VALUES (1, 1, 'quota.threshold', '', 0, '{}');
		UPDATE news_state SET head = 1;
		INSERT INTO webhook_deliveries (id, webhook, news, type, appid, seq, state, due_at, attempts, last_at, last_status, last_error, last_answer, last_took, created_at)
			VALUES (1, 'whk_1', 1, 'quota.threshold', '', 0, 0, 1, 4, ?, 500, 'answered 500', 'oops', 12, 1);`, tried.UnixMilli())
	mustDo(t, err, db.Close(), os.Chmod(path, 0o600))

	s := openTestStore(t, path)
	old := hongyan.WebhookAttempt{At: tried, Status: 500, Error: "answered 500", Answer: "oops", Took: 12 * time.Millisecond}
	history := func() []hongyan.WebhookAttempt {
		t.Helper()
		all, err := s.WebhookDeliveries(t.Context(), store.WebhookDeliveryFilter{ID: 1, Limit: 1})
		mustDo(t, err)
		return all[0].History
	}
	if diff := cmp.Diff([]hongyan.WebhookAttempt{old}, history()); diff != "" {
		t.Errorf("after the upgrade (-want +got):\n%s", diff)
	}
	claimed, err := s.ClaimNews(t.Context(), store.NewsClaim{WebhookID: "whk_1", Max: 1, Lease: time.Minute})
	mustDo(t, err, s.FinishNews(t.Context(), []store.NewsResult{{ID: 1, Attempts: 5, State: hongyan.DeliveryDone, Status: 204}}))
	if diff := cmp.Diff([]hongyan.WebhookAttempt{old, {At: claimed[0].LastAt, Status: 204}}, history()); diff != "" {
		t.Errorf("after the next attempt (-want +got):\n%s", diff)
	}
}
