package api

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"hongyan"
	"hongyan/client"
	"hongyan/rule"
	"hongyan/wechat"
)

// noRules answers when the gateway was put together without rules.
var noRules = &hongyan.Error{Kind: hongyan.Unavailable, Message: "this gateway carries out no rules at the moment"}

type rulePath struct {
	AppID string `path:"appid" doc:"appid or alias."`
	Name  string `path:"name" doc:"Name of the rule."`
}

// rule reads a rule of an account the caller may see.
func (a *API) rule(ctx context.Context, in *rulePath) (hongyan.Rule, error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return hongyan.Rule{}, err
	}
	return a.cfg.Store.Rule(ctx, account.AppID, in.Name)
}

func (a *API) createRule(ctx context.Context, in *struct {
	AppID string `path:"appid" doc:"appid or alias."`
	Body  body[client.RuleRequest]
}) (*created[client.Rule], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	want := &in.Body.Value
	now := hongyan.Millis(a.cfg.Store.Now())
	r := hongyan.Rule{ID: hongyan.NewRuleID(), AppID: account.AppID, Name: want.Name, Paused: want.Paused, CreatedAt: now, UpdatedAt: now}
	var f faults
	setRule(&r, &client.RulePatch{On: &want.On, Filters: &want.Filters, DelaySeconds: &want.DelaySeconds, OncePer: &want.OncePer, Message: &want.Message}, &f)
	infoOf(ctx).changes(account.AppID, "rule %s", clip(want.Name))
	if err := checkRule(&r, f); err != nil {
		return nil, err
	}
	others, err := a.cfg.Store.Rules(ctx, account.AppID)
	if err != nil {
		return nil, err
	}
	if len(others) >= rule.MaxRules {
		return nil, hongyan.Errorf(hongyan.Conflict, "too_many_rules", "account %s has %d rules, and may have no more", account.AppID, len(others))
	}
	if err := a.cfg.Store.CreateRule(ctx, r); err != nil {
		return nil, err
	}
	a.cfg.Changed(account.AppID)
	return &created[client.Rule]{"/v1/accounts/" + account.AppID + "/rules/" + r.Name, viewRule(&r)}, nil
}

// setRule changes what p sets. What cannot be translated is a fault.
func setRule(r *hongyan.Rule, p *client.RulePatch, f *faults) {
	set(&r.On, p.On)
	if p.Filters != nil {
		r.Filters = nil
		for _, one := range *p.Filters {
			r.Filters = append(r.Filters, hongyan.RuleFilter(one))
		}
	}
	if p.DelaySeconds != nil {
		r.Delay = seconds(*p.DelaySeconds)
	}
	if p.OncePer != nil {
		once, err := rule.ParseOnce(*p.OncePer)
		if e, ok := errors.AsType[*hongyan.Error](err); ok {
			*f = append(*f, e.Fields...)
		}
		r.Once = once
	}
	if p.Message != nil {
		r.Message = ruleMessage(p.Message, f)
	}
}

// seconds keeps a number that no duration holds out of bounds instead of wrapping it.
func seconds(n int64) time.Duration {
	const most = int64(1) << 33 // of nanoseconds in a second
	return time.Duration(max(-1, min(n, most))) * time.Second
}

func ruleMessage(in *client.RuleMessage, f *faults) hongyan.RuleMessage {
	m := hongyan.RuleMessage{
		Kind: hongyan.MessageKind(in.Kind), TemplateID: in.TemplateID, URL: in.URL, Page: in.Page, MiniProgramState: in.MiniProgramState,
		Lang: in.Lang, Priority: in.Priority, ExpiresAfter: in.ExpiresAfterSeconds, Data: make(wechat.Data, len(in.Data)),
	}
	if in.MiniProgram != nil {
		m.MiniProgram = &wechat.MiniProgram{AppID: in.MiniProgram.AppID, PagePath: in.MiniProgram.PagePath}
	}
	for key, field := range in.Data {
		m.Data[key] = wechat.Field(field)
	}
	metadata, err := metadataObject([]byte(in.Metadata))
	if err != nil {
		f.add("/message/metadata", "must be an object")
	}
	m.Metadata = json.RawMessage(metadata)
	return m
}

func checkRule(r *hongyan.Rule, f faults) error {
	return append(f, rule.Check(r)...).err("invalid_rule")
}

func (a *API) listRules(ctx context.Context, in *accountPath) (*out[client.List[client.Rule]], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	rules, err := a.cfg.Store.Rules(ctx, account.AppID)
	if err != nil {
		return nil, err
	}
	list := client.List[client.Rule]{Items: make([]client.Rule, 0, len(rules))}
	for i := range rules {
		list.Items = append(list.Items, shownRule(ctx, &rules[i]))
	}
	return &out[client.List[client.Rule]]{list}, nil
}

func (a *API) getRule(ctx context.Context, in *rulePath) (*out[client.Rule], error) {
	r, err := a.rule(ctx, in)
	if err != nil {
		return nil, err
	}
	return &out[client.Rule]{shownRule(ctx, &r)}, nil
}

// shownRule is viewRule as far as the caller may see it.
func shownRule(ctx context.Context, r *hongyan.Rule) client.Rule {
	v := viewRule(r)
	if masks(ctx) {
		v.LastRefusal = maskText(v.LastRefusal)
	}
	return v
}

func (a *API) updateRule(ctx context.Context, in *struct {
	AppID string `path:"appid" doc:"appid or alias."`
	Name  string `path:"name" doc:"Name of the rule."`
	Body  body[client.RulePatch]
}) (*out[client.Rule], error) {
	return a.changeRule(ctx, &rulePath{in.AppID, in.Name}, func(r *hongyan.Rule) error {
		var f faults
		setRule(r, &in.Body.Value, &f)
		return checkRule(r, f)
	})
}

func (a *API) pauseRule(ctx context.Context, in *rulePath) (*out[client.Rule], error) {
	return a.changeRule(ctx, in, func(r *hongyan.Rule) error { r.Paused = true; return nil })
}

func (a *API) resumeRule(ctx context.Context, in *rulePath) (*out[client.Rule], error) {
	return a.changeRule(ctx, in, func(r *hongyan.Rule) error { r.Paused = false; return nil })
}

// changeRule lets change alter a rule and stores it. Changes take turns, as those of accounts.
func (a *API) changeRule(ctx context.Context, in *rulePath, change func(*hongyan.Rule) error) (*out[client.Rule], error) {
	select {
	case a.changing <- struct{}{}:
		defer func() { <-a.changing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r, err := a.rule(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := change(&r); err != nil {
		return nil, err
	}
	if err := a.cfg.Store.UpdateRule(ctx, r); err != nil {
		return nil, err
	}
	a.cfg.Changed(r.AppID)
	if r, err = a.rule(ctx, in); err != nil {
		return nil, err
	}
	return &out[client.Rule]{viewRule(&r)}, nil
}

func (a *API) deleteRule(ctx context.Context, in *rulePath) (*none, error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	if err := a.cfg.Store.DeleteRule(ctx, account.AppID, in.Name); err != nil {
		return nil, err
	}
	a.cfg.Changed(account.AppID)
	return nil, nil
}

func (a *API) testRule(ctx context.Context, in *struct {
	AppID string `path:"appid" doc:"appid or alias."`
	Name  string `path:"name" doc:"Name of the rule."`
	Event string `query:"event" doc:"Id of a push of the account. Default: the latest that fits, or else the latest the rule is about."`
}) (*out[client.RuleTrial], error) {
	r, err := a.rule(ctx, &rulePath{in.AppID, in.Name})
	if err != nil {
		return nil, err
	}
	if a.cfg.Rules == nil {
		return nil, noRules
	}
	e, err := a.pushFor(ctx, &r, in.Event)
	if err != nil {
		return nil, err
	}
	t, err := a.cfg.Rules.Try(ctx, &r, &e)
	if err != nil {
		return nil, err
	}
	return &out[client.RuleTrial]{viewTrial(&t)}, nil
}

// pushFor reads the push of an account by its id, or the latest that concerns the rule.
func (a *API) pushFor(ctx context.Context, r *hongyan.Rule, id string) (hongyan.Event, error) {
	if id == "" {
		return a.cfg.Rules.Latest(ctx, r)
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 {
		return hongyan.Event{}, badField("bad_parameter", "/query/event", "%q is not the id of a push", clip(id))
	}
	events, err := a.cfg.Store.Events(ctx, r.AppID, n+1, 1)
	if err != nil {
		return hongyan.Event{}, err
	}
	if len(events) == 0 || events[0].ID != n {
		return hongyan.Event{}, hongyan.Errorf(hongyan.NotFound, "no_push", "account %s has no push %d", r.AppID, n)
	}
	return events[0], nil
}

func (a *API) listFirings(ctx context.Context, in *struct {
	AppID  string `path:"appid" doc:"appid or alias."`
	Name   string `path:"name" doc:"Name of the rule."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}) (*out[client.List[client.Firing]], error) {
	r, err := a.rule(ctx, &rulePath{in.AppID, in.Name})
	if err != nil {
		return nil, err
	}
	before, err := readCursor("r", in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := a.cfg.Store.Firings(ctx, r.ID, before, in.Limit)
	if err != nil {
		return nil, err
	}
	hide := masks(ctx)
	list := client.List[client.Firing]{Items: make([]client.Firing, 0, len(found))}
	for i := range found {
		v := viewFiring(&found[i])
		if hide {
			v.OpenID, v.Refusal = maskOpenID(v.OpenID), maskText(v.Refusal)
		}
		list.Items = append(list.Items, v)
	}
	if len(found) == in.Limit {
		list.NextCursor = cursorFor("r", found[len(found)-1].ID)
	}
	return &out[client.List[client.Firing]]{list}, nil
}

func viewRule(r *hongyan.Rule) client.Rule {
	v := client.Rule{
		ID: r.ID, AppID: r.AppID, Name: r.Name, On: r.On, Filters: []client.RuleFilter{}, DelaySeconds: int64(r.Delay / time.Second),
		OncePer: rule.OnceWords(r.Once), Paused: r.Paused, Message: viewRuleMessage(&r.Message),
		CreatedAt: client.Time{Time: r.CreatedAt}, UpdatedAt: client.Time{Time: r.UpdatedAt},
		Fired: r.Fired, Refused: r.Refused, LastFiredAt: client.At(r.LastFiredAt), LastMessageID: r.LastMessageID,
		LastRefusedAt: client.At(r.LastRefusedAt), LastRefusal: r.LastRefusal,
	}
	for _, f := range r.Filters {
		v.Filters = append(v.Filters, client.RuleFilter(f))
	}
	return v
}

func viewRuleMessage(m *hongyan.RuleMessage) client.RuleMessage {
	v := client.RuleMessage{
		Kind: string(m.Kind), TemplateID: m.TemplateID, URL: m.URL, Page: m.Page, MiniProgramState: m.MiniProgramState, Lang: m.Lang,
		Priority: m.Priority, ExpiresAfterSeconds: m.ExpiresAfter, Data: make(map[string]client.Field, len(m.Data)), Metadata: m.Metadata,
	}
	if m.MiniProgram != nil {
		v.MiniProgram = &client.MiniProgram{AppID: m.MiniProgram.AppID, PagePath: m.MiniProgram.PagePath}
	}
	for key, field := range m.Data {
		v.Data[key] = client.Field(field)
	}
	return v
}

func viewFiring(f *hongyan.Firing) client.Firing {
	return client.Firing{
		ID: id64(f.ID), EventID: id64(f.EventID), OpenID: f.OpenID, State: f.State.String(), At: client.Time{Time: f.At},
		SendAt: client.Time{Time: f.SendAt}, Attempts: f.Attempts, MessageID: f.MessageID, Code: f.Code, Refusal: f.Refusal,
		CreatedAt: client.Time{Time: f.CreatedAt}, EndedAt: client.At(f.EndedAt),
	}
}

func viewTrial(t *rule.Trial) client.RuleTrial {
	v := client.RuleTrial{EventID: id64(t.EventID), Would: t.Would, Why: t.Why, OpenID: t.OpenID, SendAt: client.At(t.SendAt), Errors: []client.FieldError{}}
	if t.Message != nil {
		v.Message = new(viewRuleMessage(t.Message))
	}
	if e, ok := errors.AsType[*hongyan.Error](t.Refusal); ok {
		for _, f := range e.Fields {
			v.Errors = append(v.Errors, client.FieldError{Pointer: f.Pointer, Detail: f.Detail})
		}
	}
	return v
}
