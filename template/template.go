// Package template keeps an account's templates in step with WeChat: it reads
// them, adds one from the library, deletes one, and takes one by hand where
// WeChat offers no list (mini programs: their interface is retired).
//
// Start with Shelf.Sync. What may be put into a template is package wechat's
// grammar; whether a message fits is package dispatch's.
package template

import (
	"context"
	"fmt"
	"net/http"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// Statuses of a template.
const (
	Active  = "active"
	Banned  = "banned"  // 43116
	Removed = "removed" // gone from WeChat's list, or 40037
)

// Tokens is what a Shelf needs of the access_token central server.
type Tokens interface {
	AccessToken(ctx context.Context, appID string) (string, error)
	Invalidate(ctx context.Context, appID, failed string) error
}

// Config is what a Shelf is built from.
type Config struct {
	Store      store.Store
	Tokens     Tokens
	HTTPClient *http.Client // nil = wechat's default
	// Changed is told an account's appid when its templates changed; nil = nobody.
	Changed func(appID string)
	// Released is told of a template that became active again, so that messages
	// held for it can go; nil = nobody.
	Released func(ctx context.Context, appID, templateID string) error
}

// Shelf holds every account's templates. It is safe for concurrent use.
type Shelf struct{ cfg Config }

// New returns a Shelf.
func New(cfg Config) *Shelf {
	if cfg.Changed == nil {
		cfg.Changed = func(string) {}
	}
	return &Shelf{cfg}
}

// Diff is what a sync found, as template_ids.
type Diff struct {
	Added, Updated, Missing []string
	Total                   int // templates at WeChat
}

// Sync reads the account's templates from WeChat (get_all_private_template).
// Nothing is deleted here: a template that WeChat no longer lists is marked
// removed. Errors of WeChat are *wechat.Error.
func (s *Shelf) Sync(ctx context.Context, appID string) (Diff, error) {
	a, err := s.cfg.Store.Account(ctx, appID)
	if err != nil {
		return Diff{}, err
	}
	if a.Kind == hongyan.MiniProgram {
		return Diff{}, hongyan.Errorf(hongyan.Conflict, "no_template_list", "%s is a mini program: WeChat has retired the list of its template messages; register a template by hand", a.AppID)
	}
	listed, err := s.client(&a).ListTemplates(ctx)
	if err != nil {
		return Diff{}, fmt.Errorf("list templates of %s: %w", a.AppID, err)
	}
	known, err := s.cfg.Store.Templates(ctx, a.AppID)
	if err != nil {
		return Diff{}, err
	}
	plan := compare(a.AppID, known, listed, s.cfg.Store)
	if err := s.cfg.Store.PutTemplates(ctx, plan.put); err != nil {
		return Diff{}, fmt.Errorf("store templates of %s: %w", a.AppID, err)
	}
	for _, id := range plan.Missing {
		if err := s.cfg.Store.SetTemplateStatus(ctx, a.AppID, id, Removed, "no longer listed by WeChat"); err != nil {
			return Diff{}, err
		}
	}
	s.cfg.Changed(a.AppID)
	return plan.Diff, s.release(ctx, a.AppID, plan.revived)
}

// release lets go what was held for templates that are back.
func (s *Shelf) release(ctx context.Context, appID string, ids []string) error {
	if s.cfg.Released == nil {
		return nil
	}
	for _, id := range ids {
		if err := s.cfg.Released(ctx, appID, id); err != nil {
			return err
		}
	}
	return nil
}

// plan is what a sync does.
type plan struct {
	Diff
	put     []hongyan.Template
	revived []string // active again
}

func compare(appID string, known []hongyan.Template, listed []wechat.Template, clock store.Store) plan {
	old := make(map[string]hongyan.Template, len(known))
	for _, t := range known {
		old[t.TemplateID] = t
	}
	p := plan{Diff: Diff{Added: []string{}, Updated: []string{}, Missing: []string{}, Total: len(listed)}}
	for _, w := range listed {
		t := fromWire(appID, w)
		t.SyncedAt = hongyan.Millis(clock.Now())
		before, exists := old[t.TemplateID]
		delete(old, t.TemplateID)
		switch {
		case !exists:
			p.Added = append(p.Added, t.TemplateID)
		case before.Status == Banned: // being listed does not lift a ban
			t.Status, t.StatusReason = before.Status, before.StatusReason
		case before.Status == Removed:
			p.revived = append(p.revived, t.TemplateID)
			p.Updated = append(p.Updated, t.TemplateID)
		case before.Content != t.Content || before.Title != t.Title:
			p.Updated = append(p.Updated, t.TemplateID)
		}
		p.put = append(p.put, t)
	}
	for _, t := range known {
		if _, gone := old[t.TemplateID]; gone && t.Status != Removed {
			p.Missing = append(p.Missing, t.TemplateID)
		}
	}
	return p
}

func fromWire(appID string, w wechat.Template) hongyan.Template {
	return hongyan.Template{
		AppID: appID, TemplateID: w.TemplateID, Title: w.Title, PrimaryIndustry: w.PrimaryIndustry,
		DeputyIndustry: w.DeputyIndustry, Content: w.Content, Example: w.Example,
		Kind: hongyan.KindTemplate, Status: Active,
	}
}

// Add takes a template from the library (api_add_template) and syncs.
func (s *Shelf) Add(ctx context.Context, appID, shortID string, keywords []string) (hongyan.Template, error) {
	a, err := s.cfg.Store.Account(ctx, appID)
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

// Delete deletes a template at WeChat (del_private_template), then here. One
// that WeChat does not know any more is deleted here all the same.
func (s *Shelf) Delete(ctx context.Context, appID, templateID string) error {
	a, err := s.cfg.Store.Account(ctx, appID)
	if err != nil {
		return err
	}
	if _, err := s.cfg.Store.Template(ctx, a.AppID, templateID); err != nil {
		return err
	}
	if a.Kind != hongyan.MiniProgram {
		err := s.client(&a).DeleteTemplate(ctx, templateID)
		if we, ok := asWeChat(err); err != nil && (!ok || we.Code != wechat.CodeInvalidTemplateID) {
			return fmt.Errorf("delete template %s of %s: %w", templateID, a.AppID, err)
		}
	}
	err = s.cfg.Store.DeleteTemplate(ctx, a.AppID, templateID)
	s.cfg.Changed(a.AppID)
	return err
}

// Register keeps a template as given, for accounts whose templates WeChat does not list.
func (s *Shelf) Register(ctx context.Context, t hongyan.Template) (hongyan.Template, error) {
	a, err := s.cfg.Store.Account(ctx, t.AppID)
	if err != nil {
		return t, err
	}
	t.AppID, t.Kind, t.Status, t.SyncedAt = a.AppID, a.Kind.MessageKind(), Active, hongyan.Millis(s.cfg.Store.Now())
	if err := s.cfg.Store.PutTemplates(ctx, []hongyan.Template{t}); err != nil {
		return t, fmt.Errorf("store template %s of %s: %w", t.TemplateID, a.AppID, err)
	}
	s.cfg.Changed(a.AppID)
	return t, nil
}

// client speaks to WeChat as account a.
func (s *Shelf) client(a *hongyan.Account) *wechat.Client {
	return &wechat.Client{BaseURL: a.BaseURL, HTTPClient: s.cfg.HTTPClient, Tokens: accountTokens{s.cfg.Tokens, a.AppID}}
}

// accountTokens is the token source of one account.
type accountTokens struct {
	all   Tokens
	appID string
}

func (t accountTokens) AccessToken(ctx context.Context) (string, error) {
	return t.all.AccessToken(ctx, t.appID)
}

func (t accountTokens) Invalidate(ctx context.Context, failed string) error {
	return t.all.Invalidate(ctx, t.appID, failed)
}
