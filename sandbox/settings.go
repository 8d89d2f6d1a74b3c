package sandbox

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
}

func defaultSettings() Settings {
	return Settings{
		MalformedToken40014: new(true), RequireHTTPS: new(false), Chunked412: new(true), JSONForm415: new(true),
	}
}

// Configure changes the settings that are not nil and returns all of them.
func (s *Sandbox) Configure(change Settings) Settings {
	defer s.unlock()
	p := s.lock()
	for _, f := range []struct{ dst, src **bool }{
		{&p.rules.MalformedToken40014, &change.MalformedToken40014},
		{&p.rules.RequireHTTPS, &change.RequireHTTPS},
		{&p.rules.Chunked412, &change.Chunked412},
		{&p.rules.JSONForm415, &change.JSONForm415},
	} {
		if *f.src != nil {
			*f.dst = new(**f.src) // never the caller's own
		}
	}
	return Settings{
		new(*p.rules.MalformedToken40014), new(*p.rules.RequireHTTPS), new(*p.rules.Chunked412), new(*p.rules.JSONForm415),
	}
}
