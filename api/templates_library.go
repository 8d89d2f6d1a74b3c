package api

import (
	"context"
	"strconv"
	"strings"

	"hongyan/client"
	"hongyan/wechat"
)

// maxLibraryPage is how many titles one page of the public library has (spec §7.2).
const maxLibraryPage = 30

func (a *API) getIndustry(ctx context.Context, in *accountPath) (*out[client.Industries], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	chosen, err := a.cfg.Templates.Industries(ctx, account.AppID)
	if err != nil {
		return nil, err
	}
	v := client.Industries{Primary: viewIndustry(chosen.Primary), Secondary: viewIndustry(chosen.Secondary)}
	for _, c := range wechat.IndustryCodes() {
		v.All = append(v.All, client.Industry{Code: c.Code, FirstClass: c.FirstClass, SecondClass: c.SecondClass})
	}
	return &out[client.Industries]{v}, nil
}

// viewIndustry is nil for none chosen.
func viewIndustry(i wechat.Industry) *client.Industry {
	if i == (wechat.Industry{}) {
		return nil
	}
	return &client.Industry{Code: wechat.CodeOfIndustry(i), FirstClass: i.FirstClass, SecondClass: i.SecondClass}
}

type industryPutInput struct {
	AppID string `path:"appid" doc:"appid or alias."`
	Body  body[client.IndustryPut]
}

func (a *API) putIndustry(ctx context.Context, in *industryPutInput) (*out[client.TemplateSync], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	req := wechat.SetIndustryRequest(in.Body.Value)
	var f faults
	for _, p := range req.Check() {
		f.add("/"+p.Field, "%s", p.Detail)
	}
	if err := f.err("invalid_industry"); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	found, err := a.cfg.Templates.SetIndustry(ctx, account.AppID, req)
	if err != nil {
		return nil, err
	}
	return &out[client.TemplateSync]{*viewSync(&found)}, nil
}

func (a *API) listCategories(ctx context.Context, in *accountPath) (*out[client.List[client.Category]], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	all, err := a.cfg.Templates.Categories(ctx, account.AppID)
	if err != nil {
		return nil, err
	}
	list := client.List[client.Category]{Items: []client.Category{}}
	for _, c := range all {
		list.Items = append(list.Items, client.Category(c))
	}
	return &out[client.List[client.Category]]{list}, nil
}

type libraryInput struct {
	AppID      string `path:"appid" doc:"appid or alias."`
	Categories string `query:"categories" doc:"Ids of categories, separated by commas; default: all the account's." example:"2,616"`
	Start      int    `query:"start" minimum:"0" doc:"The place of the first title, from 0 on."`
	Limit      int    `query:"limit" minimum:"1" maximum:"30" default:"30"`
}

func (a *API) listLibrary(ctx context.Context, in *libraryInput) (*out[client.LibraryPage], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	req := wechat.SubscribeTitlesRequest{Start: in.Start, Limit: min(in.Limit, maxLibraryPage)}
	if req.CategoryIDs, err = numbers("/query/categories", in.Categories); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	page, err := a.cfg.Templates.Titles(ctx, account.AppID, req)
	if err != nil {
		return nil, err
	}
	v := client.LibraryPage{Items: []client.LibraryTitle{}, Count: page.Count}
	for _, t := range page.Titles {
		v.Items = append(v.Items, client.LibraryTitle{TID: t.TID, Title: t.Title, Type: subscribeWord(t.Type), CategoryID: t.CategoryID})
	}
	return &out[client.LibraryPage]{v}, nil
}

// numbers reads whole numbers separated by commas.
func numbers(pointer, text string) (all []int, err error) {
	if text == "" {
		return nil, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil {
			return nil, badField("bad_parameter", pointer, "%q is not a whole number", clip(word))
		}
		all = append(all, n)
	}
	return all, nil
}

type keywordsInput struct {
	AppID string `path:"appid" doc:"appid or alias."`
	TID   int    `path:"tid" doc:"The number of a template in the public library."`
}

func (a *API) listKeywords(ctx context.Context, in *keywordsInput) (*out[client.List[client.LibraryKeyword]], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	all, err := a.cfg.Templates.Keywords(ctx, account.AppID, in.TID)
	if err != nil {
		return nil, err
	}
	list := client.List[client.LibraryKeyword]{Items: []client.LibraryKeyword{}}
	for _, k := range all {
		list.Items = append(list.Items, client.LibraryKeyword(k))
	}
	return &out[client.List[client.LibraryKeyword]]{list}, nil
}
