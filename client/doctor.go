package client

import (
	"context"
	"net/http"
	"net/url"
)

// Examination is what the gateway's doctor saw.
type Examination struct {
	At       Time            `json:"at"`
	TookMS   int64           `json:"took_ms"`
	Worst    string          `json:"worst" enum:"ok,note,warning,problem" doc:"The worst level among the findings."`
	Findings []DoctorFinding `json:"findings" nullable:"false" doc:"The gateway's own first, then by account."`
}

// DoctorFinding is one thing that was looked at, and how it is.
type DoctorFinding struct {
	Check string `json:"check" doc:"What was looked at: clock, database, disk, keys, events, webhooks; of an account dns, token, egress, clock, appsecret, callback, pushes, templates, quota, holds, downstreams."`
	AppID string `json:"appid" doc:"Empty: it concerns the gateway itself."`
	Level string `json:"level" enum:"ok,note,warning,problem" doc:"note: worth knowing. warning: works, and will not for ever. problem: something does not work."`
	Code  string `json:"code" doc:"A stable word, such as ip_not_whitelisted; ok when all is well." example:"ip_not_whitelisted"`
	// What was seen, and what to do about it, in English and Chinese.
	What     string `json:"what"`
	WhatZH   string `json:"what_zh"`
	Remedy   string `json:"remedy" doc:"What to do; empty where nothing need be done."`
	RemedyZH string `json:"remedy_zh"`
}

// Examine lets the gateway look at itself and at every account the key covers, or, with
// an appid or alias, at the gateway and that account. It changes nothing; WeChat is
// asked a few harmless questions. It takes up to 45 s.
func (c *Client) Examine(ctx context.Context, appID string) (Examination, error) {
	query := url.Values{}
	if appID != "" {
		query.Set("appid", appID)
	}
	return one[Examination](ctx, c, call{method: http.MethodGet, path: "/v1/doctor", query: query})
}
