package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"hongyan/prove"
)

type proveCommand struct {
	Kills      int           `default:"20" placeholder:"N" help:"Kills of tests kills and batch. Default ${default}."`
	Messages   int           `placeholder:"N" help:"Messages of test kills. Default: 250 for each kill, at least 2000."`
	Recipients int           `placeholder:"N" help:"Recipients of test batch. Default: 20000."`
	Seed       int64         `placeholder:"N" help:"Draws messages, kills and mischief. Default: a new one, which is printed."`
	Database   string        `placeholder:"URL" help:"A postgres:// URL. Default: SQLite, in a folder that is removed."`
	Restart    string        `placeholder:"COMMAND" help:"A shell command that restarts the PostgreSQL server, run under load by test database."`
	Nodes      int           `placeholder:"N" help:"Gateways on the database. Default: one on SQLite, three on PostgreSQL."`
	Lease      time.Duration `placeholder:"D" help:"How long a silent gateway keeps its messages, to shorten runs on PostgreSQL. Default: its own, 60s."`
	Only       []string      `placeholder:"NAME,…" help:"Tests to run, or all. Default: kills."`
	Break      string        `placeholder:"DEFECT" help:"Plant a defect in every gateway, to see that it is caught: fence, commit, dedupe or receipt."`
	Folder     string        `placeholder:"DIR" help:"Where the databases go. Default: the system's folder for temporary files."`
	Keep       bool          `help:"Leave databases and logs there."`
	List       bool          `help:"List the tests and what is not among them."`
	JSON       bool          `help:"JSON on standard output, for programs."`
}

func (proveCommand) Help() string {
	return "The crash proof. It starts gateways and a sandbox as processes, posts messages from 64 callers, kills gateways (kill -9) 0.3 to 3 s apart and starts them again at once. " +
		"When all is quiet it compares the callers' 202s, the sandbox's ledger and the store: nothing lost, nothing sent twice, no limit exceeded, every counter right. " +
		"Other tests (--list) do the same for full disks, wrong clocks, mischief of the platform and more.\n\n" +
		"The seed fixes which messages are sent, which gateway dies when and at which point, and what the sandbox draws; it cannot fix what the machine does meanwhile, and so which message is where when a blow falls.\n\n" +
		"Exit code 0: every invariant holds. Otherwise each violation is printed with the history of the message concerned. docs/reliability.md says what is promised and what is not."
}

func (c *proveCommand) Run(ctx context.Context, w *surroundings) error {
	out := w.out()
	if c.List {
		c.list(out)
		return nil
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	say := out
	if c.JSON {
		say = printerFor(w.stderr, w.getenv)
	}
	report, err := prove.Run(ctx, prove.Config{
		Exe: exe, Kills: c.Kills, Messages: c.Messages, Recipients: c.Recipients, Seed: c.Seed, Database: c.Database, Restart: c.Restart, Nodes: c.Nodes, Lease: c.Lease,
		Only: c.Only, Break: c.Break, Folder: c.Folder, Keep: c.Keep, Say: func(l prove.Line) { proveLine(say, l) },
	})
	switch usage, wrong := errors.AsType[*prove.UsageError](err); {
	case wrong:
		return wrongUse(usage.Cure, "%s", usage.What)
	case ctx.Err() != nil:
		return &commandError{what: "interrupted before the end", cure: "run hongyan prove again; --kills 5 takes half a minute"}
	case err != nil:
		return err
	}
	if c.JSON {
		if err := w.json(report); err != nil {
			return err
		}
	} else {
		proveReport(out, &report)
	}
	if !report.OK {
		return errSilent
	}
	return nil
}

// list prints the tests.
func (c *proveCommand) list(out *printer) {
	rows := [][]cell{}
	for _, t := range prove.Tests() {
		rows = append(rows, []cell{text(fmt.Sprint(t.Number)), text(t.Name), text(t.Says)})
	}
	heads := []string{"", "TEST", "WHAT MUST BE SO"}
	out.fit(heads, rows)
	out.table(heads, rows)
	out.line("")
	for _, l := range prove.LeftOut() {
		out.line("%s", out.paint(grey, l))
	}
}

// proveLine shows what goes on.
func proveLine(out *printer, l prove.Line) {
	mark := "     "
	if l.Last {
		mark = out.paint(green, "ok   ")
		if !l.OK {
			mark = out.paint(red, "WRONG")
		}
	}
	fmt.Fprintf(out.w, "%6.1fs  %s  %-12s %s\n", l.Since.Seconds(), mark, l.Test, l.Text)
}

// proveReport prints violations and the summary.
func proveReport(out *printer, r *prove.Report) {
	for _, t := range r.Tests {
		for _, v := range t.Violations {
			out.line("%s %s", out.paint(red, v.Invariant), strings.TrimSpace(v.Message+" "+v.Detail))
			for _, h := range v.History {
				out.line("    %s", h)
			}
		}
		if t.Folder != "" {
			out.line("%s", out.paint(grey, "logs and databases of "+t.Name+": "+t.Folder))
		}
	}
	recovery := ""
	if s := r.Recovery; s != nil {
		recovery = fmt.Sprintf(", recovery p50 %.0f ms, max %.0f ms", s.P50, s.Max)
	}
	out.line("prove: %s, %d node(s), seed %d: %d kills, %d promised, %d lost, %d duplicated, %d uncertain%s",
		r.Database, r.Nodes, r.Seed, r.Kills, r.Promised, r.Lost, r.Duplicated, r.Uncertain, recovery)
	verdict := out.paint(green, "every invariant holds")
	if !r.OK {
		verdict = out.paint(red, "an invariant does not hold")
	}
	switch {
	case r.Break == "":
		out.line("%s", verdict)
	case r.OK:
		out.line("the planted defect %s was %s", r.Break, out.paint(red, "NOT CAUGHT"))
	default:
		out.line("the planted defect %s was %s", r.Break, out.paint(green, "caught"))
	}
}
