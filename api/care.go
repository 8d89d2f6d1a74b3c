package api

import (
	"cmp"
	"context"
	"time"
	"unicode/utf8"

	"hongyan"
	"hongyan/client"
	"hongyan/store"
)

// noCare answers when the gateway was put together without it.
var noCare = &hongyan.Error{Kind: hongyan.Unavailable, Message: "this gateway keeps no suppression lists at the moment"}

const (
	// maxSuppressions bounds what one request puts on a list.
	maxSuppressions = 1000
	maxNote         = 200 // characters
	// userMessages is how many messages the page of a user shows.
	userMessages = 50
)

// setCare takes over what in sets.
func setCare(c *hongyan.Care, in *client.Care, f *faults) {
	if in == nil {
		return
	}
	if in.Suppression != nil {
		if rule := hongyan.OneOf(*in.Suppression, "", "auto", hongyan.SuppressionOff); rule != "" {
			f.add("/care/suppression", "%s", rule)
		} else if c.Suppression = *in.Suppression; c.Suppression == "auto" {
			c.Suppression = ""
		}
	}
	set(&c.SuppressCompat, in.SuppressCompat)
	set(&c.UserCap, in.UserCap)
}

// uncap lets messages go that a cap per user held which was raised or removed. The
// account is stored by then, so that a failure is told to the log alone.
func (a *API) uncap(ctx context.Context, before hongyan.Care, account *hongyan.Account) {
	if a.cfg.Care == nil || !account.Care.Raises(before) {
		return
	}
	if err := a.cfg.Care.CapRaised(ctx, account); err != nil {
		a.log.WarnContext(ctx, "let messages go that a cap per user held", "appid", account.AppID, "err", err)
	}
}

func viewCare(c *hongyan.Care) client.CareStatus {
	return client.CareStatus{Suppression: cmp.Or(c.Suppression, "auto"), SuppressCompat: c.SuppressCompat, UserCap: c.UserCap}
}

type suppressionList struct {
	AppID  string `path:"appid" doc:"appid or alias."`
	OpenID string `query:"openid" doc:"One user."`
	Reason string `query:"reason" enum:"user_block,not_following,blacklisted,user_frozen,invalid_openid,manual" doc:"Why the user is on the list."`
	Ended  bool   `query:"ended" doc:"true: also those that were lifted or are over, as far as they are remembered: 30 days."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

func (a *API) listSuppressions(ctx context.Context, in *suppressionList) (*out[client.List[client.Suppression]], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	f := store.SuppressionFilter{AppID: account.AppID, Reason: in.Reason, Ended: in.Ended, Limit: in.Limit}
	if in.OpenID != "" {
		f.OpenIDs = []string{in.OpenID}
	}
	if f.Before, err = readCursor("s", in.Cursor); err != nil {
		return nil, err
	}
	found, err := a.cfg.Store.Suppressions(ctx, f)
	if err != nil {
		return nil, err
	}
	hide := masks(ctx)
	list := client.List[client.Suppression]{Items: make([]client.Suppression, 0, len(found))}
	for i := range found {
		v := viewSuppression(&found[i], a.cfg.Store.Now())
		if hide {
			v.OpenID = maskOpenID(v.OpenID)
		}
		list.Items = append(list.Items, v)
	}
	if len(found) == in.Limit {
		list.NextCursor = cursorFor("s", found[len(found)-1].ID)
	}
	return &out[client.List[client.Suppression]]{list}, nil
}

func (a *API) putSuppressions(ctx context.Context, in *struct {
	AppID string `path:"appid" doc:"appid or alias."`
	Body  body[client.SuppressionsPut]
}) (*out[client.SuppressionsDone], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	if a.cfg.Care == nil {
		return nil, noCare
	}
	now := hongyan.Millis(a.cfg.Store.Now())
	put, err := suppressions(account.AppID, infoOf(ctx).caller.ID, in.Body.Value.Items, now)
	infoOf(ctx).changes(account.AppID, "%d users", len(in.Body.Value.Items))
	if err != nil {
		return nil, err
	}
	n, err := a.cfg.Care.Put(ctx, put)
	if err != nil {
		return nil, err
	}
	return &out[client.SuppressionsDone]{client.SuppressionsDone{Changed: n}}, nil
}

// suppressions translates what a person puts on a list.
func suppressions(appID, by string, items []client.SuppressionInput, now time.Time) ([]hongyan.Suppression, error) {
	var f faults
	if n := len(items); n == 0 || n > maxSuppressions {
		f.add("/items", "must have 1 to %d users, has %d", maxSuppressions, n)
		return nil, f.err("invalid_suppression")
	}
	put := make([]hongyan.Suppression, len(items))
	for i, item := range items {
		at := "/items/" + itoa(i)
		if !hongyan.ValidOpenID(item.OpenID) {
			f.add(at+"/openid", "%q is not an openid: 28 characters, an \"o\" first", clip(item.OpenID))
		}
		if n := utf8.RuneCountInString(item.Note); n > maxNote {
			f.add(at+"/note", "has %d characters; at most %d", n, maxNote)
		}
		put[i] = hongyan.Suppression{AppID: appID, OpenID: item.OpenID, Reason: hongyan.SuppressManual, Note: item.Note, By: by, Since: now}
		if item.Until != nil {
			if put[i].Until = hongyan.Millis(item.Until.Time); !put[i].Until.After(now) {
				f.add(at+"/until", "%s has passed", item.Until)
			}
		}
	}
	return put, f.err("invalid_suppression")
}

type userPath struct {
	AppID  string `path:"appid" doc:"appid or alias."`
	OpenID string `path:"openid" doc:"An openid of the account."`
}

func (a *API) removeSuppression(ctx context.Context, in *userPath) (*none, error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	if a.cfg.Care == nil {
		return nil, noCare
	}
	n, err := a.cfg.Care.Lift(ctx, store.Lift{AppID: account.AppID, OpenIDs: []string{in.OpenID}, By: infoOf(ctx).caller.ID})
	if err == nil && n == 0 {
		err = hongyan.Errorf(hongyan.NotFound, "not_suppressed", "this user is not on the list of account %s", account.AppID)
	}
	return nil, err
}

func viewSuppression(s *hongyan.Suppression, now time.Time) client.Suppression {
	v := client.Suppression{
		ID: id64(s.ID), AppID: s.AppID, OpenID: s.OpenID, Reason: s.Reason, Active: s.Active(now), Note: s.Note, By: s.By,
		Since: client.Time{Time: s.Since}, Until: client.At(s.Until), LiftedAt: client.At(s.LiftedAt), LiftedBy: s.LiftedBy,
	}
	if s.Errcode != 0 {
		v.Errcode = &s.Errcode
	}
	return v
}

func (a *API) getUser(ctx context.Context, in *userPath) (*out[client.User], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	now := a.cfg.Store.Now()
	v := client.User{AppID: account.AppID, OpenID: in.OpenID, UserCap: account.Care.UserCap, Messages: []client.Message{}, Consents: []client.Consent{}}
	page, err := a.cfg.Store.Messages(ctx, store.Filter{AppIDs: []string{account.AppID}, ToUser: in.OpenID, Limit: userMessages})
	if err != nil {
		return nil, err
	}
	hide := masks(ctx)
	for i := range page.Items {
		m := viewMessage(&page.Items[i], now)
		if hide {
			maskMessage(m)
		}
		v.Messages = append(v.Messages, *m)
	}
	listed, err := a.cfg.Store.Suppressions(ctx, store.SuppressionFilter{AppID: account.AppID, OpenIDs: []string{in.OpenID}, Ended: true, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(listed) > 0 {
		v.Suppression = new(viewSuppression(&listed[0], now))
	}
	if a.cfg.Mini != nil {
		consents, err := a.cfg.Mini.Consents(ctx, &account, store.ConsentFilter{OpenID: in.OpenID, Limit: userMessages})
		if err != nil {
			return nil, err
		}
		for i := range consents {
			v.Consents = append(v.Consents, viewConsent(&consents[i]))
		}
	}
	if account.Care.UserCap > 0 {
		v.Today, err = a.cfg.Store.UserCount(ctx, store.UserDay{AppID: account.AppID, OpenID: in.OpenID, Day: hongyan.PeriodStart("day", now)})
	}
	return &out[client.User]{v}, err
}

func (a *API) eraseUser(ctx context.Context, in *struct {
	AppID  string `path:"appid" doc:"appid or alias."`
	OpenID string `path:"openid" doc:"An openid of the account."`
	Force  bool   `query:"force" doc:"true: messages that wait for the person are cancelled."`
}) (*out[client.Erasure], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	if a.cfg.Care == nil {
		return nil, noCare
	}
	if !hongyan.ValidOpenID(in.OpenID) {
		return nil, badField("malformed_openid", "/path/openid", "this is not an openid: 28 characters, an \"o\" first")
	}
	if !in.Force {
		if err := a.nothingWaits(ctx, account.AppID, in.OpenID); err != nil {
			return nil, err
		}
	}
	e, err := a.cfg.Care.Erase(ctx, account.AppID, in.OpenID, infoOf(ctx).caller.ID)
	if err != nil {
		return nil, err
	}
	infoOf(ctx).changes(account.AppID, "%s", e.ID)
	return &out[client.Erasure]{viewErasure(&e)}, nil
}

// nothingWaits refuses while messages wait for a person.
func (a *API) nothingWaits(ctx context.Context, appID, openID string) error {
	page, err := a.cfg.Store.Messages(ctx, store.Filter{AppIDs: []string{appID}, ToUser: openID, Limit: userMessages,
		States: []hongyan.State{hongyan.Queued, hongyan.Held, hongyan.Sending}})
	if err != nil || len(page.Items) == 0 {
		return err
	}
	return &hongyan.Error{Kind: hongyan.Conflict, Code: "user_has_waiting",
		Message: "messages wait for this person: " + page.Items[0].ID + " is " + page.Items[0].State.String(),
		Hint:    "Let them leave, or say force=true to cancel them."}
}

func (a *API) getErasure(ctx context.Context, in *struct {
	AppID string `path:"appid" doc:"appid or alias."`
	ID    string `path:"id" doc:"The erasure's id."`
}) (*out[client.Erasure], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	e, err := a.cfg.Store.Erasure(ctx, account.AppID, in.ID)
	if err != nil {
		return nil, err
	}
	return &out[client.Erasure]{viewErasure(&e)}, nil
}

func viewErasure(e *hongyan.Erasure) client.Erasure {
	return client.Erasure{
		ID: e.ID, AppID: e.AppID, Pseudonym: e.Pseudonym, State: e.State.String(), RequestedAt: client.Time{Time: e.RequestedAt},
		DueAt: client.At(e.DueAt), FinishedAt: client.At(e.FinishedAt), Messages: e.Messages, Events: e.Events, Others: e.Others, Left: e.Left,
	}
}
