package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"hongyan"
	"hongyan/client"
)

type sendCommand struct {
	gatewayFlags   `embed:""`
	AppID          string        `name:"appid" help:"The account, by appid or alias."`
	To             string        `placeholder:"OPENID" help:"The recipient."`
	Template       string        `placeholder:"TEMPLATE_ID" help:"A template the account holds."`
	Data           []string      `sep:"none" placeholder:"KEY=VALUE" help:"A value of the template; once for each key."`
	LinkURL        string        `name:"link" placeholder:"URL" help:"Where a tap leads."`
	Page           string        `help:"Where a tap leads (mini program)."`
	FormID         string        `name:"form-id" help:"form_id or prepay_id (mini program)."`
	ClientMsgID    string        `name:"client-msg-id" help:"Passed to WeChat, which drops a second message with it for 10 minutes."`
	IdempotencyKey string        `help:"The same key answers the first message for 24 hours."`
	SendAt         string        `placeholder:"TIME" help:"Not before: RFC 3339, or from now such as +10m."`
	ExpiresAt      string        `placeholder:"TIME" help:"Not after: RFC 3339, or from now such as +2h."`
	Priority       string        `enum:"urgent,normal,bulk" default:"normal" help:"${enum}; default ${default}."`
	Body           string        `placeholder:"FILE" help:"The whole message as JSON, as POST /v1/messages takes it; - reads standard input."`
	Wait           bool          `help:"Wait until the message has ended. Exit code 0 only when it was delivered, or accepted where WeChat tells no more."`
	Timeout        time.Duration `default:"2m" help:"How long --wait waits; default ${default}."`
}

func (c *sendCommand) Run(ctx context.Context, w *surroundings) error {
	request, err := c.request(w)
	if err != nil {
		return err
	}
	gateway := c.client(w)
	sent, err := gateway.Send(ctx, request)
	if err != nil {
		return apiError(gateway, err)
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

func (c *sendCommand) shownSent(w *surroundings, m client.Message, replayed bool) error {
	if c.JSON {
		return w.json(m)
	}
	out := w.out()
	state := stateCell(m.State)
	words := out.paint(state.colour, state.text)
	if m.Reason != "" {
		words += " " + m.Reason
	}
	if replayed {
		words += " (the answer to an earlier message with this key)"
	}
	out.line("%s  %s", m.ID, words)
	out.next("hongyan message get %s", m.ID)
	return nil
}

// maxBody bounds what is read as a message, in bytes; the gateway's own limit is lower.
const maxBody = 1 << 20

// request builds the message from the flags, or reads it whole.
func (c *sendCommand) request(w *surroundings) (client.MessageRequest, error) {
	if c.Body != "" {
		return c.readBody(w)
	}
	if c.AppID == "" || c.To == "" || c.Template == "" {
		return client.MessageRequest{}, wrongUse("see hongyan send --help", "--appid, --to and --template are needed, or --body")
	}
	data, err := parseData(c.Data)
	if err != nil {
		return client.MessageRequest{}, err
	}
	r := client.MessageRequest{
		AppID: c.AppID, ToUser: c.To, TemplateID: c.Template, Data: data, URL: c.LinkURL, Page: c.Page, FormID: c.FormID,
		ClientMsgID: c.ClientMsgID, Priority: c.Priority, IdempotencyKey: c.IdempotencyKey,
	}
	if r.SendAt, err = parseTime("--send-at", c.SendAt, time.Now()); err != nil {
		return r, err
	}
	r.ExpiresAt, err = parseTime("--expires-at", c.ExpiresAt, time.Now())
	return r, err
}

func (c *sendCommand) readBody(w *surroundings) (client.MessageRequest, error) {
	source := w.stdin
	if c.Body != "-" {
		f, err := os.Open(c.Body)
		if err != nil {
			return client.MessageRequest{}, err
		}
		defer f.Close()
		source = f
	}
	content, err := io.ReadAll(io.LimitReader(source, maxBody))
	if err != nil {
		return client.MessageRequest{}, err
	}
	r := client.MessageRequest{IdempotencyKey: c.IdempotencyKey}
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, wrongUse("see /docs of the gateway for its fields", "--body is not a message: %v", err)
	}
	return r, nil
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
	return &commandError{what: m.ID + " has not ended after " + timeout.String() + ": it is " + stateCell(m.State).text + " " + m.Reason,
		cure: "look again with hongyan message get " + m.ID}
}

// arrived reports whether a message that has ended reached the user, as far as WeChat tells.
func arrived(m client.Message) bool {
	return m.State == hongyan.Delivered.String() || m.State == hongyan.Accepted.String()
}
