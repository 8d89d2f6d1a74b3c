package storetest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"hongyan"
	"hongyan/store"
)

// postman does random things to the deliveries of a target and watches their order.
type postman struct {
	*fixture
	rand   *rand.Rand
	users  []string
	events []hongyan.Event
	held   []store.ClaimedDelivery
}

// deliveriesRandom plays random acts from a fixed seed; a failure can be replayed.
func deliveriesRandom(f *fixture) {
	p := &postman{fixture: f, rand: rand.New(rand.NewPCG(3, 4)), users: []string{"", "oAnn", "oBob", "oCid"}}
	acts := []func(){p.push, p.push, p.finishSome, p.claim, p.claim, p.claimUnordered, p.settleOne, p.settleOne, p.settleOne, p.answerOne, p.replaySome, p.dropSome, p.rest}
	for range 600 {
		acts[p.rand.IntN(len(acts))]()
		p.check()
	}
	p.drain()
}

func (p *postman) push() {
	p.events = append(p.events, p.pushes(appA, 1+p.rand.IntN(3), p.users[p.rand.IntN(len(p.users))])...)
}

// finishSome finishes events in any order.
func (p *postman) finishSome() {
	for range min(3, len(p.events)) {
		e := p.events[p.rand.IntN(len(p.events))]
		p.finishFor([]hongyan.Event{e}, e.OpenID, targetA)
	}
}

func (p *postman) claim() { p.held = append(p.held, p.take(targetA, true, 1+p.rand.IntN(3))...) }

func (p *postman) claimUnordered() {
	p.held = append(p.held, p.take(targetA, false, 1)...)
}

func (p *postman) settleOne() {
	if len(p.held) == 0 {
		return
	}
	i := p.rand.IntN(len(p.held))
	c := p.held[i]
	p.held = append(p.held[:i], p.held[i+1:]...)
	p.must(p.s.FinishDeliveries(p.ctx, []store.DeliveryResult{{
		ID: c.ID, Attempts: c.Attempts, State: hongyan.DeliveryState(p.rand.IntN(3)), Untried: p.rand.IntN(5) == 0,
		DueAt: p.s.Now().Add(time.Duration(p.rand.IntN(60)) * time.Second),
	}}))
}

func (p *postman) answerOne() {
	if len(p.events) > 0 {
		e := p.events[p.rand.IntN(len(p.events))]
		p.must(p.s.AnswerDelivery(p.ctx, hongyan.Delivery{AppID: appA, Target: targetA, EventID: e.ID, Key: e.OpenID}))
	}
}

func (p *postman) replaySome() {
	p.replay(store.Replay{AppID: appA, Target: targetA, From: p.s.Now().Add(-time.Duration(p.rand.IntN(120)) * time.Second), Limit: 2})
}

func (p *postman) dropSome() {
	_, err := p.s.DropDeliveries(p.ctx, targetA, p.rand.IntN(3))
	p.must(err)
}

func (p *postman) rest() { time.Sleep(time.Duration(p.rand.IntN(40)) * time.Second) }

// firsts are the pending deliveries that nothing is in the way of, and whether each is due.
func (p *postman) firsts() map[int64]bool {
	first := map[string]hongyan.Delivery{}
	for _, d := range p.deliveries(store.DeliveryFilter{Target: targetA, States: []hongyan.DeliveryState{hongyan.DeliveryPending}}) {
		key := d.Key
		if key == "" {
			key = fmt.Sprint("free ", d.EventID)
		}
		if before, ok := first[key]; !ok || d.EventID < before.EventID {
			first[key] = d
		}
	}
	due := map[int64]bool{}
	for _, d := range first {
		due[d.EventID] = !d.DueAt.After(p.s.Now())
	}
	return due
}

// check compares what an ordered claim can take with what it should.
func (p *postman) check() {
	p.Helper()
	var want time.Time
	for event := range p.firsts() {
		if d := p.delivery(event, targetA); want.IsZero() || d.DueAt.Before(want) {
			want = d.DueAt
		}
	}
	all, err := p.s.DueTargets(p.ctx)
	p.must(err)
	var got time.Time
	if len(all) > 0 {
		got = all[0].OrderedDueAt
	}
	same(p.fixture, "earliest in order", got, want)
}

// drain takes everything to its end, in order.
func (p *postman) drain() {
	p.Helper()
	for {
		time.Sleep(2 * time.Minute) // leases end, everything is due
		want := p.firsts()
		got := p.take(targetA, true, 1000)
		for _, c := range got {
			same(p.fixture, "first of its user and due", want[c.EventID], true)
			p.must(p.s.FinishDeliveries(p.ctx, []store.DeliveryResult{{ID: c.ID, Attempts: c.Attempts, State: hongyan.DeliveryDone}}))
		}
		same(p.fixture, "taken", len(got), len(want))
		if len(want) == 0 {
			break
		}
	}
	pending := p.deliveries(store.DeliveryFilter{States: []hongyan.DeliveryState{hongyan.DeliveryPending}})
	same(p.fixture, "pending at the end", len(pending), 0)
}
