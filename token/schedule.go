package token

import (
	"time"

	"hongyan"
)

// How much of its life a token of the usual 7,200 s has left when it is renewed.
const (
	// plainMargin keeps the remaining life above 1,500 s: a widely used client
	// subtracts 1,500 from it and fetches again on every call once nothing is left.
	plainMargin = 1800 * time.Second
	// stableMargin is when WeChat itself makes a new stable token; earlier calls
	// only return the same one (spec §3.2).
	stableMargin = 300 * time.Second
)

// A token of a shorter life is renewed in its last quarter, the share that
// plainMargin is of 7,200 s. That is more than the margins of spec §3.3 at
// every length.
const marginShare = 4

// Jitter spreads renewals over a tenth (plain) or a fifth (stable) of the margin,
// so that a thousand accounts loaded together do not renew together.
const (
	plainJitter  = 0.1
	stableJitter = 0.2
	// stableLate is the least share of the margin by which a stable token is late:
	// expires_in is cut to seconds, and a call a moment too early changes nothing.
	stableLate = 0.02
)

// externalLook is how often an external token is looked at again. Its keeper may
// replace it at any time, and the replaced one works for five more minutes.
const externalLook = 4 * time.Minute

// renewAt returns when t is to be renewed. Plain tokens go a little before the
// margin, so that no less than it is left; stable ones a little after, because
// before it WeChat would answer with the same token. rnd is in [0,1).
func renewAt(t hongyan.Token, rnd float64) time.Time {
	life := t.ExpiresAt.Sub(t.FetchedAt)
	switch t.Source {
	case hongyan.TokenExternal:
		pause := min(externalLook, life-life/marginShare)
		return t.FetchedAt.Add(pause - time.Duration(plainJitter*rnd*float64(pause)))
	case hongyan.TokenPlain:
		margin := min(plainMargin, life/marginShare)
		return t.ExpiresAt.Add(-margin - time.Duration(plainJitter*rnd*float64(margin)))
	}
	margin := min(stableMargin, life/marginShare)
	late := stableLate + (stableJitter-stableLate)*rnd
	return t.ExpiresAt.Add(-margin + time.Duration(late*float64(margin)))
}

// backoffSteps are the pauses after failures in a row; the last one repeats. An
// hour of outage costs about 65 calls, a day at most 1,440 of the 2,000 allowed.
var backoffSteps = [...]time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

// backoff returns the pause after the n-th failure in a row, n ≥ 1.
func backoff(n int) time.Duration {
	return backoffSteps[min(max(n, 1), len(backoffSteps))-1]
}
