package main

import "context"

type templateAliasCommands struct {
	List   templateAliasList   `cmd:"" help:"List the words and what they stand for."`
	Set    templateAliasSet    `cmd:"" help:"Let a word stand for a template, whatever it stood for."`
	Delete templateAliasDelete `cmd:"" help:"Remove a word; the template stays."`
}

type templateAliasList struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
}

func (c *templateAliasList) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.TemplateAliases(ctx, c.AppID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	if len(list.Items) == 0 {
		out.line("%s has no template aliases", c.AppID)
		out.next("hongyan template alias set %s order_paid TEMPLATE_ID", c.AppID)
		return nil
	}
	titles, err := gateway.Templates(ctx, c.AppID)
	if err != nil {
		return apiError(gateway, err)
	}
	known := map[string][2]string{}
	for _, t := range titles.Items {
		known[t.TemplateID] = [2]string{t.Title, t.Status}
	}
	rows := make([][]cell, len(list.Items))
	for i, a := range list.Items {
		t := known[a.TemplateID]
		rows[i] = []cell{text(a.Alias), text(a.TemplateID), text(t[0]), text(t[1])}
	}
	out.table([]string{"ALIAS", "TEMPLATE_ID", "TITLE", "STATUS"}, rows)
	out.next("hongyan send --appid %s --to OPENID --template %s", c.AppID, list.Items[0].Alias)
	return nil
}

type templateAliasSet struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	Alias        string `arg:"" name:"alias" help:"The word: a letter, then up to 39 letters, digits, _, - and dots."`
	TemplateID   string `arg:"" name:"template-id" help:"A template the account holds."`
}

func (c *templateAliasSet) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	a, err := gateway.PutTemplateAlias(ctx, c.AppID, c.Alias, c.TemplateID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(a)
	}
	out := w.out()
	out.line("%s stands for %s", a.Alias, a.TemplateID)
	out.next("hongyan template preview %s %s", c.AppID, a.Alias)
	return nil
}

type templateAliasDelete struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	Alias        string `arg:"" name:"alias" help:"The word."`
}

func (c *templateAliasDelete) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	if err := gateway.DeleteTemplateAlias(ctx, c.AppID, c.Alias); err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(map[string]string{"alias": c.Alias, "state": "deleted"})
	}
	out := w.out()
	out.line("%s is deleted", c.Alias)
	out.next("hongyan template alias list %s", c.AppID)
	return nil
}
