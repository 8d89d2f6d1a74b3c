package sandbox

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"time"
)

// What a state file holds of the things that grow: the newest of each.
const (
	savedRows   = 10_000  // of the ledger
	savedShown  = 10_000  // messages in inboxes
	savedRecent = 100_000 // client_msg_ids of the dedupe window
)

// state is what survives the process. It is made of the platform's own parts, so
// that it holds whatever they hold; what is not in it: traffic and rids.
type state struct {
	Seed       int64
	Clock      clock
	Rules      Settings
	Dice       savedDice
	Accounts   []*account
	Tokens     []*token
	Users      map[string]*user
	Known      []string // the last one first
	Forms      map[string]*form
	Consents   map[consentKey]*consent
	OneTimes   map[oneTimeKey]int
	Recent     recent[sendKey, int64]
	Timers     []timer
	TimerSeq   uint64
	Faults     faults
	Presets    []*preset
	Rows       []*LedgerEntry
	LedgerLast int64
	Shown      []savedMessage // the oldest first
	Stats      stats
	Traffic    int64 // the seq to go on after
}

type savedDice struct {
	Source            []byte
	MsgID, SmallMsgID int64
}

type savedMessage struct {
	OpenID string
	*shown
}

// save gathers the state. The caller holds the mutex until it has written it down.
func (p *platform) save() *state {
	source, _ := p.dice.source.MarshalBinary() // never fails
	st := &state{
		Seed: p.opts.Seed, Clock: p.clock, Rules: p.rules, Dice: savedDice{source, p.dice.msgID, p.dice.smallMsgID},
		Accounts: p.order, Users: p.users, Forms: p.forms, Consents: p.consents, OneTimes: p.oneTimes,
		Recent: p.recent.last(savedRecent), Timers: p.timers.heap, TimerSeq: p.timers.seq,
		Faults: p.faults, Presets: p.presets, LedgerLast: p.ledger.last, Stats: p.stats, Traffic: p.traffic.last,
		Known: slices.Collect(p.known.all()), Shown: p.inbox.last(savedShown),
	}
	for i := range p.tokensMade.len() {
		st.Tokens = append(st.Tokens, *p.tokensMade.at(i))
	}
	for i := max(0, p.ledger.rows.len()-savedRows); i < p.ledger.rows.len(); i++ {
		st.Rows = append(st.Rows, *p.ledger.rows.at(i))
	}
	return st
}

// last is a copy with the newest n only.
func (r *recent[K, V]) last(n int) recent[K, V] {
	if len(r.order) <= n {
		return *r
	}
	out := recent[K, V]{window: r.window, byKey: make(map[K]V, n), order: r.order[len(r.order)-n:]}
	for _, e := range out.order {
		out.byKey[e.key] = r.byKey[e.key]
	}
	return out
}

// last is the newest n messages, the oldest first.
func (in *inbox) last(n int) []savedMessage {
	n = min(n, in.order.len())
	out := make([]savedMessage, n)
	taken := map[string]int{}
	for i := range n { // from the newest back
		openid := *in.order.at(in.order.len() - 1 - i)
		taken[openid]++
		list := in.byUser[openid]
		out[n-1-i] = savedMessage{openid, list[len(list)-taken[openid]]}
	}
	return out
}

// restore makes the platform of a state.
func (st *state) restore(opts Options, f *feed) *platform {
	p := emptyPlatform(opts, st.Dice.restore(), f)
	p.clock, p.rules, p.order, p.users, p.forms = st.Clock, st.Rules, st.Accounts, st.Users, st.Forms
	p.consents, p.oneTimes, p.recent, p.faults, p.presets = st.Consents, st.OneTimes, st.Recent, st.Faults, st.Presets
	p.timers.heap, p.timers.seq, p.stats, p.traffic.last = st.Timers, st.TimerSeq, st.Stats, st.Traffic
	for _, a := range p.order {
		p.accounts[a.appID] = a
		p.resume(a)
	}
	for _, t := range st.Tokens {
		p.tokens[t.text] = t
		p.tokensMade.push(t)
	}
	for _, openid := range slices.Backward(st.Known) {
		p.known.see(openid)
	}
	for _, s := range st.Shown {
		p.inbox.add(s.OpenID, s.shown)
	}
	for _, row := range st.Rows[max(0, len(st.Rows)-opts.LedgerLimit):] {
		p.ledger.rows.push(row)
	}
	p.ledger.last = st.LedgerLast
	return p
}

// resume readies an account's pushes: those that were under way are made again, as
// the platform does with what nobody answered.
func (p *platform) resume(a *account) {
	q := &a.pushes
	for job := range q.underWay {
		q.waiting.push(job)
	}
	q.underWay, q.workers, q.listed = nil, 0, false
	p.relist(a)
}

// msgIDLeap is more than a second's worth of msgids.
const msgIDLeap, smallMsgIDLeap = 1_000_000_000_000, 100_000

// restore makes dice that throw nothing that the old ones threw: between the last
// state and the end of the process they may have gone on.
func (d savedDice) restore() *dice {
	old := &rand.PCG{}
	if err := old.UnmarshalBinary(d.Source); err != nil {
		panic("sandbox: the state's dice: " + err.Error()) // its checksum was right
	}
	source := rand.NewPCG(old.Uint64(), uint64(d.MsgID))
	return &dice{rand: rand.New(source), source: source, msgID: d.MsgID + msgIDLeap, smallMsgID: d.SmallMsgID + smallMsgIDLeap}
}

var stateFingerprint = fingerprint(reflect.TypeFor[state]())

// saveEvery is how much may be lost.
const saveEvery = time.Second

// saveShare bounds the time that saving takes, and with it the time that calls wait
// for it: one part in so many.
const saveShare = 10
