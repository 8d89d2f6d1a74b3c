package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hongyan"
	"hongyan/store"
)

// childPath is the environment variable that makes this test binary the
// process that is killed: it inserts messages into the database the variable
// names, claims and settles some, and prints each id once it is acknowledged.
const childPath = "HONGYAN_TEST_CHILD_DATABASE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		if err := runChild(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// runChild writes until it is killed.
func runChild(path string) error {
	keys, err := store.NewKeyring(bytes.Repeat([]byte{7}, store.MasterKeySize))
	if err != nil {
		return err
	}
	ctx := context.Background()
	s, err := Open(ctx, Options{Path: path, Keyring: keys})
	if err != nil {
		return err
	}
	err = s.CreateAccount(ctx, hongyan.Account{AppID: "wx0123456789abcdef", Kind: hongyan.ServiceAccount})
	if err != nil && !hongyan.IsKind(err, hongyan.Conflict) { // an earlier child added it
		return err
	}
	epoch, err := s.Join(ctx, "child", time.Minute)
	if err != nil {
		return err
	}
	acked := make(chan string)
	for range 16 {
		go func() {
			for {
				out, err := s.InsertMessages(ctx, benchMessages(1, 0))
				if err != nil {
					return
				}
				acked <- out[0].Message.ID
			}
		}()
	}
	go func() {
		for {
			ms, err := s.Claim(ctx, epoch, []store.Want{{AppID: "wx0123456789abcdef", Kind: hongyan.KindTemplate, Max: 50}})
			if err != nil {
				return
			}
			if _, err := s.FinishAttempts(ctx, benchResults(ms)); err != nil {
				return
			}
		}
	}()
	for id := range acked {
		fmt.Println(id)
	}
	return nil
}

// child is a running writer and what it has acknowledged.
type child struct {
	cmd   *exec.Cmd
	lines chan string
}

func startChild(t *testing.T, path string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childPath+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd, lines: make(chan string, 1<<16)}
	var wg sync.WaitGroup
	wg.Go(func() { c.read(out) })
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		wg.Wait()
		_ = cmd.Wait()
	})
	return c
}

// read passes on complete lines: one cut off by the kill was not acknowledged.
func (c *child) read(out io.Reader) {
	defer close(c.lines)
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		c.lines <- strings.TrimSpace(line)
	}
}

// some waits for n acknowledged ids.
func (c *child) some(t *testing.T, n int) []string {
	t.Helper()
	var all []string
	for len(all) < n {
		id, ok := <-c.lines
		if !ok {
			t.Fatalf("the child ended after %d messages", len(all))
		}
		all = append(all, id)
	}
	return all
}

// checkAcked opens the database and looks for every acknowledged message.
func checkAcked(t *testing.T, path string, acked []string) {
	t.Helper()
	s := openTestStore(t, path)
	defer s.Close()
	for _, id := range acked {
		if _, err := s.Message(t.Context(), id); err != nil {
			t.Fatalf("acknowledged message lost: %v", err)
		}
	}
	checkIntegrity(t, s)
	checkCounters(t, s)
}

func checkIntegrity(t *testing.T, s *Store) {
	t.Helper()
	err := s.read(t.Context(), func(c *conn) error {
		return c.query(t.Context(), func(r *row) error {
			if got := r.text(); got != "ok" {
				t.Errorf("integrity check: %s", got)
			}
			return nil
		}, "PRAGMA integrity_check")
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkCounters compares the counters with a recount.
func checkCounters(t *testing.T, s *Store) {
	t.Helper()
	recount := make(map[countKey]int64)
	var counts map[countKey]int64
	err := s.snapshot(t.Context(), func(c *conn) (err error) {
		if counts, err = loadCounts(t.Context(), c); err != nil {
			return err
		}
		return c.query(t.Context(), func(r *row) error {
			recount[countKey{r.text(), hongyan.MessageKind(r.text()), hongyan.State(r.int())}] = r.int64()
			return nil
		}, "SELECT appid, kind, state, count(*) FROM messages GROUP BY appid, kind, state")
	})
	if !maps.Equal(counts, recount) {
		t.Errorf("counters stand at %v, recount %v", counts, recount)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestKilledWriterLosesNothing kills the writing process again and again.
func TestKilledWriterLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hongyan.db")
	var acked []string
	for range 4 {
		c := startChild(t, path)
		acked = append(acked, c.some(t, 1500)...)
		if err := c.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for id := range c.lines {
			acked = append(acked, id)
		}
		_ = c.cmd.Wait() // "signal: killed", as it should be
		checkAcked(t, path, acked)
	}
}
