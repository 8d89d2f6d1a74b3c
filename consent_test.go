package hongyan

import (
	"testing"
	"time"
)

// TestConsentsAddUp tells what is left, and how surely, after each act.
func TestConsentsAddUp(t *testing.T) {
	type step struct {
		act       ConsentAct
		at        int // seconds
		reported  bool
		times     int
		left      int64
		certainty string
	}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"accepted, sent, and WeChat's word that nothing is left", []step{
			{act: ConsentAccepted, at: 10, left: 1, certainty: "at_least"},
			{act: ConsentSent, at: 20, left: 0, certainty: "unknown"},
			{act: ConsentSent, at: 30, left: 0, certainty: "unknown"}, // of an acceptance we did not hear of
			{act: ConsentAccepted, at: 40, left: 1, certainty: "at_least"},
			{act: ConsentRefused, at: 50, left: 0, certainty: "exact"},
			{act: ConsentAccepted, at: 60, left: 1, certainty: "exact"},
			{act: ConsentAccepted, at: 61, left: 2, certainty: "exact"},
			{act: ConsentSent, at: 70, left: 1, certainty: "exact"},
			{act: ConsentDeclined, at: 80, left: 1, certainty: "exact"},
			{act: ConsentRevoked, at: 90, left: 0, certainty: "exact"},
		}},
		{"events and reports of the same acceptances", []step{
			{act: ConsentAccepted, at: 10, left: 1, certainty: "at_least"},
			{act: ConsentAccepted, at: 10, reported: true, left: 1, certainty: "at_least"},
			{act: ConsentAccepted, at: 20, reported: true, times: 3, left: 4, certainty: "at_least"},
			{act: ConsentAccepted, at: 20, left: 4, certainty: "at_least"},
			{act: ConsentRefused, at: 30, left: 0, certainty: "exact"},
			{act: ConsentAccepted, at: 40, reported: true, left: 1, certainty: "at_least"}, // its event has not come
			{act: ConsentAccepted, at: 40, left: 1, certainty: "exact"},
		}},
		{"what is told late", []step{
			{act: ConsentAccepted, at: 100, left: 1, certainty: "at_least"},
			{act: ConsentRefused, at: 90, left: 1, certainty: "exact"},   // the acceptance came after it
			{act: ConsentAccepted, at: 80, left: 1, certainty: "exact"},  // before what was known to leave nothing
			{act: ConsentRefused, at: 50, left: 1, certainty: "exact"},   // older news
			{act: ConsentRevoked, at: 100, left: 0, certainty: "exact"},  // the same second: an event's order is its own
			{act: ConsentAccepted, at: 100, left: 1, certainty: "exact"}, // and again
			{act: ConsentRefused, at: 100, left: 1, certainty: "exact"},  // of a send and an acceptance the latter is the later
			{act: ConsentSent, at: 101, left: 0, certainty: "exact"},
			{act: ConsentRefused, at: 100, left: 0, certainty: "exact"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got Consent
			for i, s := range c.steps {
				at := time.Unix(int64(1_700_000_000+s.at), 0).UTC()
				got = got.Apply(&ConsentChange{AppID: "a", OpenID: "o", TemplateID: "t", Act: s.act, At: at, Reported: s.reported, Times: s.times})
				if got.Left() != s.left || got.Certainty() != s.certainty {
					t.Fatalf("step %d: %d left (%s), want %d (%s): %+v", i+1, got.Left(), got.Certainty(), s.left, s.certainty, got)
				}
			}
		})
	}
}

func TestTheStateOfAForm(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for want, f := range map[string]FormID{
		"usable":  {Left: 1, ExpiresAt: now.Add(time.Second)},
		"expired": {Left: 1, ExpiresAt: now},
		"used":    {ExpiresAt: now.Add(-time.Second)},
		"refused": {Refused: 41028, ExpiresAt: now.Add(time.Second)},
	} {
		if got := f.State(now); got != want || f.Usable(now) != (want == "usable") {
			t.Errorf("%+v: %s, usable %v; want %s", f, got, f.Usable(now), want)
		}
	}
}
