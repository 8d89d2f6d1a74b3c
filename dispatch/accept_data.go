package dispatch

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"hongyan"
	"hongyan/wechat"
)

// checkData holds the data against the template, or against what can be told
// without one.
func (e *Engine) checkData(ctx context.Context, a *hongyan.Account, r *Request, k hongyan.MessageKind) error {
	switch k {
	case hongyan.KindOneTime:
		return checkContent(r)
	case hongyan.KindSubscribe, hongyan.KindNotice:
		return e.checkSubscription(ctx, a, r, k)
	default:
		return e.checkTemplate(ctx, a, r, k)
	}
}

// checkTemplate is checkData for template messages. A mini program's templates
// cannot be listed (their interface is retired), so an unknown one is left to
// WeChat to judge.
func (e *Engine) checkTemplate(ctx context.Context, a *hongyan.Account, r *Request, k hongyan.MessageKind) error {
	en, err := e.template(ctx, a, r.TemplateID)
	if hongyan.IsKind(err, hongyan.NotFound) {
		if k == hongyan.KindMiniTemplate {
			return checkKeys(r.Data)
		}
		p := hongyan.InvalidField("unknown_template", "/template_id", "%s holds no template %q", a.AppID, clip(r.TemplateID))
		p.Hint = "list the account's templates, or sync them if it was added just now"
		return p
	}
	if err != nil {
		return err
	}
	if err := usable(en); err != nil {
		return err
	}
	if len(r.Data) == 0 && k == hongyan.KindTemplate && len(en.params) > 0 {
		return noData(en)
	}
	return checkAgainst(en, en.rules, a, r, k)
}

func usable(en *entry) error {
	if en.Status == "" || en.Status == "active" {
		return nil
	}
	return hongyan.InvalidField("template_"+en.Status, "/template_id", "template %q is %s at WeChat", en.TemplateID, en.Status)
}

func noData(en *entry) error {
	return hongyan.InvalidField("missing_field", "/data", "data is missing: the template wants %s", strings.Join(en.params, ", "))
}

// checkSubscription is checkData for subscribe messages and notices. WeChat lists
// their templates through another interface than the one templates are synced
// from: one that is not registered here is left to WeChat to judge, its values
// are not, since a key names the rule of its value.
func (e *Engine) checkSubscription(ctx context.Context, a *hongyan.Account, r *Request, k hongyan.MessageKind) error {
	en, err := e.subscribeTemplate(ctx, a.AppID, r.TemplateID, k)
	switch {
	case err != nil:
		return err
	case en == nil && len(r.Data) == 0:
		return hongyan.InvalidField("missing_field", "/data", "data is missing: a value for every key of the template")
	case en == nil:
		return checkByKeys(a, r)
	case len(r.Data) == 0:
		return noData(en)
	}
	if err := usable(en); err != nil {
		return err
	}
	return checkAgainst(en, wechat.RulesSubscribe, a, r, k)
}

// subscribeTemplate returns the registered template that a subscribe message
// names, nil when none is. A mini program may hold one of form_ids beside them:
// that has no typed keys.
func (e *Engine) subscribeTemplate(ctx context.Context, appID, templateID string, k hongyan.MessageKind) (*entry, error) {
	if !families[k].shelved {
		return nil, nil
	}
	en, err := e.library.find(ctx, appID, templateID)
	if hongyan.IsKind(err, hongyan.NotFound) || err == nil && en.rules == wechat.RulesHistorical {
		return nil, nil
	}
	return en, err
}

// checkByKeys holds every value against the rule that its key names.
func checkByKeys(a *hongyan.Account, r *Request) error {
	var p problems
	for _, key := range slices.Sorted(maps.Keys(r.Data)) {
		if v := wechat.ValidateValue(key, r.Data[key].Value, wechat.RulesSubscribe); v != nil {
			p.value(a, r, *v, wechat.RulesSubscribe)
		}
	}
	return p.err()
}

func checkAgainst(en *entry, rules wechat.RuleSet, a *hongyan.Account, r *Request, k hongyan.MessageKind) error {
	var p problems
	for _, v := range wechat.ValidateData(en.content, r.Data, rules) {
		if k == hongyan.KindMiniTemplate && v.Kind == wechat.ProblemMissing {
			continue // an empty line is legal there (spec §6.2)
		}
		p.value(a, r, v, rules)
	}
	return p.err()
}

// value adds what is wrong with a value, unless it is harmless or can be cut.
func (p *problems) value(a *hongyan.Account, r *Request, v wechat.ValueProblem, rules wechat.RuleSet) {
	switch {
	case v.Kind == wechat.ProblemUnknownKey:
		return // WeChat ignores it
	case !v.Fatal && v.Kind != wechat.ProblemMissing && v.Kind != wechat.ProblemDotData:
		return // not a rule WeChat has published
	case a.CutValues && v.Kind == wechat.ProblemRule && cutOwn(r, v, rules):
		return
	}
	p.add("invalid_data", "/data/"+escapePointer(v.Key), "%s", v.Detail)
}

// checkContent is checkData for one-time messages, whose data is one text.
func checkContent(r *Request) error {
	if err := checkKeys(r.Data); err != nil {
		return err
	}
	if strings.TrimSpace(r.Data[onlyContent].Value) == "" {
		return hongyan.InvalidField("missing_field", "/data/"+onlyContent, "data.content is missing: the text, at most 200 characters")
	}
	return nil
}

// checkKeys finds the one mistake that is visible without the template.
func checkKeys(d Data) error {
	var p problems
	for _, v := range wechat.ValidateData(wechat.ParseContent(""), d, wechat.RulesHistorical) {
		if v.Kind == wechat.ProblemDotData {
			p.add("invalid_data", "/data/"+escapePointer(v.Key), "%s", v.Detail)
		}
	}
	return p.err()
}

// payloadFormID reads the form_id back.
func payloadFormID(body []byte) string {
	var p struct {
		FormID string `json:"form_id"`
	}
	if json.Unmarshal(body, &p) != nil {
		return ""
	}
	return p.FormID
}
