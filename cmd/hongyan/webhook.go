package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hongyan"
	"hongyan/client"
)

type webhookCommands struct {
	Add        webhookAdd        `cmd:"" help:"Tell an endpoint of yours, or the robot of a chat, what happens."`
	List       webhookList       `cmd:"" help:"List webhooks and how each does."`
	Set        webhookSet        `cmd:"" help:"Change what a webhook hears, or use one again that was disabled."`
	Rotate     webhookRotate     `cmd:"" help:"Give a webhook a new secret; the old one signs beside it for a while."`
	Test       webhookTest       `cmd:"" help:"Post a test event at once and show what came of it."`
	Redeliver  webhookRedeliver  `cmd:"" help:"Send events once more."`
	Deliveries webhookDeliveries `cmd:"" help:"List what was sent to a webhook, or show one request and its answer."`
	Pause      webhookPause      `cmd:"" help:"Keep the events for a webhook until it is resumed."`
	Resume     webhookResume     `cmd:"" help:"Send again, what was kept first."`
	Remove     webhookRemove     `cmd:"" help:"Remove a webhook and what waits for it."`
}

// webhookFlags says which flag a field of a webhook comes from.
var webhookFlags = flagNames{"/name": "NAME", "/url": "ENDPOINT", "/kind": "--kind", "/events": "--event", "/appids": "--appid", "/secret": "--secret-file",
	"/language": "--language", "/type": "--type", "/state": "--state", "/since": "--since", "/until": "--until", "/keep_seconds": "--keep"}

// maxEndpointFile bounds what is read as an endpoint's address, in bytes.
const maxEndpointFile = 4096

type webhookAdd struct {
	gatewayFlags `embed:""`
	Name         string   `arg:"" help:"For people; unique."`
	Endpoint     string   `arg:"" optional:"" help:"Where events are posted: an http or https URL."`
	EndpointFile string   `placeholder:"FILE" help:"File with that URL; - reads standard input. The address of a robot is its credential, and other users of the machine can see command lines."`
	Kind         string   `default:"webhook" enum:"webhook,wecom,dingtalk,feishu" help:"webhook: signed JSON. wecom, dingtalk, feishu: the robot of a chat of 企业微信, 钉钉 or 飞书, which is told alarms in words; default ${default}."`
	Event        []string `placeholder:"TYPE" help:"Types of event such as message.delivered or message.*, separated by commas; default all, for a robot the alarms."`
	AppID        []string `name:"appid" placeholder:"APPID" help:"An account; may be repeated; default all."`
	SecretFile   string   `placeholder:"FILE" help:"webhook: a secret you have already, whsec_…; default a new one. dingtalk, feishu: what the robot shows, if it checks signatures; - reads standard input."`
	Language     string   `default:"" enum:",zh,en" help:"Of a robot's words: zh or en; default both."`
}

func (c *webhookAdd) Run(ctx context.Context, w *surroundings) error {
	if (c.Endpoint == "") == (c.EndpointFile == "") {
		return wrongUse("hongyan webhook add NAME https://shop.example.com/hooks/hongyan", "the endpoint must come from exactly one place")
	}
	want := client.WebhookRequest{Name: c.Name, Kind: c.Kind, URL: c.Endpoint, Events: c.Event, AppIDs: c.AppID, Language: c.Language}
	for flag, into := range map[string]struct {
		name string
		to   *string
	}{"--endpoint-file": {c.EndpointFile, &want.URL}, "--secret-file": {c.SecretFile, &want.Secret}} {
		if into.name == "" {
			continue
		}
		content, err := w.readNamed(flag, into.name, maxEndpointFile)
		if err != nil {
			return err
		}
		*into.to = strings.TrimSpace(string(content))
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	made, err := gateway.CreateWebhook(ctx, want)
	if err != nil {
		return webhookFlags.apiError(gateway, err)
	}
	if c.JSON {
		return w.json(made)
	}
	out := w.out()
	out.line("%s hears %s", made.Webhook.Name, eventWords(made.Webhook.Events))
	if made.Secret != "" {
		out.line("%s", made.Secret)
		out.line("it is the secret that requests are signed with, shown this once; docs/webhooks.md has code that verifies them")
	}
	out.next("hongyan webhook test %s", shellWord(made.Webhook.Name))
	return nil
}

type webhookList struct {
	gatewayFlags `embed:""`
}

func (c *webhookList) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.Webhooks(ctx)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	if len(list.Items) == 0 {
		out.line("no webhooks: nobody outside is told what happens")
		out.next("hongyan webhook add NAME https://shop.example.com/hooks/hongyan")
		return nil
	}
	rows := make([][]cell, len(list.Items))
	for i, h := range list.Items {
		rows[i] = []cell{text(h.Name), text(h.Kind), webhookStateCell(&h), text(fmt.Sprint(h.Pending)), timeCell(h.OldestPendingAt),
			text(fmt.Sprint(h.Delivered)), gaveUpCell(h.GaveUp), text(accountsWords(h.AppIDs)), text(h.URL), text(eventWords(h.Events))}
	}
	heads := []string{"NAME", "KIND", "STATE", "PENDING", "OLDEST", "DELIVERED", "GAVE UP", "ACCOUNTS", "URL", "EVENTS"}
	out.fit(heads, rows)
	out.table(heads, rows)
	for _, h := range list.Items {
		switch {
		case h.Disabled:
			out.line("%s is disabled: %s", h.Name, h.DisabledReason)
		case h.LastError != "":
			out.line("the oldest event for %s waits because its latest attempt failed: %s", h.Name, h.LastError)
		}
	}
	out.next("%s", nextForWebhooks(list.Items))
	return nil
}

func webhookStateCell(h *client.Webhook) cell {
	switch {
	case h.Disabled:
		return cell{"disabled", red}
	case h.Paused:
		return cell{"paused", amber}
	case h.LastError != "":
		return cell{"failing", amber}
	}
	return text("telling")
}

// nextForWebhooks is what mends the first that does not hear.
func nextForWebhooks(list []client.Webhook) string {
	for _, h := range list {
		name := shellWord(h.Name)
		switch {
		case h.Disabled:
			return "hongyan webhook set " + name + " --enable"
		case h.Paused:
			return "hongyan webhook resume " + name
		case h.GaveUp > 0:
			return "hongyan webhook redeliver " + name + " --state gave_up"
		}
	}
	return "hongyan webhook deliveries " + shellWord(list[0].Name)
}

type webhookSet struct {
	gatewayFlags `embed:""`
	ID           string   `arg:"" name:"webhook" help:"Name or id."`
	Name         string   `placeholder:"NAME" help:"Another name."`
	Endpoint     string   `placeholder:"URL" help:"Where events are posted."`
	Event        []string `placeholder:"TYPE" help:"Types of event, separated by commas; default as they are."`
	AppID        []string `name:"appid" placeholder:"APPID" help:"An account; may be repeated; default as they are."`
	Language     string   `placeholder:"zh|en" help:"Of a robot's words."`
	Enable       bool     `help:"Use it again after it was disabled."`
	Disable      bool     `help:"Keep and send nothing any more."`
}

func (c *webhookSet) Run(ctx context.Context, w *surroundings) error {
	var p client.WebhookPatch
	for given, to := range map[*string]**string{&c.Name: &p.Name, &c.Endpoint: &p.URL, &c.Language: &p.Language} {
		if *given != "" {
			*to = given
		}
	}
	if len(c.Event) > 0 {
		p.Events = &c.Event
	}
	if len(c.AppID) > 0 {
		p.AppIDs = &c.AppID
	}
	if c.Enable == c.Disable && c.Enable {
		return wrongUse("give one of them", "--enable and --disable exclude each other")
	}
	if c.Enable || c.Disable {
		p.Disabled = &c.Disable
	}
	if p == (client.WebhookPatch{}) {
		return wrongUse("see hongyan webhook set --help", "nothing is to be changed")
	}
	return showWebhook(ctx, w, &c.gatewayFlags, "changed", func(g *client.Client) (client.Webhook, error) { return g.UpdateWebhook(ctx, c.ID, p) })
}

// showWebhook does something to a webhook and says how it is then.
func showWebhook(_ context.Context, w *surroundings, flags *gatewayFlags, done string, do func(*client.Client) (client.Webhook, error)) error {
	gateway, err := flags.client(w)
	if err != nil {
		return err
	}
	h, err := do(gateway)
	if err != nil {
		return webhookFlags.apiError(gateway, err)
	}
	if flags.JSON {
		return w.json(h)
	}
	out := w.out()
	out.line("%s is %s: it hears %s, %d wait", h.Name, done, eventWords(h.Events), h.Pending)
	out.next("hongyan webhook list")
	return nil
}

type webhookRotate struct {
	gatewayFlags `embed:""`
	ID           string        `arg:"" name:"webhook" help:"Name or id."`
	Keep         time.Duration `default:"24h" help:"How long the old secret signs beside the new one; 0s not at all; default ${default}."`
	SecretFile   string        `placeholder:"FILE" help:"File with a secret you have already; - reads standard input; default a new one."`
}

func (c *webhookRotate) Run(ctx context.Context, w *surroundings) error {
	keep := int64(c.Keep / time.Second)
	want := client.WebhookRotation{KeepSeconds: &keep}
	if c.SecretFile != "" {
		content, err := w.readNamed("--secret-file", c.SecretFile, maxSecretFile)
		if err != nil {
			return err
		}
		want.Secret = strings.TrimSpace(string(content))
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	made, err := gateway.RotateWebhook(ctx, c.ID, want)
	if err != nil {
		return webhookFlags.apiError(gateway, err)
	}
	if c.JSON {
		return w.json(made)
	}
	out := w.out()
	out.line("%s", made.Secret)
	out.line("shown this once; until %s has it, the old one signs too, for %s", made.Webhook.Name, c.Keep)
	out.next("hongyan webhook test %s", shellWord(made.Webhook.Name))
	return nil
}

type webhookTest struct {
	gatewayFlags `embed:""`
	ID           string `arg:"" name:"webhook" help:"Name or id."`
}

func (c *webhookTest) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	t, err := gateway.TestWebhook(ctx, c.ID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		if err := w.json(t); err != nil || t.OK {
			return err
		}
		return errSilent
	}
	out := w.out()
	printCall(out, &t.Request)
	printAnswer(out, t.Status, t.Answer, t.TookMS)
	if !t.OK {
		return &commandError{what: "the webhook did not take it: " + t.Error, cure: c.cure(ctx, gateway, &t)}
	}
	out.next("hongyan webhook deliveries %s", c.ID)
	return nil
}

// cure says what to do about a test that failed.
func (c *webhookTest) cure(ctx context.Context, gateway *client.Client, t *client.WebhookTrial) string {
	// Whose endpoint it is, is known if it can still be read.
	h, err := gateway.Webhook(ctx, c.ID)
	if err == nil && hongyan.WebhookKind(h.Kind).Robot() {
		return "check address, secret and keyword (自定义关键词) of the robot, then: hongyan webhook test " + shellWord(c.ID)
	}
	return c.endpointCure(t)
}

func (c *webhookTest) endpointCure(t *client.WebhookTrial) string {
	switch {
	case strings.Contains(t.Error, "allow_private"):
		return "an address that is not public must be in the gateway's setting allow_private; docs/webhooks.md has the rest"
	case strings.Contains(t.Error, "no such host"):
		return "the name of the host is not known to DNS; another address: hongyan webhook set " + shellWord(c.ID) + " --endpoint URL"
	}
	return "see that the endpoint answers 2xx within 10 s, then: hongyan webhook test " + shellWord(c.ID)
}

func printCall(out *printer, r *client.WebhookCall) {
	out.line("%s %s", r.Method, r.URL)
	for _, name := range []string{"content-type", "user-agent", "webhook-id", "webhook-timestamp", "webhook-signature"} {
		if v := r.Headers[name]; v != "" {
			out.line("%s %s", out.paint(grey, name+":"), v)
		}
	}
	out.line("")
	out.line("%s", r.Body)
	out.line("")
}

func printAnswer(out *printer, status *int, answer string, tookMS int64) {
	if status == nil {
		out.line("%s after %d ms", out.paint(red, "no answer"), tookMS)
		return
	}
	c := green
	if *status/100 != 2 {
		c = red
	}
	out.line("%s after %d ms", out.paint(c, fmt.Sprintf("HTTP %d", *status)), tookMS)
	if answer != "" {
		out.line("%s", answer)
	}
}

type webhookRedeliver struct {
	gatewayFlags `embed:""`
	ID           string   `arg:"" name:"webhook" help:"Name or id."`
	Type         []string `placeholder:"TYPE" help:"Types of event such as message.*, separated by commas; default what it hears."`
	State        []string `placeholder:"STATE" help:"What became of them: pending, delivered, gave_up; default whatever, and those it was never sent."`
	Since        string   `placeholder:"TIME" help:"Happened at or after: RFC 3339, or so long ago such as 2h; default all that are kept, 7 days."`
	Until        string   `placeholder:"TIME" help:"Happened before: RFC 3339, or so long ago; default now."`
}

func (c *webhookRedeliver) Run(ctx context.Context, w *surroundings) error {
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
	done, err := gateway.RedeliverWebhook(ctx, c.ID, client.Redelivery{Types: c.Type, States: c.State, Since: client.At(since), Until: client.At(until)})
	if err != nil {
		return webhookFlags.apiError(gateway, err)
	}
	if c.JSON {
		return w.json(done)
	}
	out := w.out()
	out.line("%d events are sent to %s once more, each with the id it had", done.Count, c.ID)
	out.next("hongyan webhook deliveries %s", c.ID)
	return nil
}

type webhookDeliveries struct {
	gatewayFlags `embed:""`
	ID           string   `arg:"" name:"webhook" help:"Name or id."`
	Delivery     string   `arg:"" optional:"" help:"One delivery's number: its request and what was answered."`
	State        []string `placeholder:"STATE" help:"pending, delivered, gave_up; separated by commas."`
	Type         []string `placeholder:"TYPE" help:"Types of event, separated by commas."`
	Limit        int      `default:"20" help:"At most; default ${default}."`
	Cursor       string   `help:"Continue a list."`
}

func (c *webhookDeliveries) Run(ctx context.Context, w *surroundings) error {
	if c.Limit < 1 || c.Limit > maxList {
		return wrongUse("continue a longer list with the command it ends with", "--limit %d is not between 1 and %d", c.Limit, maxList)
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	if c.Delivery != "" {
		return c.one(ctx, w, gateway)
	}
	list, err := gateway.WebhookDeliveries(ctx, c.ID, client.WebhookDeliveryFilter{States: c.State, Types: c.Type, Limit: c.Limit, Cursor: c.Cursor})
	if err != nil {
		return webhookFlags.apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	if len(list.Items) == 0 {
		out.line("nothing was sent to %s, as far as is remembered: 7 days", c.ID)
		out.next("hongyan webhook test %s", c.ID)
		return nil
	}
	rows := make([][]cell, len(list.Items))
	for i, d := range list.Items {
		message := "-"
		if d.MessageID != nil {
			message = *d.MessageID
		}
		rows[i] = []cell{text(d.ID), timeCell(&d.CreatedAt), text(d.Type), deliveryCell(d.State), text(fmt.Sprint(d.Attempts)), statusCell(d.LastStatus),
			text(fmt.Sprintf("%d ms", d.LastTookMS)), text(message), text(d.LastError)}
	}
	heads := []string{"NUMBER", "SINCE", "TYPE", "STATE", "TRIES", "HTTP", "TOOK", "MESSAGE", "ERROR"}
	out.fit(heads, rows)
	out.table(heads, rows)
	if list.NextCursor != nil {
		out.next("hongyan webhook deliveries %s --limit %d --cursor %s", c.ID, c.Limit, *list.NextCursor)
		return nil
	}
	out.next("hongyan webhook deliveries %s %s", c.ID, list.Items[0].ID)
	return nil
}

func deliveryCell(state string) cell {
	return cell{state, map[string]colour{"delivered": green, "pending": amber, "gave_up": red}[state]}
}

func statusCell(status *int) cell {
	if status == nil {
		return text("-")
	}
	if *status/100 != 2 {
		return cell{fmt.Sprint(*status), red}
	}
	return text(fmt.Sprint(*status))
}

// triesOf says how often an event was tried; history has the tries before it was sent once
// more, too.
func triesOf(d *client.WebhookDelivery) string {
	tries := fmt.Sprintf("%d tries", d.Attempts)
	if d.Attempts == 1 {
		tries = "1 try"
	}
	if len(d.History) > d.Attempts {
		tries += " since it was sent once more"
	}
	return tries
}

func (c *webhookDeliveries) one(ctx context.Context, w *surroundings, gateway *client.Client) error {
	d, err := gateway.WebhookDelivery(ctx, c.ID, c.Delivery)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(d)
	}
	out := w.out()
	state := deliveryCell(d.State)
	out.line("%s %s, %s", d.Type, out.paint(state.colour, state.text), triesOf(&d))
	if d.Request != nil {
		printCall(out, d.Request)
	}
	switch {
	case d.Attempts == 0:
		out.line("not tried yet")
	default:
		printAnswer(out, d.LastStatus, d.Answer, d.LastTookMS)
	}
	if d.LastError != "" {
		out.line("%s", d.LastError)
	}
	printHistory(out, d.History)
	if d.MessageID != nil {
		out.next("hongyan message get %s", *d.MessageID)
		return nil
	}
	out.next("hongyan webhook deliveries %s", c.ID)
	return nil
}

// printHistory lists the attempts when there was more than the one that stands above.
func printHistory(out *printer, all []client.WebhookAttempt) {
	if len(all) < 2 {
		return
	}
	rows := make([][]cell, len(all))
	for i, a := range all {
		said := a.Error
		if line, _, _ := strings.Cut(strings.TrimSpace(a.Answer), "\n"); line != "" {
			said = strings.TrimPrefix(said+": "+line, ": ")
		}
		rows[i] = []cell{timeCell(&a.At), statusCell(a.Status), text(fmt.Sprintf("%d ms", a.TookMS)), text(said)}
	}
	heads := []string{"ATTEMPT", "HTTP", "TOOK", "ERROR AND ANSWER"}
	out.line("")
	out.fit(heads, rows)
	out.table(heads, rows)
}

type webhookPause struct {
	gatewayFlags `embed:""`
	ID           string `arg:"" name:"webhook" help:"Name or id."`
}

func (c *webhookPause) Run(ctx context.Context, w *surroundings) error {
	return showWebhook(ctx, w, &c.gatewayFlags, "paused", func(g *client.Client) (client.Webhook, error) { return g.PauseWebhook(ctx, c.ID) })
}

type webhookResume struct {
	gatewayFlags `embed:""`
	ID           string `arg:"" name:"webhook" help:"Name or id."`
}

func (c *webhookResume) Run(ctx context.Context, w *surroundings) error {
	return showWebhook(ctx, w, &c.gatewayFlags, "resumed", func(g *client.Client) (client.Webhook, error) { return g.ResumeWebhook(ctx, c.ID) })
}

type webhookRemove struct {
	gatewayFlags `embed:""`
	ID           string `arg:"" name:"webhook" help:"Name or id."`
}

func (c *webhookRemove) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	h, err := gateway.Webhook(ctx, c.ID)
	if err == nil {
		err = gateway.DeleteWebhook(ctx, h.ID)
	}
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(map[string]string{"id": h.ID, "state": "removed"})
	}
	out := w.out()
	out.line("%s is removed, and the %d events that waited for it", h.Name, h.Pending)
	out.next("hongyan webhook list")
	return nil
}
