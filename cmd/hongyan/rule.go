package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"hongyan/client"
)

type ruleCommands struct {
	Add    ruleAdd    `cmd:"" help:"Send a message whenever WeChat pushes an event: somebody follows, scans, accepts …"`
	List   ruleList   `cmd:"" help:"List an account's rules and what each did."`
	Show   ruleShow   `cmd:"" help:"Show a rule, its last firings and its last refusal."`
	Pause  rulePause  `cmd:"" help:"Keep a rule from firing."`
	Resume ruleResume `cmd:"" help:"Let it fire again."`
	Delete ruleDelete `cmd:"" help:"Remove a rule and the memory of whom it fired for."`
	Test   ruleTest   `cmd:"" help:"Show what a rule would do with a past push; nothing is sent."`
}

// ruleArgs name a rule.
type ruleArgs struct {
	AppID string `arg:"" name:"appid" help:"Appid or alias."`
	Name  string `arg:"" help:"Name of the rule."`
}

type ruleAdd struct {
	gatewayFlags `embed:""`
	ruleArgs     `embed:""`
	On           string        `placeholder:"EVENT" help:"follow, scan, accept, click, or another type of event such as view."`
	Template     string        `placeholder:"TEMPLATE_ID" help:"A template the account holds, or an alias of one."`
	Data         []string      `sep:"none" placeholder:"KEY=VALUE" help:"A value of the template; once for each key. {{openid}}, {{time}}, {{time:YYYY-MM-DD}} and {{event.EventKey}} are replaced."`
	Filter       []string      `sep:"none" placeholder:"FIELD=VALUE" help:"Only when a field of the push is so: FIELD=VALUE, FIELD^=PREFIX or FIELD~=REGEXP; may be repeated. Scene is that of a QR code."`
	Delay        time.Duration `placeholder:"DURATION" help:"How long after the push the message leaves, such as 10m; default at once."`
	OncePer      string        `placeholder:"TIME" help:"At most once per user in this time: 30m, 24h, 30d; or ever. Default: for every push."`
	Kind         string        `placeholder:"KIND" help:"template, subscribe or notice; default by the account."`
	LinkURL      string        `name:"link" placeholder:"URL" help:"Where a tap leads (template)."`
	Page         string        `help:"Where a tap leads: a page (subscribe), a URL (notice)."`
	MiniAppID    string        `name:"mini-appid" placeholder:"APPID" help:"The mini program a tap opens."`
	MiniPage     string        `name:"mini-page" placeholder:"PATH" help:"Its page."`
	Priority     string        `enum:"urgent,normal,bulk" default:"normal" help:"${enum}; default ${default}."`
	Paused       bool          `help:"Do not fire before it is resumed: try it first with hongyan rule test."`
	Body         string        `placeholder:"FILE" help:"The rule as JSON, as POST …/rules takes it without its name, in place of the other flags; - reads standard input."`
}

// ruleFlags name the fields of POST …/rules.
var ruleFlags = flagNames{
	"/name": "NAME", "/on": "--on", "/filters": "--filter", "/delay_seconds": "--delay", "/once_per": "--once-per",
	"/message/template_id": "--template", "/message/data": "--data", "/message/url": "--link", "/message/page": "--page",
	"/message/kind": "--kind", "/message/miniprogram/pagepath": "--mini-page", "/message/priority": "--priority",
}

func (c *ruleAdd) Run(ctx context.Context, w *surroundings) error {
	request, err := c.request(w)
	if err != nil {
		return err
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	r, err := gateway.CreateRule(ctx, c.AppID, request)
	if err != nil {
		return ruleFlags.apiError(gateway, err)
	}
	if c.JSON {
		return w.json(r)
	}
	out := w.out()
	out.line("%s sends template %s on %s%s", r.Name, r.Message.TemplateID, r.On, onceWords(r.OncePer))
	out.next("hongyan rule test %s %s", c.AppID, r.Name)
	return nil
}

func onceWords(oncePer string) string {
	switch oncePer {
	case "":
		return ""
	case "ever":
		return ", once for a user"
	}
	return ", at most once per user in " + oncePer
}

func (c *ruleAdd) request(w *surroundings) (client.RuleRequest, error) {
	if c.Body != "" {
		return c.whole(w)
	}
	data, err := parseData(c.Data)
	if err != nil {
		return client.RuleRequest{}, err
	}
	r := client.RuleRequest{
		Name: c.Name, On: c.On, DelaySeconds: int64(c.Delay / time.Second), OncePer: c.OncePer, Paused: c.Paused,
		Message: client.RuleMessage{Kind: c.Kind, TemplateID: c.Template, URL: c.LinkURL, Page: c.Page, Data: data, Priority: c.Priority},
	}
	if c.MiniAppID != "" {
		r.Message.MiniProgram = &client.MiniProgram{AppID: c.MiniAppID, PagePath: c.MiniPage}
	}
	for _, text := range c.Filter {
		f, err := parseFilter(text)
		if err != nil {
			return r, err
		}
		r.Filters = append(r.Filters, f)
	}
	return r, nil
}

// whole reads the rule from a file. What it is called is on the command line, and so may be
// on what it fires.
func (c *ruleAdd) whole(w *surroundings) (client.RuleRequest, error) {
	raw, err := w.readNamed("--body", c.Body, maxBody+1)
	if err != nil {
		return client.RuleRequest{}, err
	}
	r := client.RuleRequest{Paused: c.Paused}
	strict := json.NewDecoder(bytes.NewReader(raw))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&r); err != nil {
		return r, wrongUse("write it as POST /v1/accounts/APPID/rules takes it; see /docs of the gateway", "--body is not a rule: %v", err)
	}
	r.Name, r.On = c.Name, cmp.Or(c.On, r.On)
	return r, nil
}

// parseFilter reads FIELD=VALUE, FIELD^=PREFIX or FIELD~=REGEXP.
func parseFilter(text string) (client.RuleFilter, error) {
	field, value, ok := strings.Cut(text, "=")
	op := "equal"
	switch {
	case strings.HasSuffix(field, "^"):
		op, field = "prefix", strings.TrimSuffix(field, "^")
	case strings.HasSuffix(field, "~"):
		op, field = "matches", strings.TrimSuffix(field, "~")
	}
	if !ok || field == "" {
		return client.RuleFilter{}, wrongUse("write --filter Scene=shop-1, --filter EventKey^=menu_ or --filter Content~='^查'", "--filter %q is not FIELD=VALUE", text)
	}
	return client.RuleFilter{Field: field, Op: op, Value: value}, nil
}

type ruleList struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
}

func (c *ruleList) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.Rules(ctx, c.AppID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	if len(list.Items) == 0 {
		out.line("no rules: %s sends nothing by itself", c.AppID)
		out.next("hongyan rule add %s welcome --on follow --once-per ever --template TEMPLATE_ID --data KEY=VALUE", c.AppID)
		return nil
	}
	rows := make([][]cell, len(list.Items))
	for i, r := range list.Items {
		rows[i] = []cell{text(r.Name), ruleStateCell(&r), text(onWords(&r)), text(r.OncePer), text(fmt.Sprint(r.Fired)), timeCell(r.LastFiredAt),
			gaveUpCell(r.Refused), text(r.Message.TemplateID)}
	}
	out.table([]string{"NAME", "STATE", "ON", "ONCE PER", "FIRED", "LAST", "REFUSED", "TEMPLATE"}, rows)
	for _, r := range list.Items {
		if r.LastRefusal != "" && r.LastRefusedAt.Or().After(r.LastFiredAt.Or()) {
			out.line("%s sent nothing when it fired last: %s", r.Name, r.LastRefusal)
		}
	}
	out.next("hongyan rule show %s %s", c.AppID, list.Items[0].Name)
	return nil
}

func ruleStateCell(r *client.Rule) cell {
	if r.Paused {
		return cell{"paused", amber}
	}
	return text("on")
}

// onWords is the trigger with its filters.
func onWords(r *client.Rule) string {
	words := r.On
	for _, f := range r.Filters {
		words += " " + f.Field + map[string]string{"equal": "=", "prefix": "^=", "matches": "~="}[f.Op] + f.Value
	}
	return words
}

type ruleShow struct {
	gatewayFlags `embed:""`
	ruleArgs     `embed:""`
}

// shownFirings is how many firings the page of a rule shows.
const shownFirings = 10

func (c *ruleShow) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	r, err := gateway.Rule(ctx, c.AppID, c.Name)
	if err != nil {
		return apiError(gateway, err)
	}
	firings, err := gateway.Firings(ctx, c.AppID, c.Name, "", shownFirings)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(struct {
			client.Rule
			Firings []client.Firing `json:"firings"`
		}{r, firings.Items})
	}
	out := w.out()
	out.line("%s  on %s%s", r.Name, onWords(&r), onceWords(r.OncePer))
	out.line("sends template %s%s%s", r.Message.TemplateID, delayWords(r.DelaySeconds), map[bool]string{true: ", paused"}[r.Paused])
	out.showData(r.Message.Data)
	out.showOpens(&r.Message)
	out.line("fired %d times, sent nothing %d times", r.Fired, r.Refused)
	if r.LastRefusal != "" {
		out.line("last refusal, %s: %s", timeCell(r.LastRefusedAt).text, r.LastRefusal)
	}
	rows := make([][]cell, len(firings.Items))
	for i, f := range firings.Items {
		rows[i] = []cell{timeCell(&f.At), text(f.EventID), firingCell(&f), text(f.OpenID), text(strings.TrimSpace(f.MessageID + " " + f.Refusal))}
	}
	if len(rows) > 0 {
		out.table([]string{"PUSHED", "PUSH", "STATE", "OPENID", "MESSAGE"}, rows)
	}
	out.next("hongyan rule test %s %s", c.AppID, c.Name)
	return nil
}

// showOpens prints where a tap on the message leads, if anywhere.
func (p *printer) showOpens(m *client.RuleMessage) {
	opens := cmp.Or(m.URL, m.Page)
	if m.MiniProgram != nil && m.MiniProgram.AppID != "" {
		program := strings.TrimSpace("the mini program " + m.MiniProgram.AppID + " " + m.MiniProgram.PagePath)
		if opens != "" {
			program += ", or " + opens + " where mini programs cannot be opened"
		}
		opens = program
	}
	if opens != "" {
		p.line("  a tap opens %s", opens)
	}
}

func delayWords(seconds int64) string {
	if seconds == 0 {
		return ""
	}
	return ", " + (time.Duration(seconds) * time.Second).String() + " after the push"
}

func firingCell(f *client.Firing) cell {
	switch f.State {
	case "sent":
		return cell{f.State, green}
	case "refused":
		return cell{f.State, red}
	}
	return cell{f.State, amber}
}

// showData prints the values of a message by key.
func (p *printer) showData(data map[string]client.Field) {
	keys := make([]string, 0, len(data))
	for key := range data {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		p.line("  %s = %s", key, data[key].Value)
	}
}

type rulePause struct {
	gatewayFlags `embed:""`
	ruleArgs     `embed:""`
}

func (c *rulePause) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	r, err := gateway.PauseRule(ctx, c.AppID, c.Name)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(r)
	}
	out := w.out()
	out.line("%s is paused: pushes that come meanwhile never set it off", r.Name)
	out.next("hongyan rule resume %s %s", c.AppID, c.Name)
	return nil
}

type ruleResume struct {
	gatewayFlags `embed:""`
	ruleArgs     `embed:""`
}

func (c *ruleResume) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	r, err := gateway.ResumeRule(ctx, c.AppID, c.Name)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(r)
	}
	out := w.out()
	out.line("%s fires again", r.Name)
	out.next("hongyan rule show %s %s", c.AppID, c.Name)
	return nil
}

type ruleDelete struct {
	gatewayFlags `embed:""`
	ruleArgs     `embed:""`
}

func (c *ruleDelete) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	if err = gateway.DeleteRule(ctx, c.AppID, c.Name); err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(map[string]string{"name": c.Name, "state": "deleted"})
	}
	out := w.out()
	out.line("%s is gone; messages it made stay", c.Name)
	out.next("hongyan rule list %s", c.AppID)
	return nil
}

type ruleTest struct {
	gatewayFlags `embed:""`
	ruleArgs     `embed:""`
	Event        string `placeholder:"ID" help:"A push of the account; default the latest that fits, or else the latest the rule is about."`
}

func (ruleTest) Help() string {
	return "Exit code 0 only when the rule would send."
}

// wouldWords say what a trial came to.
var wouldWords = map[string]string{
	"send": "the rule would send this", "not_fitting": "the push does not set the rule off",
	"already": "the rule would not fire again for this user", "refused": "the rule would fire, and its message be refused",
}

func (c *ruleTest) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	t, err := gateway.TestRule(ctx, c.AppID, c.Name, c.Event)
	if err != nil {
		return flagNames{"/query/event": "--event"}.apiError(gateway, err)
	}
	if c.JSON {
		if err := w.json(t); err != nil {
			return err
		}
	} else {
		c.show(w.out(), &t)
	}
	if t.Would != "send" {
		return errSilent
	}
	return nil
}

func (c *ruleTest) show(out *printer, t *client.RuleTrial) {
	words := "push " + t.EventID + ": " + wouldWords[t.Would]
	if t.Why != "" {
		words += ": " + t.Why
	}
	out.line("%s", words)
	if t.Message != nil {
		out.line("to %s, template %s, at %s", t.OpenID, t.Message.TemplateID, timeCell(t.SendAt).text)
		out.showData(t.Message.Data)
		out.showOpens(t.Message)
	}
	for _, e := range t.Errors {
		out.line("  %s: %s", strings.TrimPrefix(e.Pointer, "/"), e.Detail)
		if e.DetailZH != "" {
			out.line("    %s", e.DetailZH)
		}
	}
	out.next("hongyan rule show %s %s", c.AppID, c.Name)
}
