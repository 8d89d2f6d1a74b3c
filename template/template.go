// Package template keeps an account's templates in step with WeChat: it reads
// them and says what is different, adds one from the library, deletes one, and takes
// one by hand where WeChat offers no list (form_id templates of mini programs: their
// interface is retired). It keeps the words that stand for them, and knows the industries and
// categories that decide which an account may have.
//
// Start with Shelf.Sync, compare.go and diff.go. What may be put into a template is package
// wechat's grammar; whether a message fits is package dispatch's.
package template

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

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
	// Gone is told of a template that WeChat lists no more, with its new status, so that
	// messages that wait are held; nil = nobody.
	Gone func(ctx context.Context, t *hongyan.Template, why string) error
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

// Delete deletes a template at WeChat, then here. Where WeChat has it no more, or has no
// such call, only our copy goes. One that an alias stands for stays: whoever
// uses the word would be refused.
func (s *Shelf) Delete(ctx context.Context, appID, templateID string) error {
	a, err := s.cfg.Store.Account(ctx, appID)
	if err != nil {
		return err
	}
	t, err := s.cfg.Store.Template(ctx, a.AppID, templateID)
	if err != nil {
		return err
	}
	if err := s.checkUnused(ctx, &t); err != nil {
		return err
	}
	if err := s.deleteThere(ctx, &a, &t); err != nil {
		return fmt.Errorf("delete template %s of %s: %w", templateID, a.AppID, err)
	}
	if err := s.cfg.Store.DeleteTemplate(ctx, a.AppID, templateID); err != nil {
		return err
	}
	s.cfg.Changed(a.AppID)
	return nil
}

// deleteThere deletes a template at WeChat, by the call of its kind.
func (s *Shelf) deleteThere(ctx context.Context, a *hongyan.Account, t *hongyan.Template) error {
	switch t.Kind {
	case hongyan.KindMiniTemplate:
		return nil // retired
	case hongyan.KindSubscribe, hongyan.KindNotice:
		return s.deleteSubscribe(ctx, a, t.TemplateID)
	}
	err := s.client(a).DeleteTemplate(ctx, t.TemplateID)
	if said, ok := errors.AsType[*wechat.Error](err); ok && said.Code == wechat.CodeInvalidTemplateID {
		return nil // gone already
	}
	return err
}

// deleteSubscribe deletes a subscribe template at WeChat. It has no code of its own for one that
// is not there (spec §7.2), so after a refusal its list decides.
func (s *Shelf) deleteSubscribe(ctx context.Context, a *hongyan.Account, id string) error {
	err := s.client(a).DeleteSubscribeTemplate(ctx, id)
	if _, refused := errors.AsType[*wechat.Error](err); !refused {
		return err
	}
	theirs, unread := s.client(a).ListSubscribeTemplates(ctx)
	if unread == nil && !slices.ContainsFunc(theirs, func(t wechat.SubscribeTemplate) bool { return t.PriTmplID == id }) {
		return nil
	}
	return err
}

// Register keeps a template as given, for accounts whose templates WeChat does
// not list. AppID, TemplateID, Title, Content and Example are the caller's; so is Kind,
// where "" is that of the account's template messages.
func (s *Shelf) Register(ctx context.Context, t hongyan.Template) (hongyan.Template, error) {
	a, err := s.cfg.Store.Account(ctx, t.AppID)
	if err != nil {
		return t, err
	}
	t.AppID, t.Status, t.SyncedAt = a.AppID, Active, s.now()
	if t.Kind == "" {
		t.Kind = a.Kind.MessageKind()
	}
	if t.Kind != a.Kind.MessageKind() && t.Kind != subscribeKind(&a) {
		return t, hongyan.InvalidField("invalid_template", "/kind", "kind %q is not one of a %s account's: %s or %s", t.Kind, a.Kind, a.Kind.MessageKind(), subscribeKind(&a))
	}
	if err := s.cfg.Store.PutTemplates(ctx, []hongyan.Template{t}); err != nil {
		return t, fmt.Errorf("store template %s of %s: %w", t.TemplateID, a.AppID, err)
	}
	s.cfg.Changed(a.AppID)
	// Known or not: messages of one that was never registered may be held since
	// WeChat refused it.
	return t, s.release(ctx, a.AppID, []string{t.TemplateID})
}

func (s *Shelf) now() time.Time { return hongyan.Millis(s.cfg.Store.Now()) }

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
