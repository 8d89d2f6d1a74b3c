package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"

	"hongyan"
	"hongyan/client"
	"hongyan/server"
)

// lintFlags are what is held against a template.
type lintFlags struct {
	AppID    string   `arg:"" name:"appid" help:"Appid or alias."`
	Template string   `arg:"" name:"template" help:"A template_id or an alias."`
	Data     []string `sep:"none" placeholder:"KEY=VALUE" help:"A value of the template; once for each key."`
	Body     string   `placeholder:"FILE" help:"In place of --data: a message as JSON, as send --body takes it; - reads standard input."`
	Kind     string   `placeholder:"KIND" help:"template, mini_template, subscribe or notice; default as the template."`
	Era      string   `placeholder:"ERA" help:"Whose phone shows it: A (2014) to F (today, the default)."`
	TopColor string   `name:"topcolor" placeholder:"#RRGGBB" help:"The bar above the card (era A)."`
	Emphasis string   `name:"emphasis" placeholder:"KEY" help:"The keyword to enlarge (mini_template)."`
}

func (f *lintFlags) request(w *surroundings) (client.LintRequest, error) {
	r := client.LintRequest{Kind: f.Kind, Era: f.Era, TopColor: f.TopColor, EmphasisKeyword: f.Emphasis}
	switch {
	case f.Body != "" && len(f.Data) > 0:
		return r, wrongUse("put it into the body, or leave --body out", "--body has the data, and --data is given too")
	case f.Body != "":
		return r, f.fromBody(w, &r)
	case len(f.Data) == 0:
		return r, nil
	}
	var err error
	r.Data, err = parseData(f.Data)
	return r, err
}

// fromBody takes of a message what flags do not say. Whom it is for, and by which account
// and template, does not matter here.
func (f *lintFlags) fromBody(w *surroundings, r *client.LintRequest) error {
	body, err := w.readNamed("--body", f.Body, maxBody)
	if err != nil {
		return err
	}
	if err := server.CheckMessage(body); err != nil {
		return bodyRefusal(err)
	}
	var m client.MessageRequest
	if err := json.Unmarshal(body, &m); err != nil {
		return wrongUse("write a message as POST /v1/messages takes it", "--body: %v", err)
	}
	r.Data = m.Data
	r.Kind, r.TopColor, r.EmphasisKeyword = cmp.Or(r.Kind, m.Kind), cmp.Or(r.TopColor, m.TopColor), cmp.Or(r.EmphasisKeyword, m.EmphasisKeyword)
	return nil
}

// bodyRefusal tells what a body is refused for as send --body does.
func bodyRefusal(err error) error {
	e, ok := errors.AsType[*hongyan.Error](err)
	if !ok {
		return err
	}
	p := client.Problem{Detail: e.Message, Errors: make([]client.FieldError, len(e.Fields))}
	for i, f := range e.Fields {
		p.Errors[i] = client.FieldError(f)
	}
	what, _ := flagNames(nil).words(&p)
	return &commandError{what: what, cure: cmp.Or(e.Hint, "write a message as POST /v1/messages takes it")}
}

// lintNames name the fields of lint and preview.
var lintNames = flagNames{
	"/data": "--data", "/kind": "--kind", "/era": "--era", "/topcolor": "--topcolor", "/emphasis_keyword": "--emphasis",
	"/platform": "--platform", "/template_id": "TEMPLATE",
}

type templateLint struct {
	gatewayFlags `embed:""`
	lintFlags    `embed:""`
}

func (c *templateLint) Run(ctx context.Context, w *surroundings) error {
	request, err := c.request(w)
	if err != nil {
		return err
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	report, err := gateway.LintTemplate(ctx, c.AppID, c.Template, request)
	if err != nil {
		return lintNames.apiError(gateway, err)
	}
	if c.JSON {
		if err := w.json(report); err != nil {
			return err
		}
	} else {
		w.out().findings(&report)
	}
	if !report.OK {
		return errSilent
	}
	return nil
}

// findings shows what the linter says, and what it comes to.
func (p *printer) findings(r *client.LintReport) {
	refused := 0
	for _, f := range r.Findings {
		sign := cell{"warning", amber}
		if f.Severity == "error" {
			sign, refused = cell{"error", red}, refused+1
		}
		p.line("%s", p.paint(sign.colour, sign.text)+" "+lintNames.of(f.Pointer)+" "+p.paint(grey, "["+f.Rule+"]"))
		p.line("  %s", f.Detail)
		if f.DetailZH != "" {
			p.line("  %s", f.DetailZH)
		}
	}
	switch {
	case refused > 0:
		p.line("%s", p.paint(red, "a message with this data is refused"))
	case len(r.Findings) > 0:
		p.line("a message with this data is accepted")
	default:
		p.line("%s", p.paint(green, "nothing is wrong with it"))
	}
}

type templatePreview struct {
	gatewayFlags `embed:""`
	lintFlags    `embed:""`
	LinkURL      string `name:"link" placeholder:"URL" help:"Where a tap leads."`
	Page         string `help:"Where a tap leads: a page of the mini program, or a URL (notice)."`
	MiniAppID    string `name:"mini-appid" placeholder:"APPID" help:"The mini program a tap opens; it wins over --link."`
	MiniPage     string `name:"mini-page" placeholder:"PATH" help:"Its page."`
	Platform     string `placeholder:"NAME" help:"ios or android; matters in era A only."`
	HTML         string `name:"html" placeholder:"FILE" help:"Write the card as a page for a browser."`
}

func (c *templatePreview) Run(ctx context.Context, w *surroundings) error {
	lint, err := c.request(w)
	if err != nil {
		return err
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	request := client.PreviewRequest{LintRequest: lint, URL: c.LinkURL, Page: c.Page, Platform: c.Platform}
	if c.MiniAppID != "" || c.MiniPage != "" {
		request.MiniProgram = &client.MiniProgram{AppID: c.MiniAppID, PagePath: c.MiniPage}
	}
	preview, err := gateway.PreviewTemplate(ctx, c.AppID, c.Template, request)
	if err != nil {
		return lintNames.apiError(gateway, err)
	}
	if c.HTML != "" {
		if err := os.WriteFile(c.HTML, []byte(preview.HTML), 0o644); err != nil {
			return wrongUse("name a file that can be written", "--html %s: %v", c.HTML, err)
		}
	}
	if c.JSON {
		return w.json(preview)
	}
	out := w.out()
	if lint.Data == nil {
		out.line("%s", out.paint(grey, "the template's own example; give --data KEY=VALUE for yours"))
	}
	out.line("%s%s", preview.Text, out.paint(grey, "era "+preview.Era+", "+preview.TemplateID+opensWords(preview.Jump)))
	out.findings(&preview.LintReport)
	return nil
}

func opensWords(j client.PreviewJump) string {
	switch j.Kind {
	case "url":
		return ", a tap opens " + j.URL
	case "miniprogram":
		return ", a tap opens the mini program " + j.AppID + " at " + j.PagePath
	case "blank_page":
		return ", a tap opens a blank page"
	}
	return ", a tap does nothing"
}

type templatePolicy struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	Template     string `arg:"" name:"template" help:"A template_id or an alias."`
	Policy       string `arg:"" name:"policy" enum:"refuse,cut,split,account" help:"refuse; cut: with an ellipsis; split: over later lines that are left empty; account: as the account's cut_values says."`
}

func (c *templatePolicy) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	policy := c.Policy
	if policy == "account" {
		policy = ""
	}
	t, err := gateway.SetTemplatePolicy(ctx, c.AppID, c.Template, policy)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(t)
	}
	out := w.out()
	out.line("%s %s: values that are too long: %s", t.TemplateID, t.Title, policyWords[t.Policy])
	out.next("hongyan template preview %s %s%s", c.AppID, calledBy(t), dataFlags(t.Keys))
	return nil
}

var policyWords = map[string]string{
	"": "as the account's cut_values says", "refuse": "are refused", "cut": "are cut", "split": "go on in later lines that are left empty, and are cut there",
}
