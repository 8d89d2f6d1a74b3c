package api

import (
	"context"
	"net/http"

	"hongyan/client"
	"hongyan/mini"
	"hongyan/store"
	"hongyan/wechat"
)

// reportConsents is POST /v1/accounts/{appid}/consents, plain like addForms.
func (a *API) reportConsents(w http.ResponseWriter, r *http.Request) error {
	account, err := a.account(r.Context(), r.PathValue("appid"))
	if err != nil {
		return err
	}
	var done client.ConsentsStored
	b := bulk[client.ConsentReport]{store: func(ctx context.Context, rows []client.ConsentReport) ([]placed, error) {
		reports := make([]mini.Report, len(rows))
		for i, c := range rows {
			id, err := a.cfg.Engine.TemplateID(ctx, account.AppID, c.TemplateID)
			if err != nil {
				return nil, err
			}
			reports[i] = mini.Report{OpenID: c.OpenID, TemplateID: id, Answer: c.Answer, Times: c.Times, Always: c.Always, At: c.At}
		}
		n, problems, err := a.cfg.Mini.AddReports(ctx, &account, reports)
		done.Stored += n
		return placedOf(problems), err
	}}
	if err := b.read(w, r); err != nil {
		return err
	}
	done.Rows, done.Bad, done.Problems = b.rows, b.bad, b.problems
	return a.answer(w, done)
}

type consentList struct {
	AppID      string `path:"appid" doc:"appid or alias."`
	OpenID     string `query:"openid" doc:"One user. Default: all."`
	TemplateID string `query:"template_id" doc:"One template, by template_id or alias. Default: all."`
	Cursor     string `query:"cursor" doc:"next_cursor of the page before."`
	Limit      int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

func (a *API) listConsents(ctx context.Context, in *consentList) (*out[client.List[client.Consent]], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	before, err := readCursor("c", in.Cursor)
	if err != nil {
		return nil, err
	}
	id, err := a.cfg.Engine.TemplateID(ctx, account.AppID, in.TemplateID)
	if err != nil {
		return nil, err
	}
	all, err := a.cfg.Mini.Consents(ctx, &account, store.ConsentFilter{OpenID: in.OpenID, TemplateID: id, Before: before, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	hide := masks(ctx)
	list := client.List[client.Consent]{Items: make([]client.Consent, 0, len(all))}
	for i := range all {
		v := viewConsent(&all[i])
		if hide {
			v.OpenID = maskOpenID(v.OpenID)
		}
		list.Items = append(list.Items, v)
	}
	if len(all) == in.Limit {
		list.NextCursor = cursorFor("c", all[len(all)-1].ID)
	}
	return &out[client.List[client.Consent]]{list}, nil
}

func viewConsent(s *mini.Standing) client.Consent {
	v := client.Consent{
		OpenID: s.OpenID, TemplateID: s.TemplateID, Type: templateTypeWord(s.Type), Certainty: s.Certainty, UsedUp: s.UsedUp(),
		ByEvents: s.ByEvents, ByReports: s.ByReports, Sent: s.Sent, Always: s.Always, Since: client.Time{Time: s.Since},
		AcceptedAt: client.At(s.AcceptedAt), DeclinedAt: client.At(s.DeclinedAt), RefusedAt: client.At(s.RefusedAt), SentAt: client.At(s.SentAt),
	}
	if !s.Unlimited() {
		v.Left = &s.Left
	}
	if s.Open >= 0 {
		v.OnTheWay = &s.Open
	}
	return v
}

// templateTypeWord says for how long an acceptance is good.
func templateTypeWord(t wechat.SubscribeTemplateType) string {
	switch t {
	case wechat.SubscribeOneTime:
		return "one_time"
	case wechat.SubscribeLongTerm:
		return "long_term"
	}
	return "unknown"
}
