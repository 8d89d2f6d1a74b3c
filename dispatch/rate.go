package dispatch

import (
	"context"
	"math"
	"time"
)

// A rate is exact over all nodes: every send takes a token of the account's bucket
// in the store (store.Cluster) before its message is leased. A node takes them in
// blocks, so that the store is asked twice a second and not once a message; what it
// has not spent by the end of blockLife is lost. In any span of T seconds no more
// than rate × (T + 3) calls begin: one second's worth may be saved up in the store,
// less than one is in the hands of nodes, and less than one was spent on leases whose
// calls have not begun. Without a backlog and a store that stalls it is rate × (T + 1).
const (
	rateSaved = time.Second            // what the store's bucket holds at most; never less than one token
	blockTime = 500 * time.Millisecond // a block is what this brings
	blockLife = 750 * time.Millisecond // when what is left of it lapses
	// tokenLife is how long after its lease a call may begin on the lease's token. One
	// that an access_token, a commit or a stopped process kept for longer needs another.
	tokenLife = time.Second
	// askAgainMost bounds every wait before the store is asked again, whatever its clock did.
	askAgainMost = time.Minute
)

// rate is how fast an account may send, as this node knows it. Guarded by Engine.mu.
type rate struct {
	bucket           // this node's own: it spreads a block over its time
	stock  int       // tokens taken from the store and not spent
	lapses time.Time // when they are lost
	took   int       // with the last block
	askAt  time.Time // the store has none before
}

func newRate(perSecond float64, now time.Time) rate { return rate{bucket: newBucket(perSecond, now)} }

// inStock returns how many tokens are left of the last block.
func (r *rate) inStock(now time.Time) int {
	if r.rate <= 0 {
		return math.MaxInt32
	}
	if !now.Before(r.lapses) || r.lapses.Sub(now) > blockLife {
		r.stock = 0
	}
	return r.stock
}

// available returns how many messages may be leased at now.
func (r *rate) available(now time.Time) int { return min(r.bucket.available(now), r.inStock(now)) }

// take spends n tokens that available has offered (n < 0: they were not needed).
func (r *rate) take(n int) {
	r.bucket.take(n)
	if r.rate > 0 {
		r.stock = max(0, r.stock-n)
	}
}

// lacks reports whether the store should be asked for a block.
func (r *rate) lacks(now time.Time) bool { return r.inStock(now) <= 0 && mayAsk(r.askAt, now) }

// mayAsk reports whether a time to ask again has come.
func mayAsk(at, now time.Time) bool { return !now.Before(at) || at.Sub(now) > askAgainMost }

// wanted returns how many tokens to ask for when n messages wait. Whoever needs
// them one by one gets twice as many each time, up to a block.
func (r *rate) wanted(n int, now time.Time) int {
	if now.Before(r.lapses) {
		n = max(n, 2*r.took)
	}
	return max(1, min(n, int(r.rate*blockTime.Seconds())))
}

// burst is what the store's bucket holds at most.
func (r *rate) burst() int { return max(1, int(r.rate*rateSaved.Seconds())) }

// got takes note of a block. After fewer than wanted the next wait is until half
// of the rest is there, so that nodes who share a rate do not ask without end.
func (r *rate) got(n, wanted int, next, now time.Time) {
	r.stock, r.took, r.lapses, r.askAt = n, n, now.Add(blockLife), time.Time{}
	if n < wanted {
		half := time.Duration(float64(wanted-n) / 2 / r.rate * float64(time.Second))
		r.askAt = latest(next, now.Add(min(max(half, rateTick), blockTime/2)))
	}
}

// rateTick is the shortest pause between askings that found too little.
const rateTick = 20 * time.Millisecond

// next returns when a batch worth claiming may be had; before that there is none.
func (r *rate) next(now time.Time) time.Time {
	if r.rate > 0 && r.inStock(now) <= 0 {
		return latest(r.askAt, now)
	}
	return r.bucket.next(now)
}

// takeRate asks the store for tokens for n messages of an account.
func (e *Engine) takeRate(ctx context.Context, a *account, n int) error {
	e.mu.Lock()
	now := e.cfg.Store.Now()
	perSecond, burst, wanted, lacking := a.rate.rate, a.rate.burst(), a.rate.wanted(n, now), a.rate.lacks(now)
	e.mu.Unlock()
	if !lacking {
		return nil
	}
	got, next, err := e.cfg.Store.TakeRate(ctx, a.AppID, perSecond, burst, wanted)
	now = e.cfg.Store.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		a.rate.askAt = now.Add(claimPause)
		return err
	}
	if a.rate.rate == perSecond { // else they are another rate's, and lost
		a.rate.got(got, wanted, next, now)
	}
	return nil
}

// bucket is a token bucket: rate per second, at most one second's worth saved
// up (never less than one). A rate of zero never says no.
type bucket struct {
	rate   float64
	tokens float64
	last   time.Time
}

func newBucket(rate float64, now time.Time) bucket {
	return bucket{rate: rate, tokens: max(1, rate), last: now}
}

// available returns how many tokens there are at now.
func (b *bucket) available(now time.Time) int {
	if b.rate <= 0 {
		return math.MaxInt32
	}
	passed := max(0, now.Sub(b.last)) // a clock set back gives nothing, and takes nothing
	b.tokens = min(max(1, b.rate), b.tokens+b.rate*passed.Seconds())
	b.last = now
	return int(b.tokens)
}

// take spends n tokens that available has offered (n < 0 gives them back).
func (b *bucket) take(n int) {
	if b.rate > 0 {
		b.tokens -= float64(n)
	}
}

// next returns when a batch worth claiming will be there: one token, or a
// twentieth of a second's worth.
func (b *bucket) next(now time.Time) time.Time {
	want := max(1, b.rate/20)
	if b.rate <= 0 || b.tokens >= want {
		return now
	}
	return now.Add(time.Duration((want-b.tokens)/b.rate*float64(time.Second)) + time.Millisecond)
}
