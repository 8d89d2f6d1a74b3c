package api

import (
	"context"
	"time"

	"hongyan"
	"hongyan/client"
	"hongyan/doctor"
)

type doctorInput struct {
	AppID string `query:"appid" doc:"appid or alias of one account; default all that the key covers."`
}

// examine lets the doctor look. What concerns the gateway is told to keys that
// cover all accounts.
func (a *API) examine(ctx context.Context, in *doctorInput) (*out[client.Examination], error) {
	scope, err := a.doctorScope(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	found, err := a.cfg.Doctor.Run(ctx, scope)
	if err != nil {
		return nil, err
	}
	v := client.Examination{
		At: client.Time{Time: hongyan.Millis(a.cfg.Store.Now())}, TookMS: time.Since(began).Milliseconds(),
		Worst: doctor.Worst(found).String(), Findings: make([]client.DoctorFinding, len(found)),
	}
	for i, f := range found {
		v.Findings[i] = client.DoctorFinding{
			Check: f.Check, AppID: f.AppID, Level: f.Level.String(), Code: f.Code,
			What: f.What.EN, WhatZH: f.What.ZH, Remedy: f.Remedy.EN, RemedyZH: f.Remedy.ZH,
		}
	}
	return &out[client.Examination]{v}, nil
}

func (a *API) doctorScope(ctx context.Context, appID string) (doctor.Scope, error) {
	c := infoOf(ctx).caller
	scope := doctor.Scope{Gateway: c.Everything()}
	if appID != "" {
		account, err := a.account(ctx, appID)
		if err != nil {
			return scope, err
		}
		scope.Accounts = []hongyan.Account{account}
		return scope, nil
	}
	all, err := a.cfg.Store.Accounts(ctx)
	if err != nil {
		return scope, err
	}
	for i := range all {
		if c.Covers(all[i].AppID) {
			scope.Accounts = append(scope.Accounts, all[i])
		}
	}
	return scope, nil
}
