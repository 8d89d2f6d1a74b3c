package sandbox

// Settings are the behaviours that cannot belong to an account, because the
// platform shows them before it knows whose call it is. nil leaves what is there.
type Settings struct {
	// MalformedToken40014: a token with characters no token has gets 40014, not
	// 40001 (spec §3.4). Default true.
	MalformedToken40014 *bool `json:"malformed_token_40014,omitzero"`
	// RequireHTTPS: plain http gets 43003 (spec §2.2). Default false, being local.
	RequireHTTPS *bool `json:"require_https,omitzero"`
}

// Configure changes the settings that are not nil and returns all of them.
func (s *Sandbox) Configure(change Settings) Settings {
	defer s.unlock()
	p := s.lock()
	if change.MalformedToken40014 != nil {
		p.rules.MalformedToken40014 = new(*change.MalformedToken40014)
	}
	if change.RequireHTTPS != nil {
		p.rules.RequireHTTPS = new(*change.RequireHTTPS)
	}
	return Settings{new(*p.rules.MalformedToken40014), new(*p.rules.RequireHTTPS)}
}
