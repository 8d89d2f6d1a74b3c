package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hongyan/client"
)

type suppressionCommands struct {
	List   suppressionList   `cmd:"" help:"List users to whom an account's messages are held."`
	Add    suppressionAdd    `cmd:"" help:"Put users on the list."`
	Import suppressionImport `cmd:"" help:"Put the users of a file on the list: one openid a line."`
	Remove suppressionRemove `cmd:"" help:"Take a user from the list; messages held because of it are sent."`
}

type suppressionList struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	Reason       string `enum:"user_block,not_following,blacklisted,user_frozen,invalid_openid,manual," default:"" help:"One of user_block, not_following, blacklisted, user_frozen, invalid_openid, manual."`
	Ended        bool   `help:"Also those that were lifted or are over, as far as they are remembered: 30 days."`
	Limit        int    `default:"50" help:"How many, 1 to 1000; default ${default}."`
	Cursor       string `help:"Go on after this place of the list."`
}

func (c *suppressionList) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.Suppressions(ctx, c.AppID, client.SuppressionFilter{Reason: c.Reason, Ended: c.Ended, Limit: c.Limit, Cursor: c.Cursor})
	if err != nil {
		return flagNames{"/query/limit": "--limit", "/query/cursor": "--cursor"}.apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	if len(list.Items) == 0 {
		out.line("nobody is on the list of %s", c.AppID)
		out.next("hongyan suppression add %s OPENID --note WHY", c.AppID)
		return nil
	}
	rows := make([][]cell, len(list.Items))
	for i, s := range list.Items {
		rows[i] = []cell{text(s.OpenID), suppressionCell(&s), text(s.Reason), timeCell(&s.Since), timeCell(s.Until), text(s.Note)}
	}
	heads := []string{"OPENID", "STATE", "REASON", "SINCE", "UNTIL", "NOTE"}
	out.fit(heads, rows)
	out.table(heads, rows)
	if list.NextCursor != nil {
		out.next("hongyan suppression list %s --cursor %s", c.AppID, *list.NextCursor)
		return nil
	}
	out.next("hongyan suppression remove %s %s", c.AppID, list.Items[0].OpenID)
	return nil
}

func suppressionCell(s *client.Suppression) cell {
	switch {
	case s.Active:
		return cell{"held", amber}
	case s.LiftedAt != nil:
		return cell{"lifted by " + s.LiftedBy, grey}
	}
	return cell{"over", grey}
}

type suppressionAdd struct {
	gatewayFlags `embed:""`
	AppID        string   `arg:"" name:"appid" help:"Appid or alias."`
	OpenID       []string `arg:"" name:"openid" help:"Users of the account."`
	suppressing  `embed:""`
}

// suppressing is what is said of users who are put on a list.
type suppressing struct {
	Until string `placeholder:"TIME" help:"Until when: RFC 3339, or from now such as +720h; default until somebody removes it."`
	Note  string `help:"Why, for people; no personal data, please."`
}

func (c *suppressionAdd) Run(ctx context.Context, w *surroundings) error {
	return c.put(ctx, w, &c.gatewayFlags, c.AppID, c.OpenID, func(int) string { return "OPENID" })
}

type suppressionImport struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	File         string `arg:"" help:"One openid a line; - reads standard input."`
	suppressing  `embed:""`
}

// maxImport bounds a file, in bytes: about a million openids.
const maxImport = 32 << 20

func (c *suppressionImport) Run(ctx context.Context, w *surroundings) error {
	raw, err := w.readNamed("FILE", c.File, maxImport)
	if err != nil {
		return err
	}
	var users []string
	var at []int // the line of each
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff"))))
	for n := 1; lines.Scan(); n++ {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			users, at = append(users, line), append(at, n)
		}
	}
	if err := lines.Err(); err != nil {
		return wrongUse("write one openid a line", "FILE cannot be read: %v", err)
	}
	if len(users) == 0 {
		return wrongUse("write one openid a line", "FILE has no openid")
	}
	return c.put(ctx, w, &c.gatewayFlags, c.AppID, users, func(i int) string {
		if c.File == "-" {
			return fmt.Sprintf("line %d", at[i])
		}
		return fmt.Sprintf("%s:%d", c.File, at[i])
	})
}

// putAtOnce is how many users one request takes.
const putAtOnce = 1000

// put puts users on the list, a thousand at a time. Should one of them be refused,
// those before are on it: doing it again changes nothing for them. where says where the
// user with an index is written.
func (c *suppressing) put(ctx context.Context, w *surroundings, flags *gatewayFlags, appID string, users []string, where func(int) string) error {
	until, err := parseTime("--until", c.Until, time.Now())
	if err != nil {
		return err
	}
	gateway, err := flags.client(w)
	if err != nil {
		return err
	}
	changed := 0
	for at := 0; at < len(users); at += putAtOnce {
		var put client.SuppressionsPut
		for _, user := range users[at:min(len(users), at+putAtOnce)] {
			put.Items = append(put.Items, client.SuppressionInput{OpenID: user, Until: client.At(until), Note: c.Note})
		}
		done, err := gateway.PutSuppressions(ctx, appID, put)
		if err != nil {
			return suppressionError(gateway, err, func(i int) string { return where(at + i) })
		}
		changed += done.Changed
	}
	if flags.JSON {
		return w.json(client.SuppressionsDone{Changed: changed})
	}
	out := w.out()
	out.line("%d of %d are new on the list or changed; messages to them are held", changed, len(users))
	out.next("hongyan suppression list %s --reason manual", appID)
	return nil
}

// suppressionError names what was refused by where it is written. Users who are put on a
// list together share time and note: those are refused once.
func suppressionError(gateway *client.Client, err error, where func(int) string) error {
	p, ok := errors.AsType[*client.Problem](err)
	if !ok {
		return apiError(gateway, err)
	}
	names := flagNames{}
	said := map[string]bool{}
	p.Errors = slices.DeleteFunc(slices.Clone(p.Errors), func(f client.FieldError) bool {
		item, field, _ := cutLast(f.Pointer, "/")
		n, err := strconv.Atoi(strings.TrimPrefix(item, "/items/"))
		if err != nil || n < 0 || n >= putAtOnce {
			return false
		}
		if names[f.Pointer] = where(n); field == "until" || field == "note" {
			names[f.Pointer] = "--" + field
			defer func() { said[field] = true }()
			return said[field]
		}
		return false
	})
	return names.apiError(gateway, p)
}

type suppressionRemove struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	OpenID       string `arg:"" name:"openid" help:"A user of the account."`
}

func (c *suppressionRemove) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	if err = gateway.RemoveSuppression(ctx, c.AppID, c.OpenID); err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(map[string]string{"openid": c.OpenID, "state": "lifted"})
	}
	out := w.out()
	out.line("%s is off the list; messages that were held because of it are sent", c.OpenID)
	out.next("hongyan user show %s %s", c.AppID, c.OpenID)
	return nil
}

type userCommands struct {
	Show  userShow  `cmd:"" help:"Show what the gateway knows of a user: messages, receipts, suppression."`
	Erase userErase `cmd:"" help:"Take a person out of everything stored about them (个人信息保护法)."`
}

type userShow struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	OpenID       string `arg:"" name:"openid" help:"A user of the account."`
}

func (c *userShow) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	u, err := gateway.User(ctx, c.AppID, c.OpenID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(u)
	}
	out := w.out()
	if s := u.Suppression; s != nil {
		state := suppressionCell(s)
		out.line("%s: %s, since %s %s", out.paint(state.colour, state.text), s.Reason, timeCell(&s.Since).text, s.Note)
	}
	if u.UserCap > 0 {
		out.line("%d of %d messages of today", u.Today, u.UserCap)
	}
	if len(u.Messages) == 0 {
		out.line("no messages to %s", u.OpenID)
		out.next("hongyan message list --appid %s", c.AppID)
		return nil
	}
	rows := make([][]cell, len(u.Messages))
	for i, m := range u.Messages {
		receipt := cell{"-", grey}
		if m.Receipt != nil {
			receipt = text(m.Receipt.Status)
		}
		rows[i] = []cell{timeCell(&m.CreatedAt), text(m.ID), stateCell(m.State), text(m.Reason), receipt, text(m.TemplateID)}
	}
	out.table([]string{"CREATED", "ID", "STATE", "REASON", "RECEIPT", "TEMPLATE"}, rows)
	out.next("hongyan message get %s", u.Messages[0].ID)
	return nil
}

type userErase struct {
	gatewayFlags `embed:""`
	AppID        string        `arg:"" name:"appid" help:"Appid or alias."`
	OpenID       string        `arg:"" name:"openid" help:"A user of the account."`
	Force        bool          `help:"Cancel messages that wait for the person; without it they refuse the erasure."`
	Timeout      time.Duration `default:"2m" help:"How long to wait for its end; default ${default}. It goes on without."`
}

func (userErase) Help() string {
	return "Values, metadata and pushes go, and a random pseudonym takes the openid's place; states, times and counts stay. Backups taken before still hold the person: delete them, or erase again after a restore. docs/care.md says what stays and why."
}

func (c *userErase) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	e, err := gateway.EraseUser(ctx, c.AppID, c.OpenID, c.Force)
	for deadline := time.Now().Add(c.Timeout); err == nil && e.State == "running" && time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(waitLook):
		}
		e, err = gateway.Erasure(ctx, c.AppID, e.ID)
	}
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(e)
	}
	out := w.out()
	out.line("%s  %s", e.ID, erasureWords(&e))
	out.line("  %d messages, %d pushes, %d entries of lists; %s stands in their place", e.Messages, e.Events, e.Others, e.Pseudonym)
	out.line("backups taken before still hold the person")
	out.next("hongyan message list --appid %s --to %s", c.AppID, e.Pseudonym)
	return nil
}

// waitLook is how often an erasure is asked for.
const waitLook = 300 * time.Millisecond

func erasureWords(e *client.Erasure) string {
	switch {
	case e.State == "done":
		return "done: nothing of the person is left"
	case e.State == "waiting":
		return "everything stored is changed; pushes about messages that had left may come yet, so it looks once more at " + timeCell(e.DueAt).text
	case e.Left > 0:
		return fmt.Sprintf("goes on: %d messages are being sent, or in doubt", e.Left)
	}
	return "goes on"
}
