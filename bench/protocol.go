package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// ChildCommand is the hidden subcommand that runs a child; its one argument is the role.
const ChildCommand = "bench-child"

// The roles of children.
const (
	roleUpstream = "upstream"
	roleBare     = "bare"
	roleLoad     = "load"
	roleGateway  = "gateway"
	roleInline   = "inline"
)

// order is one request to a child, a JSON line on its standard input; the
// child answers with one JSON line on its standard output. A child ends when
// its input ends, so none outlives its parent.
type order struct {
	Do       string        `json:"do"`
	URL      string        `json:"url,omitempty"`
	Key      string        `json:"key,omitempty"`
	Data     string        `json:"data,omitempty"`
	Database string        `json:"database,omitempty"` // "" = in Data
	Cert     string        `json:"cert,omitempty"`     // file with certificate and key; "" = plain HTTP
	AppIDs   []string      `json:"appids,omitempty"`
	N        int           `json:"n,omitempty"`
	InFlight int           `json:"in_flight,omitempty"`
	Latency  time.Duration `json:"latency,omitempty"`
	Profile  string        `json:"profile,omitempty"` // file
	Spread   bool          `json:"spread,omitempty"`  // batches go round the accounts message by message
	Later    bool          `json:"later,omitempty"`   // messages are for tomorrow
}

// answer is a child's answer to an order.
type answer struct {
	Err      string  `json:"err,omitempty"`
	URL      string  `json:"url,omitempty"`
	Seconds  float64 `json:"seconds,omitempty"`
	CPU      float64 `json:"cpu_s,omitempty"`  // of the process since it started
	RSS      float64 `json:"rss_mb,omitempty"` // peak
	RSSNow   float64 `json:"rss_now_mb,omitempty"`
	Rows     int64   `json:"rows,omitempty"` // written by the store since it was opened
	N        int64   `json:"n,omitempty"`
	P50, P99 float64 `json:",omitempty"` // milliseconds
}

// child is a running child process.
type child struct {
	role string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
}

func start(ctx context.Context, cfg Config, role string) (*child, error) {
	cmd := exec.CommandContext(ctx, cfg.Exe, ChildCommand, role)
	if cfg.trust != "" {
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+cfg.trust)
	}
	cmd.Stderr = cfg.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start child %s: %w", role, err)
	}
	return &child{role: role, cmd: cmd, in: in, out: bufio.NewScanner(out)}, nil
}

// do sends an order and waits for its answer.
func (c *child) do(o order) (answer, error) {
	line, err := json.Marshal(o)
	if err != nil {
		return answer{}, err
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		return answer{}, fmt.Errorf("order %s from child %s: %w", o.Do, c.role, err)
	}
	for c.out.Scan() {
		if !strings.HasPrefix(c.out.Text(), "{") {
			continue // what the program itself prints
		}
		var a answer
		if err := json.Unmarshal(c.out.Bytes(), &a); err != nil {
			return a, fmt.Errorf("answer of child %s: %w", c.role, err)
		}
		if a.Err != "" {
			return a, fmt.Errorf("child %s, %s: %s", c.role, o.Do, a.Err)
		}
		return a, nil
	}
	return answer{}, fmt.Errorf("child %s ended before it answered %s", c.role, o.Do)
}

// stop ends a child by ending its input.
func (c *child) stop() error {
	if err := c.in.Close(); err != nil {
		return err
	}
	for c.out.Scan() { // let it write its last words
	}
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("child %s: %w", c.role, err)
	}
	return nil
}
