//go:build unix

package fault

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestOnlyTheOneWhoStartedItArmsAProcess(t *testing.T) {
	p, err := parse("4711 kill=call.before:3", 4712)
	if p != nil || err != nil {
		t.Errorf("a variable of somebody else's: got %v, %v, want nothing armed", p, err)
	}
	p, err = parse("4711 kill=call.before:3 break=fence clock=1h", 4711)
	if err != nil {
		t.Fatal(err)
	}
	if p.point != CallBefore || p.left.Load() != 3 || p.defect != Fence || p.clock != time.Hour {
		t.Errorf("got %v after %d, defect %q, clock %v", p.point, p.left.Load(), p.defect, p.clock)
	}
}

func TestWordsThatNobodyKnowsAreRefused(t *testing.T) {
	for _, word := range []string{"kill=call:1", "kill=call.before:0", "kill=call.before", "break=everything", "clock=soon", "since=x", "sleep=1"} {
		if _, err := parse("1 "+word, 1); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: got error %v, want one that names it", word, err)
		}
	}
}

func TestNothingIsArmedHere(t *testing.T) {
	if Armed() || Broken(Commit) || Drops() {
		t.Error("a process that prove did not start is armed")
	}
	At(CallBefore) // and returns
}

func TestAProcessDiesAtThePassageAskedFor(t *testing.T) {
	if n, _ := strconv.Atoi(os.Getenv("PASSAGES")); n > 0 {
		for range n {
			At(CallAfter)
		}
		os.Exit(0)
	}
	for _, tt := range []struct {
		passages int
		dies     bool
	}{{2, false}, {3, true}} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestAProcessDiesAtThePassageAskedFor$")
		cmd.Env = append(os.Environ(), "PASSAGES="+strconv.Itoa(tt.passages), Environment(Kill(CallAfter, 3)))
		err := cmd.Run()
		killed := err != nil && cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
		if killed != tt.dies {
			t.Errorf("%d passages: %v, want killed %v", tt.passages, cmd.ProcessState, tt.dies)
		}
	}
}

func TestAClockIsOffFromAMomentOn(t *testing.T) {
	p, err := parse("1 "+Clock(time.Hour, time.Now().Add(time.Hour)), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer armed.Store(nil)
	armed.Store(p)
	if ahead := time.Until(Now()); ahead > time.Minute {
		t.Errorf("before the moment: %v ahead, want 0", ahead)
	}
	p.since = time.Time{}
	if ahead := time.Until(Now()); ahead < 59*time.Minute {
		t.Errorf("after it: %v ahead, want 1 h", ahead)
	}
}

func BenchmarkAtWhenOff(b *testing.B) {
	for b.Loop() {
		At(CallBefore)
	}
}
