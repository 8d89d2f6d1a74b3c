package prove

import (
	"context"
	"slices"

	"hongyan/internal/fault"
)

// Test is one of the tests of docs/reliability.md.
type Test struct {
	Number int
	Name   string
	Says   string         // what must be so
	Shows  []fault.Defect // the defects it is the first to show
	run    func(context.Context, *trial) error
}

// Tests lists those that can be run, in the order of docs/reliability.md.
func Tests() []Test {
	return []Test{
		{1, "kills", "kill -9 under load at any time and at named points, restart at once: nothing lost, nothing twice", []fault.Defect{fault.Commit, fault.Dedupe, fault.Receipt}, runKills},
		{6, "fence", "results that come late, from a node cut off or after the message has ended, are not applied", []fault.Defect{fault.Fence}, runFence},
		{7, "clock", "clocks that are an hour or a day wrong or jump, and Beijing midnight: nothing twice, one day's quota", nil, runClock},
		{13, "idempotency", "500 identical posts with one key make one row; another body is refused; a restart forgets nothing", nil, runIdempotency},
		{15, "receipts", "receipts early, late, doubled, contradicting, unknown, without msgid: the first one counts, once", nil, runReceipts},
		{16, "hostile", "pushes that are not WeChat's: forged, foreign, bombs, 10 MB, slowloris: none stored, right ones answered meanwhile", nil, runHostile},
		{18, "stop", "SIGTERM under load: nothing lost, nothing in doubt, no caller answered with an error", nil, runStop},
	}
}

// shownBy names the test that shows a defect; without one, the kills.
func shownBy(d fault.Defect) string {
	for _, t := range Tests() {
		if slices.Contains(t.Shows, d) {
			return t.Name
		}
	}
	return "kills"
}

// LeftOut says which of the twenty tests are not here, and why.
func LeftOut() []string {
	return []string{
		"14 is not here: there are no batches yet",
		"17 is not here: there are no webhooks yet",
		"19 is not here: there is no backup command yet",
	}
}
