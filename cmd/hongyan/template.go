package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"hongyan/client"
)

type templateCommands struct {
	Sync       templateSync          `cmd:"" help:"Ask WeChat for the account's templates, and show what is different."`
	List       templateList          `cmd:"" help:"List the templates the gateway knows."`
	Preview    templatePreview       `cmd:"" help:"Draw the card as the phone shows it, and say what it does not show."`
	Lint       templateLint          `cmd:"" help:"Hold data against a template, as sending does; exit code 1 when it would be refused."`
	Alias      templateAliasCommands `cmd:"" help:"Words that stand for templates, such as order_paid."`
	Policy     templatePolicy        `cmd:"" help:"What becomes of values that are too long."`
	Add        templateAdd           `cmd:"" help:"Add a template of WeChat's library to the account."`
	Put        templatePut           `cmd:"" help:"Register a template by hand, where WeChat cannot list them (form_id templates of mini programs)."`
	Delete     templateDelete        `cmd:"" help:"Remove a template at WeChat and here."`
	Library    templateLibrary       `cmd:"" help:"WeChat's public library of subscribe templates."`
	Categories templateCategories    `cmd:"" help:"The account's categories (类目), of which the public library has templates."`
	Industry   templateIndustry      `cmd:"" help:"The industries an official account has chosen, and choosing them."`
}

type templateList struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
}

func (c *templateList) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.Templates(ctx, c.AppID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	if len(list.Items) == 0 {
		out.line("no templates are known for %s", c.AppID)
		out.next("hongyan template sync %s", c.AppID)
		return nil
	}
	rows := make([][]cell, len(list.Items))
	for i, t := range list.Items {
		rows[i] = []cell{text(t.TemplateID), text(strings.Join(t.Aliases, " ")), text(t.Title), text(t.Kind), templateStatus(t), text(cmp.Or(t.Policy, "-")), text(strings.Join(t.Keys, " "))}
	}
	out.table([]string{"TEMPLATE_ID", "ALIAS", "TITLE", "KIND", "STATUS", "POLICY", "KEYS"}, rows)
	if err := c.showBarred(ctx, out, gateway, list.Items); err != nil {
		return err
	}
	first := list.Items[0]
	out.next("hongyan template preview %s %s%s", c.AppID, calledBy(first), dataFlags(first.Keys))
	return nil
}

// showBarred names the templates that are not active, and what waits for each: messages,
// and batches, whose rows are no messages before their turn.
func (c *templateList) showBarred(ctx context.Context, out *printer, gateway *client.Client, all []client.Template) error {
	barred := func(t client.Template) bool { return t.Status != "active" }
	if !slices.ContainsFunc(all, barred) {
		return nil
	}
	paused, err := gateway.Batches(ctx, client.BatchFilter{AppID: c.AppID, States: []string{"paused"}, Limit: maxPaused})
	if err != nil {
		return apiError(gateway, err)
	}
	for _, t := range all {
		if !barred(t) {
			continue
		}
		waits := counted(int64(t.Held), "message")
		for _, b := range paused.Items {
			if b.TemplateID == t.TemplateID && slices.Contains(templateReasons, b.Reason) {
				waits += ", " + b.ID + " with " + counted(b.Remaining, "row") + " to go"
			}
		}
		out.line("%s", out.paint(red, fmt.Sprintf("%s is %s: %s; waiting for it: %s", t.TemplateID, t.Status, t.StatusReason, waits)))
	}
	return nil
}

// maxPaused is how many paused batches are looked at, as many as a page has.
const maxPaused = 1000

// templateReasons are why a batch waits for its template.
var templateReasons = []string{"template_banned", "template_removed", "unknown_template"}

// templateStatus: what is not active needs a person.
func templateStatus(t client.Template) cell {
	if t.Status == "active" {
		return text(t.Status)
	}
	return cell{text: fmt.Sprintf("%s (%d held)", t.Status, t.Held), colour: red}
}

// calledBy is the shortest name of a template.
func calledBy(t client.Template) string {
	if len(t.Aliases) > 0 {
		return t.Aliases[0]
	}
	return t.TemplateID
}

// dataFlags shows the --data flags a template needs.
func dataFlags(keys []string) string {
	var b strings.Builder
	for _, k := range keys {
		b.WriteString(" --data " + k + "=…")
	}
	return b.String()
}

type templateAdd struct {
	gatewayFlags `embed:""`
	AppID        string   `arg:"" name:"appid" help:"Appid or alias."`
	ShortID      string   `arg:"" name:"template-id-short" optional:"" help:"The template's number in WeChat's library (模板库编号), for template messages."`
	Keyword      []string `placeholder:"NAME" help:"A keyword to have, in order; may be repeated. Category templates (类目模板) need them."`
	TID          int      `name:"tid" placeholder:"NUMBER" help:"The number in the public library, for subscribe messages and subscription notices."`
	KID          []int    `name:"kid" placeholder:"NUMBER" help:"A keyword of it to have, in order; two to five."`
	Scene        string   `placeholder:"TEXT" help:"What it is sent for, at most 15 characters (with --tid)."`
}

// templateAddFlags name the fields of POST /v1/accounts/{appid}/templates.
var templateAddFlags = flagNames{
	"/template_id_short": "TEMPLATE-ID-SHORT", "/keyword_name_list": "--keyword", "/tid": "--tid", "/kid_list": "--kid", "/scene_desc": "--scene",
}

func (c *templateAdd) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	t, err := gateway.AddTemplate(ctx, c.AppID, client.TemplateAdd{
		TemplateIDShort: c.ShortID, KeywordNameList: c.Keyword, TID: c.TID, KIDList: c.KID, SceneDesc: c.Scene,
	})
	if err != nil {
		return templateAddFlags.apiError(gateway, err)
	}
	return c.shown(w, t, c.AppID)
}

// shown prints one template.
func (f *gatewayFlags) shown(w *surroundings, t client.Template, account string) error {
	if f.JSON {
		return w.json(t)
	}
	out := w.out()
	out.line("%s %s", t.TemplateID, t.Title)
	out.next("hongyan template preview %s %s%s", account, t.TemplateID, dataFlags(t.Keys))
	return nil
}

type templatePut struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	TemplateID   string `arg:"" name:"template-id" help:"Its id at WeChat."`
	Title        string `required:"" help:"Its title."`
	Content      string `help:"Its content with keys, such as 订单号：{{keyword1.DATA}}; default standard input."`
	Kind         string `placeholder:"KIND" help:"Of the messages it is for: template, mini_template, subscribe or notice; default template, of mini programs mini_template."`
}

func (c *templatePut) Run(ctx context.Context, w *surroundings) error {
	if c.Content == "" {
		content, err := io.ReadAll(io.LimitReader(w.stdin, maxBody))
		if err != nil {
			return err
		}
		c.Content = strings.TrimRight(string(content), "\n")
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	t, err := gateway.PutTemplate(ctx, c.AppID, c.TemplateID, client.TemplatePut{Title: c.Title, Content: c.Content, Kind: c.Kind})
	if err != nil {
		return apiError(gateway, err)
	}
	return c.shown(w, t, c.AppID)
}

type templateDelete struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	TemplateID   string `arg:"" name:"template-id" help:"The template."`
}

func (c *templateDelete) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	if err = gateway.DeleteTemplate(ctx, c.AppID, c.TemplateID); err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(map[string]string{"template_id": c.TemplateID, "state": "deleted"})
	}
	out := w.out()
	out.line("%s is deleted", c.TemplateID)
	out.next("hongyan template list %s", c.AppID)
	return nil
}
