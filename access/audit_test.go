package access

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/store"
)

// auditLog reads what the store has, oldest first, after all was written.
func (d *testDesk) auditLog() []hongyan.AuditEntry {
	d.t.Helper()
	d.Flush(d.t.Context())
	return d.stored()
}

// stored reads what the store has, oldest first.
func (d *testDesk) stored() []hongyan.AuditEntry {
	d.t.Helper()
	newest, err := d.store.AuditLog(d.t.Context(), store.AuditFilter{Limit: 1000})
	if err != nil {
		d.t.Fatal(err)
	}
	all := make([]hongyan.AuditEntry, len(newest))
	for i, e := range newest {
		all[len(newest)-1-i] = e
	}
	return all
}

func outcomes(entries []hongyan.AuditEntry) (words []string) {
	for _, e := range entries {
		words = append(words, e.Outcome)
	}
	return words
}

func counts(entries []hongyan.AuditEntry) (n []int) {
	for _, e := range entries {
		n = append(n, e.Count)
	}
	return n
}

func TestEqualRefusalsOfAMinuteAreOneEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDesk(t)
		stop := d.run()
		// The first is there almost at once; 600 more in ten minutes make an entry a minute.
		d.guess("203.0.113.9", 1)
		time.Sleep(gatherEvery)
		synctest.Wait()
		if got := counts(d.stored()); len(got) != 1 || got[0] != 1 {
			t.Fatalf("after %v: counts %v, want one entry", gatherEvery, got)
		}
		for range 600 {
			time.Sleep(time.Second)
			d.guess("203.0.113.9", 1)
		}
		stop()
		got, sum := counts(d.stored()), 0
		for _, n := range got {
			sum += n
		}
		if len(got) > 12 || sum != 601 {
			t.Errorf("counts %v, want at most 12 entries for 601", got)
		}
	})
}

func TestOnlyEqualOnesAreGathered(t *testing.T) {
	d := newTestDesk(t)
	ctx := t.Context()
	for range 2 {
		d.Refuse(ctx, Refusal{Remote: "203.0.113.9", Action: LoginRefused, Target: "wx1", Detail: "wrong"})
		d.Refuse(ctx, Refusal{Remote: "203.0.113.9", Action: LoginRefused, Target: "wx2", Detail: "wrong"})
		d.Refuse(ctx, Refusal{Remote: "203.0.113.10", Action: LoginRefused, Target: "wx1", Detail: "wrong"})
		d.Record(ctx, hongyan.AuditEntry{Actor: "key_1", Remote: "203.0.113.9", Action: "account.pause", Target: "wx1", Outcome: Refused})
		d.Record(ctx, hongyan.AuditEntry{Actor: "key_1", Remote: "203.0.113.9", Action: "account.pause", Target: "wx1", Outcome: Failed})
		d.Record(ctx, hongyan.AuditEntry{Actor: "key_1", Remote: "203.0.113.9", Action: "account.pause", Target: "wx1"})
	}
	// Changes are written at once, each for itself, and what came before them first.
	want := []string{Refused, Refused, Refused, Refused, Failed, OK, OK}
	if got := outcomes(d.stored()); !slices.Equal(got, want) {
		t.Errorf("before the rest is written: %v, want %v", got, want)
	}
	want = append(want, Refused, Refused, Refused, Refused, Failed)
	if got := outcomes(d.auditLog()); !slices.Equal(got, want) {
		t.Errorf("log %v, want %v", got, want)
	}
}

func TestRefusalsGatheredAreForgottenAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDesk(t)
		stop := d.run()
		defer stop()
		d.guess("203.0.113.9", 3)
		time.Sleep(gatherFor + 2*gatherEvery)
		synctest.Wait()
		if n := len(d.gathered.same); n != 0 {
			t.Errorf("%d remembered, want none", n)
		}
	})
}

func TestChangeIsRecordedThoughItsCallerHasGone(t *testing.T) {
	d := newTestDesk(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	d.Record(gone, hongyan.AuditEntry{Actor: AdminID, Action: "account.delete", Target: "wx1"})
	if all := d.stored(); len(all) != 1 || all[0].Target != "wx1" {
		t.Errorf("log %+v", all)
	}
}

func TestEntryThatCannotBeWrittenIsLogged(t *testing.T) {
	d := newTestDesk(t)
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	d.Record(t.Context(), hongyan.AuditEntry{Actor: "key_1", Action: "account.delete", Target: "wx1"})
	d.guess("203.0.113.9", 2)
	d.Flush(t.Context())
	for _, want := range []string{"account.delete", "key_1", "wx1", "203.0.113.9", "count=2"} {
		if !strings.Contains(d.log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, d.log.String())
		}
	}
}

func TestStrangersTextsAreShortAndValid(t *testing.T) {
	d := newTestDesk(t)
	d.Refuse(t.Context(), Refusal{Remote: strings.Repeat("r", 999), Action: LoginRefused, Target: strings.Repeat("鸿", 999), Detail: "a\xff\x1b\nb" + strings.Repeat("雁", 999)})
	e := d.auditLog()[0]
	if len(e.Remote) > maxRemote || len(e.Target) > maxTarget || len(e.Detail) > maxDetail || !strings.HasPrefix(e.Detail, "ab雁") || !strings.HasSuffix(e.Target, "鸿…") {
		t.Errorf("entry %+v", e)
	}
}
