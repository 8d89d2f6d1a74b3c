package sandbox

// SubscribeRules are an account's limits and switches of subscribe messages; nil
// leaves what is there.
type SubscribeRules struct {
	SubscribeQuota         *int  `json:"subscribe_quota,omitzero"`          // subscribe, notice and one-time messages per Beijing day and API; negative = no limit; default 10,000,000
	SubscribeTemplateLimit *int  `json:"subscribe_template_limit,omitzero"` // default the era's: 50, up to era D 25 (K20)
	SubscribeBanned        *bool `json:"subscribe_banned,omitzero"`         // sends answer 43107; default false
	// AddTemplatePunished: newtmpl/addtemplate answers 43106 or 200011; default none.
	AddTemplatePunished string `json:"add_template_punished,omitzero"`
	// ConsentAssumed: a user who never answered a prompt for a template has accepted it for
	// good; from the first answer on his acceptances of it are counted. Default true.
	ConsentAssumed *bool `json:"consent_assumed,omitzero"`
}

// subscribeRules is the account's state of it.
type subscribeRules struct {
	subscribeQuota, subscribeLimit  int
	subscribeBanned, consentAssumed bool
	addPunished                     string
}

func newSubscribeRules() subscribeRules {
	return subscribeRules{subscribeQuota: 10_000_000, consentAssumed: true, addPunished: notPunished} // spec §7.1
}

// Values of add_template_punished.
const (
	notPunished    = "none"
	punished43106  = "43106"
	punished200011 = "200011"
)

func (spec *SubscribeRules) check() error {
	return firstError(
		atLeast("subscribe_template_limit", spec.SubscribeTemplateLimit, 0),
		oneOf("add_template_punished", spec.AddTemplatePunished, notPunished, punished43106, punished200011),
	)
}

func (r *subscribeRules) apply(spec SubscribeRules) {
	set(&r.subscribeQuota, spec.SubscribeQuota)
	set(&r.subscribeLimit, spec.SubscribeTemplateLimit)
	set(&r.subscribeBanned, spec.SubscribeBanned)
	set(&r.consentAssumed, spec.ConsentAssumed)
	setText(&r.addPunished, spec.AddTemplatePunished)
}

func (r *subscribeRules) view() SubscribeRules {
	return SubscribeRules{
		SubscribeQuota: new(r.subscribeQuota), SubscribeTemplateLimit: new(r.subscribeLimit),
		SubscribeBanned: new(r.subscribeBanned), ConsentAssumed: new(r.consentAssumed), AddTemplatePunished: r.addPunished,
	}
}

func (a *account) subscribeLimits() limits { return limits{daily: a.subscribeQuota} }

// hasSubscribe: mini programs and verified service accounts have subscribe templates;
// test accounts do not (spec §7.3).
func (a *account) hasSubscribe() bool { return a.isMini() || a.kind == kindService && a.verified }

func (a *account) sendsNotices() bool { return a.kind == kindService && a.verified }
