package hongyan

import "slices"

// MiniRules are the settings of an account about form_ids and consents. They are
// stored as JSON under these names.
type MiniRules struct {
	PrepaySends  int    `json:"prepay_sends,omitempty"`  // messages one payment serves, of PaidSends; 0 = 1
	ConsentCheck string `json:"consent_check,omitempty"` // off, warn or refuse; "" = off
	ConsentLow   int    `json:"consent_low,omitempty"`   // tell (consent.low) when fewer than so many sends are left; 0 = never
}

// What becomes of a subscribe message whose user is known to have no send left.
const (
	ConsentCheckOff    = "off"    // it is sent, and WeChat judges
	ConsentCheckWarn   = "warn"   // it is sent, and the caller is told
	ConsentCheckRefuse = "refuse" // it is not taken
)

// maxConsentLow bounds ConsentLow: nobody gathers more acceptances of one template.
const maxConsentLow = 100

// Prepay returns how many messages one payment of the account serves.
func (r MiniRules) Prepay() int { return max(1, r.PrepaySends) }

// Check returns ConsentCheck, its default filled in.
func (r MiniRules) Check() string {
	if r.ConsentCheck == "" {
		return ConsentCheckOff
	}
	return r.ConsentCheck
}

// mini checks the settings about form_ids and consents.
func (c *accountCheck) mini(r MiniRules) {
	if r.PrepaySends != 0 && !slices.Contains(PaidSends, r.PrepaySends) {
		c.add("/mini/prepay_sends", "%d is neither 1 nor 3", r.PrepaySends)
	}
	oneOf(c, "/mini/consent_check", r.ConsentCheck, "", ConsentCheckOff, ConsentCheckWarn, ConsentCheckRefuse)
	if r.ConsentLow < 0 || r.ConsentLow > maxConsentLow {
		c.add("/mini/consent_low", "%d is not between 0 and %d", r.ConsentLow, maxConsentLow)
	}
}
