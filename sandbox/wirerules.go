package sandbox

import (
	"strings"
	"time"
)

// WireRules are choices where the sources leave one; nil leaves what is there.
type WireRules struct {
	TokenGrace       *int  `json:"token_grace,omitzero"`        // seconds a replaced token stays usable; default 300
	BodyFirst        *bool `json:"body_first,omitzero"`         // sends: 44002, 40033 and 47001 before permission and quota; default false
	DeliveryJitterMS *int  `json:"delivery_jitter_ms,omitzero"` // up to so much is added to delivery_delay_ms, drawn for each message; default 0
	// StatusSpelling is how TEMPLATESENDJOBFINISH words a failure: wiki (default:
	// "failed:user block", "failed: system failed"), sdk (the spaces the other way
	// round), bare ("user block", "system failed").
	StatusSpelling string `json:"status_spelling,omitzero"`
}

type wireRules struct {
	tokenGrace, deliveryJitter time.Duration
	bodyFirst                  bool
	spelling                   string
}

// Values of status_spelling.
const (
	spellingWiki = "wiki"
	spellingSDK  = "sdk"
	spellingBare = "bare"
)

func newWireRules() wireRules { return wireRules{tokenGrace: tokenGrace, spelling: spellingWiki} }

func (spec *WireRules) check() error {
	return firstError(
		atLeast("token_grace", spec.TokenGrace, 0), atLeast("delivery_jitter_ms", spec.DeliveryJitterMS, 0),
		oneOf("status_spelling", spec.StatusSpelling, spellingWiki, spellingSDK, spellingBare),
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

// spell is the status in the account's spelling (spec §5.1, K13).
func (r *wireRules) spell(status string) string {
	reason, failed := strings.CutPrefix(status, "failed:")
	switch {
	case !failed || r.spelling == spellingWiki:
		return status
	case r.spelling == spellingBare:
		return strings.TrimSpace(reason)
	case strings.HasPrefix(reason, " "):
		return "failed:" + strings.TrimSpace(reason)
	}
	return "failed: " + reason
}

// delayOf is the time from acceptance to delivery of one message.
func (p *platform) delayOf(a *account) time.Duration {
	if a.deliveryJitter == 0 {
		return a.deliveryDelay
	}
	return a.deliveryDelay + time.Duration(p.dice.rand.Int64N(int64(a.deliveryJitter)+1))
}
