package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hongyan/bench"
)

type benchCommand struct {
	Messages        int           `default:"50000" help:"Messages per scenario."`
	InFlight        int           `default:"64" help:"Calls under way at once, for gateway and bare loop alike."`
	UpstreamLatency time.Duration `default:"20ms" help:"How long the last scenario's upstream takes to answer."`
	Database        string        `placeholder:"sqlite:FILE" help:"Measure on the disk of this file; the databases, one for each scenario, are made in a folder beside it and removed. Default: the folder for temporary files."`
	JSON            bool          `name:"json" help:"Print JSON, for programs."`
}

func (benchCommand) Help() string {
	return "Measures the gateway beside a bare loop (goroutines that POST and store nothing) against an upstream that always says yes: " +
		"a backlog drained, batches and singles accepted and sent, and a slow upstream. Every part is a process of its own on this machine; " +
		"what counts is the ratio. Nothing leaves this machine; data goes to a temporary folder. docs/performance.md explains the figures."
}

func (c *benchCommand) Run(ctx context.Context, w *surroundings) error {
	folder, err := c.folder()
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	report, err := bench.Run(ctx, bench.Config{
		Exe: exe, Messages: c.Messages, InFlight: c.InFlight, Latency: c.UpstreamLatency, Folder: folder, Progress: w.stderr, Stderr: w.stderr,
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return w.json(report)
	}
	c.print(w, report)
	return nil
}

// folder is where the databases go.
func (c *benchCommand) folder() (string, error) {
	if c.Database == "" {
		return "", nil
	}
	file, ok := strings.CutPrefix(c.Database, "sqlite:")
	if !ok || file == "" {
		return "", wrongUse("use sqlite:FILE; PostgreSQL is not in this build yet", "--database %q is not sqlite:FILE", c.Database)
	}
	return filepath.Dir(file), nil
}

// chartWidth is how many cells a ratio of one fills.
const chartWidth = 30

func (c *benchCommand) print(w *surroundings, report bench.Report) {
	out := w.out()
	out.line("%d messages each, %d CPUs, %s, %s", report.Messages, report.Machine.CPUs, report.Machine.Go, report.Machine.OS)
	var rows [][]cell
	for _, s := range report.Scenarios {
		rows = append(rows, []cell{
			text(s.Name), text(fmt.Sprintf("%.0f/s", s.BareLoop.Rate)), text(fmt.Sprintf("%.0f/s", s.Gateway.Rate)),
			text(fmt.Sprintf("%.2f", s.Ratio)), text(strings.Repeat("█", min(chartWidth, int(s.Ratio*chartWidth+0.5)))),
			text(fmt.Sprintf("%.3f", s.Gateway.CPUPer1000)), text(accept(s.Gateway.AcceptP99MS)), text(fmt.Sprintf("%.0f", s.Gateway.RSSMB)),
		})
	}
	out.table([]string{"scenario", "bare loop", "gateway", "ratio", "", "CPU s/1000", "accept p99", "peak MB"}, rows)
	out.line("idle: from post to the call to WeChat %.1f ms (median), %.1f ms (p99)", report.Idle.P50MS, report.Idle.P99MS)
	out.next("hongyan bench --json")
}

func accept(ms *float64) string {
	if ms == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f ms", *ms)
}

// benchChildCommand is what the processes of a benchmark run.
type benchChildCommand struct {
	Role string `arg:""`
}

func (c *benchChildCommand) Run(ctx context.Context, w *surroundings) error {
	return bench.Child(ctx, c.Role, w.stdin, w.stdout, w.stderr)
}
