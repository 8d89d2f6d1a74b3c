package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hongyan"
	"hongyan/client"
)

type messageCommands struct {
	Get     messageGet     `cmd:"" help:"Show one message and its timeline."`
	List    messageList    `cmd:"" help:"List messages, newest first."`
	Cancel  messageCancel  `cmd:"" help:"Withdraw a message that has not left."`
	Retry   messageRetry   `cmd:"" help:"Make a new message from one that failed, expired or is uncertain."`
	Release messageRelease `cmd:"" help:"Let a held or scheduled message go now."`
}

type messageGet struct {
	gatewayFlags `embed:""`
	ID           string `arg:"" help:"msg_…"`
}

func (c *messageGet) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	m, err := gateway.Message(ctx, c.ID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(m)
	}
	out := w.out()
	out.line("%s", out.standing(m))
	out.line("  %s", wrapped(fmt.Sprintf("%s to %s, template %s", m.AppID, m.ToUser, m.TemplateID), 2, out.columns))
	out.line("  %s", "stored "+timeCell(&m.CreatedAt).text)
	out.explain(m)
	out.timeline(timeline(m))
	if next := nextForMessage(m); next != "" {
		out.next("%s", next)
	}
	return nil
}

// standing is a message in one line: its id, its state, why, and until when.
func (p *printer) standing(m client.Message) string {
	state := stateCell(m.State)
	words := m.ID + "  " + p.paint(state.colour, state.text)
	if m.Reason != "" {
		words += " " + m.Reason
	}
	if m.Reason == "errcode" && m.Errcode != nil {
		words += fmt.Sprintf(" %d", *m.Errcode)
	}
	if m.State == "queued" && m.DueAt.Or().After(time.Now()) {
		words += ", not before " + timeCell(m.DueAt).text
	}
	return words
}

// explain prints what WeChat's refusal means and what to do, in both languages.
// A hold has words of its own, and often another cause than the last attempt.
func (p *printer) explain(m client.Message) {
	if info := m.ErrcodeInfo; info != nil && m.Hold == nil {
		p.line("  %s", wrapped(fmt.Sprintf("errcode %d: %s %s", *m.Errcode, info.Meaning, info.MeaningZH), 2, p.columns))
		p.line("  %s", wrapped(info.Hint+" "+info.HintZH, 2, p.columns))
	}
}

// msgIDWords tells WeChat's msgid and the one a caller was answered with instead.
func msgIDWords(m client.Message) string {
	words := "without a msgid"
	if m.MsgID != nil {
		words = "msgid " + *m.MsgID
	}
	if m.AnsweredMsgID != nil {
		words += ", answered as " + *m.AnsweredMsgID
	}
	return words
}

// nextForMessage is what can be done about a message; "" when nothing need be.
func nextForMessage(m client.Message) string {
	switch m.State {
	case "failed":
		return nextForFailed(m)
	case "expired", "uncertain":
		return "hongyan message retry " + m.ID
	case "held":
		return nextForHold(m)
	case "queued":
		return "hongyan message cancel " + m.ID
	default:
		return "hongyan message list --to " + m.ToUser
	}
}

// nextForFailed offers to try again only where the same message may fare better.
func nextForFailed(m client.Message) string {
	class := ""
	if m.ErrcodeInfo != nil {
		class = m.ErrcodeInfo.Class
	}
	switch class {
	case "recipient":
		return "hongyan message list --to " + m.ToUser
	case "form", "request":
		return "hongyan send --help"
	case "template":
		return "hongyan template list " + m.AppID
	default:
		return "hongyan message retry " + m.ID
	}
}

// secretCodes are the errcodes that a new AppSecret cures: 40125, and 40001
// where a token was asked for.
var secretCodes = []int{40125, 40001}

// nextForHold is what ends the hold of a message. Holds of the account end with
// the account's; releasing one message of many would be refused.
func nextForHold(m client.Message) string {
	switch m.Reason {
	case "account_stopped":
		if h := m.Hold; h != nil && h.Errcode != nil && slices.Contains(secretCodes, *h.Errcode) {
			return "hongyan account rotate " + m.AppID + " --secret-file FILE"
		}
		return "hongyan account resume " + m.AppID
	case "paused":
		return "hongyan account resume " + m.AppID
	case "token", "unreachable":
		return "hongyan account list"
	case "quota":
		return "hongyan quota " + m.AppID
	default:
		return "hongyan message release " + m.ID
	}
}

type messageList struct {
	gatewayFlags `embed:""`
	AppID        string   `name:"appid" help:"Of one account."`
	To           string   `placeholder:"OPENID" help:"To one user."`
	Template     string   `placeholder:"TEMPLATE_ID" help:"Of one template."`
	State        []string `placeholder:"STATE" words:"queued,held,sending,uncertain,accepted,failed,cancelled,expired,delivered,undelivered" help:"In one of these states, separated by commas."`
	Since        string   `placeholder:"TIME" help:"Created at or after: RFC 3339, or so long ago such as 2h."`
	Query        string   `short:"q" placeholder:"ID" help:"An exact id, client_msg_id, msgid (WeChat's or the one answered) or openid."`
	Limit        int      `default:"20" help:"At most; default ${default}."`
	Cursor       string   `help:"Continue a list."`
}

func (c *messageList) Run(ctx context.Context, w *surroundings) error {
	since, err := c.check(time.Now())
	if err != nil {
		return err
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.Messages(ctx, client.MessageFilter{
		AppID: c.AppID, ToUser: c.To, TemplateID: c.Template, States: c.State, Since: since, Query: c.Query, Limit: c.Limit, Cursor: c.Cursor,
	})
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	if len(list.Items) == 0 {
		out.line("no messages")
		out.next("hongyan send --help")
		return nil
	}
	rows := make([][]cell, len(list.Items))
	for i, m := range list.Items {
		rows[i] = []cell{timeCell(&m.CreatedAt), text(m.ID), text(m.ToUser), stateCell(m.State), text(m.Reason), errcodeCell(m.Errcode)}
	}
	out.table([]string{"CREATED", "ID", "TO", "STATE", "REASON", "ERRCODE"}, rows)
	if list.NextCursor != nil {
		out.next("%s", c.again(since, *list.NextCursor))
	} else {
		out.next("hongyan message get %s", list.Items[0].ID)
	}
	return nil
}

// maxList is the longest page the gateway gives.
const maxList = 1000

// check finds what the gateway would refuse of the flags, and returns --since as a time.
func (c *messageList) check(now time.Time) (since time.Time, err error) {
	if c.Limit < 1 || c.Limit > maxList {
		return since, wrongUse("continue a longer list with the command it ends with", "--limit %d is not between 1 and %d", c.Limit, maxList)
	}
	for _, word := range c.State {
		if _, err := hongyan.ParseState(word); err != nil {
			return since, wrongUse("see docs/states.md for what they mean", "--state: %s", hongyan.OneOf(word, stateWords()...))
		}
	}
	return parseAgo("--since", c.Since, now)
}

func stateWords() []string {
	var words []string
	for _, s := range hongyan.States() {
		words = append(words, s.String())
	}
	return words
}

// again is the command for the next page, ready to be pasted. A --since from now
// is written out: the list must not move.
func (c *messageList) again(since time.Time, cursor string) string {
	command := "hongyan message list"
	add := func(flag, value string) {
		if value != "" {
			command += " " + flag + " " + shellWord(value)
		}
	}
	add("--url", c.URL)
	add("--appid", c.AppID)
	add("--to", c.To)
	add("--template", c.Template)
	add("--state", strings.Join(c.State, ","))
	if !since.IsZero() {
		add("--since", since.UTC().Format(time.RFC3339))
	}
	add("--query", c.Query)
	add("--limit", strconv.Itoa(c.Limit))
	add("--cursor", cursor)
	return command
}

// shellWord quotes a word for a POSIX shell where that is needed.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,=+@", r)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

func errcodeCell(code *int) cell {
	switch {
	case code == nil:
		return cell{"-", grey}
	case *code == 0:
		return text("0")
	default:
		return cell{fmt.Sprint(*code), red}
	}
}

// timeCell shows a time in the operator's zone, and which that is; "-" for none.
func timeCell(t *client.Time) cell {
	if t.Or().IsZero() {
		return cell{"-", grey}
	}
	return text(t.Or().Local().Format("2006-01-02 15:04:05 -0700"))
}

type messageCancel struct {
	gatewayFlags `embed:""`
	ID           string `arg:"" help:"msg_…"`
}

func (c *messageCancel) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	m, err := gateway.Cancel(ctx, c.ID)
	return c.acted(w, gateway, m, err)
}

type messageRetry struct {
	gatewayFlags `embed:""`
	ID           string `arg:"" help:"msg_…"`
}

func (messageRetry) Help() string {
	return "The old message stays as it ended; the new one's id is printed. The user may get the message twice when the old one is uncertain."
}

func (c *messageRetry) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	m, err := gateway.Retry(ctx, c.ID)
	return c.acted(w, gateway, m, err)
}

type messageRelease struct {
	gatewayFlags `embed:""`
	ID           string `arg:"" help:"msg_…"`
}

func (c *messageRelease) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	m, err := gateway.Release(ctx, c.ID)
	return c.acted(w, gateway, m, err)
}

// acted prints what an act made of a message.
func (f *gatewayFlags) acted(w *surroundings, gateway *client.Client, m client.Message, err error) error {
	if err != nil {
		return apiError(gateway, err)
	}
	if f.JSON {
		return w.json(m)
	}
	out := w.out()
	out.line("%s", out.standing(m))
	out.next("hongyan message get %s", m.ID)
	return nil
}
