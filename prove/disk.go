package prove

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // copies are opened without a gateway, which would send what is in them

	"hongyan/client"
)

// onlySQLite leaves a test about files to those who have one.
func onlySQLite(t *trial) error {
	if t.cfg.postgres() {
		return errSkip{"it is about the files of SQLite"}
	}
	return nil
}

const (
	firstStarts  = 30
	firstLatest  = 150 * time.Millisecond // a first start is over by then
	newerVersion = 9_999
)

// runFirstStart is test 2: kill -9 during the first start, which makes the schema,
// and an older program on a newer schema.
func runFirstStart(ctx context.Context, t *trial) error {
	if err := onlySQLite(t); err != nil {
		return err
	}
	dice := rand.New(rand.NewPCG(uint64(t.cfg.Seed), 2))
	r, err := t.rig(ctx, rigOptions{})
	if err != nil {
		return err
	}
	interrupted := 0
	for i := range firstStarts {
		n, err := r.newNode(ctx, 100+i)
		if err != nil {
			return err
		}
		early, err := n.startAndKill(rand64(dice, firstLatest))
		if err != nil {
			return err
		}
		if early {
			interrupted++
		}
		if err := n.start(ctx); err != nil {
			t.wrong("a start after one that was killed: %v", err)
			continue
		}
		if err := n.ready(ctx, readyWithin); err != nil {
			t.wrong("a start after one that was killed: %v", err)
		}
		n.kill()
		if err := whole(ctx, n.file()); err != nil {
			t.wrong("the database after a first start that was killed: %v", err)
		}
	}
	t.figure("first_starts", firstStarts)
	t.figure("killed_before_listening", float64(interrupted))
	return r.newerSchema(ctx, t)
}

// startAndKill starts a gateway and kills it after d, whatever it is doing; early
// says that it did not listen yet.
func (n *node) startAndKill(d time.Duration) (early bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	l := launch{exe: n.r.cfg.Exe, log: n.log, args: n.args(), env: n.environment()}
	c, err := l.start(ctx) // kills it when ctx ends before it listens
	if errors.Is(err, context.DeadlineExceeded) {
		return true, nil
	}
	if err == nil {
		c.kill()
	}
	return false, err
}

// newerSchema has the gateway meet a database that a newer program made.
func (r *rig) newerSchema(ctx context.Context, t *trial) error {
	n := r.nodes[0]
	n.kill()
	db, err := sql.Open("sqlite", n.file())
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, 1)", newerVersion)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	err = n.start(ctx)
	t.want(err != nil, "a program that knows an older schema started on a newer one")
	said := lastLines(n.log, 3)
	t.want(strings.Contains(said, "schema version 9999"), "the refusal of a newer schema does not say so: %s", said)
	return nil
}

// whole asks SQLite whether a file is whole.
func whole(ctx context.Context, file string) error {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer db.Close()
	var said string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&said); err != nil {
		return err
	}
	if said != "ok" {
		return fmt.Errorf("integrity check: %s", said)
	}
	return nil
}

const (
	copies     = 8
	copiesLoad = 3_000
)

// runCopies is test 3: while the process is frozen under load, its files are
// copied. Each copy opens clean and has every message that was promised until then.
func runCopies(ctx context.Context, t *trial) error {
	if err := onlySQLite(t); err != nil {
		return err
	}
	r, err := t.rig(ctx, rigOptions{latency: killLatency, env: []string{orphanAfter}})
	if err != nil {
		return err
	}
	l := &load{r: r, messages: copiesLoad, over: copies * time.Second}
	l.begin(ctx)
	n := r.nodes[0]
	checked := 0
	for i := range copies {
		if err := pause(ctx, 700*time.Millisecond); err != nil {
			return err
		}
		if err := n.child().freeze(); err != nil {
			return err
		}
		promised := l.promised()
		to := filepath.Join(r.dir, fmt.Sprintf("copy%d.db", i+1))
		err := errors.Join(copyFile(n.file(), to), copyFile(n.file()+"-wal", to+"-wal"))
		if err = errors.Join(err, n.child().thaw()); err != nil {
			return err
		}
		if err := holdsAll(ctx, to, promised); err != nil {
			t.wrong("copy %d: %v", i+1, err)
		}
		checked += len(promised)
	}
	l.wait()
	t.figure("copies", copies)
	t.figure("promises_looked_up", float64(checked))
	return t.judge(ctx, r, []*load{l}, nil)
}

// promised returns the ids of the 202s so far.
func (l *load) promised() (ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(ids, l.ids...)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// holdsAll opens a copy and looks for every id.
func holdsAll(ctx context.Context, file string, ids []string) error {
	if err := whole(ctx, file); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "SELECT id FROM messages")
	if err != nil {
		return err
	}
	defer rows.Close()
	there := map[string]bool{}
	for rows.Next() {
		var id any
		if err := rows.Scan(&id); err != nil {
			return err
		}
		there[idText(id)] = true
	}
	missing := 0
	for _, id := range ids {
		if !there[id] {
			missing++
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d of %d messages that were promised are not in it", missing, len(ids))
	}
	return rows.Err()
}

// idText is an id as the API shows it: the database has the bytes of a UUID.
func idText(v any) string {
	if b, ok := v.([]byte); ok && len(b) == 16 {
		return fmt.Sprintf("msg_%x", b)
	}
	return fmt.Sprint(v)
}

const (
	// diskSize leaves room for the database and its WAL, which is folded in at 16 MiB.
	diskSize  = "64m"
	diskLoad  = 1_500
	fullFor   = 5 * time.Second
	ballastMB = 128
)

// runDiskFull is test 4: the disk fills up under load. Callers get a 507 problem,
// nothing is sent whose outcome could not be recorded, and when there is room
// again everything goes on by itself.
func runDiskFull(ctx context.Context, t *trial) error {
	if err := onlySQLite(t); err != nil {
		return err
	}
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		return errSkip{"it mounts a small tmpfs in a mount namespace, which takes root on Linux"}
	}
	r, err := t.rig(ctx, rigOptions{latency: killLatency, env: []string{orphanAfter}, start: smallDisk})
	if err != nil {
		return err
	}
	n := r.nodes[0]
	// The namespace is the child's; its root is the way in.
	ballast := fmt.Sprintf("/proc/%d/root%s", n.child().cmd.Process.Pid, filepath.Join(n.data, "ballast"))
	l := &load{r: r, messages: diskLoad, over: 2 * fullFor, compose: r.orders(plain)}
	l.begin(ctx)
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	if err := fill(ballast); err != nil {
		return err
	}
	t.say("the disk is full")
	if err := r.fullDisk(ctx, t); err != nil {
		return err
	}
	if err := pause(ctx, fullFor); err != nil {
		return err
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	began := time.Now()
	if err := n.ready(ctx, readyWithin); err != nil {
		t.wrong("after there is room again: %v", err)
	}
	t.figure("ready_after_ms", ms(time.Since(began)))
	l.wait()
	t.want(l.answers()[http.StatusInsufficientStorage] > 0, "no caller was answered HTTP 507: %v", l.answers())
	for code, count := range l.answers() {
		t.want(code == http.StatusInsufficientStorage || code == http.StatusServiceUnavailable, "%d callers were answered HTTP %d", count, code)
	}
	return t.judge(ctx, r, []*load{l}, nil)
}

// smallDisk puts the data folder on a tmpfs that only the gateway sees.
func smallDisk(n *node) {
	n.attr = ownMounts()
	n.shell = fmt.Sprintf("mount --make-rprivate / && mount -t tmpfs -o size=%s,mode=700 tmpfs '%s' || exit 3", diskSize, n.data)
}

// fill writes a file until there is no room for another byte.
func fill(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	for range ballastMB {
		if _, err = f.Write(block); err != nil {
			break
		}
	}
	for size := len(block); size > 0 && errors.Is(err, syscall.ENOSPC); {
		if _, err = f.Write(block[:size]); err != nil {
			size /= 2
		}
		if err == nil {
			err = syscall.ENOSPC
		}
	}
	if closed := f.Close(); !errors.Is(err, syscall.ENOSPC) {
		return errors.Join(errors.New("the small disk did not fill up"), err, closed)
	}
	return nil
}

// fullDisk looks at a gateway whose disk is full: it says so, and after what was
// under way nothing more is sent.
func (r *rig) fullDisk(ctx context.Context, t *trial) error {
	api := r.api()
	var state client.Readiness
	err := await(ctx, 20*time.Second, lookEvery, func() (bool, error) {
		var err error
		state, err = api.Ready(ctx)
		return err == nil && !state.Ready, nil
	}, func() string { return "readyz still says that it is ready" })
	if err != nil {
		t.wrong("on a full disk: %v", err)
		return nil
	}
	t.want(strings.Contains(state.Reason, "full"), "readyz does not say that the disk is full: %s", state.Reason)
	if err := pause(ctx, time.Second); err != nil { // what was under way
		return err
	}
	before, err := r.sentBy(ctx, plain)
	if err != nil {
		return err
	}
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	after, err := r.sentBy(ctx, plain)
	if err != nil {
		return err
	}
	t.want(after == before, "%d messages were sent while no outcome could be recorded", after-before)
	return nil
}
