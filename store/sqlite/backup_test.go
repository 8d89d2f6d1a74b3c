package sqlite

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/store"
)

// restoreMessage makes a message of the account of withAccount.
func restoreMessage(id string, change func(*hongyan.Message)) store.NewMessage {
	m := hongyan.Message{ID: id, AppID: oldAppID, Kind: hongyan.KindTemplate, ToUser: "oUser", TemplateID: "tmpl-1", ClientMsgID: id,
		Payload: []byte("{}"), Priority: hongyan.Normal, ExpiresAt: time.Now().Add(48 * time.Hour)}
	if change != nil {
		change(&m)
	}
	return store.NewMessage{Message: m}
}

// TestRestoreSendsNothingByItself restores a message of every state and compares
// what became of each.
func TestRestoreSendsNothingByItself(t *testing.T) {
	ctx := t.Context()
	s := withAccount(t, newTestStore(t))
	epoch, err := s.Join(ctx, "node-1", time.Minute)
	mustDo(t, err)
	later := time.Now().Add(time.Hour)
	ms := []store.NewMessage{
		restoreMessage("queued", nil),
		restoreMessage("scheduled", func(m *hongyan.Message) { m.DueAt = later }),
		restoreMessage("held", func(m *hongyan.Message) {
			m.State, m.Reason, m.Hold = hongyan.Held, hongyan.HoldTemplate, &hongyan.Hold{Reason: hongyan.HoldTemplate}
		}),
		restoreMessage("sending", func(m *hongyan.Message) { m.Epoch = epoch }),
		restoreMessage("in doubt", func(m *hongyan.Message) { m.Epoch = epoch }),
	}
	for _, state := range []hongyan.State{hongyan.Accepted, hongyan.Uncertain, hongyan.Failed, hongyan.Cancelled, hongyan.Expired, hongyan.Delivered, hongyan.Undelivered} {
		ms = append(ms, restoreMessage(state.String(), func(m *hongyan.Message) { m.State = state }))
	}
	out, err := s.InsertMessages(ctx, ms)
	mustDo(t, err)
	doubtful := out[4].Message
	_, err = s.FinishAttempts(ctx, []store.Result{{
		Fence: store.Fence{Seq: doubtful.Seq, Epoch: epoch, Attempts: 1}, AppID: oldAppID, State: hongyan.Queued, Reason: "no_answer",
		DueAt: later, DoubtSince: doubtful.FirstAt, Attempts: []hongyan.Attempt{{N: 1, StartedAt: doubtful.FirstAt, Outcome: hongyan.NoAnswer}},
	}})
	mustDo(t, err)

	running, err := s.CreateBatch(ctx, hongyan.Batch{ID: "bat_running", AppID: oldAppID, Kind: hongyan.KindTemplate}, store.Once{})
	mustDo(t, err)
	running.State = hongyan.BatchRunning
	_, err = s.UpdateBatch(ctx, running)
	mustDo(t, err)

	file := filepath.Join(t.TempDir(), "saved.db")
	saved, err := Backup(ctx, s.path, file)
	if err != nil || saved.Messages != int64(len(ms)) || saved.Bytes == 0 {
		t.Fatalf("backup: got %+v, %v", saved, err)
	}
	path := filepath.Join(t.TempDir(), "hongyan.db")
	restored, err := Restore(ctx, file, path, newTestKeyring(t, 7))
	mustDo(t, err)
	if restored.Held != 3 || restored.Uncertain != 2 || restored.Messages != int64(len(ms)) {
		t.Errorf("restored: got %+v, want 3 held, 2 uncertain of %d", restored, len(ms))
	}
	r := openTestStore(t, path)
	epoch, err = r.Join(ctx, "node-2", time.Minute)
	mustDo(t, err)

	got := map[string]string{}
	for i := range ms {
		m, err := r.Message(ctx, ms[i].Message.ID)
		mustDo(t, err)
		got[m.ID] = fmt.Sprint(m.State, " ", m.Reason, " may duplicate: ", m.MayDuplicate, ", in doubt: ", !m.DoubtSince.IsZero())
	}
	want := map[string]string{
		"queued":    "held restored may duplicate: true, in doubt: false",
		"scheduled": "held restored may duplicate: false, in doubt: false",
		"held":      "held restored may duplicate: true, in doubt: false",
		"sending":   "uncertain restored may duplicate: false, in doubt: true",
		"in doubt":  "uncertain restored may duplicate: false, in doubt: true",
	}
	for i := range ms[5:] {
		id := ms[5+i].Message.ID
		want[id] = id + "  may duplicate: false, in doubt: false"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after the restore (-want +got):\n%s", diff)
	}
	counts, err := r.Counts(ctx)
	mustDo(t, err)
	if n := counts[oldAppID]; n[hongyan.Held] != 3 || n[hongyan.Uncertain] != 3 || n[hongyan.Queued] != 0 || n[hongyan.Sending] != 0 {
		t.Errorf("counts: got %v", n)
	}
	claimed, err := r.Claim(ctx, epoch, []store.Want{{AppID: oldAppID, Kind: hongyan.KindTemplate, Max: 100}})
	left, lostErr := r.TakeOver(ctx, epoch, 100)
	streams, streamsErr := r.Streams(ctx)
	mustDo(t, err, lostErr, streamsErr)
	if len(claimed)+len(left)+len(streams) != 0 {
		t.Errorf("%d can be claimed, %d taken over, %d streams wait: want none", len(claimed), len(left), len(streams))
	}
	if b, err := r.Batch(ctx, running.ID); err != nil || b.State != hongyan.BatchPaused || b.Reason != hongyan.HoldRestored {
		t.Errorf("the batch: got %+v, %v, want it paused", b, err)
	}
	// A scheduled one that is released keeps its time, and new numbers leave a gap.
	_, err = r.ReleaseTemplate(ctx, oldAppID, "tmpl-1", hongyan.HoldRestored, time.Time{}, 100)
	mustDo(t, err)
	m, err := r.Message(ctx, "scheduled")
	if mustDo(t, err); m.State != hongyan.Queued || !m.DueAt.Equal(hongyan.Millis(later)) {
		t.Errorf("released: %v at %v, want queued at %v", m.State, m.DueAt, later)
	}
	next, err := r.InsertMessages(ctx, []store.NewMessage{restoreMessage("next", nil)})
	if mustDo(t, err); next[0].Message.Seq < out[len(out)-1].Message.Seq+seqGap {
		t.Errorf("the next message has number %d after %d", next[0].Message.Seq, out[len(out)-1].Message.Seq)
	}
}

// TestBackupAndRestoreRefuse: nothing is overwritten, and nothing is left where
// either of them failed.
func TestBackupAndRestoreRefuse(t *testing.T) {
	ctx := t.Context()
	s := withAccount(t, newTestStore(t))
	dir := t.TempDir()
	file, text := filepath.Join(dir, "saved.db"), filepath.Join(dir, "text")
	if _, err := Backup(ctx, s.path, file); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup has mode %v, %v, want 0600", info.Mode(), err)
	}
	mustDo(t, os.WriteFile(text, bytes.Repeat([]byte("no database "), 1000), 0o600))
	_, exists := Backup(ctx, s.path, file)
	_, missing := Backup(ctx, filepath.Join(dir, "nowhere.db"), filepath.Join(dir, "x.db"))
	_, noDatabase := Restore(ctx, text, filepath.Join(dir, "a", "hongyan.db"), nil)
	_, inUse := Restore(ctx, file, s.path, nil)
	_, wrongKey := Restore(ctx, file, filepath.Join(dir, "b", "hongyan.db"), newTestKeyring(t, 8))
	_, folder := Restore(ctx, dir, filepath.Join(dir, "c", "hongyan.db"), nil)
	for name, c := range map[string]struct {
		err  error
		kind hongyan.Kind
	}{
		"a backup over a file":         {exists, hongyan.Conflict},
		"a backup of nothing":          {missing, hongyan.NotFound},
		"a restore of a text":          {noDatabase, hongyan.Unavailable},
		"a restore over a database":    {inUse, hongyan.Conflict},
		"a restore with another key":   {wrongKey, hongyan.Invalid},
		"a restore of a folder's name": {folder, hongyan.Invalid},
	} {
		if !hongyan.IsKind(c.err, c.kind) {
			t.Errorf("%s: got %v, want kind %v", name, c.err, c.kind)
		}
	}
	for _, pattern := range []string{"*part*", ".*part*", "*/.*part*", "a/*.db", "b/*.db", "x.db"} {
		if left, _ := filepath.Glob(filepath.Join(dir, pattern)); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// TestBackupOfAnOldDatabase: a new program backs up what an older one left, and
// brings it to its schema when it restores it.
func TestBackupOfAnOldDatabase(t *testing.T) {
	now := hongyan.Millis(time.Now())
	old := newOldDatabase(t, 1, now)
	file, path := filepath.Join(t.TempDir(), "saved.db"), filepath.Join(t.TempDir(), "hongyan.db")
	if _, err := Backup(t.Context(), old, file); err != nil {
		t.Fatal(err)
	}
	if version, _, err := SchemaVersion(t.Context(), old); err != nil || version != 1 {
		t.Errorf("the old database has version %d now, %v", version, err)
	}
	r, err := Restore(t.Context(), file, path, newTestKeyring(t, 7))
	if err != nil || r.Held != 2 || r.Uncertain != 1 {
		t.Fatalf("restored: got %+v, %v", r, err)
	}
	s := openTestStore(t, path)
	m, err := s.Message(t.Context(), "msg_delivered")
	if err != nil || m.State != hongyan.Delivered || m.Receipt == nil {
		t.Errorf("delivered: got %v, %v", m.State, err)
	}
}
