package batch_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"hongyan"
	"hongyan/batch"
	"hongyan/sandbox"
	"hongyan/store"
)

func TestABatchReachesEverybodyOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.staged(1200)
		w.sleep(5 * time.Second)
		if n := len(w.calls()); n != 0 {
			t.Fatalf("%d messages were sent before the start", n)
		}
		w.begin(b.ID)
		got := w.until(b.ID, time.Minute)
		if got.State != hongyan.BatchFinished || got.Fed != 1200 || got.Next != 1201 {
			t.Errorf("ended: got %+v", got)
		}
		w.wantEach(1200)
		w.sleep(10 * time.Second)
		if counts := w.counts(b.ID); counts[hongyan.Delivered] != 1200 {
			t.Errorf("counts: got %v", counts)
		}
		card := w.box.Sandbox.Inbox(sandbox.OpenID("", 7))
		if len(card) != 1 || !strings.HasSuffix(card[0].Jump.URL, "/A7") {
			t.Errorf("user 7 saw %+v", card)
		}
		if len(w.told) != 1 || w.told[0].ID != b.ID || w.told[0].Messages != 1200 {
			t.Errorf("told: %+v", w.told)
		}
	})
}

// TestRowsAreStoredLeased: a row costs what a single message costs, which is one write
// to store it and one for its result.
func TestRowsAreStoredLeased(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.staged(2000)
		if err := w.box.Sandbox.SetServerURL(sandbox.SeedServiceAppID, "", "plain", "xml"); err != nil { // receipts are counted apart
			t.Fatal(err)
		}
		before := w.store.RowsWritten()
		w.begin(b.ID)
		w.until(b.ID, time.Minute)
		if writes := float64(w.store.RowsWritten()-before) / 2000; writes > 2.4 {
			t.Errorf("%.2f rows written a message, want about 2", writes)
		}
	})
}

func TestAPauseStopsAtOnceAndAResumeGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.box.Sandbox.AddFault(sandbox.Fault{Path: sendPath, DelayMS: 1000})
		b := w.staged(600)
		w.begin(b.ID)
		w.sleep(1500 * time.Millisecond)
		if _, err := w.desk().Pause(t.Context(), b.ID); err != nil {
			t.Fatal(err)
		}
		w.sleep(time.Second) // calls under way end
		begun := len(w.calls())
		w.sleep(30 * time.Second)
		if n := len(w.calls()); n != begun || n == 0 || n > 200 {
			t.Fatalf("%d calls had begun when it was paused, and %d half a minute later", begun, n)
		}
		counts := w.counts(b.ID)
		if counts[hongyan.Queued]+counts[hongyan.Sending] != 0 || counts[hongyan.Held] == 0 {
			t.Errorf("while it is paused: got %v, want what was about to leave held", counts)
		}
		p, err := w.desk().Progress(t.Context(), new(w.read(b.ID)))
		if err != nil || p.Hold == nil || p.Hold.Reason != hongyan.HoldBatchPaused {
			t.Errorf("hold: got %+v, %v", p.Hold, err)
		}
		if _, err := w.desk().Resume(t.Context(), b.ID); err != nil {
			t.Fatal(err)
		}
		w.until(b.ID, 2*time.Minute)
		w.wantEach(600)
	})
}

func TestACancelEndsWhatWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.box.Sandbox.AddFault(sandbox.Fault{Path: sendPath, DelayMS: 1000})
		b := w.staged(600)
		w.begin(b.ID)
		w.sleep(1500 * time.Millisecond)
		if _, err := w.desk().Cancel(t.Context(), b.ID); err != nil {
			t.Fatal(err)
		}
		w.sleep(time.Second) // calls under way end
		begun := len(w.calls())
		got := w.until(b.ID, 20*time.Second)
		counts := w.counts(b.ID)
		if n := len(w.calls()); n != begun || got.State != hongyan.BatchCancelled {
			t.Errorf("%d calls when it was cancelled, %d later, state %s", begun, n, got.State)
		}
		var total int64
		for _, n := range counts {
			total += n
		}
		if counts[hongyan.Cancelled] == 0 || total != got.Fed || got.Fed >= 600 {
			t.Errorf("counts %v, fed %d", counts, got.Fed)
		}
		if _, err := w.desk().Resume(t.Context(), b.ID); !hongyan.IsKind(err, hongyan.Conflict) {
			t.Errorf("resume: got %v, want a conflict", err)
		}
		results := 0
		err := w.desk().Results(t.Context(), &got, func(batch.Result) error { results++; return nil })
		if err != nil || results != 600 {
			t.Errorf("results: got %d, %v", results, err)
		}
		again, err := w.desk().Retry(t.Context(), b.ID, batch.Retry{States: []hongyan.State{hongyan.Cancelled}})
		if err != nil || again.Rows != int64(600-begun) {
			t.Fatalf("the rest: got %d rows, %v, want %d", again.Rows, err, 600-begun)
		}
		w.begin(again.ID)
		w.until(again.ID, 2*time.Minute)
		w.wantEach(600)
	})
}

// TestKilledWhileItIsFed: the process dies before a step, and after one whose answer
// it never saw. Each user gets one message.
func TestKilledWhileItIsFed(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.box.Sandbox.AddFault(sandbox.Fault{Path: sendPath, DelayMS: 200})
		b := w.staged(900)
		w.begin(b.ID)
		for range 3 {
			w.sleep(450 * time.Millisecond)
			w.kill()
			w.start()
			w.sleep(450 * time.Millisecond)
			w.life.Load().cut.lost.Store(true)
			w.sleep(time.Second)
			w.kill()
			w.start()
		}
		w.until(b.ID, 10*time.Minute)
		if got := w.read(b.ID); got.Fed != 900 || got.Next != 901 {
			t.Errorf("fed %d, next %d", got.Fed, got.Next)
		}
		page, err := w.store.Messages(t.Context(), store.Filter{Batch: b.Seq, Limit: 1000})
		if err != nil || len(page.Items) != 900 {
			t.Fatalf("messages: got %d, %v", len(page.Items), err)
		}
		for i := 1; i <= 900; i++ {
			if shown := w.box.Sandbox.Inbox(sandbox.OpenID("", i)); len(shown) > 1 {
				t.Errorf("user %d saw %d messages", i, len(shown))
			}
		}
	})
}

func TestAStopLosesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.box.Sandbox.AddFault(sandbox.Fault{Path: sendPath, DelayMS: 200})
		b := w.staged(600)
		w.begin(b.ID)
		w.sleep(900 * time.Millisecond)
		w.stop()
		w.start()
		w.until(b.ID, time.Minute)
		w.wantEach(600)
	})
}

func TestARateOfItsOwn(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.staged(300, func(d *batch.Draft) { d.RatePerSecond = 20 })
		w.begin(b.ID)
		w.sleep(5 * time.Second)
		if n := len(w.calls()); n < 90 || n > 105 {
			t.Errorf("%d messages in 5 s at 20 a second", n)
		}
		got := w.read(b.ID)
		p, err := w.desk().Progress(t.Context(), &got)
		if left := p.Forecast.Sub(w.store.Now()); err != nil || left < 8*time.Second || left > 12*time.Second {
			t.Errorf("forecast in %v, %v, want about 10 s; speed %.1f", left, err, got.Speed)
		}
		faster := 100.0
		if _, err := w.desk().Change(t.Context(), b.ID, batch.Change{RatePerSecond: &faster}); err != nil {
			t.Fatal(err)
		}
		w.sleep(2500 * time.Millisecond)
		w.until(b.ID, time.Second)
		w.wantEach(300)
	})
}

func TestQuietHoursAndATimeToStart(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		// The bubble begins at midnight UTC, which is 08:00 in Beijing.
		b := w.staged(50, func(d *batch.Draft) { d.QuietHours = "09:00-11:00"; d.RatePerSecond = 1 })
		at := w.store.Now().Add(59*time.Minute + 40*time.Second)
		if _, err := w.desk().Start(t.Context(), b.ID, at, false); err != nil {
			t.Fatal(err)
		}
		w.sleep(59 * time.Minute)
		if got := w.read(b.ID); got.State != hongyan.BatchScheduled || len(w.calls()) != 0 {
			t.Fatalf("before its time: %s, %d calls", got.State, len(w.calls()))
		}
		w.sleep(10 * time.Minute)
		before := len(w.calls())
		if before < 15 || before > 25 {
			t.Errorf("%d messages in the 20 seconds before the quiet hours", before)
		}
		p, err := w.desk().Progress(t.Context(), new(w.read(b.ID)))
		if err != nil || p.Hold == nil || p.Hold.Reason != hongyan.HoldQuietHours || p.Hold.Until.In(hongyan.Beijing).Hour() != 11 {
			t.Errorf("hold: got %+v, %v", p.Hold, err)
		}
		w.sleep(108 * time.Minute)
		if n := len(w.calls()); n != before {
			t.Errorf("%d messages in the quiet hours", n-before)
		}
		w.until(b.ID, 5*time.Minute)
		w.wantEach(50)
	})
}

func TestRetryOfTheFailed(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.create(draft())
		csv := table(1, 20, func(row int, cells []string) {
			if row%5 == 0 {
				cells[0] = sandbox.OpenID("NOFOL", row)
			}
			if row == 7 {
				cells[0] = sandbox.OpenID("BLOCK", row)
			}
		})
		if r, err := w.upload(b.ID, csv); err != nil || r.Good != 20 {
			t.Fatalf("upload: got %+v, %v", r, err)
		}
		w.begin(b.ID)
		w.until(b.ID, time.Minute)
		_, err := w.desk().Retry(t.Context(), b.ID, batch.Retry{Errcodes: []int{40003}})
		if !hongyan.IsKind(err, hongyan.Conflict) {
			t.Errorf("with another errcode: got %v, want a conflict", err)
		}
		again, err := w.desk().Retry(t.Context(), b.ID, batch.Retry{Errcodes: []int{43004}})
		if err != nil || again.Rows != 4 || again.RetryOf != b.ID || again.State != hongyan.BatchOpen {
			t.Fatalf("retry: got %+v, %v", again, err)
		}
		_, err = w.desk().Retry(t.Context(), b.ID, batch.Retry{Errcodes: []int{43004}})
		if !isCode(err, "retried_already") || !strings.Contains(err.Error(), again.ID) {
			t.Errorf("a second retry: got %v, want it refused for %s", err, again.ID)
		}
		more, err := w.desk().Retry(t.Context(), b.ID, batch.Retry{Errcodes: []int{43004}, Again: true})
		if err != nil || more.Rows != 4 {
			t.Fatalf("once more on purpose: got %+v, %v", more, err)
		}
		for _, id := range []string{again.ID, more.ID} {
			if _, err := w.desk().Cancel(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		if again, err = w.desk().Retry(t.Context(), b.ID, batch.Retry{Errcodes: []int{43004}}); err != nil {
			t.Fatalf("after the others were cancelled: %v", err)
		}
		w.begin(again.ID)
		if _, err := w.desk().Retry(t.Context(), again.ID, batch.Retry{}); !isCode(err, "batch_state") {
			t.Errorf("retry of a running batch: got %v", err)
		}
		w.until(again.ID, time.Minute)
		var rows []batch.Result
		err = w.desk().Results(t.Context(), new(w.read(again.ID)), func(r batch.Result) error { rows = append(rows, r); return nil })
		if err != nil || len(rows) != 4 || rows[0].Message == nil || rows[0].Message.RetryOf == "" || rows[0].ToUser != sandbox.OpenID("NOFOL", 5) {
			t.Errorf("results of the retry: got %+v, %v", rows, err)
		}
		_, err = w.desk().Retry(t.Context(), b.ID, batch.Retry{States: []hongyan.State{hongyan.Delivered}})
		if !hongyan.IsKind(err, hongyan.Invalid) {
			t.Errorf("retry of what arrived: got %v", err)
		}
	})
}

// TestATemplateThatIsBannedPausesTheBatch: not every row need learn it.
func TestATemplateThatIsBannedPausesTheBatch(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.staged(600, func(d *batch.Draft) { d.RatePerSecond = 50 })
		w.begin(b.ID)
		w.sleep(2 * time.Second)
		if err := w.store.SetTemplateStatus(t.Context(), sandbox.SeedServiceAppID, sandbox.SeedTemplateOrder, "banned", "by WeChat"); err != nil {
			t.Fatal(err)
		}
		w.life.Load().engine.AccountChanged(sandbox.SeedServiceAppID)
		w.sleep(2 * time.Second)
		got := w.read(b.ID)
		if got.State != hongyan.BatchPaused || got.Reason != "template_banned" || got.Late != 0 {
			t.Fatalf("got %s (%s), %d late", got.State, got.Reason, got.Late)
		}
		if err := w.store.SetTemplateStatus(t.Context(), sandbox.SeedServiceAppID, sandbox.SeedTemplateOrder, "active", ""); err != nil {
			t.Fatal(err)
		}
		w.life.Load().engine.AccountChanged(sandbox.SeedServiceAppID)
		w.until(b.ID, time.Minute) // it goes on by itself, as held messages do
		w.wantEach(600)
	})
}

// TestASendAtThatHasPassed is due at once, as a message's is; so it is when it passes
// before the batch is started.
func TestASendAtThatHasPassed(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		now := w.store.Now()
		for name, at := range map[string]time.Time{"an hour ago": now.Add(-time.Hour), "before 1970": time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)} {
			b := w.create(draft(func(d *batch.Draft) { d.SendAt = at }))
			if got := w.read(b.ID); !b.SendAt.IsZero() || !got.SendAt.IsZero() {
				t.Errorf("%s: made for %s, stored for %s, want no time", name, b.SendAt, got.SendAt)
			}
		}
		b := w.staged(3, func(d *batch.Draft) { d.SendAt = now.Add(-time.Minute) })
		w.begin(b.ID)
		w.until(b.ID, time.Minute)
		late := w.create(draft(func(d *batch.Draft) { d.SendAt = now.Add(10 * time.Minute) }))
		if _, err := w.upload(late.ID, table(101, 2)); err != nil || !late.SendAt.Equal(now.Add(10*time.Minute)) {
			t.Fatalf("made for %s, %v", late.SendAt, err)
		}
		w.sleep(time.Hour)
		if started, err := w.desk().Start(t.Context(), late.ID, time.Time{}, false); err != nil || started.State != hongyan.BatchRunning {
			t.Fatalf("started: %+v, %v", started, err)
		}
		w.until(late.ID, time.Minute)
		if n := len(w.calls()); n != 5 {
			t.Errorf("%d users were called, want 5", n)
		}
	})
}

// TestAPauseOfAnOperatorsOutlastsTheTemplate: before the template is banned, or after.
func TestAPauseOfAnOperatorsOutlastsTheTemplate(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		set := func(status string) {
			t.Helper()
			if err := w.store.SetTemplateStatus(t.Context(), sandbox.SeedServiceAppID, sandbox.SeedTemplateOrder, status, ""); err != nil {
				t.Fatal(err)
			}
			w.life.Load().engine.AccountChanged(sandbox.SeedServiceAppID)
			w.sleep(3 * time.Second)
		}
		slow := func(d *batch.Draft) { d.RatePerSecond = 5 }
		before, after := w.staged(40, slow), w.create(draft(slow))
		if _, err := w.upload(after.ID, table(101, 40)); err != nil {
			t.Fatal(err)
		}
		w.begin(before.ID)
		w.begin(after.ID)
		w.sleep(2 * time.Second)
		pause := func(b hongyan.Batch) {
			t.Helper()
			if paused, err := w.desk().Pause(t.Context(), b.ID); err != nil || paused.Reason != hongyan.HoldBatchPaused || paused.Detail != "" {
				t.Fatalf("got %+v, %v", paused, err)
			}
		}
		pause(before)
		set("removed")
		got := w.read(after.ID)
		if p, err := w.desk().Progress(t.Context(), &got); err != nil || p.Hold.Reason != "template_removed" || !strings.Contains(p.Hold.Release, "active again") {
			t.Fatalf("got %s, hold %+v, %v", got.State, p.Hold, err)
		}
		pause(after)
		set("active")
		for _, b := range []hongyan.Batch{before, after} {
			if got := w.read(b.ID); got.State != hongyan.BatchPaused || got.Reason != hongyan.HoldBatchPaused {
				t.Fatalf("got %s (%s), want it paused by the operator", got.State, got.Reason)
			}
			if _, err := w.desk().Resume(t.Context(), b.ID); err != nil {
				t.Fatal(err)
			}
			w.until(b.ID, time.Minute)
		}
		if n := len(w.calls()); n != 80 {
			t.Errorf("%d users were called, want 80", n)
		}
	})
}

// TestATemplateThatChangedMakesLateProblems: rows were good when they were staged.
func TestATemplateThatChangedMakesLateProblems(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.create(draft())
		csv := table(1, 700, func(row int, cells []string) {
			if row%100 == 0 {
				cells[2] = "很长的名字很长的名字很长" // fits 20 characters with 套装, not 10
			}
		})
		if r, err := w.upload(b.ID, csv); err != nil || r.Good != 700 {
			t.Fatalf("upload: got %+v, %v", r, err)
		}
		tm, err := w.store.Template(t.Context(), sandbox.SeedServiceAppID, sandbox.SeedTemplateOrder)
		if err != nil {
			t.Fatal(err)
		}
		tm.Content = strings.ReplaceAll(tm.Content, "thing2", "phrase2")
		if err := w.store.PutTemplates(t.Context(), []hongyan.Template{tm}); err != nil {
			t.Fatal(err)
		}
		w.life.Load().engine.AccountChanged(sandbox.SeedServiceAppID)
		w.begin(b.ID)
		got := w.until(b.ID, time.Minute)
		if got.Late != 700 || got.Fed != 0 {
			t.Errorf("got %d late, %d fed; want every row refused, for phrase2 is missing", got.Late, got.Fed)
		}
		n := 0
		err = w.desk().Problems(t.Context(), &got, 0, func(p batch.RowProblem) bool {
			if n++; p.Rule != "invalid_data" || p.Row != int64(n) {
				t.Errorf("problem %d: got %+v", n, p)
				return false
			}
			return true
		})
		if err != nil || n != 700 {
			t.Errorf("problems: got %d, %v", n, err)
		}
	})
}

func TestAPausedAccountHoldsItsBatches(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.staged(100)
		if err := w.life.Load().engine.Pause(t.Context(), sandbox.SeedServiceAppID); err != nil {
			t.Fatal(err)
		}
		w.begin(b.ID)
		w.sleep(time.Minute)
		got := w.read(b.ID)
		p, err := w.desk().Progress(t.Context(), &got)
		if err != nil || p.Hold == nil || p.Hold.Reason != hongyan.HoldPaused || got.Fed != 0 {
			t.Errorf("hold: got %+v, %v; fed %d", p.Hold, err, got.Fed)
		}
		if err := w.life.Load().engine.Resume(t.Context(), sandbox.SeedServiceAppID); err != nil {
			t.Fatal(err)
		}
		w.until(b.ID, time.Minute)
		w.wantEach(100)
	})
}

// TestManyActAtOnce: pauses, resumes and a change meet a batch that is being fed.
func TestManyActAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.box.Sandbox.AddFault(sandbox.Fault{Path: sendPath, DelayMS: 300})
		b := w.staged(1500)
		w.begin(b.ID)
		for i := range 20 {
			act := w.desk().Pause
			if i%2 == 1 {
				act = w.desk().Resume
			}
			for range 3 {
				go func() { _, _ = act(context.WithoutCancel(t.Context()), b.ID) }()
			}
			w.sleep(time.Duration(20+7*i) * time.Millisecond)
		}
		w.sleep(2 * time.Second)
		if _, err := w.desk().Resume(t.Context(), b.ID); err != nil {
			t.Fatal(err)
		}
		w.until(b.ID, time.Minute)
		w.wantEach(1500)
	})
}
