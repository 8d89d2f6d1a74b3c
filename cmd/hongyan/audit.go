package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"hongyan/client"
)

type auditCommand struct {
	gatewayFlags `embed:""`
	Actor        string `placeholder:"ID" help:"By one key's id, by admin, or by config for the configuration file."`
	Action       string `placeholder:"ACTION" help:"One action such as key.create, or a noun with a dot for all of its actions: account."`
	Target       string `placeholder:"ID" help:"Done to one account, key or message, by its appid or id."`
	Since        string `placeholder:"TIME" help:"At or after: RFC 3339, or so long ago such as 2h."`
	Limit        int    `default:"20" help:"At most; default ${default}."`
	Cursor       string `help:"Continue a list."`
}

func (c *auditCommand) Run(ctx context.Context, w *surroundings) error {
	if c.Limit < 1 || c.Limit > maxList {
		return wrongUse("continue a longer list with the command it ends with", "--limit %d is not between 1 and %d", c.Limit, maxList)
	}
	since, err := parseAgo("--since", c.Since, time.Now())
	if err != nil {
		return err
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.Audit(ctx, client.AuditFilter{
		Actor: c.Actor, Action: c.Action, Target: c.Target, Since: since, Limit: c.Limit, Cursor: c.Cursor,
	})
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	c.print(w.out(), list, since)
	return nil
}

func (c *auditCommand) print(out *printer, list client.List[client.AuditEntry], since time.Time) {
	if len(list.Items) == 0 {
		out.line("no entries")
		out.next("hongyan audit")
		return
	}
	heads := []string{"WHEN", "WHO", "FROM", "ACTION", "TARGET", "OUTCOME", "DETAIL"}
	rows := make([][]cell, len(list.Items))
	for i, e := range list.Items {
		rows[i] = []cell{timeCell(&e.At), text(actorWords(e)), text(dash(e.Remote)), text(e.Action), text(dash(e.Target)), outcomeCell(e), text(e.Detail)}
	}
	out.fit(heads, rows)
	out.table(heads, rows)
	switch {
	case list.NextCursor != nil:
		out.next("%s", c.again(since, *list.NextCursor))
	case c.Actor == "" && list.Items[0].Actor != "":
		out.next("hongyan audit --actor %s", list.Items[0].Actor)
	default:
		out.next("hongyan key list")
	}
}

// actorWords is who did it: a key by name and id, as names may be alike.
func actorWords(e client.AuditEntry) string {
	switch {
	case e.Actor == "":
		return "a stranger"
	case e.ActorName != "":
		return e.ActorName + " (" + e.Actor + ")"
	default:
		return e.Actor
	}
}

// outcomeCell shows how it ended, and how often.
func outcomeCell(e client.AuditEntry) cell {
	c := cell{text: e.Outcome, colour: amber}
	if e.Outcome == "ok" {
		c.colour = plain
	}
	if e.Count > 1 {
		c.text += fmt.Sprintf(" ×%d", e.Count)
	}
	return c
}

// dash stands for what is not there.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// again is the command for the next page, ready to be pasted.
func (c *auditCommand) again(since time.Time, cursor string) string {
	command := "hongyan audit"
	add := func(flag, value string) {
		if value != "" {
			command += " " + flag + " " + shellWord(value)
		}
	}
	add("--url", c.URL)
	add("--actor", c.Actor)
	add("--action", c.Action)
	add("--target", c.Target)
	if !since.IsZero() {
		add("--since", since.UTC().Format(time.RFC3339))
	}
	add("--limit", strconv.Itoa(c.Limit))
	add("--cursor", cursor)
	return command
}
