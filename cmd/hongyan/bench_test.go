package main

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"hongyan/bench"
)

// TestBenchMeasuresEveryScenario runs the benchmark small: what it measures is
// not judged here, only that every scenario comes to an end with every message
// sent (the children refuse anything less).
func TestBenchMeasuresEveryScenario(t *testing.T) {
	exe := buildProgram(t, t.TempDir())
	cmd := exec.Command(exe, "bench", "--json", "--messages", "600", "--in-flight", "16")
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
		if posted := s.Name == "single"; (s.Gateway.AcceptP50MS != nil) != posted || (s.Gateway.AcceptP99MS != nil) != posted {
			t.Errorf("%s: accept times %v, %v, measured %v", s.Name, s.Gateway.AcceptP50MS, s.Gateway.AcceptP99MS, posted)
		}
	}
	want := []string{"drain", "batch", "single", "latency20"}
	if len(names) != len(want) {
		t.Fatalf("scenarios: got %v, want %v", names, want)
	}
	for i := range want {
		if names[i] != want[i] {
			t.Errorf("scenario %d: got %s, want %s", i, names[i], want[i])
		}
	}
	if report.Idle.P50MS <= 0 {
		t.Errorf("idle: got %+v", report.Idle)
	}
}
