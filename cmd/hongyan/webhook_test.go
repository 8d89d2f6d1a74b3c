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

// TestWhatToDoAboutAnEndpoint that failed depends on how it did.
func TestWhatToDoAboutAnEndpoint(t *testing.T) {
	for text, want := range map[string]string{
		"dial tcp: lookup shop.example.com: no such host": "DNS",
		"dial tcp 10.0.0.1:80: connection to 10.0.0.1 refused: it is not a public address; list its network under allow_private if it is to be called": "allow_private",
		"no answer within 10s": "within 10 s", "dial tcp 1.1.1.1:80: connect: connection refused": "within 10 s",
	} {
		got := (&webhookTest{ID: "orders"}).endpointCure(&client.WebhookTrial{Error: text})
		if !strings.Contains(got, want) || strings.Contains(got, "allow_private") != (want == "allow_private") {
			t.Errorf("%s: %q, want it to speak of %s", text, got, want)
		}
	}
}

func TestTriesAreCountedInWords(t *testing.T) {
	for _, tt := range []struct {
		attempts, history int
		want              string
	}{{0, 0, "0 tries"}, {1, 1, "1 try"}, {3, 3, "3 tries"}, {40, 20, "40 tries"}, {1, 20, "1 try since it was sent once more"}, {2, 5, "2 tries since it was sent once more"}} {
		d := client.WebhookDelivery{Attempts: tt.attempts, History: make([]client.WebhookAttempt, tt.history)}
		if got := triesOf(&d); got != tt.want {
			t.Errorf("%d attempts, %d in the history: %q, want %q", tt.attempts, tt.history, got, tt.want)
		}
	}
}
