package template

import (
	"context"
	"fmt"

	"hongyan"
	"hongyan/wechat"
)

// Add takes a template from WeChat's library (api_add_template), then syncs to
// learn its text.
func (s *Shelf) Add(ctx context.Context, appID, shortID string, keywords []string) (hongyan.Template, error) {
	a, err := s.official(ctx, appID)
	if err != nil {
		return hongyan.Template{}, err
	}
	id, err := s.client(&a).AddTemplate(ctx, wechat.AddTemplateRequest{TemplateIDShort: shortID, KeywordNameList: keywords})
	if err != nil {
		return hongyan.Template{}, fmt.Errorf("add template %s to %s: %w", shortID, a.AppID, err)
	}
	if _, err := s.Sync(ctx, a.AppID); err != nil {
		return hongyan.Template{}, err
	}
	return s.cfg.Store.Template(ctx, a.AppID, id)
}

// AddSubscribe takes a template of subscribe messages or subscription notices from
// WeChat's public library (newtmpl/addtemplate), then reads the list to learn its text.
func (s *Shelf) AddSubscribe(ctx context.Context, appID string, req wechat.AddSubscribeTemplateRequest) (hongyan.Template, error) {
	a, err := s.subscriber(ctx, appID)
	if err != nil {
		return hongyan.Template{}, err
	}
	id, err := s.client(&a).AddSubscribeTemplate(ctx, req)
	if err != nil {
		return hongyan.Template{}, fmt.Errorf("add subscribe template %d to %s: %w", req.TID, a.AppID, err)
	}
	p, err := s.readSubscribe(ctx, &a)
	if err != nil {
		return hongyan.Template{}, err
	}
	if err := s.carryOut(ctx, &a, p); err != nil {
		return hongyan.Template{}, err
	}
	return s.cfg.Store.Template(ctx, a.AppID, id)
}

// Categories are those (类目) of the account, from whose templates it may choose.
func (s *Shelf) Categories(ctx context.Context, appID string) ([]wechat.SubscribeCategory, error) {
	a, err := s.subscriber(ctx, appID)
	if err != nil {
		return nil, err
	}
	return s.client(&a).SubscribeCategories(ctx)
}

// Titles is a page of the public library of subscribe templates. Without CategoryIDs it is
// about all of the account's categories.
func (s *Shelf) Titles(ctx context.Context, appID string, req wechat.SubscribeTitlesRequest) (wechat.SubscribeTitlePage, error) {
	a, err := s.subscriber(ctx, appID)
	if err != nil {
		return wechat.SubscribeTitlePage{}, err
	}
	client := s.client(&a)
	if len(req.CategoryIDs) == 0 {
		categories, err := client.SubscribeCategories(ctx)
		if err != nil {
			return wechat.SubscribeTitlePage{}, err
		}
		for _, c := range categories {
			req.CategoryIDs = append(req.CategoryIDs, c.ID)
		}
	}
	if len(req.CategoryIDs) == 0 {
		return wechat.SubscribeTitlePage{}, nil // WeChat refuses to be asked about none
	}
	return client.SubscribeTitles(ctx, req)
}

// Keywords are the lines that a template of the public library may have.
func (s *Shelf) Keywords(ctx context.Context, appID string, tid int) ([]wechat.SubscribeKeyword, error) {
	a, err := s.subscriber(ctx, appID)
	if err != nil {
		return nil, err
	}
	return s.client(&a).SubscribeKeywords(ctx, tid)
}

// Industries are those the account has chosen.
func (s *Shelf) Industries(ctx context.Context, appID string) (wechat.Industries, error) {
	a, err := s.official(ctx, appID)
	if err != nil {
		return wechat.Industries{}, err
	}
	return s.client(&a).Industries(ctx)
}

// SetIndustry chooses both industries, then syncs: WeChat deletes the templates of an industry that
// is given up. It lets this be done once a month (43100).
func (s *Shelf) SetIndustry(ctx context.Context, appID string, req wechat.SetIndustryRequest) (Changes, error) {
	a, err := s.official(ctx, appID)
	if err != nil {
		return Changes{}, err
	}
	if err := s.client(&a).SetIndustry(ctx, req); err != nil {
		return Changes{}, fmt.Errorf("set the industries of %s: %w", a.AppID, err)
	}
	return s.Sync(ctx, a.AppID)
}

// official finds an account whose template messages have a library and industries.
func (s *Shelf) official(ctx context.Context, appID string) (hongyan.Account, error) {
	a, err := s.cfg.Store.Account(ctx, appID)
	if err == nil && a.Kind == hongyan.MiniProgram {
		err = errByHand
	}
	return a, err
}

// subscriber finds an account that may send subscribe messages or notices.
func (s *Shelf) subscriber(ctx context.Context, appID string) (hongyan.Account, error) {
	a, err := s.cfg.Store.Account(ctx, appID)
	if err == nil && a.Kind != hongyan.MiniProgram && a.Kind != hongyan.ServiceAccount {
		err = hongyan.Errorf(hongyan.Invalid, "no_subscribe_templates", "%s is a %s account: only mini programs and service accounts have subscribe templates", a.AppID, a.Kind)
	}
	return a, err
}
