package main

import (
	"context"
	"io"
	"strings"

	"hongyan/client"
)

type templateCommands struct {
	Sync   templateSync   `cmd:"" help:"Ask WeChat for the account's templates."`
	List   templateList   `cmd:"" help:"List the templates the gateway knows."`
	Add    templateAdd    `cmd:"" help:"Add a template of WeChat's library to the account."`
	Put    templatePut    `cmd:"" help:"Register a template by hand, where WeChat cannot list them (mini programs)."`
	Delete templateDelete `cmd:"" help:"Remove a template at WeChat and here."`
}

type templateSync struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
}

func (c *templateSync) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	s, err := gateway.SyncTemplates(ctx, c.AppID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(s)
	}
	out := w.out()
	out.line("%d added, %d changed, %d no longer at WeChat, %d as before", len(s.Added), len(s.Updated), len(s.Missing), s.Unchanged)
	out.next("hongyan template list %s", c.AppID)
	return nil
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
		rows[i] = []cell{text(t.TemplateID), text(t.Title), text(t.Kind), text(t.Status), text(strings.Join(t.Keys, " "))}
	}
	out.table([]string{"TEMPLATE_ID", "TITLE", "KIND", "STATUS", "KEYS"}, rows)
	first := list.Items[0]
	out.next("hongyan send --appid %s --to OPENID --template %s%s", c.AppID, first.TemplateID, dataFlags(first.Keys))
	return nil
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
	ShortID      string   `arg:"" name:"template-id-short" help:"The template's number in WeChat's library (模板库编号)."`
	Keyword      []string `placeholder:"NAME" help:"A keyword to have, in order; may be repeated. Category templates (类目模板) need them."`
}

func (c *templateAdd) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	t, err := gateway.AddTemplate(ctx, c.AppID, client.TemplateAdd{TemplateIDShort: c.ShortID, KeywordNameList: c.Keyword})
	if err != nil {
		return apiError(gateway, err)
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
	out.next("hongyan send --appid %s --to OPENID --template %s%s", account, t.TemplateID, dataFlags(t.Keys))
	return nil
}

type templatePut struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	TemplateID   string `arg:"" name:"template-id" help:"Its id at WeChat."`
	Title        string `required:"" help:"Its title."`
	Content      string `help:"Its content with keys, such as 订单号：{{keyword1.DATA}}; default standard input."`
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
	t, err := gateway.PutTemplate(ctx, c.AppID, c.TemplateID, client.TemplatePut{Title: c.Title, Content: c.Content})
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
