package api

import (
	"context"

	"hongyan"
	"hongyan/client"
)

func (a *API) listAliases(ctx context.Context, in *accountPath) (*out[client.List[client.TemplateAlias]], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	all, err := a.cfg.Store.TemplateAliases(ctx, account.AppID)
	if err != nil {
		return nil, err
	}
	list := client.List[client.TemplateAlias]{Items: []client.TemplateAlias{}}
	for i := range all {
		list.Items = append(list.Items, viewAlias(&all[i]))
	}
	return &out[client.List[client.TemplateAlias]]{list}, nil
}

func viewAlias(a *hongyan.TemplateAlias) client.TemplateAlias {
	return client.TemplateAlias{Alias: a.Alias, TemplateID: a.TemplateID, UpdatedAt: client.At(a.UpdatedAt)}
}

type aliasPath struct {
	AppID string `path:"appid" doc:"appid or alias."`
	Alias string `path:"alias" doc:"The word, e.g. order_paid: a letter, then up to 39 letters, digits, _, - and dots."`
}

type aliasPutInput struct {
	AppID string `path:"appid" doc:"appid or alias."`
	Alias string `path:"alias" doc:"The word, e.g. order_paid: a letter, then up to 39 letters, digits, _, - and dots."`
	Body  body[client.TemplateAliasPut]
}

func (a *API) putAlias(ctx context.Context, in *aliasPutInput) (*out[client.TemplateAlias], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	if in.Body.Value.TemplateID == "" {
		return nil, badField("missing_field", "/template_id", "template_id is missing: what the alias stands for")
	}
	alias, err := a.cfg.Templates.PutAlias(ctx, account.AppID, in.Alias, in.Body.Value.TemplateID)
	if err != nil {
		return nil, err
	}
	return &out[client.TemplateAlias]{viewAlias(&alias)}, nil
}

func (a *API) deleteAlias(ctx context.Context, in *aliasPath) (*none, error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	return nil, a.cfg.Templates.DeleteAlias(ctx, account.AppID, in.Alias)
}
