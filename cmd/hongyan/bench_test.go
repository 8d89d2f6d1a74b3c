package main

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hongyan/bench"
)

// TestBenchMeasuresEveryScenario runs the benchmark small: what it measures is
// not judged here, only that every scenario comes to an end with every message
// sent (the children refuse anything less).
func TestBenchMeasuresEveryScenario(t *testing.T) {
	exe := buildProgram(t)
	cmd := exec.Command(exe, "bench", "--json", "--messages", "600", "--in-flight", "16", "--peer", "inline", "--accounts", "20", "--watch", "1s")
	var progress strings.Builder
	cmd.Stderr = &progress
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("bench: %v\n%s", err, progress.String())
	}
	if strings.Contains(progress.String(), "level=") {
		t.Errorf("the children's log is among the progress:\n%s", progress.String())
	}
	if long := regexp.MustCompile(`\d\.\d{5,}`).Find(out); long != nil {
		t.Errorf("%s has decimals that mean nothing", long)
	}
	var report bench.Report
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("bench printed %q: %v", out, err)
	}
	var names []string
	for _, s := range report.Scenarios {
		names = append(names, s.Name)
		if s.BareLoop.Rate <= 0 || s.Gateway.Rate <= 0 || s.Ratio <= 0 || s.Gateway.CPUPer1000 <= 0 {
			t.Errorf("%s: a figure is missing: %+v", s.Name, s)
		}
		if s.Gateway.RowWrites == nil || *s.Gateway.RowWrites < 2 {
			t.Errorf("%s: a message cannot do with fewer rows written than two: %v", s.Name, s.Gateway.RowWrites)
		}
		if posted := s.Name == "single"; (s.Gateway.AcceptP50MS != nil) != posted || (s.Gateway.AcceptP99MS != nil) != posted {
			t.Errorf("%s: accept times %v, %v, measured %v", s.Name, s.Gateway.AcceptP50MS, s.Gateway.AcceptP99MS, posted)
		}
	}
	want := []string{"drain", "batch", "single", "latency20", "tls"}
	if !slices.Equal(names, want) {
		t.Errorf("scenarios: got %v, want %v", names, want)
	}
	if peer := report.Scenarios[2].Peers["inline"]; peer.Rate <= 0 || peer.CPUPer1000 <= 0 {
		t.Errorf("peer inline: got %+v", peer)
	}
	names = names[:0]
	for _, m := range report.Measurements {
		names = append(names, m.Name)
		for _, f := range m.Figures {
			if f.Value < 0 || f.Value == 0 && f.Name != "CPU" || f.Unit == "" && f.Name != "messages" {
				t.Errorf("%s: %+v means nothing", m.Name, f)
			}
		}
	}
	if want := []string{"accept", "receipts", "quiet", "backlog", "accounts"}; !slices.Equal(names, want) {
		t.Errorf("measurements: got %v, want %v", names, want)
	}
	if report.Idle == nil || report.Idle.P50MS <= 0 {
		t.Errorf("idle: got %+v", report.Idle)
	}
}
