package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hongyan/bench"
)

type benchCommand struct {
	Messages        int           `default:"50000" help:"Messages per scenario."`
	InFlight        int           `default:"64" help:"Calls under way at once, for gateway and bare loop alike."`
	UpstreamLatency time.Duration `default:"20ms" help:"How long the last scenario's upstream takes to answer."`
	Accounts        int           `default:"1000" help:"Accounts of scenario accounts."`
	Watch           time.Duration `default:"10s" help:"How long the scenarios quiet, accounts and idle look."`
	Scenario        []string      `placeholder:"NAME,…" help:"Only these: drain, batch, single, latency20, tls, accept, receipts, quiet, backlog, accounts, idle. Default: all."`
	Peer            []string      `enum:"inline" placeholder:"NAME" help:"Measure this beside scenario single: inline starts a goroutine for each message and stores nothing."`
	Database        string        `placeholder:"sqlite:FILE|postgres://…" help:"sqlite:FILE measures on the disk of that file; the databases, one for each scenario, are made in a folder beside it and removed. A PostgreSQL database is used by every scenario and keeps what they wrote: give one that is for this. Default: SQLite in the folder for temporary files."`
	Profile         string        `placeholder:"DIR" type:"existingdir" help:"Write a CPU profile of the gateway in each scenario with a bare loop, for go tool pprof."`
	JSON            bool          `name:"json" help:"Print JSON, for programs."`
}

func (benchCommand) Help() string {
	return "Measures the gateway beside a bare loop (goroutines that POST and store nothing) against an upstream that always says yes: " +
		"a backlog drained, batches and singles accepted and sent, a slow upstream, one over TLS. What counts there is the ratio. " +
		"Then what has no bare loop: accepting alone, receipts while sending, quiet accounts beside a busy one, a large backlog and a start on it, many idle accounts. " +
		"Every part is a process of its own on this machine, nothing leaves it, and the data is removed. The whole takes about three minutes; docs/performance.md explains the figures."
}

func (c *benchCommand) Run(ctx context.Context, w *surroundings) error {
	config, err := c.config()
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	config.Exe, config.Progress, config.Stderr = exe, w.stderr, w.stderr
	report, err := bench.Run(ctx, config)
	if err != nil {
		return err
	}
	if c.JSON {
		return w.json(report)
	}
	c.print(w, report)
	return nil
}

// config is what the flags ask for.
func (c *benchCommand) config() (bench.Config, error) {
	config := bench.Config{Messages: c.Messages, InFlight: c.InFlight, Latency: c.UpstreamLatency, Accounts: c.Accounts, Watch: c.Watch, Scenarios: c.Scenario, Peers: c.Peer, Profile: c.Profile}
	names := config.Names()
	for _, name := range c.Scenario {
		if !slices.Contains(names, name) {
			return config, wrongUse("they are "+strings.Join(names, ", "), "there is no scenario %q", name)
		}
	}
	file, isFile := strings.CutPrefix(c.Database, "sqlite:")
	switch {
	case isFile && file != "":
		config.Folder = filepath.Dir(file)
	case strings.HasPrefix(c.Database, "postgres://"), strings.HasPrefix(c.Database, "postgresql://"):
		config.Database = c.Database
	case c.Database != "":
		return config, wrongUse("use sqlite:FILE or a postgres:// URL", "--database is neither")
	}
	return config, nil
}

// chartWidth is how many cells a ratio of one fills.
const chartWidth = 30

func (c *benchCommand) print(w *surroundings, report bench.Report) {
	out := w.out()
	out.line("%d messages each, %d CPUs, %s, %s", report.Messages, report.Machine.CPUs, report.Machine.Go, report.Machine.OS)
	if len(report.Scenarios) > 0 {
		printSides(out, report.Scenarios)
	}
	var rows [][]cell
	for _, m := range report.Measurements {
		for _, f := range m.Figures {
			rows = append(rows, figureRow(m.Name, f))
		}
	}
	if idle := report.Idle; idle != nil {
		rows = append(rows, figureRow("idle", bench.Figure{Name: "post to call, p50", Value: idle.P50MS, Unit: "ms"}),
			figureRow("idle", bench.Figure{Name: "post to call, p99", Value: idle.P99MS, Unit: "ms"}))
	}
	if len(rows) > 0 {
		out.table([]string{"scenario", "figure", "value", "goal", ""}, rows)
	}
	out.next("hongyan bench --json")
}

func printSides(out *printer, scenarios []bench.Scenario) {
	var rows [][]cell
	bar := func(ratio float64) cell {
		return text(strings.Repeat("█", min(chartWidth, int(ratio*chartWidth+0.5))))
	}
	for _, s := range scenarios {
		rows = append(rows, []cell{text(s.Name + ", bare loop"), text(fmt.Sprintf("%.0f/s", s.BareLoop.Rate)), text("1"), bar(1), text(fmt.Sprintf("%.3f", s.BareLoop.CPUPer1000)), text(""), text(""), text("")})
		for name, p := range s.Peers {
			ratio := p.Rate / s.BareLoop.Rate
			rows = append(rows, []cell{text(s.Name + ", " + name), text(fmt.Sprintf("%.0f/s", p.Rate)), text(fmt.Sprintf("%.2f", ratio)), bar(ratio), text(fmt.Sprintf("%.3f", p.CPUPer1000)), text(""), text(""), text("")})
		}
		rows = append(rows, []cell{
			text(s.Name + ", gateway"), text(fmt.Sprintf("%.0f/s", s.Gateway.Rate)), text(fmt.Sprintf("%.2f", s.Ratio)), bar(s.Ratio),
			text(fmt.Sprintf("%.3f", s.Gateway.CPUPer1000)), text(accept(s.Gateway.AcceptP99MS)), text(fmt.Sprintf("%.0f", s.Gateway.RSSMB)), text(perMessage(s.Gateway.RowWrites)),
		})
	}
	out.table([]string{"scenario", "rate", "ratio", "", "CPU s/1000", "accept p99", "peak MB", "rows/message"}, rows)
}

func perMessage(rows *float64) string {
	if rows == nil {
		return ""
	}
	return fmt.Sprintf("%.2f", *rows)
}

func figureRow(name string, f bench.Figure) []cell {
	goal, verdict := "", text("")
	if f.Goal != nil {
		goal = map[string]string{"most": "≥ ", "least": "≤ "}[f.Best] + fmt.Sprintf("%g %s", *f.Goal, f.Unit)
		if verdict = (cell{"yes", green}); !f.Met() {
			verdict = cell{"no", amber}
		}
	}
	return []cell{text(name), text(f.Name), text(strings.TrimSpace(fmt.Sprintf("%.*f %s", decimals(f.Value), f.Value, f.Unit))), text(goal), verdict}
}

// decimals shows about three digits.
func decimals(v float64) int {
	switch {
	case v >= 100 || v == float64(int64(v)):
		return 0
	case v >= 10:
		return 1
	}
	return 2
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
