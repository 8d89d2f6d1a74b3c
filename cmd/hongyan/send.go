package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"hongyan"
	"hongyan/client"
)

type sendCommand struct {
	gatewayFlags   `embed:""`
	AppID          string        `name:"appid" help:"The account, by appid or alias."`
	To             string        `placeholder:"OPENID" help:"The recipient."`
	Template       string        `placeholder:"TEMPLATE_ID" help:"A template the account holds, by template_id or alias."`
	Data           []string      `sep:"none" placeholder:"KEY=VALUE" help:"A value of the template; once for each key."`
	Kind           string        `placeholder:"KIND" words:"template,mini_template,subscribe,notice,one_time" help:"template, mini_template, subscribe, notice or one_time; default by the account: template, for mini programs mini_template."`
	LinkURL        string        `name:"link" placeholder:"URL" help:"Where a tap leads (template, one_time)."`
	Page           string        `help:"Where a tap leads: a page (mini_template, subscribe), a URL (notice)."`
	MiniAppID      string        `name:"mini-appid" placeholder:"APPID" help:"The mini program a tap opens; it wins over --link and --page (template, notice, one_time)."`
	MiniPage       string        `name:"mini-page" placeholder:"PATH" help:"Its page."`
	FormID         string        `name:"form-id" help:"form_id or prepay_id (mini_template)."`
	State          string        `name:"miniprogram-state" placeholder:"STATE" words:"developer,trial,formal" help:"The version a tap opens: developer, trial or formal (subscribe)."`
	Lang           string        `words:"zh_CN,en_US,zh_HK,zh_TW" help:"The language a tap opens: zh_CN, en_US, zh_HK or zh_TW (subscribe)."`
	Scene          string        `placeholder:"NUMBER" help:"The number the user confirmed, 0 to 10000 (one_time)."`
	Title          string        `help:"At most 15 characters (one_time)."`
	ClientMsgID    string        `name:"client-msg-id" help:"A second message with it to the same user answers the first for 10 minutes; WeChat drops it too (template)."`
	IdempotencyKey string        `help:"The same key answers the first message for 24 hours."`
	SendAt         string        `placeholder:"TIME" help:"Not before: RFC 3339, or from now such as +10m."`
	ExpiresAt      string        `placeholder:"TIME" help:"Not after: RFC 3339, or from now such as +2h."`
	Priority       string        `enum:"urgent,normal,bulk" default:"normal" help:"${enum}; default ${default}."`
	Body           string        `placeholder:"FILE" help:"The whole message as JSON, as POST /v1/messages takes it; - reads standard input."`
	Wait           bool          `help:"Wait until the message has ended. Exit code 0 only when it was delivered, or accepted where WeChat tells no more."`
	Timeout        time.Duration `default:"2m" help:"How long --wait waits; default ${default}."`
}

func (c *sendCommand) Run(ctx context.Context, w *surroundings) error {
	post, names, err := c.post(w)
	if err != nil {
		return err
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	sent, err := post(ctx, gateway)
	if err != nil {
		return names.apiError(gateway, err)
	}
	m := sent.Message
	if c.Wait {
		if m, err = waitFinal(ctx, gateway, m, c.Timeout); err != nil {
			return apiError(gateway, err)
		}
	}
	if err := c.shownSent(w, m, sent.Replayed); err != nil {
		return err
	}
	if c.Wait && !arrived(m) {
		return errSilent
	}
	return nil
}

// sendFlags name the fields of POST /v1/messages.
var sendFlags = flagNames{
	"/appid": "--appid", "/touser": "--to", "/template_id": "--template", "/data": "--data", "/url": "--link", "/page": "--page",
	"/form_id": "--form-id", "/kind": "--kind", "/miniprogram": "--mini-appid", "/miniprogram/appid": "--mini-appid", "/miniprogram/pagepath": "--mini-page",
	"/miniprogram_state": "--miniprogram-state", "/lang": "--lang", "/scene": "--scene", "/title": "--title", "/client_msg_id": "--client-msg-id", "/send_at": "--send-at", "/expires_at": "--expires-at",
	"/priority": "--priority", "/header/Idempotency-Key": "--idempotency-key",
}

// post returns what sends the message that the flags or the body make, and the
// names of its fields. A body is sent as it is: the gateway judges it.
func (c *sendCommand) post(w *surroundings) (func(context.Context, *client.Client) (client.Sent, error), flagNames, error) {
	if c.Body == "" {
		request, err := c.request()
		return func(ctx context.Context, gateway *client.Client) (client.Sent, error) {
			return gateway.Send(ctx, request)
		}, sendFlags, err
	}
	if flag := c.besideBody(); flag != "" {
		return nil, nil, wrongUse("put it into the body, or leave --body out", "--body is the whole message, and %s is given too", flag)
	}
	// One byte more than the gateway takes, so that it is the one to refuse.
	body, err := w.readNamed("--body", c.Body, maxBody+1)
	return func(ctx context.Context, gateway *client.Client) (client.Sent, error) {
		return gateway.SendJSON(ctx, body, c.IdempotencyKey)
	}, flagNames{"/header/Idempotency-Key": "--idempotency-key"}, err
}

// besideBody returns a flag that a whole body leaves no room for, "" when none is given.
func (c *sendCommand) besideBody() string {
	for _, f := range []struct{ flag, value string }{
		{"--appid", c.AppID}, {"--to", c.To}, {"--template", c.Template}, {"--data", strings.Join(c.Data, " ")}, {"--link", c.LinkURL},
		{"--page", c.Page}, {"--form-id", c.FormID}, {"--client-msg-id", c.ClientMsgID}, {"--send-at", c.SendAt}, {"--expires-at", c.ExpiresAt},
		{"--kind", c.Kind}, {"--mini-appid", c.MiniAppID}, {"--mini-page", c.MiniPage}, {"--miniprogram-state", c.State},
		{"--lang", c.Lang}, {"--scene", c.Scene}, {"--title", c.Title},
	} {
		if f.value != "" {
			return f.flag
		}
	}
	return ""
}

func (c *sendCommand) shownSent(w *surroundings, m client.Message, replayed bool) error {
	if c.JSON {
		return w.json(m)
	}
	out := w.out()
	words := out.standing(m)
	if replayed {
		words += " (the answer to an earlier message with this key)"
	}
	out.line("%s", words)
	out.explain(m)
	out.next("hongyan message get %s", m.ID)
	return nil
}

// maxBody is how much the gateway takes as a message, in bytes.
const maxBody = 1 << 20

// request builds the message from the flags.
func (c *sendCommand) request() (client.MessageRequest, error) {
	if c.AppID == "" || c.To == "" || c.Template == "" {
		return client.MessageRequest{}, wrongUse("see hongyan send --help", "--appid, --to and --template are needed, or --body")
	}
	data, err := parseData(c.Data)
	if err != nil {
		return client.MessageRequest{}, err
	}
	r := client.MessageRequest{
		AppID: c.AppID, ToUser: c.To, TemplateID: c.Template, Data: data, Kind: c.Kind, URL: c.LinkURL, Page: c.Page, FormID: c.FormID,
		MiniProgramState: c.State, Lang: c.Lang, Scene: c.Scene, Title: c.Title,
		ClientMsgID: c.ClientMsgID, Priority: c.Priority, IdempotencyKey: c.IdempotencyKey,
	}
	if c.MiniAppID != "" || c.MiniPage != "" {
		r.MiniProgram = &client.MiniProgram{AppID: c.MiniAppID, PagePath: c.MiniPage}
	}
	if r.SendAt, err = parseTime("--send-at", c.SendAt, time.Now()); err != nil {
		return r, err
	}
	r.ExpiresAt, err = parseTime("--expires-at", c.ExpiresAt, time.Now())
	return r, err
}

func parseData(pairs []string) (map[string]client.Field, error) {
	data := map[string]client.Field{}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, wrongUse("write --data thing1=巧克力", "--data %q is not KEY=VALUE", pair)
		}
		if _, twice := data[key]; twice {
			return nil, wrongUse("give each key once", "--data %s is given twice", key)
		}
		data[key] = client.Field{Value: value}
	}
	return data, nil
}

// parseTime reads RFC 3339, or a duration from now with a plus sign.
func parseTime(flag, value string, now time.Time) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	if rest, ok := strings.CutPrefix(value, "+"); ok {
		if d, err := time.ParseDuration(rest); err == nil {
			return now.Add(d), nil
		}
	} else if t, err := time.Parse(time.RFC3339, value); err == nil {
		return t, nil
	}
	return time.Time{}, wrongUse("write 2026-11-21T10:15:00+08:00, or from now +10m", "%s %q is not a time", flag, value)
}

// pollEvery is how often a waiting command looks. It reads one row.
const pollEvery = 200 * time.Millisecond

// waitFinal reads the message until it has ended or timeout is over.
func waitFinal(ctx context.Context, gateway *client.Client, m client.Message, timeout time.Duration) (client.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for !m.Final {
		select {
		case <-ctx.Done():
			return m, notEnded(ctx, m, timeout)
		case <-time.After(pollEvery):
		}
		seen, err := gateway.Message(ctx, m.ID)
		if err != nil && ctx.Err() != nil {
			return m, notEnded(ctx, m, timeout)
		}
		if err != nil {
			return m, err
		}
		m = seen
	}
	return m, nil
}

func notEnded(ctx context.Context, m client.Message, timeout time.Duration) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ctx.Err()
	}
	return &commandError{what: m.ID + " has not ended after " + timeout.String() + ": it is " + strings.TrimSpace(stateCell(m.State).text+" "+m.Reason),
		cure: "look again with hongyan message get " + m.ID}
}

// arrived reports whether a message that has ended reached the user, as far as WeChat tells.
func arrived(m client.Message) bool {
	return m.State == hongyan.Delivered.String() || m.State == hongyan.Accepted.String()
}
