package prove

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// child is a running hongyan process.
type child struct {
	cmd  *exec.Cmd
	url  string        // that it listens on
	gone chan struct{} // closed when it has ended
	err  error         // of Wait; valid once gone is closed
}

// launch is how a child is started.
type launch struct {
	exe  string
	args []string
	env  []string // beside what every process needs
	log  string   // file that gets its standard error; an existing one is continued
	attr *syscall.SysProcAttr
}

// upWithin is how long a child may take to say where it listens.
const upWithin = 30 * time.Second

// start runs a child and waits until it says where it listens, or ends.
func (l launch) start(ctx context.Context) (*child, error) {
	log, err := os.OpenFile(l.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own copy
	cmd := exec.Command(l.exe, l.args...)
	cmd.Env = append(plainEnvironment(), l.env...)
	cmd.Stderr, cmd.SysProcAttr = log, l.attr
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = in
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", l.args[0], err), in.Close(), out.Close())
	}
	in.Close()
	c := &child{cmd: cmd, gone: make(chan struct{})}
	go func() { c.err = cmd.Wait(); close(c.gone) }()
	if err := c.hear(ctx, out); err != nil {
		c.kill()
		return nil, fmt.Errorf("%s: %w; it wrote %s", l.args[0], err, l.log)
	}
	return c, nil
}

// errEnded says that a child ended before it listened.
var errEnded = errors.New("it ended before it said where it listens")

// hear reads the first line of a child's output and drops the rest.
func (c *child) hear(ctx context.Context, out io.ReadCloser) error {
	line := make(chan string, 1)
	go func() {
		r := bufio.NewReader(out)
		first, _ := r.ReadString('\n') // "" when it ended
		line <- first
		_, _ = io.Copy(io.Discard, r)
		out.Close()
	}()
	select {
	case first := <-line:
		url, ok := strings.CutPrefix(strings.TrimSpace(first), "listening on ")
		if !ok {
			return errEnded
		}
		c.url = url
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(upWithin):
		return fmt.Errorf("it does not listen after %v", upWithin)
	}
}

// plainEnvironment is this process's, without the settings of a gateway that
// somebody may have set for another one.
func plainEnvironment() []string {
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "HONGYAN_") {
			env = append(env, pair)
		}
	}
	return env
}

// kill is kill -9. It returns when the process is gone.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may have gone by itself
	<-c.gone
}

// signal sends a signal, e.g. SIGTERM.
func (c *child) signal(s syscall.Signal) error { return c.cmd.Process.Signal(s) }

// stop is what an operator does: SIGTERM, and waiting. A child that does not
// leave in peace is an error.
func (c *child) stop(within time.Duration) error {
	if err := c.signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	select {
	case <-c.gone:
	case <-time.After(within):
		c.kill()
		return fmt.Errorf("it did not end within %v of SIGTERM", within)
	}
	if c.err != nil {
		return fmt.Errorf("it did not end in peace: %w", c.err)
	}
	return nil
}

// lastLines returns the end of a log, for people.
func lastLines(file string, n int) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], []byte("\n")))
}
