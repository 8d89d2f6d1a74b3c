package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"hongyan"
	"hongyan/client"
)

type eventCommands struct {
	Tail eventsTail `cmd:"" help:"Show what happens, as it happens."`
	List eventsList `cmd:"" help:"List what happened, newest first."`
}

// eventFlags are what both commands select by.
type eventFlags struct {
	gatewayFlags `embed:""`
	Type         []string `placeholder:"TYPE" help:"Types of event such as message.delivered or account.*, separated by commas; default all."`
	AppID        string   `name:"appid" placeholder:"APPID" help:"Of one account; default all."`
}

var eventFlagNames = flagNames{"/type": "--type", "/since": "--since", "/after": "--after"}

type eventsTail struct {
	eventFlags `embed:""`
	Since      string `placeholder:"TIME" help:"Begin with what happened since: RFC 3339, or so long ago such as 10m; default now."`
	After      string `placeholder:"EVENT" help:"Go on behind an event, by its id."`
	Count      int    `short:"n" placeholder:"N" help:"End after so many events; default never."`
}

func (eventsTail) Help() string {
	return "With --json each event is one line, as webhooks get it. When the gateway goes away the stream goes on behind the last event once it is back."
}

// tailPause is the first pause before a stream is begun again; it doubles up to tailPauseMost.
const (
	tailPause     = time.Second
	tailPauseMost = 30 * time.Second
)

func (c *eventsTail) Run(ctx context.Context, w *surroundings) error {
	since, err := parseAgo("--since", c.Since, time.Now())
	if err != nil {
		return err
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	ctx = untilSignal(ctx)
	t := tail{c: c, w: w, out: w.out(), filter: client.EventFilter{AppID: c.AppID, Types: c.Type, After: c.After, Since: client.Time{Time: since}}, rules: ruleNames{}}
	for pause := tailPause; ; pause = min(2*pause, tailPauseMost) {
		began, err := t.follow(ctx, gateway)
		switch {
		case ctx.Err() != nil, t.done():
			return nil
		case !began && t.shown == 0 && !t.begun:
			return eventFlagNames.apiError(gateway, err)
		case began:
			pause = tailPause
		}
		t.begun = true
		fmt.Fprintln(w.stderr, t.out.paint(grey, "the stream broke off; it goes on when the gateway is back"))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// tail is a stream being shown.
type tail struct {
	c      *eventsTail
	w      *surroundings
	out    *printer
	filter client.EventFilter
	rules  ruleNames
	shown  int
	begun  bool
}

func (t *tail) done() bool { return t.c.Count > 0 && t.shown >= t.c.Count }

// follow shows one stream until it ends, and reports whether it began.
func (t *tail) follow(ctx context.Context, gateway *client.Client) (began bool, err error) {
	s, err := gateway.StreamEvents(ctx, t.filter)
	if err != nil {
		return false, err
	}
	defer s.Close()
	for !t.done() {
		e, err := s.Next()
		if gap, ok := errors.AsType[*client.EventGap](err); ok {
			fmt.Fprintln(t.w.stderr, t.out.paint(amber, "events behind "+gap.After+" may be missing: "+gapWords[gap.Reason]))
			continue
		}
		if err != nil {
			return true, err
		}
		t.filter.After, t.filter.Since = s.LastID(), client.Time{}
		t.shown++
		if err := t.show(ctx, gateway, &e); err != nil {
			return true, err
		}
	}
	return true, nil
}

var gapWords = map[string]string{
	"removed":     "the log keeps 7 days",
	"not_written": "nobody listened for an hour, and nothing was kept then",
	"unknown":     "the log never had that event",
}

func (t *tail) show(ctx context.Context, gateway *client.Client, e *client.Event) error {
	if !t.c.JSON {
		t.out.line("%s", eventLine(t.out, e, t.rules.of(ctx, gateway, e)))
		return nil
	}
	enc := json.NewEncoder(t.w.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}

// ruleNames remembers what rules are called, by id.
type ruleNames map[string]string

// of returns what the rule of a rule.fired is called: its id if it is gone or the key may
// not read it, "" of other events.
func (names ruleNames) of(ctx context.Context, gateway *client.Client, e *client.Event) string {
	var data struct {
		AppID  string `json:"appid"`
		RuleID string `json:"rule_id"`
	}
	if e.Type != hongyan.NewsRuleFired || json.Unmarshal(e.Data, &data) != nil || data.RuleID == "" {
		return ""
	}
	if names[data.RuleID] == "" {
		names[data.RuleID] = data.RuleID
		list, _ := gateway.Rules(ctx, data.AppID) // without a list the id is shown
		for _, r := range list.Items {
			names[r.ID] = r.Name
		}
	}
	return names[data.RuleID]
}

// eventLine says an event in a line: when, what, of which account, and the facts; rule is
// what the rule is called that fired.
func eventLine(out *printer, e *client.Event, rule string) string {
	var data map[string]any
	_ = json.Unmarshal(e.Data, &data) // facts that cannot be read are not shown
	get := func(name string) string {
		if v, ok := data[name]; ok && v != nil && v != "" {
			return fmt.Sprint(v)
		}
		return ""
	}
	line := out.paint(grey, e.Timestamp.Time.Local().Format("15:04:05.000")) + " " + out.paint(eventColour(e.Type), fmt.Sprintf("%-20s", e.Type)) + " " + get("appid")
	if rule != "" {
		line += " " + out.paint(grey, "rule=") + rule
	}
	for _, name := range []string{"message_id", "touser", "reason", "code", "refusal", "errcode", "errmsg", "detail", "percent", "template_id", "name", "seconds_early"} {
		value := get(name)
		if value == "" || name == "errcode" && value == "0" || name == "errmsg" && value == "ok" || name == "template_id" && get("message_id") != "" {
			continue
		}
		if name == "message_id" || name == "touser" {
			line += " " + value
		} else {
			line += " " + out.paint(grey, name+"=") + value
		}
	}
	return strings.TrimRight(line, " ")
}

// eventColour: as states have them, and red for what needs a person.
func eventColour(typ string) colour {
	if word, ok := strings.CutPrefix(typ, "message."); ok {
		if s, err := hongyan.ParseState(word); err == nil {
			return stateColour(s)
		}
		return amber
	}
	switch typ {
	case hongyan.NewsAccountStopped, hongyan.NewsTemplateBanned, hongyan.NewsTemplateRemoved, hongyan.NewsWebhookDisabled:
		return red
	case hongyan.NewsAccountResumed:
		return green
	case hongyan.NewsAccountAlarm, hongyan.NewsQuota, hongyan.NewsTokenDiedEarly, hongyan.NewsConsentLow:
		return amber
	}
	return plain
}

type eventsList struct {
	eventFlags `embed:""`
	Since      string `placeholder:"TIME" help:"At or after: RFC 3339, or so long ago such as 2h."`
	Until      string `placeholder:"TIME" help:"Before: RFC 3339, or so long ago."`
	Limit      int    `default:"20" help:"At most; default ${default}."`
	Cursor     string `help:"Continue a list."`
}

func (c *eventsList) Run(ctx context.Context, w *surroundings) error {
	if c.Limit < 1 || c.Limit > maxList {
		return wrongUse("continue a longer list with the command it ends with", "--limit %d is not between 1 and %d", c.Limit, maxList)
	}
	now := time.Now()
	since, err := parseAgo("--since", c.Since, now)
	if err != nil {
		return err
	}
	until, err := parseAgo("--until", c.Until, now)
	if err != nil {
		return err
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.Events(ctx, client.EventFilter{AppID: c.AppID, Types: c.Type, Since: client.Time{Time: since}, Until: client.Time{Time: until}, Limit: c.Limit, Cursor: c.Cursor})
	if err != nil {
		return eventFlagNames.apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	if len(list.Items) == 0 {
		out.line("no events; they are kept for 7 days, and only while a webhook or a reader wants them")
	}
	rules := ruleNames{}
	for i := range list.Items {
		out.line("%s", eventLine(out, &list.Items[i], rules.of(ctx, gateway, &list.Items[i])))
	}
	if list.NextCursor != nil {
		out.next("hongyan events list --limit %d --cursor %s", c.Limit, *list.NextCursor)
		return nil
	}
	out.next("hongyan events tail")
	return nil
}
