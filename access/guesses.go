package access

import (
	"net/netip"
	"sync"
	"time"
)

// What makes an address that guesses wait. Nobody guesses 256 bits; the limits
// keep a broken or hostile program from filling the log and asking the store.
const (
	guessLimit  = 20 // wrong secrets
	guessWindow = time.Minute
	firstBlock  = time.Minute
	longestWait = 15 * time.Minute // blocks double up to this
	// calmAfter is how long an address must behave after a block for the next
	// one to be short again.
	calmAfter = time.Hour
	// maxGuessers bounds the memory, about 150 bytes for each address.
	maxGuessers = 4096
)

// Blocked returns how long an address must wait that gave too many wrong
// secrets lately: 20 within a minute make a minute, and each further time twice
// that, up to 15 minutes. 0 = it need not. Ask it once a secret turned out to be
// wrong, not before: a right one is welcome from anywhere, also from an address
// that others share.
func (d *Desk) Blocked(remote string) (retryAfter time.Duration) {
	return d.guesses.blocked(remote, time.Now())
}

// guesses counts wrong secrets by address. Safe for concurrent use.
type guesses struct {
	mu sync.Mutex
	by map[string]*guesser
}

type guesser struct {
	since        time.Time // when the window began
	wrong        int       // in the window
	blockedUntil time.Time
	nextBlock    time.Duration
}

func newGuesses() *guesses { return &guesses{by: map[string]*guesser{}} }

// neighbourhood is what counts as one address: an IPv6 network of 64 bits, which
// one machine can fill, is one.
func neighbourhood(remote string) string {
	addr, err := netip.ParseAddr(remote)
	if err != nil {
		return clip(remote, maxRemote)
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	network, _ := addr.Prefix(64) // 64 is valid for every IPv6 address
	return network.String()
}

func (g *guesses) blocked(remote string, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if known := g.by[neighbourhood(remote)]; known != nil {
		return max(0, known.blockedUntil.Sub(now))
	}
	return 0
}

// wrong counts a wrong secret. Those given during a block count for nothing
// more, so that a program that keeps trying is let in when the block is over.
func (g *guesses) wrong(remote string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	known := g.guesser(neighbourhood(remote), now)
	if now.Before(known.blockedUntil) {
		return
	}
	if now.Sub(known.since) >= guessWindow {
		known.since, known.wrong = now, 0
	}
	if known.wrong++; known.wrong < guessLimit {
		return
	}
	known.blockedUntil = now.Add(known.nextBlock)
	known.nextBlock = min(2*known.nextBlock, longestWait)
	known.since, known.wrong = known.blockedUntil, 0
}

// guesser finds or makes the count of a neighbourhood. g.mu is held.
func (g *guesses) guesser(who string, now time.Time) *guesser {
	known := g.by[who]
	if known != nil && !known.calm(now) {
		return known
	}
	if known == nil && len(g.by) >= maxGuessers {
		g.makeRoom(now)
	}
	known = &guesser{since: now, nextBlock: firstBlock}
	g.by[who] = known
	return known
}

// calm reports that nothing of the past matters any more.
func (k *guesser) calm(now time.Time) bool {
	if k.blockedUntil.IsZero() {
		return now.Sub(k.since) >= guessWindow
	}
	return now.Sub(k.blockedUntil) >= calmAfter
}

// samples is how many counts makeRoom looks at.
const samples = 8

// makeRoom drops the most harmless of a few, which the map chooses at random:
// so many addresses come from many hands, and each of them waits little.
func (g *guesses) makeRoom(now time.Time) {
	var victim string
	var least *guesser
	looked := 0
	for who, known := range g.by {
		if least == nil || known.harmless(least) {
			victim, least = who, known
		}
		if looked++; looked == samples || least.calm(now) {
			break
		}
	}
	delete(g.by, victim)
}

// harmless reports whether k has done less than other.
func (k *guesser) harmless(other *guesser) bool {
	if !k.blockedUntil.Equal(other.blockedUntil) {
		return k.blockedUntil.Before(other.blockedUntil)
	}
	return k.wrong < other.wrong
}

// forgetOld drops what no longer matters.
func (g *guesses) forgetOld(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for who, known := range g.by {
		if known.calm(now) {
			delete(g.by, who)
		}
	}
}
