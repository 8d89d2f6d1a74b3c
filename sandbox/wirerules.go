package sandbox

import "time"

// WireRules are choices where the sources leave one; nil leaves what is there.
type WireRules struct {
	TokenGrace       *int  `json:"token_grace,omitzero"`        // seconds a replaced token stays usable; default 300
	BodyFirst        *bool `json:"body_first,omitzero"`         // sends: 44002, 40033 and 47001 before permission and quota; default false
	DeliveryJitterMS *int  `json:"delivery_jitter_ms,omitzero"` // up to so much is added to delivery_delay_ms, drawn for each message; default 0
	// PrepayJitterMS is the same for prepay_activation_delay_ms, drawn for each payment.
	PrepayJitterMS *int `json:"prepay_activation_jitter_ms,omitzero"`
	// LookUps: openapi/quota/get and openapi/rid/get know of simulated calls; false
	// answers 76021 and 76001. Default true.
	LookUps *bool `json:"look_ups,omitzero"`
	// StatusSpelling is how TEMPLATESENDJOBFINISH words a failure: wiki (default, each
	// word as the old wiki has it), or one of a fault rule's event_status, which goes
	// before it.
	StatusSpelling string `json:"status_spelling,omitzero"`
}

type wireRules struct {
	tokenGrace, deliveryJitter, prepayJitter time.Duration
	bodyFirst, lookUps                       bool
	spelling                                 string
}

// spellingWiki leaves the words as they are; fault_event.go has the other spellings.
const spellingWiki = "wiki"

func newWireRules() wireRules {
	return wireRules{tokenGrace: tokenGrace, lookUps: true, spelling: spellingWiki}
}

func (spec *WireRules) check() error {
	return firstError(
		inRange("token_grace", spec.TokenGrace, 0, maxSeconds), millisFrom("delivery_jitter_ms", spec.DeliveryJitterMS, 0),
		millisFrom("prepay_activation_jitter_ms", spec.PrepayJitterMS, 0),
		oneOf("status_spelling", spec.StatusSpelling, spellingWiki, spellingSpaced, spellingTight, spellingBare, spellingUpper),
	)
}

func (r *wireRules) apply(spec WireRules) {
	if spec.TokenGrace != nil {
		r.tokenGrace = time.Duration(*spec.TokenGrace) * time.Second
	}
	set(&r.bodyFirst, spec.BodyFirst)
	set(&r.lookUps, spec.LookUps)
	setMillis(&r.deliveryJitter, spec.DeliveryJitterMS)
	setMillis(&r.prepayJitter, spec.PrepayJitterMS)
	setText(&r.spelling, spec.StatusSpelling)
}

func (r *wireRules) view() WireRules {
	return WireRules{
		TokenGrace: new(int(r.tokenGrace / time.Second)), BodyFirst: new(r.bodyFirst),
		DeliveryJitterMS: millis(r.deliveryJitter), PrepayJitterMS: millis(r.prepayJitter), LookUps: new(r.lookUps),
		StatusSpelling: r.spelling,
	}
}

// statusOf is the status in the account's spelling, unless a fault rule has its own.
func (m *message) statusOf(status delivery) string {
	if m.bent.EventStatus != "" {
		return status.text
	}
	own := EventFault{EventStatus: m.account.spelling}
	return own.spell(status).text
}

// delayOf is the time from acceptance to delivery of one message.
func (p *platform) delayOf(a *account) time.Duration {
	return a.deliveryDelay + p.jitter(a.deliveryJitter)
}

// jitter draws a time up to most; nothing is drawn for zero.
func (p *platform) jitter(most time.Duration) time.Duration {
	if most == 0 {
		return 0
	}
	return time.Duration(p.dice.rand.Int64N(int64(most) + 1))
}
