package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// actor does what a child's role demands.
type actor interface {
	do(ctx context.Context, o order) (answer, error)
	close() error
}

// Child is the main function of a child process: it obeys the orders on stdin
// until there are no more.
func Child(ctx context.Context, role string, stdin io.Reader, stdout, stderr io.Writer) error {
	var a actor
	switch role {
	case roleUpstream:
		a = &upstream{}
	case roleBare:
		a = &bareLoop{}
	case roleLoad:
		a = &load{}
	case roleGateway:
		a = &gateway{stderr: stderr}
	case roleInline:
		a = &inline{}
	default:
		return fmt.Errorf("%s %q: roles are upstream, bare, load, gateway, inline; `hongyan bench` starts them", ChildCommand, role)
	}
	lines := bufio.NewScanner(stdin)
	out := json.NewEncoder(stdout)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return fmt.Errorf("read order: %w", err)
		}
		said, err := a.do(ctx, o)
		if err != nil {
			said.Err = err.Error()
		}
		if err := out.Encode(said); err != nil {
			return err
		}
	}
	return a.close()
}

// residentMB is the memory of this process now; 0 where the system does not tell.
func residentMB() float64 {
	var size, resident float64 // in pages
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return 0
	}
	return resident * float64(os.Getpagesize()) / (1 << 20)
}
