package api

import (
	"context"
	"net/http"
	"time"

	"hongyan"
	"hongyan/client"
	"hongyan/store"
	"hongyan/token"
	"hongyan/wechat"
)

// Syncer brings the stored templates of an account in line with WeChat's list.
// The API uses one; the engine asks another when a message names a template it
// does not know. It is safe for concurrent use.
type Syncer struct {
	Store      store.Store
	Tokens     *token.Central
	HTTPClient *http.Client // nil = wechat's default
}

// Sync fetches and stores an account's templates. It tells nobody: the caller
// forgets what it remembers. Mini programs are an Invalid error, because WeChat
// retired the list of their templates.
func (s Syncer) Sync(ctx context.Context, appID string) error {
	account, err := s.Store.Account(ctx, appID)
	if err != nil {
		return err
	}
	_, err = s.sync(ctx, &account, false)
	return err
}

// Statuses of a template.
const (
	templateActive  = "active"
	templateRemoved = "removed"
)

// syncChanges is what a sync found.
type syncChanges struct {
	report  client.TemplateSync
	put     []hongyan.Template
	revived []string // known, not active before, active now
}

// sync stores WeChat's list. Missing templates are marked, not deleted, because
// messages refer to them.
func (s Syncer) sync(ctx context.Context, account *hongyan.Account, liftBans bool) (*syncChanges, error) {
	if account.Kind == hongyan.MiniProgram {
		return nil, handRegistered
	}
	theirs, err := s.wechat(account).ListTemplates(ctx)
	if err != nil {
		return nil, err
	}
	ours, err := s.Store.Templates(ctx, account.AppID)
	if err != nil {
		return nil, err
	}
	c := compareTemplates(account, ours, theirs, hongyan.Millis(s.Store.Now()), liftBans)
	if err := s.Store.PutTemplates(ctx, c.put); err != nil {
		return nil, err
	}
	for _, id := range c.report.Missing {
		if err := s.Store.SetTemplateStatus(ctx, account.AppID, id, templateRemoved, "not in WeChat's list at the last sync"); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// handRegistered explains why templates of mini programs cannot be fetched.
var handRegistered = &hongyan.Error{Kind: hongyan.Invalid, Code: "templates_by_hand", Message: "WeChat retired the list of mini program templates",
	Hint: "Register each one with PUT /v1/accounts/{appid}/templates/{template_id}."}

// compareTemplates decides what a sync stores.
func compareTemplates(account *hongyan.Account, ours []hongyan.Template, theirs []wechat.Template, now time.Time, liftBans bool) *syncChanges {
	c := &syncChanges{report: client.TemplateSync{Added: []string{}, Updated: []string{}, Missing: []string{}}}
	before := make(map[string]hongyan.Template, len(ours))
	for _, t := range ours {
		before[t.TemplateID] = t
	}
	for i := range theirs {
		t := fromWeChat(account, &theirs[i], now)
		old, known := before[t.TemplateID]
		delete(before, t.TemplateID)
		c.add(t, old, known, liftBans)
	}
	for _, t := range ours {
		if _, gone := before[t.TemplateID]; gone && t.Status != templateRemoved {
			c.report.Missing = append(c.report.Missing, t.TemplateID)
		}
	}
	return c
}

// add notes a template of WeChat's list. Being listed does not mean that a
// banned one may be sent, so it stays banned unless bans are lifted.
func (c *syncChanges) add(t, old hongyan.Template, known, liftBans bool) {
	banned := known && old.Status != templateActive && old.Status != templateRemoved
	if banned && !liftBans {
		t.Status, t.StatusReason = old.Status, old.StatusReason
	}
	c.put = append(c.put, t)
	if known && old.Status != templateActive && t.Status == templateActive {
		c.revived = append(c.revived, t.TemplateID)
	}
	old.SyncedAt = t.SyncedAt
	switch {
	case !known:
		c.report.Added = append(c.report.Added, t.TemplateID)
	case old != t:
		c.report.Updated = append(c.report.Updated, t.TemplateID)
	default:
		c.report.Unchanged++
	}
}

func fromWeChat(account *hongyan.Account, t *wechat.Template, now time.Time) hongyan.Template {
	return hongyan.Template{
		AppID: account.AppID, TemplateID: t.TemplateID, Title: t.Title,
		PrimaryIndustry: t.PrimaryIndustry, DeputyIndustry: t.DeputyIndustry,
		Content: t.Content, Example: t.Example,
		Kind: account.Kind.MessageKind(), Status: templateActive, SyncedAt: now,
	}
}

// wechat is a client for one account, with the gateway's own tokens.
func (s Syncer) wechat(account *hongyan.Account) *wechat.Client {
	return &wechat.Client{BaseURL: account.BaseURL, HTTPClient: s.HTTPClient, Tokens: accountTokens{s.Tokens, account.AppID}}
}

// accountTokens gives wechat.Client the tokens of one account.
type accountTokens struct {
	central *token.Central
	appID   string
}

func (t accountTokens) AccessToken(ctx context.Context) (string, error) {
	return t.central.AccessToken(ctx, t.appID)
}

func (t accountTokens) Invalidate(ctx context.Context, failed string) error {
	return t.central.Invalidate(ctx, t.appID, failed)
}
