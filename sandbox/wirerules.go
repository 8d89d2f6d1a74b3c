package sandbox

import "time"

// WireRules are choices where the sources leave one; nil leaves what is there.
type WireRules struct {
	TokenGrace       *int  `json:"token_grace,omitzero"`        // seconds a replaced token stays usable; default 300
	BodyFirst        *bool `json:"body_first,omitzero"`         // sends: 44002, 40033 and 47001 before permission and quota; default false
	DeliveryJitterMS *int  `json:"delivery_jitter_ms,omitzero"` // up to so much is added to delivery_delay_ms, drawn for each message; default 0
	// StatusSpelling is how TEMPLATESENDJOBFINISH words a failure: wiki (default, each
	// word as the old wiki has it), or one of a fault rule's event_status, which goes
	// before it.
	StatusSpelling string `json:"status_spelling,omitzero"`
}

type wireRules struct {
	tokenGrace, deliveryJitter time.Duration
	bodyFirst                  bool
	spelling                   string
}

// spellingWiki leaves the words as they are; fault_event.go has the other spellings.
const spellingWiki = "wiki"

func newWireRules() wireRules { return wireRules{tokenGrace: tokenGrace, spelling: spellingWiki} }

func (spec *WireRules) check() error {
	return firstError(
		atLeast("token_grace", spec.TokenGrace, 0), atLeast("delivery_jitter_ms", spec.DeliveryJitterMS, 0),
		oneOf("status_spelling", spec.StatusSpelling, spellingWiki, spellingSpaced, spellingTight, spellingBare, spellingUpper),
	)
}

func (r *wireRules) apply(spec WireRules) {
	if spec.TokenGrace != nil {
		r.tokenGrace = time.Duration(*spec.TokenGrace) * time.Second
	}
	set(&r.bodyFirst, spec.BodyFirst)
	setMillis(&r.deliveryJitter, spec.DeliveryJitterMS)
	setText(&r.spelling, spec.StatusSpelling)
}

func (r *wireRules) view() WireRules {
	return WireRules{
		TokenGrace: new(int(r.tokenGrace / time.Second)), BodyFirst: new(r.bodyFirst),
		DeliveryJitterMS: millis(r.deliveryJitter), StatusSpelling: r.spelling,
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
	if a.deliveryJitter == 0 {
		return a.deliveryDelay
	}
	return a.deliveryDelay + time.Duration(p.dice.rand.Int64N(int64(a.deliveryJitter)+1))
}
