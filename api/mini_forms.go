package api

import (
	"context"
	"net/http"

	"hongyan"
	"hongyan/client"
	"hongyan/mini"
)

// addForms is POST /v1/accounts/{appid}/form_ids. It is a plain handler because
// NDJSON of any length is read as it comes.
func (a *API) addForms(w http.ResponseWriter, r *http.Request) error {
	account, err := a.account(r.Context(), r.PathValue("appid"))
	if err != nil {
		return err
	}
	var done client.FormIDsStored
	b := bulk[client.FormIDRequest]{store: func(ctx context.Context, rows []client.FormIDRequest) ([]placed, error) {
		entries := make([]mini.Entry, len(rows))
		for i, f := range rows {
			entries[i] = mini.Entry{OpenID: f.OpenID, FormID: f.FormID, PrepayID: f.PrepayID, ObtainedAt: f.ObtainedAt, Sends: f.Sends}
		}
		added, err := a.cfg.Mini.AddForms(ctx, &account, entries)
		done.Stored += added.Stored
		done.Known += added.Known
		done.Released += added.Released
		return placedOf(added.Problems), err
	}}
	if err := b.read(w, r); err != nil {
		return err
	}
	done.Rows, done.Bad, done.Problems = b.rows, b.bad, b.problems
	return a.answer(w, done)
}

func placedOf(problems []mini.Problem) (all []placed) {
	for _, p := range problems {
		all = append(all, placed{p.Place, p.Fields})
	}
	return all
}

type formList struct {
	AppID  string `path:"appid" doc:"appid or alias."`
	OpenID string `query:"openid" doc:"One user. Default: all."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

func (a *API) listForms(ctx context.Context, in *formList) (*out[client.FormIDs], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	before, err := readCursor("f", in.Cursor)
	if err != nil {
		return nil, err
	}
	left, err := a.cfg.Mini.Forms(ctx, &account, in.OpenID, before, in.Limit)
	if err != nil {
		return nil, err
	}
	list := client.FormIDs{
		Items: make([]client.FormID, 0, len(left.Items)), Left: left.Sends, Usable: left.FormCounts.Forms, Users: left.Users,
		NextExpiry: client.At(left.Next), ExpiringDay: left.Within,
	}
	if left.Waiting >= 0 {
		list.Waiting = &left.Waiting
	}
	for i := range left.Items {
		v := a.viewForm(&left.Items[i])
		if masks(ctx) {
			v.OpenID, v.FormID = maskOpenID(v.OpenID), masked
		}
		list.Items = append(list.Items, v)
	}
	if len(left.Items) == in.Limit {
		list.NextCursor = cursorFor("f", left.Items[len(left.Items)-1].ID)
	}
	return &out[client.FormIDs]{list}, nil
}

func (a *API) viewForm(f *hongyan.FormID) client.FormID {
	v := client.FormID{
		OpenID: f.OpenID, FormID: f.FormID, Source: string(f.Source), State: f.State(a.cfg.Store.Now()), Sends: f.Sends, Left: f.Left,
		ObtainedAt: client.Time{Time: f.ObtainedAt}, ExpiresAt: client.Time{Time: f.ExpiresAt}, Messages: append([]string{}, f.Messages...),
	}
	if f.Refused != 0 {
		v.Errcode = &f.Refused
	}
	return v
}
