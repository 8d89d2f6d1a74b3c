package main

import (
	"bufio"
	"context"
	"io"
	"regexp"
	"strconv"
	"testing"
)

// TestSandboxSaysItsSeed: the seed given, or one of its own that is not the last
// one's, in the line after the address.
func TestSandboxSaysItsSeed(t *testing.T) {
	if got := seedOfRun(t, 7); got != 7 {
		t.Errorf("with --rand-seed 7: rand seed %d", got)
	}
	first, second := seedOfRun(t, 0), seedOfRun(t, 0)
	if first == second || first < 1 || first > maxRandSeed {
		t.Errorf("without --rand-seed: rand seed %d, then %d, want two of 1 to %d", first, second, int64(maxRandSeed))
	}
}

// seedOfRun starts a sandbox, reads its first two lines and stops it.
func seedOfRun(t *testing.T, given int64) int64 {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		c := sandboxCommand{Listen: "127.0.0.1:0", RandSeed: given, LedgerLimit: 1}
		ended <- c.Run(ctx, &surroundings{stdout: in, stderr: io.Discard})
	}()
	lines := bufio.NewReader(out)
	address, err := lines.ReadString('\n')
	if err != nil || !regexp.MustCompile(`^listening on http://127\.0\.0\.1:\d+\n$`).MatchString(address) {
		t.Errorf("first line %q, %v", address, err)
	}
	seed, err := lines.ReadString('\n')
	m := regexp.MustCompile(`^rand seed (\d+)\n$`).FindStringSubmatch(seed)
	if err != nil || m == nil {
		t.Fatalf("second line %q, %v", seed, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the sandbox ended with %v", err)
	}
	n, _ := strconv.ParseInt(m[1], 10, 64)
	return n
}
