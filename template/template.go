// Package template keeps an account's templates in step with WeChat: it reads
// them, adds one from the library, deletes one, and takes one by hand where
// WeChat offers no list (mini programs: their interface is retired).
//
// Start with Shelf.Sync and compare.go. What may be put into a template is package wechat's
// grammar; whether a message fits is package dispatch's.
package template

import (
	"context"
	"errors"
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
	// ClientFor gives the client of one account, e.g. one that goes through its
	// proxy; nil, and an answer of nil, mean HTTPClient. It must not block.
	ClientFor func(*hongyan.Account) *http.Client
	// Changed is told an account's appid when its templates changed; nil = nobody.
	Changed func(appID string)
	// Released is told of a template that became active, again or for the first
	// time, so that messages held for it can go; nil = nobody.
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

// Changes is what a sync found, as template_ids.
type Changes struct {
	Added, Updated, Missing []string
	Unchanged               int
}

// Sync reads the account's templates from WeChat (get_all_private_template).
// Nothing is deleted here: messages refer to templates, so one that WeChat no
// longer lists is marked removed. Being listed does not mean that a banned
// template may be sent: it stays banned. Errors of WeChat are *wechat.Error.
func (s *Shelf) Sync(ctx context.Context, appID string) (Changes, error) {
	return s.sync(ctx, appID, false)
}

// SyncLiftingBans is an operator's sync: bans are lifted, because the operator
// may have settled them with WeChat. A ban that stands comes back with the
// next refusal.
func (s *Shelf) SyncLiftingBans(ctx context.Context, appID string) (Changes, error) {
	return s.sync(ctx, appID, true)
}

func (s *Shelf) sync(ctx context.Context, appID string, liftBans bool) (Changes, error) {
	a, err := s.cfg.Store.Account(ctx, appID)
	if err != nil {
		return Changes{}, err
	}
	if a.Kind == hongyan.MiniProgram {
		return Changes{}, errByHand
	}
	theirs, err := s.client(&a).ListTemplates(ctx)
	if err != nil {
		return Changes{}, fmt.Errorf("list templates of %s: %w", a.AppID, err)
	}
	ours, err := s.cfg.Store.Templates(ctx, a.AppID)
	if err != nil {
		return Changes{}, err
	}
	p := compare(&a, ours, theirs, hongyan.Millis(s.cfg.Store.Now()), liftBans)
	if err := s.cfg.Store.PutTemplates(ctx, p.put); err != nil {
		return Changes{}, fmt.Errorf("store templates of %s: %w", a.AppID, err)
	}
	for _, id := range p.Missing {
		if err := s.cfg.Store.SetTemplateStatus(ctx, a.AppID, id, Removed, "not in WeChat's list at the last sync"); err != nil {
			return Changes{}, err
		}
	}
	s.cfg.Changed(a.AppID)
	return p.Changes, s.release(ctx, a.AppID, append(p.revived, p.Added...))
}

// errByHand explains why templates of mini programs cannot be fetched.
var errByHand = &hongyan.Error{Kind: hongyan.Invalid, Code: "templates_by_hand", Message: "WeChat retired the list of mini program templates",
	Hint: "Register each one with PUT /v1/accounts/{appid}/templates/{template_id}."}

// release lets go what was held for templates that are back.
func (s *Shelf) release(ctx context.Context, appID string, ids []string) error {
	if s.cfg.Released == nil {
		return nil
	}
	for _, id := range ids {
		if err := s.cfg.Released(ctx, appID, id); err != nil {
			return fmt.Errorf("release messages of template %s: %w", id, err)
		}
	}
	return nil
}

// Add takes a template from WeChat's library (api_add_template), then syncs to
// learn its text.
func (s *Shelf) Add(ctx context.Context, appID, shortID string, keywords []string) (hongyan.Template, error) {
	a, err := s.cfg.Store.Account(ctx, appID)
	if err != nil {
		return hongyan.Template{}, err
	}
	if a.Kind == hongyan.MiniProgram {
		return hongyan.Template{}, errByHand
	}
	id, err := s.client(&a).AddTemplate(ctx, wechat.AddTemplateRequest{TemplateIDShort: shortID, KeywordNameList: keywords})
	if err != nil {
		return hongyan.Template{}, fmt.Errorf("add template %s to %s: %w", shortID, a.AppID, err)
	}
	if _, err := s.SyncLiftingBans(ctx, a.AppID); err != nil {
		return hongyan.Template{}, err
	}
	return s.cfg.Store.Template(ctx, a.AppID, id)
}

// Delete deletes a template at WeChat (del_private_template), then here. Where
// WeChat has it no more, or has no such call, only our copy goes.
func (s *Shelf) Delete(ctx context.Context, appID, templateID string) error {
	a, err := s.cfg.Store.Account(ctx, appID)
	if err != nil {
		return err
	}
	t, err := s.cfg.Store.Template(ctx, a.AppID, templateID)
	if err != nil {
		return err
	}
	if t.Kind != hongyan.KindMiniTemplate {
		if err := s.client(&a).DeleteTemplate(ctx, templateID); err != nil && !goneAtWeChat(err) {
			return fmt.Errorf("delete template %s of %s: %w", templateID, a.AppID, err)
		}
	}
	if err := s.cfg.Store.DeleteTemplate(ctx, a.AppID, templateID); err != nil {
		return err
	}
	s.cfg.Changed(a.AppID)
	return nil
}

func goneAtWeChat(err error) bool {
	said, ok := errors.AsType[*wechat.Error](err)
	return ok && said.Code == wechat.CodeInvalidTemplateID
}

// Register keeps a template as given, for accounts whose templates WeChat does
// not list. AppID, TemplateID, Title, Content and Example are the caller's.
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
	// Known or not: messages of one that was never registered may be held since
	// WeChat refused it.
	return t, s.release(ctx, a.AppID, []string{t.TemplateID})
}

// client speaks to WeChat as account a.
func (s *Shelf) client(a *hongyan.Account) *wechat.Client {
	client := s.cfg.HTTPClient
	if s.cfg.ClientFor != nil {
		if own := s.cfg.ClientFor(a); own != nil {
			client = own
		}
	}
	return &wechat.Client{BaseURL: a.BaseURL, HTTPClient: client, Tokens: accountTokens{s.cfg.Tokens, a.AppID}}
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
