package prove

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

const (
	soakFor    = 60 * time.Second
	soakLoad   = 6_000
	soakSample = time.Second
	// soakGrowth is how much a figure's peak in the last third of the time may lie
	// above its peak in the second.
	soakGrowth = 1.25
)

// soakFigures are what must not grow, and how much any of it may differ by chance.
var soakFigures = map[string]float64{"rss_mb": 16, "goroutines": 64, "files": 32, "wal_mb": 16}

// runSoak is test 20: a steady load, and memory, goroutines, files and WAL that
// stay where they are.
func runSoak(ctx context.Context, t *trial) error {
	if runtime.GOOS != "linux" {
		return errSkip{"it reads /proc"}
	}
	r, err := t.rig(ctx, rigOptions{env: []string{orphanAfter}})
	if err != nil {
		return err
	}
	l := &load{r: r, messages: soakLoad, over: soakFor}
	l.begin(ctx)
	thirds := [3]map[string]float64{{}, {}, {}}
	for began := time.Now(); time.Since(began) < soakFor; {
		now, err := r.sample(ctx)
		if err != nil {
			return err
		}
		third := thirds[min(2, int(3*time.Since(began)/soakFor))]
		for name, v := range now {
			third[name] = max(third[name], v)
		}
		if err := pause(ctx, soakSample); err != nil {
			return err
		}
	}
	l.wait()
	for name, slack := range soakFigures {
		before, after := thirds[1][name], thirds[2][name]
		t.want(after <= soakGrowth*before+slack, "%s grew from %.1f to %.1f", name, before, after)
		t.figure(name+"_max", float64(int(after*10))/10)
	}
	return t.judge(ctx, r, []*load{l}, nil)
}

// sample measures the first gateway.
func (r *rig) sample(ctx context.Context) (map[string]float64, error) {
	n := r.nodes[0]
	pid := n.child().cmd.Process.Pid
	out := map[string]float64{}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return nil, err
	}
	out["files"] = float64(len(files))
	status, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, err
	}
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		if kb, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			out["rss_mb"] = number(kb) / 1024
		}
	}
	if info, err := os.Stat(n.file() + "-wal"); err == nil {
		out["wal_mb"] = float64(info.Size()) / (1 << 20)
	}
	page, err := r.page(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(page) {
		if v, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			out["goroutines"] = number(v)
		}
	}
	return out, nil
}

// number reads the number a text begins with; 0 for none.
func number(text string) (v float64) {
	if _, err := fmt.Sscan(text, &v); err != nil {
		return 0
	}
	return v
}
