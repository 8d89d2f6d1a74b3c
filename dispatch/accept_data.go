package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hongyan"
	"hongyan/wechat"
)

// lookUp makes an alias the template_id it stands for, in r, and looks the template
// up. One-time messages name templates that are on no list. The error is that the
// store could not be asked for aliases.
func (e *Engine) lookUp(ctx context.Context, a *hongyan.Account, r *Request) (lookup, error) {
	if r.Kind == hongyan.KindOneTime || len(r.TemplateID) > 2*hongyan.TemplateIDLen || r.TemplateID == "" {
		return lookup{}, nil
	}
	id, err := e.library.resolve(ctx, a.AppID, r.TemplateID)
	if err != nil {
		return lookup{}, err
	}
	r.TemplateID = id
	en, err := e.library.find(ctx, a.AppID, id)
	return lookup{en, err}, nil
}

// kindOf is the kind asked for, or that of the template, or the account's own.
func (l lookup) kindOf(a *hongyan.Account, r *Request) hongyan.MessageKind {
	switch {
	case r.Kind != "":
		return r.Kind
	case l.entry != nil && (l.entry.Kind == hongyan.KindNotice || l.entry.Kind == hongyan.KindSubscribe):
		return l.entry.Kind
	}
	return a.Kind.MessageKind()
}

// checkData holds the data against the template, or against what can be told
// without one, and makes over-long values fit where they shall be cut or split.
func (e *Engine) checkData(ctx context.Context, a *hongyan.Account, r *Request, k hongyan.MessageKind, found lookup) error {
	if k == hongyan.KindOneTime {
		return checkContent(r)
	}
	en, err := e.templateFor(ctx, a, r, k, found)
	if err != nil {
		return err
	}
	if len(r.Data) == 0 {
		if err := noData(en, k); err != nil {
			return err
		}
	}
	j := judge(en, a, k, r.Data)
	r.Data = j.data
	var p problems
	for i := range j.broken {
		p.data(&j.broken[i])
	}
	return p.err()
}

// templateFor finds the template of a message, nil where it is left to WeChat to
// judge: a mini program's form_id templates cannot be listed (their interface is
// retired), and those of consents are listed when an operator syncs only.
func (e *Engine) templateFor(ctx context.Context, a *hongyan.Account, r *Request, k hongyan.MessageKind, found lookup) (*entry, error) {
	en, err := found.entry, found.err
	if k == hongyan.KindTemplate {
		en, err = e.template(ctx, a, r.TemplateID, found)
	}
	switch {
	case hongyan.IsKind(err, hongyan.NotFound) && k == hongyan.KindTemplate:
		p := inBoth(hongyan.InvalidField("unknown_template", "/template_id", "%s holds no template %q", a.AppID, clip(r.TemplateID)),
			"%s 没有模板 %q", a.AppID, clip(r.TemplateID))
		p.Hint = "list the account's templates, or sync them if it was added just now"
		return nil, p
	case hongyan.IsKind(err, hongyan.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case !en.serves(k):
		return nil, otherKind(en, a, k)
	}
	return en, usable(en)
}

// otherKind refuses a template of another kind of message. A mini program may hold
// one of form_ids under the id of one of consents, which is not known then.
func otherKind(en *entry, a *hongyan.Account, k hongyan.MessageKind) error {
	if k == hongyan.KindSubscribe {
		return nil
	}
	kind := en.Kind
	if kind == "" {
		kind = a.Kind.MessageKind()
	}
	return inBoth(hongyan.InvalidField("template_of_another_kind", "/template_id", "template %q is one of kind %q, the message is of kind %q", en.TemplateID, kind, k),
		"模板 %q 用于 %q 类消息，本消息为 %q", en.TemplateID, kind, k)
}

// inBoth adds to an error about one field what it says in Chinese.
func inBoth(e *hongyan.Error, format string, args ...any) *hongyan.Error {
	e.Fields[0].DetailZH = fmt.Sprintf(format, args...)
	return e
}

func usable(en *entry) error {
	if en.Status == "" || en.Status == "active" {
		return nil
	}
	word := "已不在微信的模板列表中"
	if en.Status == "banned" {
		word = "已被微信封禁"
	}
	return inBoth(hongyan.InvalidField("template_"+en.Status, "/template_id", "template %q is %s at WeChat", en.TemplateID, en.Status),
		"模板 %q %s", en.TemplateID, word)
}

// noData refuses a message without any data where that cannot be right; nil en = the
// template is not known. Mini programs' form_id templates may be sent blank (spec §6.2).
func noData(en *entry, k hongyan.MessageKind) error {
	switch {
	case k == hongyan.KindMiniTemplate, en != nil && len(en.params) == 0:
		return nil
	case en == nil:
		return inBoth(hongyan.InvalidField("missing_field", "/data", "data is missing: a value for every key of the template"),
			"缺少 data：模板的每个参数都要有值")
	}
	keys := strings.Join(en.params, ", ")
	return inBoth(hongyan.InvalidField("missing_field", "/data", "data is missing: the template wants %s", keys), "缺少 data：模板需要 %s", keys)
}

// judgement is what the linter says of a message's data.
type judgement struct {
	data   Data                  // as it is to be sent
	fitted []wechat.Fitted       // what was changed for it
	broken []wechat.ValueProblem // why the message is refused
	advice []wechat.ValueProblem // what WeChat may refuse, or ignores
}

// judge is the one linter of data: messages, batches and the lint of the API go
// through it. A nil en is a template that is not known, whose values follow the
// rules that their keys name.
func judge(en *entry, a *hongyan.Account, k hongyan.MessageKind, data Data) judgement {
	rules, keys := rulesOf(en, k), slices.Sorted(maps.Keys(data))
	if en != nil {
		keys = en.params
	}
	j := judgement{data: data}
	all := validate(en, data, keys, rules)
	if policy := policyOf(en, a); policy == wechat.LengthSplit || policy == wechat.LengthCut && len(all) > 0 {
		if k != hongyan.KindMiniTemplate || rules != wechat.RulesHistorical { // those are shown whole
			j.data, j.fitted = wechat.Fit(wechat.FitInput{Keys: keys, Data: data, Rules: rules, Policy: policy})
			all = validate(en, j.data, keys, rules)
		}
	}
	for _, v := range all {
		if refuses(&v, k) {
			j.broken = append(j.broken, v)
		} else {
			j.advice = append(j.advice, v)
		}
	}
	return j
}

// rulesOf are the rules of values: subscribe messages and notices have their own.
func rulesOf(en *entry, k hongyan.MessageKind) wechat.RuleSet {
	switch {
	case k == hongyan.KindSubscribe || k == hongyan.KindNotice:
		return wechat.RulesSubscribe
	case en == nil:
		return wechat.RulesHistorical
	}
	return en.rules
}

func validate(en *entry, data Data, keys []string, rules wechat.RuleSet) []wechat.ValueProblem {
	if en != nil {
		all := wechat.ValidateData(en.content, data, rules)
		if len(en.Enums) > 0 {
			all = append(all, wechat.ValidateEnums(en.Enums, data)...)
		}
		return all
	}
	var all []wechat.ValueProblem
	for _, key := range keys {
		if v := wechat.ValidateValue(key, data[key].Value, rules); v != nil {
			all = append(all, *v)
		}
	}
	return all
}

// policyOf says what becomes of over-long values: what the template says, or else the account.
func policyOf(en *entry, a *hongyan.Account) wechat.LengthPolicy {
	switch {
	case en != nil && en.Policy != "":
		return en.Policy
	case a.CutValues:
		return wechat.LengthCut
	}
	return wechat.LengthRefuse
}

// refuses tells the problems that keep a message from being accepted: what WeChat is
// known to refuse, and what cannot be meant although it would send it.
func refuses(v *wechat.ValueProblem, k hongyan.MessageKind) bool {
	switch v.Kind {
	case wechat.ProblemUnknownKey:
		return false // WeChat ignores it
	case wechat.ProblemMissing:
		return k != hongyan.KindMiniTemplate // an empty line is legal there (spec §6.2)
	case wechat.ProblemDotData:
		return true
	}
	return v.Fatal // else not a rule WeChat has published
}

// checkContent is checkData for one-time messages, whose data is one text.
func checkContent(r *Request) error {
	var p problems
	for _, key := range slices.Sorted(maps.Keys(r.Data)) {
		if v := wechat.ValidateValue(key, r.Data[key].Value, wechat.RulesHistorical); v != nil {
			p.data(v)
		}
	}
	if err := p.err(); err != nil {
		return err
	}
	if strings.TrimSpace(r.Data[onlyContent].Value) == "" {
		return hongyan.InvalidField("missing_field", "/data/"+onlyContent, "data.content is missing: the text, at most 200 characters")
	}
	return nil
}

// dataPointer is the JSON pointer of a key of data (RFC 6901).
func dataPointer(key string) string {
	return "/data/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
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
