package callback

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/store"
)

// inBubble runs a test whose fixture's Callback runs.
func inBubble(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		defer f.run()()
		test(t, f)
	})
}

// settle waits until the orphans stored so far were judged.
func settle() { time.Sleep(DefaultOrphanAfter + 2*orphanEvery) }

func (f *fixture) wantOrphans(want int) {
	f.t.Helper()
	orphans, err := f.store.Orphans(f.t.Context(), 0, 100)
	if err != nil || len(orphans) != want {
		f.t.Errorf("%d orphans, %v, want %d", len(orphans), err, want)
	}
}

// The answer was lost, the event names a msgid that nobody knows.
func TestAnOrphanFindsTheOnlyMessageInDoubt(t *testing.T) {
	cases := map[string]func(*fixture) string{
		"uncertain":          (*fixture).uncertain,
		"queued for a retry": (*fixture).retrying,
		"given up by the account's policy": func(f *fixture) string {
			m := f.insert()
			f.finish(m, store.Result{State: hongyan.Failed, Reason: "no_answer", DoubtSince: f.store.Now()})
			return m.ID
		},
		"accepted as sent before (40241), without msgid": func(f *fixture) string {
			m := f.insert()
			f.finish(m, store.Result{State: hongyan.Accepted, DoubtSince: f.store.Now()})
			return m.ID
		},
	}
	for name, make := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fixture) {
				id := make(f)
				time.Sleep(2 * time.Second)
				f.mustPush(receipt(99, "success", f.store.Now()))
				settle()
				m := f.message(id)
				if m.State != hongyan.Delivered || m.Receipt == nil || m.Receipt.JoinedBy != "user_and_time" || m.MsgID != 99 {
					t.Errorf("message %s msgid %d receipt %+v, want delivered, joined by user and time", m.State, m.MsgID, m.Receipt)
				}
				f.wantOrphans(0)
			})
		})
	}
}

// MsgID 0 in the event: two of them are two receipts, not one.
func TestReceiptsWithoutMsgID(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		first := f.accepted(1)
		f.mustPush(receipt(0, "success", f.store.Now()))
		settle()
		if m := f.message(first); m.State != hongyan.Delivered || m.MsgID != 1 || m.Receipt.JoinedBy != "user_and_time" {
			t.Errorf("message %s msgid %d, want delivered under its own msgid", m.State, m.MsgID)
		}
		time.Sleep(20 * time.Minute)
		second := f.uncertain()
		f.mustPush(receipt(0, "failed:user block", f.store.Now()))
		settle()
		if m := f.message(second); m.State != hongyan.Undelivered || m.Reason != "user_block" {
			t.Errorf("message %s %q, want undelivered user_block", m.State, m.Reason)
		}
		f.wantOrphans(0)
	})
}

func TestNothingIsGuessed(t *testing.T) {
	cases := map[string]func(f *fixture) (ids []string){
		"two messages in doubt": func(f *fixture) []string { return []string{f.uncertain(), f.uncertain()} },
		"one in doubt, one awaits its receipt": func(f *fixture) []string {
			return []string{f.uncertain(), f.accepted(7)}
		},
		"one in doubt, one being sent": func(f *fixture) []string {
			return []string{f.retrying(), f.insert().ID}
		},
		"none in doubt, one awaits its own receipt": func(f *fixture) []string { return []string{f.accepted(7)} },
		"one being sent for the first time":         func(f *fixture) []string { return []string{f.insert().ID} },
		"the message is too old": func(f *fixture) []string {
			id := f.uncertain()
			time.Sleep(12 * time.Minute)
			return []string{id}
		},
		"nobody at all": func(f *fixture) []string { return nil },
	}
	for name, make := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fixture) {
				ids := make(f)
				f.mustPush(receipt(99, "success", f.store.Now()))
				settle()
				for _, id := range ids {
					if m := f.message(id); m.Receipt != nil {
						t.Errorf("message %s got the receipt", m.State)
					}
				}
				f.wantOrphans(1)
			})
		})
	}
}

// Two candidates; then one of them gets its own receipt, and the other is beyond doubt.
func TestAnOrphanIsJudgedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		doubtful, other := f.uncertain(), f.accepted(7)
		f.mustPush(receipt(99, "success", f.store.Now()))
		settle()
		f.wantOrphans(1)
		f.mustPush(receipt(7, "success", f.store.Now()))
		settle()
		for _, id := range []string{doubtful, other} {
			if m := f.message(id); m.State != hongyan.Delivered {
				t.Errorf("message %s, want delivered", m.State)
			}
		}
		f.wantOrphans(0)
	})
}

// A young orphan is left alone: the answer it overtook may be on its way.
func TestYoungOrphansWait(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		id := f.uncertain()
		f.mustPush(receipt(99, "success", f.store.Now()))
		time.Sleep(DefaultOrphanAfter - time.Second)
		if m := f.message(id); m.State != hongyan.Uncertain {
			t.Errorf("message %s before %v, want uncertain", m.State, DefaultOrphanAfter)
		}
	})
}

// Another program sends for the same account: its receipts are ours to keep and
// nobody's to own, however many came before the one that matters.
func TestForeignReceiptsHideNoneOfOurs(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		id := f.uncertain()
		for i := range orphansAtOnce + 1 {
			foreign := receipt(int64(5_000+i), "success", f.store.Now())
			foreign.openid = fmt.Sprintf("oForeign%020d", i)
			f.mustPush(foreign)
			foreign.msgID = 0 // the platform sent none
			f.mustPush(foreign)
		}
		f.mustPush(receipt(99, "success", f.store.Now()))
		settle()
		if m := f.message(id); m.State != hongyan.Delivered || m.MsgID != 99 {
			t.Errorf("message %s msgid %d, want delivered under 99", m.State, m.MsgID)
		}
	})
}

// stuck is a store whose look at orphans does not come back.
type stuck struct {
	store.Store
	free chan struct{}
}

func (s stuck) Joinable(ctx context.Context, age time.Duration, after int64, limit int) ([]store.Orphan, error) {
	<-s.free
	return nil, nil
}

func TestReceiptsDoNotWaitForALookAtOrphans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		s := stuck{f.store, make(chan struct{})}
		f.Callback.store = s
		defer f.run()()
		defer close(s.free)
		time.Sleep(2 * orphanEvery)
		id := f.accepted(7)
		f.mustPush(receipt(7, "success", f.store.Now()))
		time.Sleep(time.Second)
		if m := f.message(id); m.State != hongyan.Delivered {
			t.Errorf("message %s, want delivered", m.State)
		}
	})
}
