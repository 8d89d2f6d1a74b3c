package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hongyan"
	"hongyan/client"
	"hongyan/store"
)

type messagePath struct {
	ID string `path:"id" doc:"The message's id."`
}

func (a *API) getMessage(ctx context.Context, in *messagePath) (*out[client.Message], error) {
	m, err := a.message(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	attempts, err := a.cfg.Store.Attempts(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	v := []client.Message{*viewMessageWhole(&m, attempts, a.cfg.Store.Now())}
	if err := a.nameBatches(ctx, []hongyan.Message{m}, v); err != nil {
		return nil, err
	}
	if v[0].Webhooks, err = a.webhooksOf(ctx, &m); err != nil {
		return nil, err
	}
	if masks(ctx) {
		maskMessage(&v[0])
	}
	return &out[client.Message]{v[0]}, nil
}

// message reads a message the caller may see. One of an account that the key
// does not cover does not exist for it.
func (a *API) message(ctx context.Context, id string) (hongyan.Message, error) {
	m, err := a.cfg.Store.Message(ctx, id)
	if err == nil && !infoOf(ctx).caller.Covers(m.AppID) {
		err = hongyan.Errorf(hongyan.NotFound, "unknown_message", "there is no message %q", clip(id))
	}
	return m, err
}

type messageList struct {
	AppID      string `query:"appid" doc:"An account, by appid or alias."`
	ToUser     string `query:"touser" doc:"An openid."`
	TemplateID string `query:"template_id" doc:"A template_id; an alias too, if appid is given."`
	Batch      string `query:"batch" doc:"The id of a batch."`
	State      string `query:"state" doc:"One or more states, separated by commas." example:"queued,held"`
	Since      string `query:"since" doc:"Created at or after this, RFC 3339."`
	Until      string `query:"until" doc:"Created before this, RFC 3339."`
	Query      string `query:"q" doc:"An exact id, client_msg_id, msgid (WeChat's or the one we answered) or openid."`
	Cursor     string `query:"cursor" doc:"next_cursor of the page before."`
	Limit      int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

func (a *API) listMessages(ctx context.Context, in *messageList) (*out[client.List[client.Message]], error) {
	f, err := a.messageFilter(ctx, in)
	if err != nil {
		return nil, err
	}
	page, err := a.cfg.Store.Messages(ctx, f)
	if err != nil {
		return nil, err
	}
	now, hide := a.cfg.Store.Now(), masks(ctx)
	list := client.List[client.Message]{Items: make([]client.Message, 0, len(page.Items)), NextCursor: cursorFor("m", page.Next)}
	for i := range page.Items {
		v := viewMessage(&page.Items[i], now)
		if hide {
			maskMessage(v)
		}
		list.Items = append(list.Items, *v)
	}
	if err := a.nameBatches(ctx, page.Items, list.Items); err != nil {
		return nil, err
	}
	return &out[client.List[client.Message]]{list}, nil
}

func (a *API) messageFilter(ctx context.Context, in *messageList) (f store.Filter, err error) {
	f = store.Filter{ToUser: in.ToUser, TemplateID: in.TemplateID, Query: in.Query, Limit: in.Limit}
	if f.AppIDs, err = a.filterAccounts(ctx, in.AppID); err != nil {
		return f, err
	}
	if in.AppID != "" {
		if f.TemplateID, err = a.cfg.Engine.TemplateID(ctx, f.AppIDs[0], in.TemplateID); err != nil {
			return f, err
		}
	}
	if in.Batch != "" {
		b, err := a.batch(ctx, in.Batch)
		if hongyan.IsKind(err, hongyan.NotFound) {
			err = badField("unknown_batch", "/query/batch", "there is no batch %q", clip(in.Batch))
		}
		if err != nil {
			return f, err
		}
		f.Batch = b.Seq
	}
	if f.States, err = parseStates(in.State); err != nil {
		return f, err
	}
	if f.Since, err = parseTime("/query/since", in.Since); err != nil {
		return f, err
	}
	if f.Until, err = parseTime("/query/until", in.Until); err != nil {
		return f, err
	}
	f.Before, err = readCursor("m", in.Cursor)
	return f, err
}

// filterAccounts returns the accounts a list is about: the one asked for, or
// all the caller may see (nil = any).
func (a *API) filterAccounts(ctx context.Context, appID string) ([]string, error) {
	c := infoOf(ctx).caller
	if appID == "" {
		return c.AppIDs, nil
	}
	account, err := a.account(ctx, appID)
	if err != nil {
		return nil, err
	}
	return []string{account.AppID}, nil
}

func parseStates(words string) ([]hongyan.State, error) {
	if words == "" {
		return nil, nil
	}
	var states []hongyan.State
	for word := range strings.SplitSeq(words, ",") {
		s, err := hongyan.ParseState(strings.TrimSpace(word))
		if err != nil {
			return nil, badField("unknown_state", "/query/state", "unknown state %q; states are %s", clip(word), stateWords())
		}
		if !slices.Contains(states, s) {
			states = append(states, s)
		}
	}
	return states, nil
}

func stateWords() string {
	var words []string
	for _, s := range hongyan.States() {
		words = append(words, s.String())
	}
	return strings.Join(words, ", ")
}

// parseTime reads a time of the query. A + that was not escaped has become a
// space on the way; no time has spaces, so it is put back.
func parseTime(pointer, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, strings.ReplaceAll(text, " ", "+"))
	if err != nil {
		return time.Time{}, badTime(pointer, text)
	}
	return hongyan.Millis(t), nil
}

func (a *API) cancelMessage(ctx context.Context, in *messagePath) (*out[client.Message], error) {
	return a.act(ctx, in.ID, "cancelled", a.cfg.Engine.Cancel)
}

func (a *API) releaseMessage(ctx context.Context, in *messagePath) (*out[client.Message], error) {
	return a.act(ctx, in.ID, "released", a.cfg.Engine.Release)
}

// act does something to a message the caller may see and shows it afterwards.
func (a *API) act(ctx context.Context, id, done string, do func(context.Context, string) (hongyan.Message, error)) (*out[client.Message], error) {
	if _, err := a.message(ctx, id); err != nil {
		return nil, err
	}
	m, err := do(ctx, id)
	if err != nil {
		return nil, a.refusedAct(ctx, id, done, err)
	}
	v := []client.Message{*viewMessage(&m, a.cfg.Store.Now())}
	if err := a.nameBatches(ctx, []hongyan.Message{m}, v); err != nil {
		return nil, err
	}
	return &out[client.Message]{v[0]}, nil
}

// whenPossible says which states allow an act.
var whenPossible = map[string]string{
	"cancelled": "Only a queued or held message can be, and only before an attempt was left without an answer.",
	"released":  "Only a queued or held message can be.",
	"retried":   "Only a message that failed, expired or is uncertain can be.",
}

// refusedAct words every refusal for a message's state alike: the state it is in
// now, and the states that allow the act.
func (a *API) refusedAct(ctx context.Context, id, done string, err error) error {
	e, ok := errors.AsType[*hongyan.Error](err)
	if !ok || e.Kind != hongyan.Conflict {
		return err
	}
	m, readErr := a.message(ctx, id)
	if readErr != nil {
		return err
	}
	said := &hongyan.Error{Kind: e.Kind, Code: e.Code, Hint: whenPossible[done], Err: err}
	switch e.Code {
	case "wrong_state":
		said.Message = fmt.Sprintf("message %s is %s and cannot be %s", id, m.State, done)
	case "in_doubt":
		said.Message = fmt.Sprintf("message %s is %s, may have been sent already and cannot be %s", id, m.State, done)
	case "account_held":
		said.Message = e.Message // it names the account's hold; the message may show one of its own
		said.Hint = "Resume the account instead."
	default:
		return err
	}
	return said
}

func (a *API) retryMessage(ctx context.Context, in *messagePath) (*created[client.Message], error) {
	if _, err := a.message(ctx, in.ID); err != nil {
		return nil, err
	}
	m, err := a.cfg.Engine.Retry(ctx, in.ID, infoOf(ctx).caller.ID)
	if err != nil {
		return nil, a.refusedAct(ctx, in.ID, "retried", err)
	}
	infoOf(ctx).changes(in.ID, "made %s", m.ID)
	return &created[client.Message]{"/v1/messages/" + m.ID, *viewMessage(&m, a.cfg.Store.Now())}, nil
}
