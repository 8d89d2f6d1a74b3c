package prove

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"time"

	"hongyan/client"
	"hongyan/internal/fault"
	"hongyan/sandbox"
)

// killLatency is the platform's: calls take long enough to be under way when a
// process dies.
const killLatency = 20 * time.Millisecond

// recoveryEvery is how many kills come for each recovery that is timed. The
// others do not wait: the next blow falls while the last one is being mended.
const recoveryEvery = 20

// orphanAfter is how long receipts without an owner wait in the gateways under
// test; 30 s, the default, would only make the end longer.
const orphanAfter = "HONGYAN_ORPHAN_AFTER=3s"

// slots is how many messages a gateway under test may have leased at once, and so
// the most that one kill may leave in doubt.
const slots = 256

// runKills is test 1 of design §7: kill -9 under load, at any time and at named
// points, without waiting for recovery. Then everybody comes to rest, and the
// three ledgers are compared.
func runKills(ctx context.Context, t *trial) error {
	r, err := t.rig(ctx, rigOptions{latency: killLatency, env: []string{orphanAfter, fmt.Sprintf("HONGYAN_SLOTS=%d", slots)}})
	if err != nil {
		return err
	}
	blows := schedule(t.cfg.Seed, t.cfg.Kills, len(r.nodes))
	l := &load{r: r, messages: t.cfg.Messages, over: length(blows)}
	k := &killer{t: t, r: r, l: l}
	w := &watch{r: r}
	l.begin(ctx)
	endWatch := w.begin(ctx)
	defer endWatch()
	if err := k.strike(ctx, blows); err != nil {
		return fmt.Errorf("kill %d: %w", k.done+1, err)
	}
	l.stopAfter(ctx, loadTail)
	if err := k.last(ctx); err != nil {
		return err
	}
	t.say("the last of %d kills is recovered from; waiting until all is quiet", k.done)
	err = t.judgeWatched(ctx, r, []*load{l}, w, endWatch)
	doubts := r.doubts()
	t.want(doubts <= slots, "a kill left %d messages in doubt, more than the %d slots", doubts, slots)
	t.figure("in_doubt_max", float64(doubts))
	t.figure("kills", float64(k.done))
	t.figure("kills_at_points", float64(k.byOwn))
	t.recovery = spread(k.times)
	if s := t.recovery; s != nil {
		t.figure("recovery_p50_ms", s.P50)
		t.figure("recovery_max_ms", s.Max)
	}
	return err
}

// judgeWatched watches to the very end, so that the last states count too.
func (t *trial) judgeWatched(ctx context.Context, r *rig, loads []*load, w *watch, endWatch func()) error {
	endWatch()
	for m, err := range r.api().AllMessages(ctx, client.MessageFilter{Limit: 1000}) {
		if err != nil {
			return err
		}
		w.note(&m)
	}
	return t.judge(ctx, r, loads, w.falls)
}

// loadTail is how long after the last kill callers may still begin messages.
const loadTail = 2 * time.Second

// stopAfter lets the load run on for a while, ends it, and waits for the promises.
func (l *load) stopAfter(ctx context.Context, d time.Duration) {
	ended := make(chan struct{})
	go func() { defer close(ended); l.wait() }()
	select {
	case <-ended:
		return
	case <-time.After(d):
	case <-ctx.Done():
	}
	l.stop.Store(true)
	<-ended
}

// killer kills and restarts.
type killer struct {
	t     *trial
	r     *rig
	l     *load
	done  int             // blows
	byOwn int             // of those, at a named point
	times []time.Duration // recoveries
}

func (k *killer) strike(ctx context.Context, blows []blow) error {
	for i, b := range blows {
		if err := k.fall(ctx, b); err != nil {
			return err
		}
		if err := k.restart(ctx, k.r.nodes[b.node], nextPoint(blows[i+1:], b.node)); err != nil {
			return err
		}
		if k.done++; k.done%sayEvery == 0 {
			k.t.say("%d of %d kills, %d promised", k.done, len(blows), k.l.told.Load())
		}
	}
	return nil
}

// sayEvery is how many kills come for each line about them.
const sayEvery = 5

// restart starts a node that is dead, and times its recovery when it is its turn.
func (k *killer) restart(ctx context.Context, n *node, faults []string) error {
	began := time.Now()
	n.faults = faults
	timed := (k.done+1)%recoveryEvery == 0
	if timed {
		n.faults = nil // it must not die while it is timed
	}
	if err := n.start(ctx); err != nil {
		return err
	}
	if timed {
		return k.time(ctx, n, began)
	}
	return nil
}

// nextPoint arms a node for its next death, if that is at a named point.
func nextPoint(rest []blow, node int) []string {
	for _, b := range rest {
		if b.node == node {
			if b.point == "" {
				return nil
			}
			return []string{fault.Kill(b.point, b.nth)}
		}
	}
	return nil
}

// fall waits for a blow: the process dies by itself at the point it is armed
// for, or is killed when the gap is over. One that is not armed, because it is in
// its first life or was timed, and one that nothing passes soon enough, is killed too.
func (k *killer) fall(ctx context.Context, b blow) error {
	n, wait := k.r.nodes[b.node], b.gap
	armed := len(n.faults) > 0
	if armed {
		wait = gapMost
	}
	select {
	case <-n.child().gone:
		if !armed {
			return fmt.Errorf("%s ended by itself: %w\n%s", n.url(), n.child().err, lastLines(n.log, 20))
		}
		k.byOwn++
	case <-time.After(wait):
		n.kill()
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// last times the last recovery.
func (k *killer) last(ctx context.Context) error {
	n := k.r.nodes[0]
	n.kill()
	k.done++
	began := time.Now()
	n.faults = nil
	if err := n.start(ctx); err != nil {
		return err
	}
	return k.time(ctx, n, began)
}

// recoverWithin is far longer than any recovery that may be called one.
const recoverWithin = 90 * time.Second

// time measures a recovery: from the death to a new message that the platform
// has taken.
func (k *killer) time(ctx context.Context, n *node, began time.Time) error {
	number := probeNumbers + k.done
	p := &promise{number: number, openID: sandbox.OpenID("", number), sentAt: began}
	p.request = k.r.who.order(plain, p.openID, fmt.Sprintf("P%d", number))
	p.request.IdempotencyKey = fmt.Sprintf("probe-%d-%d", k.t.cfg.Seed, number)
	p.request.Priority = "urgent"
	k.l.keep(p)
	api := n.client()
	err := await(ctx, recoverWithin, lookEvery, func() (bool, error) {
		if p.id == "" {
			sent, err := api.Send(ctx, p.request)
			p.tries++
			if err != nil {
				p.trouble = err.Error()
				return false, nil
			}
			p.id, p.toldAt = sent.Message.ID, time.Now()
		}
		m, err := api.Message(ctx, p.id)
		return err == nil && (m.State == "accepted" || m.Final), nil
	}, func() string { return "a message posted after the restart has not been sent: " + p.trouble })
	k.times = append(k.times, time.Since(began))
	return err
}

// probeNumbers keeps probes apart from the messages of the load.
const probeNumbers = 1_000_000_000

var doubtLine = regexp.MustCompile(`dead process left in doubt" .*count=(\d+)`)

// doubts is the most messages that a start found in doubt, by the gateways' logs.
func (r *rig) doubts() (most int) {
	for _, n := range r.nodes {
		log, err := os.ReadFile(n.log)
		if err != nil {
			continue // it never started
		}
		for _, m := range doubtLine.FindAllSubmatch(log, -1) {
			most = max(most, int(number(string(m[1]))))
		}
	}
	return most
}
