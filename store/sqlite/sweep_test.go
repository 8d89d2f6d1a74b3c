package sqlite

import (
	"fmt"
	"path/filepath"
	"testing"

	"hongyan"
	"hongyan/store"
)

// strayDeliveries begins n deliveries of the account of benchMessages.
func strayDeliveries(t *testing.T, s *Store, n int) {
	t.Helper()
	var done []store.EventDone
	for i := range n {
		id, _, err := s.InsertEvent(t.Context(), hongyan.Event{AppID: oldAppID, DedupeKey: fmt.Sprint(i)})
		mustDo(t, err)
		done = append(done, store.EventDone{EventID: id, Deliveries: []store.NewDelivery{{Target: hongyan.DownstreamTarget(oldAppID, fmt.Sprint(i%2))}}})
	}
	mustDo(t, s.FinishEvents(t.Context(), done))
}

func countDeliveries(t *testing.T, s *Store) (n int) {
	t.Helper()
	mustDo(t, s.read(t.Context(), func(c *conn) error {
		_, err := c.queryOne(t.Context(), func(r *row) error { n = r.int(); return nil }, "SELECT count(*) FROM deliveries")
		return err
	}))
	return n
}

// TestDeleteAccountDropsAllDeliveries: they go in batches, to the last.
func TestDeleteAccountDropsAllDeliveries(t *testing.T) {
	s := withAccount(t, newTestStore(t))
	strayDeliveries(t, s, 2*sweepBatch+10)
	mustDo(t, s.DeleteAccount(t.Context(), oldAppID))
	if n := countDeliveries(t, s); n != 0 {
		t.Errorf("%d deliveries are left", n)
	}
}

// TestSweepRemovesStrayDeliveries: a crash in the middle of DeleteAccount leaves them.
func TestSweepRemovesStrayDeliveries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hongyan.db")
	s := withAccount(t, openTestStore(t, path))
	strayDeliveries(t, s, sweepBatch+10)
	mustDo(t, s.CreateAccount(t.Context(), hongyan.Account{AppID: "wxother"}))
	id, _, err := s.InsertEvent(t.Context(), hongyan.Event{AppID: "wxother", DedupeKey: "k"})
	mustDo(t, err, s.FinishEvents(t.Context(), []store.EventDone{{EventID: id, Deliveries: []store.NewDelivery{{Target: "wxother/a"}}}}))
	mustDo(t, s.write(t.Context(), func(t *tx) error { return t.execAll(1, "DELETE FROM accounts WHERE appid = ?", oldAppID) }))
	mustDo(t, s.Close())
	s = openTestStore(t, path)
	n, err := s.Sweep(t.Context())
	if err != nil || n != sweepBatch+10 {
		t.Errorf("swept: got %d, %v, want %d", n, err, sweepBatch+10)
	}
	if n := countDeliveries(t, s); n != 1 {
		t.Errorf("%d deliveries are left, want the other account's", n)
	}
}
