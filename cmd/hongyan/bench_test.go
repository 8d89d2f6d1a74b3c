package main

import (
	"encoding/json"
	"os/exec"
	"testing"

	"hongyan/bench"
)

// TestBenchMeasuresEveryScenario runs the benchmark small: what it measures is
// not judged here, only that every scenario comes to an end with every message
// sent (the children refuse anything less).
func TestBenchMeasuresEveryScenario(t *testing.T) {
	exe := buildProgram(t, t.TempDir())
	cmd := exec.Command(exe, "bench", "--json", "--messages", "600", "--in-flight", "16")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("bench: %v", err)
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
