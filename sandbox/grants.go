package sandbox

import (
	"slices"
	"time"
)

// Grant is a form_id or prepay_id that a user gave and what is left of it.
type Grant struct {
	FormGrant
	AppID string
	Left  int // messages it still serves
}

// rememberedGrants is how many of a user's grants Grants knows; all of them serve.
const rememberedGrants = 20

// give writes a grant down.
func (p *platform) give(id string, f *form) {
	p.forms[id] = f
	ids := append(p.given[f.openid], id)
	p.given[f.openid] = ids[max(0, len(ids)-rememberedGrants):]
}

// Grants returns the newest limit grants of a user, newest first: 20 at most, which
// limit 0 means.
func (s *Sandbox) Grants(openid string, limit int) []Grant {
	defer s.unlock()
	p := s.lock()
	out := []Grant{}
	for _, id := range slices.Backward(p.given[openid]) {
		if limit > 0 && len(out) == limit {
			break
		}
		out = append(out, p.forms[id].grant(id))
	}
	return out
}

func (f *form) grant(id string) Grant {
	g := Grant{AppID: f.account.appID, Left: f.left, FormGrant: FormGrant{ActiveAt: stamp(f.active), ExpiresAt: stamp(f.expires)}}
	if isPrepayID(id) {
		g.PrepayID = id
	} else {
		g.FormID = id
	}
	return g
}

// isPrepayID tells the two kinds apart: a form_id is 32 hexadecimal digits.
func isPrepayID(id string) bool { return len(id) > 2 && id[:2] == "wx" }

// GivenAt is when the user gave it.
func (g Grant) GivenAt() time.Time { return g.ExpiresAt.Add(-formLife) }
