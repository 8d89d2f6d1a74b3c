//go:build !windows

package sqlite

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestCopiesOpenClean copies database and WAL while the writer stands still in
// the middle of its work, as a snapshot of the disk would, and opens the copy.
func TestCopiesOpenClean(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hongyan.db")
	c := startChild(t, path)
	var acked []string
	for range 5 {
		acked = append(acked, c.some(t, 700)...)
		stop(t, c.cmd.Process)
		for len(c.lines) > 0 {
			acked = append(acked, <-c.lines)
		}
		copied := copyDatabase(t, path)
		if err := c.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		checkAcked(t, copied, acked)
	}
}

// stop stops a process and waits until it stands.
func stop(t *testing.T, p *os.Process) {
	t.Helper()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(p.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("wait for the child to stop: status %v, %v", status, err)
	}
}

func copyDatabase(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}
