package sandbox

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hongyan/wechat"
)

// Standing is what the platform has against an account; nil leaves what is there.
type Standing struct {
	SecretFrozen *bool `json:"secret_frozen,omitzero"` // the token endpoints answer 40243; default false
	// TokenForbidden: the token endpoints answer 50004 or 50007; default none.
	TokenForbidden string `json:"token_forbidden,omitzero"`
	// ForbiddenAPIs are paths that answer 48004; "*" at the end stands for anything.
	ForbiddenAPIs *[]string `json:"forbidden_apis,omitzero"`
	// BannedTemplates are private template ids whose sends answer 43116, tids of the
	// subscribe library that answer 200013, and short ids that answer 48011.
	BannedTemplates *[]string `json:"banned_templates,omitzero"`
	// ConfirmNewIPs: the token endpoints answer 89503 to an address until an
	// administrator has confirmed it; default false.
	ConfirmNewIPs *bool `json:"confirm_new_ips,omitzero"`
}

// standingState is the account's state of it.
type standingState struct {
	secretFrozen, confirmNewIPs    bool
	tokenForbidden                 string
	forbiddenAPIs, bannedTemplates []string
	ips                            map[netip.Addr]*ipRequest
}

// Values of token_forbidden.
const (
	notForbidden   = "none"
	forbidden50004 = "50004"
	forbidden50007 = "50007"
)

func newStanding() standingState {
	return standingState{tokenForbidden: notForbidden, ips: map[netip.Addr]*ipRequest{}}
}

func (spec *Standing) check() error {
	if spec.ForbiddenAPIs != nil {
		for _, path := range *spec.ForbiddenAPIs {
			if !strings.HasPrefix(path, "/") && path != "*" {
				return &ControlError{Field: "forbidden_apis", Rule: `must hold paths such as /cgi-bin/message/template/send, or "*"`, Value: path}
			}
		}
	}
	return oneOf("token_forbidden", spec.TokenForbidden, notForbidden, forbidden50004, forbidden50007)
}

func (st *standingState) apply(spec Standing) {
	set(&st.secretFrozen, spec.SecretFrozen)
	set(&st.confirmNewIPs, spec.ConfirmNewIPs)
	setText(&st.tokenForbidden, spec.TokenForbidden)
	if spec.ForbiddenAPIs != nil {
		st.forbiddenAPIs = slices.Clone(*spec.ForbiddenAPIs)
	}
	if spec.BannedTemplates != nil {
		st.bannedTemplates = slices.Clone(*spec.BannedTemplates)
	}
}

func (st *standingState) view() Standing {
	return Standing{
		SecretFrozen: new(st.secretFrozen), TokenForbidden: st.tokenForbidden, ConfirmNewIPs: new(st.confirmNewIPs),
		ForbiddenAPIs: listOf(st.forbiddenAPIs), BannedTemplates: listOf(st.bannedTemplates),
	}
}

func (st *standingState) forbids(path string) bool {
	for _, pattern := range st.forbiddenAPIs {
		if prefix, any := strings.CutSuffix(pattern, "*"); pattern == path || any && strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

func (st *standingState) bans(id string) bool { return slices.Contains(st.bannedTemplates, id) }

// refusesToken is what the account's state answers to a login whose secret is right.
// Unverified: its place after the secret.
func (st *standingState) refusesToken() wechat.Code {
	switch {
	case st.secretFrozen:
		return wechat.CodeAppSecretFrozen
	case st.tokenForbidden == forbidden50004:
		return wechat.CodeTokenForbidden
	case st.tokenForbidden == forbidden50007:
		return wechat.CodeAccountFrozen
	}
	return wechat.CodeOK
}

// Pauses after an administrator has refused an address (spec §3.1).
const (
	refusedOnce  = time.Hour
	refusedTwice = 24 * time.Hour
)

// Decisions about an address.
const (
	ipPending  = "pending"
	ipAccepted = "accepted"
	ipRefused  = "refused"
)

// ipRequest is one address that asked for a token and needs an administrator's word.
type ipRequest struct {
	state    string
	refusals int
	until    time.Time // of the pause, once refused
}

// riskOf is 0 for an address that may go on. A new one asks and gets 89503; while it
// waits 89501; refused once 89507 for an hour, twice 89506 for a day; after the pause
// the next call asks anew.
func (st *standingState) riskOf(ip netip.Addr, now time.Time) wechat.Code {
	if !st.confirmNewIPs {
		return wechat.CodeOK
	}
	r := st.ips[ip]
	if r == nil {
		r = &ipRequest{}
		st.ips[ip] = r
	}
	switch {
	case r.state == ipAccepted:
		return wechat.CodeOK
	case r.state == ipPending:
		return wechat.CodeIPConfirmPending
	case r.state == ipRefused && now.Before(r.until) && r.refusals > 1:
		return wechat.CodeIPRefused24h
	case r.state == ipRefused && now.Before(r.until):
		return wechat.CodeIPRefused1h
	}
	r.state = ipPending
	return wechat.CodeIPConfirmNeeded
}

// IPRequest is an address that asked for a token while confirm_new_ips was on.
type IPRequest struct {
	IP       string `json:"ip"`
	State    string `json:"state"` // pending, accepted, refused
	Refusals int    `json:"refusals"`
}

// IPRequests returns the addresses that asked, sorted.
func (s *Sandbox) IPRequests(appid string) ([]IPRequest, error) {
	defer s.unlock()
	a := s.lock().accounts[appid]
	if a == nil {
		return nil, unknownAccount(appid)
	}
	out := []IPRequest{}
	for ip, r := range a.ips {
		out = append(out, IPRequest{ip.String(), r.state, r.refusals})
	}
	slices.SortFunc(out, func(x, y IPRequest) int { return cmp.Compare(x.IP, y.IP) })
	return out, nil
}

// DecideIP is an administrator's word about an address, whether or not it has asked:
// accepted for good, or refused for an hour the first time and for a day from the
// second on. An error is a [*ControlError].
func (s *Sandbox) DecideIP(appid, ip string, accept bool) error {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return &ControlError{Field: "ip", Rule: "must be an address", Value: ip}
	}
	defer s.unlock()
	p := s.lock()
	a := p.accounts[appid]
	if a == nil {
		return unknownAccount(appid)
	}
	r := &ipRequest{state: ipAccepted}
	if !accept {
		if old := a.ips[addr.Unmap()]; old != nil {
			r.refusals = old.refusals
		}
		r.state, r.refusals, r.until = ipRefused, r.refusals+1, p.clock.now().Add(refusedOnce)
		if r.refusals > 1 {
			r.until = p.clock.now().Add(refusedTwice)
		}
	}
	a.ips[addr.Unmap()] = r
	return nil
}

// ResetSecret makes a new AppSecret, as generating or viewing it in the console does,
// and returns it: the old one answers 40125 from now on, tokens live on. An error is a
// [*ControlError].
func (s *Sandbox) ResetSecret(appid string) (string, error) {
	defer s.unlock()
	p := s.lock()
	a := p.accounts[appid]
	if a == nil {
		return "", unknownAccount(appid)
	}
	a.secret = p.dice.formID() // 32 hexadecimal digits
	return a.secret, nil
}
