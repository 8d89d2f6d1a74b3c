package main

import (
	"context"
	"fmt"
	"strings"

	"hongyan/client"
)

type doctorCommand struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" optional:"" name:"appid" help:"Appid or alias; default every account."`
	All          bool   `help:"Show also what is in order, in full."`
	Strict       bool   `help:"Exit with 1 for warnings too."`
}

func (doctorCommand) Help() string {
	return "Looks at the gateway and its accounts: clocks, database, disk, keys, webhooks; DNS, token, egress IP against WeChat's whitelist, who still uses the real AppSecret, callback URL (WeChat's callback/check) and whether pushes arrive, template drift, quota, holds, downstreams. " +
		"Nothing is changed; WeChat is asked at most five harmless questions for each account. Exit code 0 when nothing is broken, 1 when a finding is a problem."
}

func (c *doctorCommand) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	seen, err := gateway.Examine(ctx, c.AppID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		if err := w.json(seen); err != nil {
			return err
		}
	} else {
		c.print(w.out(), &seen)
	}
	if seen.Worst == "problem" || c.Strict && seen.Worst == "warning" {
		return errSilent
	}
	return nil
}

// print shows what is not in order with its remedy, in both languages, and the rest in a
// line for each subject.
func (c *doctorCommand) print(out *printer, seen *client.Examination) {
	count := map[string]int{}
	for i, of := range subjects(seen.Findings) {
		if i > 0 {
			out.line("")
		}
		name := of[0].AppID
		if name == "" {
			name = "gateway 网关"
		}
		out.line("%s", out.paint(bold, name))
		var fine []string
		for _, f := range of {
			count[f.Level]++
			if f.Level == "ok" && !c.All {
				fine = append(fine, f.Check)
				continue
			}
			out.finding(&f)
		}
		if len(fine) > 0 {
			out.line("  %s %s", out.paint(green, levelMark("ok")), wrapped(strings.Join(fine, ", "), 4, out.columns))
		}
	}
	out.line("")
	out.line("%s", summary(count))
	if c.All || count["ok"] == 0 {
		return
	}
	out.next("hongyan doctor --all")
}

// subjects parts findings by what they are about, in their order.
func subjects(all []client.DoctorFinding) (parts [][]client.DoctorFinding) {
	for _, f := range all {
		if n := len(parts); n == 0 || parts[n-1][0].AppID != f.AppID {
			parts = append(parts, nil)
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], f)
	}
	return parts
}

// finding shows one finding, and its remedy below it.
func (p *printer) finding(f *client.DoctorFinding) {
	mark := p.paint(levelColour(f.Level), levelMark(f.Level)) + " " + p.paint(bold, f.Check)
	p.line("  %s  %s", mark, wrapped(f.What, 4, p.columns-len(f.Check)-2))
	p.line("    %s", wrapped(f.WhatZH, 4, p.columns))
	if f.Remedy != "" {
		p.line("    %s %s", p.paint(green, "→"), wrapped(f.Remedy, 6, p.columns))
		if f.RemedyZH != f.Remedy && f.RemedyZH != "" {
			p.line("      %s", wrapped(f.RemedyZH, 6, p.columns))
		}
	}
}

func levelMark(level string) string {
	switch level {
	case "ok":
		return "✓"
	case "problem":
		return "✗"
	case "warning":
		return "!"
	}
	return "·"
}

func levelColour(level string) colour {
	switch level {
	case "ok":
		return green
	case "problem":
		return red
	case "warning":
		return amber
	}
	return grey
}

// summary counts what was found.
func summary(count map[string]int) string {
	return fmt.Sprintf("%d problems, %d warnings, %d notes, %d in order 问题 %[1]d、警告 %[2]d、提示 %[3]d、正常 %[4]d",
		count["problem"], count["warning"], count["note"], count["ok"])
}
