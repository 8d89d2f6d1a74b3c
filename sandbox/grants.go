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

// Grants returns the newest limit grants of a user, newest first; limit 0 means
// all of them.
func (s *Sandbox) Grants(openid string, limit int) []Grant {
	defer s.unlock()
	out := []Grant{}
	for id, f := range s.lock().forms {
		if f.openid != openid {
			continue
		}
		g := Grant{AppID: f.account.appID, Left: f.left, FormGrant: FormGrant{ActiveAt: stamp(f.active), ExpiresAt: stamp(f.expires)}}
		if isPrepayID(id) {
			g.PrepayID = id
		} else {
			g.FormID = id
		}
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b Grant) int { return b.ExpiresAt.Compare(a.ExpiresAt.Time) })
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out
}

// isPrepayID tells the two kinds apart: a form_id is 32 hexadecimal digits.
func isPrepayID(id string) bool { return len(id) > 2 && id[:2] == "wx" }

// GivenAt is when the user gave it.
func (g Grant) GivenAt() time.Time { return g.ExpiresAt.Add(-formLife) }
