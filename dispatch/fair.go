package dispatch

import (
	"time"

	"hongyan"
	"hongyan/store"
)

// claimQuantum is how many messages an account may claim in one turn, at most: fewer
// where that would fill the slots within four turns. Every turn of a claim gives each account as many before any gets more, so that ten accounts
// with a backlog fill the slots evenly, and one that has just begun does not wait
// for those that were there before (deficit round robin, where each message costs
// one and so no deficit is ever left over).
const claimQuantum = 32

// planClaims sets slots, rate and quota aside and says what to claim.
func (e *Engine) planClaims(now time.Time) ([]store.Want, []ask) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping || e.broken || !e.alive() {
		return nil, nil
	}
	hungry := e.hungry(now)
	e.deal(hungry, now)
	var wants []store.Want
	var asked []ask
	for _, a := range hungry {
		for _, s := range a.hungry {
			if s.dealt > 0 {
				wants = append(wants, store.Want{AppID: s.key.appID, Kind: s.key.kind, Max: s.dealt, NotBefore: a.quietBefore(s.key.kind, now)})
				asked = append(asked, ask{s, s.dealt})
			}
			s.dealt = 0
		}
		a.hungry = a.hungry[:0]
	}
	return wants, asked
}

// ask is what was set aside for one Want.
type ask struct {
	s *stream
	n int
}

// hungry lists the accounts with streams that have something due and may send
// it, from the one whose turn it is. The caller holds e.mu.
func (e *Engine) hungry(now time.Time) []*account {
	var all []*account
	for i := range e.order {
		place := (e.turn + i) % len(e.order)
		s := e.order[place]
		if !s.nextDue.IsZero() && !now.Before(s.nextDue) {
			s.backlog, s.nextDue = true, time.Time{}
		}
		if !s.backlog || !s.worthClaiming() || !s.open(now) {
			continue
		}
		a := s.account
		if len(a.hungry) == 0 {
			a.place = place
			all = append(all, a)
		}
		a.hungry = append(a.hungry, s)
	}
	return all
}

// deal gives the accounts their turns until nobody may have more or one claim is
// full. Then the next round begins with who came too late. The caller holds e.mu.
func (e *Engine) deal(accounts []*account, now time.Time) {
	if len(accounts) == 0 {
		return
	}
	e.turn++
	left := claimMax
	quantum := max(1, min(claimQuantum, claimMax/len(accounts), (e.cfg.Slots-e.slots)/(4*len(accounts))))
	for dealt := true; dealt; {
		dealt = false
		for _, a := range accounts {
			if left == 0 {
				e.turn = a.place
				return
			}
			n := e.dealOne(a, min(left, quantum), now)
			left -= n
			dealt = dealt || n > 0
		}
	}
}

// dealOne sets aside at most n messages of one of an account's streams, which
// take turns, and returns how many.
func (e *Engine) dealOne(a *account, n int, now time.Time) int {
	for i, s := range a.hungry {
		if got := min(n, e.allowance(s, now)); got > 0 {
			s.dealt += got
			e.reserve(s, got)
			a.rate.take(got)
			a.hungry = append(append(a.hungry[:i], a.hungry[i+1:]...), s)
			return got
		}
	}
	return 0
}

// allowance returns how many more messages of s may be claimed now, and sees to
// it that the account does not stay without rate or quota.
func (e *Engine) allowance(s *stream, now time.Time) int {
	a := s.account
	n := min(s.room(), claimMax, e.share(s))
	if n <= 0 {
		return 0
	}
	e.stockUpLater(a, n, now)
	return max(0, min(n, a.rate.available(now), a.roomFor(s.key.kind, now)))
}

// roomFor returns how many messages of kind k the account's rules let go now. While
// a hold keeps all but the urgent ones, those are what a claim finds.
func (a *account) roomFor(k hongyan.MessageKind, now time.Time) int {
	all, urgent := a.meter.room(now)
	if a.quietBefore(k, now).After(now) {
		return urgent
	}
	return all
}

// share returns how many more slots s may take: none beyond what would still be
// free for others when its whole account has them, so that streams whose calls
// hang, and accounts with many, never hold them all.
func (e *Engine) share(s *stream) int {
	free := e.cfg.Slots - e.slots
	return max(0, (free-s.account.leased()+1)/2)
}

// leased counts the messages the account keeps slots for, results aside.
func (a *account) leased() int {
	n := 0
	for _, s := range a.streams {
		n += s.leased()
	}
	return n
}

// enqueue adds a leased message to the ready ones, behind those as urgent as itself.
func (s *stream) enqueue(m hongyan.Message) {
	s.ready = append(s.ready, m)
	for i := len(s.ready) - 1; i > 0 && m.Priority < s.ready[i-1].Priority; i-- {
		s.ready[i-1], s.ready[i] = s.ready[i], s.ready[i-1]
	}
}
