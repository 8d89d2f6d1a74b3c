package prove

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// trial is one test while it runs.
type trial struct {
	cfg      Config
	test     Test
	began    time.Time
	rigs     []*rig
	result   Result
	recovery *Spread
	books    *ledgers // of the last judge
}

// errSkip says that this machine or database does not allow a test.
type errSkip struct{ why string }

func (e errSkip) Error() string { return e.why }

// run runs the test and cleans up behind it. What goes wrong in it is its result.
func (t *trial) run(ctx context.Context) error {
	t.result = Result{Name: t.test.Name, Number: t.test.Number, Figures: map[string]float64{}, Violations: []Violation{}}
	t.say("%s", t.test.Says)
	err := t.test.run(ctx, t)
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), t.clean(false))
	}
	if skip, ok := errors.AsType[errSkip](err); ok {
		t.result.Skipped = skip.why
	} else if err != nil {
		t.wrong("%v", err)
	}
	t.result.OK = len(t.result.Violations) == 0 && t.result.Skipped == ""
	t.result.Seconds = time.Since(t.began).Round(time.Millisecond).Seconds()
	failed := len(t.result.Violations) > 0
	t.cfg.Say(Line{Test: t.test.Name, Since: time.Since(t.began), Text: t.summary(), Last: true, OK: !failed})
	return t.clean(failed && t.cfg.Break == "")
}

// clean ends what the test started; with keep its folders stay.
func (t *trial) clean(keep bool) error {
	var errs []error
	for _, r := range t.rigs {
		if keep || t.cfg.Keep {
			r.cfg.Keep = true
			t.result.Folder = r.dir
		}
		errs = append(errs, r.close())
	}
	return errors.Join(errs...)
}

// rig starts what the test runs on.
func (t *trial) rig(ctx context.Context, o rigOptions) (*rig, error) {
	r, err := newRig(ctx, t.cfg, t.test.Name, o)
	if r != nil {
		t.rigs = append(t.rigs, r)
	}
	return r, err
}

// say tells what goes on.
func (t *trial) say(format string, args ...any) {
	t.cfg.Say(Line{Test: t.test.Name, Since: time.Since(t.began), Text: fmt.Sprintf(format, args...)})
}

// wrong notes something that is not as it must be.
func (t *trial) wrong(format string, args ...any) {
	t.result.Violations = append(t.result.Violations, Violation{Invariant: t.test.Name, Detail: fmt.Sprintf(format, args...)})
}

// want notes a failure unless ok.
func (t *trial) want(ok bool, format string, args ...any) {
	if !ok {
		t.wrong(format, args...)
	}
}

func (t *trial) figure(name string, v float64) { t.result.Figures[name] = v }

func (t *trial) summary() string {
	if t.result.Skipped != "" {
		return "left out: " + t.result.Skipped
	}
	var parts []string
	for _, name := range union(asInts(t.result.Figures), nil) {
		parts = append(parts, fmt.Sprintf("%s %g", strings.ReplaceAll(name, "_", " "), t.result.Figures[name]))
	}
	return strings.Join(parts, ", ")
}

func asInts(m map[string]float64) map[string]int64 {
	out := map[string]int64{}
	for k := range m {
		out[k] = 0
	}
	return out
}

// historiesShown is how many violations of one invariant are told with a history.
const historiesShown = 5

// judge lets everybody come to rest, compares the ledgers, and takes the figures.
func (t *trial) judge(ctx context.Context, r *rig, loads []*load, falls []string) error {
	last := ""
	var promises []*promise
	for _, l := range loads {
		promises = append(promises, l.promises...)
	}
	books, err := r.settle(ctx, promises, func(s string) {
		if s != last {
			t.say("%s", s)
		}
		last = s
	})
	if err != nil {
		return err
	}
	books.falls, books.restarts = falls, r.restarts
	for _, l := range loads {
		for _, why := range l.refused {
			t.wrong("%s", why)
		}
	}
	found := books.check()
	shown := map[string]int{}
	for i := range found {
		v := &found[i]
		if shown[v.Invariant]++; v.OpenID != "" && shown[v.Invariant] <= historiesShown {
			v.History = r.history(ctx, books, v)
		}
	}
	t.result.Violations = append(t.result.Violations, found...)
	t.figures(books, found, loads[0])
	t.books = books
	return nil
}

func (t *trial) figures(l *ledgers, found []Violation, posted *load) {
	states := map[string]int{}
	for i := range l.rows {
		states[l.rows[i].State]++
	}
	promised := 0
	for _, p := range l.promises {
		if p.id != "" {
			promised++
		}
	}
	t.figure("promised", float64(promised))
	t.figure("posts", float64(posted.tries.Load()))
	t.figure("lost", float64(countOf(found, "I1", "lost")))
	t.figure("duplicated", float64(countOf(found, "I3", "")))
	t.figure("uncertain", float64(states["uncertain"]))
	t.figure("delivered", float64(states["delivered"]))
	t.figure("calls", float64(len(l.calls)))
	if s := posted.took.Seconds(); s > 0 {
		t.figure("promised_per_s", float64(int(float64(promised)/s)))
	}
}

func countOf(found []Violation, invariant, start string) (n int) {
	for _, v := range found {
		if v.Invariant == invariant && strings.HasPrefix(v.Detail, start) {
			n++
		}
	}
	return n
}
