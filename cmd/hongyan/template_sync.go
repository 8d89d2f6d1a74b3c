package main

import (
	"context"
	"strings"

	"hongyan/client"
)

type templateSync struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	DryRun       bool   `help:"Only say what would be changed."`
}

func (c *templateSync) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	do := gateway.SyncTemplates
	if c.DryRun {
		do = gateway.CompareTemplates
	}
	s, err := do(ctx, c.AppID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(s)
	}
	out := w.out()
	out.synced(s)
	if c.DryRun && len(s.Differences) > 0 {
		out.next("hongyan template sync %s", c.AppID)
		return nil
	}
	out.next("hongyan template list %s", c.AppID)
	return nil
}

// synced shows what a sync changed, or would.
func (p *printer) synced(s client.TemplateSync) {
	for i := range s.Differences {
		p.difference(&s.Differences[i])
	}
	words := ""
	if s.DryRun {
		words = " (dry run: nothing was changed)"
	}
	p.line("%d added, %d changed, %d no longer at WeChat, %d as before%s", len(s.Added), len(s.Updated), len(s.Missing), s.Unchanged, words)
	if s.Unread != "" {
		p.line("%s", p.paint(amber, s.Unread))
	}
}

// differenceSigns are how a change is shown before its template.
var differenceSigns = map[string]cell{"added": {"+", green}, "updated": {"~", amber}, "missing": {"-", red}}

func (p *printer) difference(d *client.TemplateDifference) {
	sign := differenceSigns[d.Change]
	title := d.Title + " (" + d.Kind + ")"
	if len(d.Aliases) > 0 {
		title += ", called " + strings.Join(d.Aliases, ", ")
	}
	p.line("%s", p.paint(sign.colour, sign.text+" "+d.TemplateID)+"  "+title)
	if d.Change == "missing" {
		p.line("    %s", "not in WeChat's list: marked as removed, and its messages are held")
		return
	}
	for _, f := range d.Fields {
		if f.Field != "content" && f.Field != "example" {
			p.line("    %-16s %s → %s", f.Field, quotedOrNone(f.Old), quotedOrNone(f.New))
		}
	}
	for _, line := range d.LinesRemoved {
		p.line("    %s", p.paint(red, "- "+line))
	}
	for _, line := range d.LinesAdded {
		p.line("    %s", p.paint(green, "+ "+line))
	}
	if d.Change == "added" {
		return
	}
	for _, r := range d.KeysRenamed {
		p.line("    %s", p.paint(amber, "data: the key "+r.Old+" is called "+r.New+" now"))
	}
	if len(d.KeysAdded) > 0 {
		p.line("    %s", p.paint(amber, "data: needs "+strings.Join(d.KeysAdded, ", ")+" now"))
	}
	if len(d.KeysRemoved) > 0 {
		p.line("    data: has no use for %s any more", strings.Join(d.KeysRemoved, ", "))
	}
}

func quotedOrNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return "“" + s + "”"
}
