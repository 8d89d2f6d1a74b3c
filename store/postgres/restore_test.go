package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/store"
	"hongyan/store/postgres/postgrestest"
)

// restoreMessage makes a message of the account of withAccount.
func restoreMessage(id string, change func(*hongyan.Message)) store.NewMessage {
	m := hongyan.Message{ID: id, AppID: testAppID, Kind: hongyan.KindTemplate, ToUser: "oUser", TemplateID: "tmpl-1", ClientMsgID: id,
		Payload: []byte("{}"), Priority: hongyan.Normal, ExpiresAt: time.Now().Add(48 * time.Hour)}
	if change != nil {
		change(&m)
	}
	return store.NewMessage{Message: m}
}

// TestMarkRestoredSendsNothingByItself marks the copy of a database with a message in
// every state and compares what became of each.
func TestMarkRestoredSendsNothingByItself(t *testing.T) {
	ctx := t.Context()
	original := newTestURL(t)
	s := withAccount(t, openTestStore(t, original))
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
		Fence: store.Fence{Seq: doubtful.Seq, Epoch: epoch, Attempts: 1}, AppID: testAppID, State: hongyan.Queued, Reason: "no_answer",
		DueAt: later, DoubtSince: doubtful.FirstAt, Attempts: []hongyan.Attempt{{N: 1, StartedAt: doubtful.FirstAt, Outcome: hongyan.NoAnswer}},
	}})
	mustDo(t, err)

	_, inUse := MarkRestored(ctx, original, nil)
	mustDo(t, s.Renew(ctx, epoch, 0), s.Close())
	url := postgrestest.Copy(t, original)
	_, wrongKey := MarkRestored(ctx, url, newTestKeyring(t, 8))
	_, empty := MarkRestored(ctx, postgrestest.URL(t), nil)
	if !hongyan.IsKind(inUse, hongyan.Conflict) || !hongyan.IsKind(wrongKey, hongyan.Invalid) || !hongyan.IsKind(empty, hongyan.NotFound) {
		t.Errorf("in use: %v; another key: %v; empty: %v", inUse, wrongKey, empty)
	}
	restored, err := MarkRestored(ctx, url, newTestKeyring(t, 7))
	if want := (Restored{Messages: int64(len(ms)), Held: 3, Uncertain: 2}); err != nil || restored != want {
		t.Fatalf("restored: got %+v, %v, want %+v", restored, err, want)
	}

	r := openTestStore(t, url)
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
	if n := counts[testAppID]; n[hongyan.Held] != 3 || n[hongyan.Uncertain] != 3 || n[hongyan.Queued] != 0 || n[hongyan.Sending] != 0 {
		t.Errorf("counts: got %v", n)
	}
	claimed, err := r.Claim(ctx, epoch, []store.Want{{AppID: testAppID, Kind: hongyan.KindTemplate, Max: 100}})
	left, lostErr := r.TakeOver(ctx, epoch, 100)
	streams, streamsErr := r.Streams(ctx)
	mustDo(t, err, lostErr, streamsErr)
	if len(claimed)+len(left)+len(streams) != 0 {
		t.Errorf("%d can be claimed, %d taken over, %d streams wait: want none", len(claimed), len(left), len(streams))
	}
	// A scheduled one that is released keeps its time, and new numbers leave a gap.
	_, err = r.ReleaseTemplate(ctx, testAppID, "", hongyan.HoldRestored, time.Time{}, 100)
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
