package sandbox

import (
	"net/http"
	"slices"
)

// Settings are the behaviours that cannot belong to an account, because the
// platform shows them before it knows whose call it is. nil leaves what is there.
type Settings struct {
	// MalformedToken40014: a token with characters no token has gets 40014, not
	// 40001 (spec §3.4). Default true.
	MalformedToken40014 *bool `json:"malformed_token_40014,omitzero"`
	// RequireHTTPS: plain http gets 43003 (spec §2.2). Default false, being local.
	RequireHTTPS *bool `json:"require_https,omitzero"`
	// Chunked412: a POST without Content-Length gets HTTP 412 (spec §2.4). Default true.
	Chunked412 *bool `json:"chunked_412,omitzero"`
	// JSONForm415: JSON where newtmpl/addtemplate wants a form gets HTTP 415, else 200014
	// as from other front ends (spec §7.2). Default true.
	JSONForm415 *bool `json:"json_form_415,omitzero"`
	// BusinessStatus is the HTTP status of answers with an errcode, 200 to 599 (spec
	// §2.5). Default 200, as the platform's; others are what a proxy may make of it.
	BusinessStatus *int `json:"business_status,omitzero"`
}

func defaultSettings() Settings {
	return Settings{
		MalformedToken40014: new(true), RequireHTTPS: new(false), Chunked412: new(true), JSONForm415: new(true),
		BusinessStatus: new(http.StatusOK),
	}
}

// Configure changes the settings that are not nil and returns all of them. It panics
// with the [*ControlError] of a status that is none: that is a mistake in the test that
// calls it.
func (s *Sandbox) Configure(change Settings) Settings {
	if err := change.check(); err != nil {
		panic(err)
	}
	defer s.unlock()
	p := s.lock()
	p.configure(change)
	r := &p.rules
	return Settings{
		MalformedToken40014: new(*r.MalformedToken40014), RequireHTTPS: new(*r.RequireHTTPS),
		Chunked412: new(*r.Chunked412), JSONForm415: new(*r.JSONForm415), BusinessStatus: new(*r.BusinessStatus),
	}
}

func (change *Settings) check() error {
	if status := change.BusinessStatus; status != nil && slices.Contains(bodiless, *status) {
		return &ControlError{Field: "business_status", Rule: "must be one of an answer with a body", Value: *status}
	}
	return inRange("business_status", change.BusinessStatus, http.StatusOK, 599)
}

func (p *platform) configure(change Settings) {
	r := &p.rules
	replace(&r.MalformedToken40014, change.MalformedToken40014)
	replace(&r.RequireHTTPS, change.RequireHTTPS)
	replace(&r.Chunked412, change.Chunked412)
	replace(&r.JSONForm415, change.JSONForm415)
	replace(&r.BusinessStatus, change.BusinessStatus)
}

// replace points dst to a copy of what src points to, never to the caller's own.
func replace[T any](dst **T, src *T) {
	if src != nil {
		*dst = new(*src)
	}
}
