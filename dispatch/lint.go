package dispatch

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"hongyan"
	"hongyan/wechat"
)

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	Refused Severity = "error"   // the message is not accepted like this
	Warned  Severity = "warning" // it is, and is not shown as given, or not as somebody may expect
)

// Finding is one thing the linter says of a message.
type Finding struct {
	Severity Severity
	Pointer  string // into the body of POST /v1/messages
	Rule     string // short id, such as "thing:max20", "missing", "card:max20", "cut"
	Detail   string // one English sentence
	DetailZH string // the same in Chinese
	Value    string // the offending one, as it was given
}

// Lint is what the linter says of a message, and how the phone would show it.
type Lint struct {
	Kind     hongyan.MessageKind
	Template hongyan.Template // only TemplateID where it is not Known
	Known    bool             // the gateway has the template's text
	Policy   hongyan.LengthPolicy
	Data     Data // as it would be sent
	Findings []Finding
	Card     wechat.Card // the zero Card unless Known
}

// OK reports whether the message would be accepted with this data.
func (l *Lint) OK() bool {
	return !slices.ContainsFunc(l.Findings, func(f Finding) bool { return f.Severity == Refused })
}

// Check says what Submit would refuse about a request, as a *hongyan.Error with a
// field for each broken rule; nil = it would be accepted now. Nothing is stored. In r
// an alias becomes the template_id it stands for, and Data what would be sent.
func (e *Engine) Check(ctx context.Context, r *Request) error {
	_, err := e.prepare(ctx, r)
	return err
}

// Lint judges a message's data as Submit does, and adds what is no reason to refuse it.
// Of r it needs AppID, TemplateID and Data; Kind follows from the template, and
// TopColor and EmphasisKeyword matter to the card, which is drawn as of the given era.
// The error is that the account or the template cannot be had.
func (e *Engine) Lint(ctx context.Context, r Request, era wechat.Era) (Lint, error) {
	a, err := e.loadAccount(ctx, r.AppID)
	if err != nil {
		return Lint{}, err
	}
	conf := &a.settings().Account
	found, err := e.lookUp(ctx, conf, &r)
	if err != nil {
		return Lint{}, err
	}
	l := Lint{Kind: found.kindOf(conf, &r), Template: hongyan.Template{AppID: conf.AppID, TemplateID: r.TemplateID}}
	if err := hasTemplates(conf, l.Kind); err != nil {
		return Lint{}, err
	}
	en, err := e.templateFor(ctx, conf, &r, l.Kind, found)
	if hongyan.IsKind(err, hongyan.Invalid) && found.entry != nil && found.entry.serves(l.Kind) { // banned or removed: it can be drawn all the same
		l.refusal(err)
		en, err = found.entry, nil
	}
	if err != nil {
		return Lint{}, err
	}
	l.judge(en, conf, &r)
	if en != nil {
		l.draw(en, conf, &r, era, e.cfg.Store.Now())
	}
	return l, nil
}

// hasTemplates refuses a kind that the account does not send, or that has no template to
// hold data against.
func hasTemplates(a *hongyan.Account, k hongyan.MessageKind) error {
	var p problems
	if p.kind(a, k); len(p.fields) == 0 && k == hongyan.KindOneTime {
		p.add("wrong_kind", "/kind", "kind %q has no template: its data is one text, content", k)
	}
	return p.err()
}

// refusal adds what an error about fields says; nil says nothing.
func (l *Lint) refusal(err error) {
	if e, ok := errors.AsType[*hongyan.Error](err); ok {
		for _, f := range e.Fields {
			l.Findings = append(l.Findings, Finding{Severity: Refused, Pointer: f.Pointer, Rule: e.Code, Detail: f.Detail, DetailZH: f.DetailZH})
		}
	}
}

// judge adds what the linter says of the data.
func (l *Lint) judge(en *entry, a *hongyan.Account, r *Request) {
	l.Policy = policyOf(en, a)
	if en != nil {
		l.Known, l.Template = true, en.Template
	}
	j := judge(en, a, l.Kind, r.Data)
	if len(r.Data) == 0 && len(j.broken) == 0 {
		l.refusal(noData(en, l.Kind))
	}
	l.Data = j.data
	if l.Data == nil {
		l.Data = Data{}
	}
	dotted := func(v wechat.ValueProblem) bool { // told already
		_, there := r.Data[v.Key+".DATA"]
		return there && v.Kind == wechat.ProblemMissing
	}
	j.broken, j.advice = slices.DeleteFunc(j.broken, dotted), slices.DeleteFunc(j.advice, dotted)
	for i := range j.broken {
		l.problem(Refused, &j.broken[i])
	}
	for i := range j.fitted {
		f := &j.fitted[i]
		l.Findings = append(l.Findings, Finding{Warned, dataPointer(f.Key), f.Action, f.Detail, f.DetailZH, f.Value})
	}
	for i := range j.advice {
		l.problem(Warned, &j.advice[i])
	}
}

func (l *Lint) problem(s Severity, v *wechat.ValueProblem) {
	l.Findings = append(l.Findings, Finding{s, dataPointer(v.Key), v.Rule, v.Detail, v.DetailZH, v.Value})
}

// draw draws the card and adds what of the message it does not show.
func (l *Lint) draw(en *entry, a *hongyan.Account, r *Request, era wechat.Era, now time.Time) {
	l.Card = wechat.Render(wechat.RenderInput{
		Title: en.Title, Content: en.content, Data: maps.Clone(l.Data), Era: era, At: now,
		TopColor: r.TopColor, Emphasis: r.EmphasisKeyword,
		MiniProgram:    l.Kind == hongyan.KindMiniTemplate || l.Kind == hongyan.KindSubscribe,
		Subscribe:      l.Kind == hongyan.KindSubscribe || l.Kind == hongyan.KindNotice,
		HideEmptyLines: a.Kind == hongyan.TestAccount,
	})
	for _, w := range l.Card.Warnings {
		if w.Rule == wechat.ProblemUnknownKey.String() {
			continue // judge has said so
		}
		f := Finding{Severity: Warned, Rule: w.Rule, Detail: w.Detail, DetailZH: w.DetailZH}
		switch {
		case w.Key != "":
			f.Pointer, f.Value = dataPointer(w.Key), l.Data[w.Key].Value
		case w.Field != "":
			f.Pointer = "/" + w.Field
		default:
			f.Pointer = "/template_id" // its own text
		}
		l.Findings = append(l.Findings, f)
	}
}
