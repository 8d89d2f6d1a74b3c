package main

import (
	"strings"
	"testing"
	"time"

	"hongyan/client"
)

// TestEveryAttemptOfADeliveryIsShown, each on one line, with the beginning of what was said.
func TestEveryAttemptOfADeliveryIsShown(t *testing.T) {
	show := func(all ...client.WebhookAttempt) string {
		var out strings.Builder
		printHistory(printerFor(&out, func(string) string { return "" }), all)
		return out.String()
	}
	at := time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC)
	refused := client.WebhookAttempt{At: client.Time{Time: at}, Status: new(500), Error: "answered 500", Answer: "\n<h1>down</h1>\n<p>for now</p>\n", TookMS: 12}
	silent := client.WebhookAttempt{At: client.Time{Time: at.Add(time.Hour)}, Error: "no answer within 10s", TookMS: 10_000}
	taken := client.WebhookAttempt{At: client.Time{Time: at.Add(2 * time.Hour)}, Status: new(200), Answer: "ok", TookMS: 3}
	if got := show(taken); got != "" {
		t.Errorf("one alone, which stands above: %q", got)
	}
	lines := strings.Split(strings.TrimSpace(show(refused, silent, taken)), "\n")
	want := []string{"ATTEMPT HTTP TOOK ERROR AND ANSWER", "500 12 ms answered 500: <h1>down</h1>", "- 10000 ms no answer within 10s", "200 3 ms ok"}
	if len(lines) != len(want) {
		t.Fatalf("got %q, want %d lines", lines, len(want))
	}
	for i, line := range lines {
		if got := strings.Join(strings.Fields(line), " "); !strings.HasSuffix(got, want[i]) {
			t.Errorf("line %d is %q, want it to end in %q", i, got, want[i])
		}
	}
}
