package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"hongyan/prove"
)

// runProve runs the crash proof and returns its report and exit code.
func runProve(t *testing.T, exe string, args ...string) (r prove.Report, code int) {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(exe, append([]string{"prove", "--json", "--folder", t.TempDir()}, args...)...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		code = failed.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("prove %v printed %q: %v\n%s", args, out, err, said.String())
	}
	t.Logf("%s", said.String())
	return r, code
}

// TestKillsLoseNothingAndShowNothingTwice is the crash proof in its short form.
func TestKillsLoseNothingAndShowNothingTwice(t *testing.T) {
	exe := buildProgram(t)
	r, code := runProve(t, exe, "--kills", "8", "--messages", "1500")
	if code != exitOK || !r.OK || r.Lost != 0 || r.Duplicated != 0 {
		t.Errorf("exit code %d, seed %d, lost %d, duplicated %d:", code, r.Seed, r.Lost, r.Duplicated)
		for _, v := range r.Tests[0].Violations {
			t.Errorf("%s %s %s\n  %s", v.Invariant, v.Message, v.Detail, strings.Join(v.History, "\n  "))
		}
	}
	if r.Kills != 9 || r.Promised < 1000 || r.Recovery == nil || r.Recovery.Max <= 0 { // the last one is for the recovery
		t.Errorf("kills %d, promised %d, recovery %v: the proof has not tried enough", r.Kills, r.Promised, r.Recovery)
	}
}

// TestABatchUnderKills is test 14 in its short form; docs/reliability.md has figures of a
// long one.
func TestABatchUnderKills(t *testing.T) {
	t.Parallel()
	exe := buildProgram(t)
	r, code := runProve(t, exe, "--only", "batch", "--kills", "3", "--recipients", "2000")
	if code != exitOK || !r.OK || len(r.Tests) != 1 {
		t.Errorf("exit code %d, seed %d: %v", code, r.Seed, r.Tests)
	}
	figures := r.Tests[0].Figures
	if figures["recipients"] != 3000 || figures["kills"] < 5 || figures["pauses"] < 1 || figures["cancelled_in_time"] < 1 {
		t.Errorf("figures %v: the proof has not tried enough", figures)
	}
}

// TestEachPlantedDefectIsCaught shows that the checker would see what it is there
// to see.
func TestEachPlantedDefectIsCaught(t *testing.T) {
	exe := buildProgram(t)
	for defect, invariant := range map[string]string{"commit": "I1", "dedupe": "I3", "receipt": "I7", "fence": "I5"} {
		t.Run(defect, func(t *testing.T) {
			t.Parallel()
			r, code := runProve(t, exe, "--break", defect, "--kills", "5", "--messages", "1200")
			if code != exitFailed || r.OK {
				t.Errorf("exit code %d, ok %v, want %d and a failure", code, r.OK, exitFailed)
			}
			broken := func(v prove.Violation) bool { return v.Invariant == invariant }
			if !slices.ContainsFunc(r.Tests[0].Violations, broken) {
				t.Errorf("%s is not among what is broken: %v", invariant, r.Tests[0].Violations)
			}
		})
	}
}
