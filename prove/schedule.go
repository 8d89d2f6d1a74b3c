package prove

import (
	"fmt"
	"math/rand/v2"
	"time"

	"hongyan/internal/fault"
)

// Kills come this far apart (design §7).
const (
	gapLeast = 300 * time.Millisecond
	gapMost  = 3 * time.Second
)

// blow is one kill of the schedule.
type blow struct {
	node  int           // who dies
	gap   time.Duration // after the blow before
	point fault.Point   // "" = at any time; else the process dies there by itself
	nth   int           // at which passage
}

// String says it for people.
func (b blow) String() string {
	if b.point == "" {
		return fmt.Sprintf("node%d after %v", b.node+1, b.gap.Round(time.Millisecond))
	}
	return fmt.Sprintf("node%d at %s, passage %d", b.node+1, b.point, b.nth)
}

// atPoint is the share of kills at a named point; the rest come at any time.
const atPoint = 0.5

// latestPassage bounds which passage of a point kills: some early, when the
// process has just come up, and some in the middle of the load.
const latestPassage = 120

// schedule draws the kills from the seed. The same seed gives the same blows;
// what it cannot fix is what the machine does meanwhile: which message is where
// when the blow falls.
func schedule(seed int64, kills, nodes int) []blow {
	dice := rand.New(rand.NewPCG(uint64(seed), 0x6b696c6c)) // "kill": apart from the messages' dice
	points := fault.Points()
	blows := make([]blow, kills)
	for i := range blows {
		b := blow{node: dice.IntN(nodes), gap: gapLeast + rand64(dice, gapMost-gapLeast)}
		point, nth := points[dice.IntN(len(points))], 1+dice.IntN(latestPassage)/nodes // load is shared
		if dice.Float64() < atPoint {
			b.point, b.nth = point, nth
		}
		blows[i] = b
	}
	return blows
}

func rand64(dice *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(dice.Int64N(int64(most)))
}

// length is about how long the blows take.
func length(blows []blow) (d time.Duration) {
	for _, b := range blows {
		d += b.gap
	}
	return d
}
