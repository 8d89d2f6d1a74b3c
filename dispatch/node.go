package dispatch

import (
	"context"
	"fmt"
	"time"

	"hongyan"
	"hongyan/store"
)

// join makes this process a node and returns its epoch.
func (e *Engine) join(ctx context.Context) (int64, error) {
	begun := time.Since(e.born)
	epoch, err := e.cfg.Store.Join(ctx, e.cfg.NodeName, e.cfg.Lease)
	if err != nil {
		return 0, fmt.Errorf("join as node %s: %w", e.cfg.NodeName, err)
	}
	e.leased.Store(int64(begun + e.cfg.Lease))
	return epoch, nil
}

// alive reports whether this node's lease lasts by its own clock, which cannot be
// set and goes on while the process is stopped. Without it another node may have
// taken over what is leased here: no call begins.
func (e *Engine) alive() bool { return time.Since(e.born) < time.Duration(e.leased.Load()) }

// runRenewals keeps this node's lease. A lapse (another node took over) fences off
// what is under way, and the node joins anew.
func (e *Engine) runRenewals(ctx context.Context) {
	tick := time.NewTicker(e.cfg.Lease / renewsPerLease)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		epoch, begun := e.epoch.Load(), time.Since(e.born)
		if epoch == 0 {
			e.rejoin(ctx)
			continue
		}
		err := e.cfg.Store.Renew(ctx, epoch, e.cfg.Lease)
		switch {
		case err == nil:
			e.renewed(begun)
		case ctx.Err() != nil:
		case hongyan.IsKind(err, hongyan.Conflict):
			e.log.Error("lease lost: another process took over, this one joins anew", "epoch", epoch)
			e.epoch.Store(0)
			e.rejoin(ctx)
		default:
			e.log.Warn("lease not renewed", "epoch", epoch, "err", err)
		}
	}
}

// renewed takes note of a renewal that was asked for at begun.
func (e *Engine) renewed(begun time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	was := e.alive()
	e.leased.Store(int64(begun + e.cfg.Lease))
	if !was {
		e.startAll()
		e.poke()
	}
}

// startAll begins what is ready. The caller holds e.mu.
func (e *Engine) startAll() {
	now := e.cfg.Store.Now()
	for _, s := range e.order {
		e.startWorkers(s, now)
	}
}

// rejoin makes a node whose lease was lost a new one. What it had leased and not
// begun goes back as far as it is still its own; of what was called the results are
// fenced off, and whoever took the messages over settles them.
func (e *Engine) rejoin(ctx context.Context) {
	e.mu.Lock()
	untried := e.takeAllReady()
	for _, a := range e.accounts {
		a.meter.forgetHeld() // it was the old node's
	}
	e.mu.Unlock()
	e.giveBack(untried)
	epoch, err := e.join(ctx)
	if err == nil {
		err = e.takeOver(ctx, epoch)
	}
	if err != nil {
		if ctx.Err() == nil {
			e.log.Warn("join anew", "err", err)
		}
		return // the next tick tries again
	}
	e.epoch.Store(epoch)
	e.log.Info("engine joined anew", "node", e.cfg.NodeName, "epoch", epoch)
	e.poke()
}

const (
	expireEvery = 5 * time.Second
	sweepEvery  = time.Minute
	sweepBatch  = 500
	// leadFor is how long the node that sweeps is the only one: a few turns.
	leadFor = 3 * expireEvery
	// overPerLease: a dead node's messages wait for the end of its lease, and not much longer.
	overPerLease = 12
)

// roleSweep is the periodic work of the engine (store.Cluster.Lead).
const roleSweep = "sweep"

// Leads reports whether this node does role's periodic work for the next d: false
// while another does, and while this one has no lease. Two may lead for a moment, so the
// work must bear being done twice.
func (e *Engine) Leads(ctx context.Context, role string, d time.Duration) (bool, error) {
	epoch := e.epoch.Load()
	if epoch == 0 {
		return false, nil
	}
	return e.cfg.Store.Lead(ctx, role, epoch, d)
}

// runSweeps ends messages whose time passed and removes what nobody can ask for,
// while this node leads. It does no harm if two do.
func (e *Engine) runSweeps(ctx context.Context) {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := e.sweep(ctx, n%int(sweepEvery/expireEvery) == 0); err != nil && ctx.Err() == nil {
			e.log.Warn("sweep", "err", err)
		}
	}
}

// sweep is one turn of the leader.
func (e *Engine) sweep(ctx context.Context, thorough bool) error {
	if leads, err := e.Leads(ctx, roleSweep, leadFor); err != nil || !leads {
		return err
	}
	for n := sweepBatch; n == sweepBatch; {
		var err error
		if n, err = e.cfg.Store.Expire(ctx, sweepBatch); err != nil {
			return err
		}
	}
	if !thorough {
		return nil
	}
	_, err := e.cfg.Store.Sweep(ctx)
	return err
}

// runTakeOvers settles what dead nodes left. Several may do it at once: each
// message goes to one of them.
func (e *Engine) runTakeOvers(ctx context.Context) {
	tick := time.NewTicker(e.cfg.Lease / overPerLease)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		epoch := e.epoch.Load()
		if epoch == 0 {
			continue
		}
		e.settleLegacies(ctx)
		if err := e.takeOver(ctx, epoch); err != nil && ctx.Err() == nil && !hongyan.IsKind(err, hongyan.Conflict) {
			e.log.Warn("take over", "err", err)
		}
	}
}

// Noticed takes note of what another process on the same database changed. It
// returns at once but for changed accounts, which are read. Call it for whatever
// store.Cluster.Watch tells; notices that are not about messages or accounts pass.
func (e *Engine) Noticed(n store.Notice) {
	switch {
	case n.Kind == store.NoticeMessages:
		e.waiting(n.AppID)
	case n.Kind == store.NoticeAccount && n.AppID != "":
		e.AccountChanged(n.AppID)
	case n.Kind == store.NoticeAccount:
		e.accountsChanged()
	}
}

// waiting makes the claimer look for messages of an account, or (appID "") of all.
func (e *Engine) waiting(appID string) {
	e.mu.Lock()
	known := false
	for _, s := range e.order {
		if s.key.appID == appID {
			s.backlog, known = true, true
		}
	}
	e.pollSoon = e.pollSoon || !known
	e.mu.Unlock()
	e.poke()
}

// accountsChanged reads again what may have changed while nobody told: the holds,
// and the accounts whose UpdatedAt moved. It costs two readings, not one an account.
func (e *Engine) accountsChanged() {
	ctx, cancel := context.WithTimeout(context.Background(), reloadTimeout)
	defer cancel()
	stored, err := e.cfg.Store.Accounts(ctx)
	if err == nil {
		err = e.readAllHolds(ctx)
	}
	if err != nil {
		e.log.Warn("look for changed accounts", "err", err)
		return
	}
	updated := make(map[string]time.Time, len(stored))
	for i := range stored {
		updated[stored[i].AppID] = stored[i].UpdatedAt
	}
	var changed []string
	e.mu.Lock()
	for name, a := range e.accounts {
		if name == a.AppID && !updated[name].Equal(a.settings().UpdatedAt) {
			changed = append(changed, name)
		}
	}
	e.mu.Unlock()
	for _, appID := range changed {
		e.AccountChanged(appID)
	}
	e.library.forgetAll()
	e.poke()
}

// takeOver settles what dead processes left leased: each message may have been
// tried, so each is treated as an attempt without an answer. The calls that the dead
// had reserved for their accounts are this node's then, until it asks anew.
func (e *Engine) takeOver(ctx context.Context, epoch int64) error {
	total := 0
	for {
		left, err := e.cfg.Store.TakeOver(ctx, epoch, sweepBatch)
		if err != nil {
			return fmt.Errorf("take over as epoch %d: %w", epoch, err)
		}
		if len(left) == 0 {
			break
		}
		results := make([]store.Result, 0, len(left))
		for i := range left {
			results = append(results, e.settleLost(ctx, &left[i]))
		}
		if _, err := e.cfg.Store.FinishAttempts(ctx, results); err != nil {
			return fmt.Errorf("settle %d messages of a dead process: %w", len(results), err)
		}
		total += len(left)
		e.inherit(left)
	}
	if total > 0 {
		e.log.Warn("settled messages a dead process left in doubt", "count", total)
	}
	return nil
}

// legacy is whose calls were reserved by a node that is dead: an account's, and a template's.
type legacy struct{ appID, templateID string }

// inherit remembers what else came with messages taken over.
func (e *Engine) inherit(left []hongyan.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range left {
		e.legacies[legacy{left[i].AppID, ""}] = true
		e.legacies[legacy{left[i].AppID, left[i].TemplateID}] = true
	}
}

// settleLegacies asks the store anew for what this node holds where a dead one's
// reserved calls came to it: what it asks for counts, not what there was.
func (e *Engine) settleLegacies(ctx context.Context) {
	e.mu.Lock()
	all := e.legacies
	if len(all) > 0 {
		e.legacies = make(map[legacy]bool)
	}
	e.mu.Unlock()
	for l := range all {
		a, err := e.loadAccount(ctx, l.appID)
		if err != nil {
			continue // gone, or it is not sent for either
		}
		e.mu.Lock()
		for i := range a.meter.rules {
			if c := a.meter.counterOf(&a.meter.rules[i], l.templateID, e.cfg.Store.Now()); c != nil {
				c.held = 0
			}
		}
		e.mu.Unlock()
		e.stockUp(ctx, a, 1, l.templateID)
	}
}

// settleLost settles one of them. An account that cannot be read must not keep
// the others from being sent: its messages are settled as an account with every
// setting at its default would have them, and as uncertain when it is gone.
func (e *Engine) settleLost(ctx context.Context, m *hongyan.Message) store.Result {
	now := e.cfg.Store.Now()
	a, err := e.loadAccount(ctx, m.AppID)
	if err != nil {
		e.log.Error("account of a message that a dead process left", "appid", m.AppID, "message", m.ID, "err", err)
		a = &account{AppID: m.AppID, meter: newMeter(nil, nil)}
		a.stored.Store(&settings{Account: hongyan.Account{AppID: m.AppID}})
	}
	started := m.UpdatedAt                  // when it was leased (store.Nodes.TakeOver)
	started = latest(started, m.DoubtSince) // a resend has been tried (resendDue)
	c := call{attempt: hongyan.Attempt{
		N: m.Attempts, StartedAt: started, EndedAt: now, Outcome: hongyan.NoAnswer,
		Errmsg: "the process ended before an answer was recorded",
	}}
	form, untried, formErr := e.leftForm(ctx, m)
	if untried {
		return resultOf(m, later(&a.settings().Account, verdictFor(m), now, now, reasonRetrying), nil, nil)
	}
	c.form = form
	e.mu.Lock()
	defer e.mu.Unlock()
	v := decide(&a.settings().Account, m, c, now)
	if hongyan.IsKind(err, hongyan.NotFound) || formErr != nil { // nobody would ever ask again, or know with which form_id
		v = lost(&a.settings().Account, v)
	}
	day := calendarAt(now)
	a.meter.count(m.TemplateID, 1, &day)
	r := resultOf(m, v, []hongyan.Attempt{c.attempt}, day.deltas(m.AppID, m.TemplateID, 1))
	r.Form = form.result(m, &v)
	return r
}
