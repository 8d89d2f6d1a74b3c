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
		{2, "firststart", "kill -9 during the first start, and a newer schema: the next start mends it; an older program refuses", nil, runFirstStart},
		{3, "copies", "copies of database and WAL of a frozen process open clean, with every message promised until then", nil, runCopies},
		{4, "diskfull", "a full disk: HTTP 507, nothing sent that cannot be recorded, and all goes on when there is room", nil, runDiskFull},
		{5, "database", "the network to PostgreSQL cut and standing still: nothing accepted twice, nothing lost", nil, runDatabase},
		{6, "fence", "results that come late, from a node cut off or after the message has ended, are not applied", []fault.Defect{fault.Fence}, runFence},
		{7, "clock", "clocks that are an hour or a day wrong or jump, and Beijing midnight: nothing twice, one day's quota", nil, runClock},
		{8, "mischief", "errors, pages, fragments, hangs, resets and lost answers of one account: nothing twice, the others within 10 %", nil, runMischief},
		{9, "storms", "dead tokens, -1, 45009, 45011 and unknown codes under load: one refresh each, no busy loop, reasons shown", nil, runStorms},
		{10, "token", "the token endpoint is down: nothing fails, the reason is shown, and all goes out when it is back", nil, runToken},
		{11, "noisy", "beside an account with a backlog a quiet one is picked up within 250 ms (p99)", nil, runNoisy},
		{12, "limits", "a rate and a day's quota with a crash in the middle: never exceeded, at least 95 % used", nil, runLimits},
		{13, "idempotency", "500 identical posts with one key make one row; another body is refused; a restart forgets nothing", nil, runIdempotency},
		{14, "batch", "a batch under kill -9, paused and resumed, and one cancelled: every row once, nothing after a cancel, memory flat", nil, runBatch},
		{15, "receipts", "receipts early, late, doubled, contradicting, unknown, without msgid: the first one counts, once", nil, runReceipts},
		{16, "hostile", "pushes that are not WeChat's: forged, foreign, bombs, 10 MB, slowloris: none stored, right ones answered meanwhile", nil, runHostile},
		{17, "webhooks", "endpoints that hang, drip, flood, redirect, say 410 or 429, beside good ones, under kills: every event arrives, with one id", nil, runWebhooks},
		{18, "stop", "SIGTERM under load: nothing lost, nothing in doubt, no caller answered with an error", nil, runStop},
		{20, "soak", "a steady load: memory, goroutines, files and WAL stay where they are", nil, runSoak},
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
		"19 is a Go test: TestABackupTakenUnderLoadSendsNothingAgain",
	}
}
