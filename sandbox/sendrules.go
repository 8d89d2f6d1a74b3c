package sandbox

import (
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"hongyan/wechat"
)

// SendRules are what goes wrong with an account's sends by the platform's own rules
// (spec §10, row 14); all of it is off by default. nil leaves what is there.
type SendRules struct {
	BusyRate     *float64 `json:"busy_rate,omitzero"`      // share of the sends, 0 to 1, that answer -1 and cost nothing
	LatencyMS    *int     `json:"latency_ms,omitzero"`     // every call with the account's token waits so long
	EarlyQuotaAt *int     `json:"early_quota_at,omitzero"` // 45009 after so many sends a day, whatever quota/get shows; 0 = off
	UserLimit    *int     `json:"user_limit,omitzero"`     // 43117 after so many template messages to one openid; 0 = off
	UserWindowMS *int     `json:"user_window_ms,omitzero"` // within this time; default one hour
	Duplicate60s *bool    `json:"duplicate_60s,omitzero"`  // the same message to the same openid within 60 s answers 40241

	// IllegalWords: a template message with one of them in its data answers 40249, a
	// subscribe message 45168.
	IllegalWords *[]string `json:"illegal_words,omitzero"`
	// Review: template messages answer 40252 and are held; after ReviewMS they are
	// delivered (approve) or refused (refuse), or they wait for DecideReview (wait).
	// Default none.
	Review string `json:"review,omitzero"`
	// ReviewWords narrow Review down to messages with one of them in the data; empty = all.
	ReviewWords *[]string `json:"review_words,omitzero"`
	ReviewMS    *int      `json:"review_ms,omitzero"` // default 30 minutes
}

// sendRules is the account's state of it.
type sendRules struct {
	busyRate                        float64
	latency, userWindow, reviewTime time.Duration
	earlyQuotaAt, userLimit         int
	duplicate60s                    bool
	illegalWords, reviewWords       []string
	review                          string
	sentTo                          map[string][]time.Time // by openid, while user_limit is on
	recentBodies                    recent[uint64, struct{}]
	reviews                         []*review // held
	blocked                         []blockedMessage
}

// duplicateWindow is how long the same message to the same user is a duplicate (spec §4.2.6).
const duplicateWindow = time.Minute

func newSendRules() sendRules {
	return sendRules{
		userWindow: time.Hour, reviewTime: 30 * time.Minute, review: reviewNone, // spec §4.2.6; the hour is a guess
		sentTo: map[string][]time.Time{}, recentBodies: newRecent[uint64, struct{}](duplicateWindow),
	}
}

func (spec *SendRules) check() error {
	if spec.BusyRate != nil && (*spec.BusyRate < 0 || *spec.BusyRate > 1) {
		return &ControlError{Field: "busy_rate", Rule: "must be from 0 to 1", Value: *spec.BusyRate}
	}
	return firstError(
		millisFrom("latency_ms", spec.LatencyMS, 0), atLeast("early_quota_at", spec.EarlyQuotaAt, 0),
		atLeast("user_limit", spec.UserLimit, 0), millisFrom("user_window_ms", spec.UserWindowMS, 1),
		millisFrom("review_ms", spec.ReviewMS, 0),
		oneOf("review", spec.Review, reviewNone, reviewApprove, reviewRefuse, reviewWait),
		checkWords("illegal_words", spec.IllegalWords), checkWords("review_words", spec.ReviewWords),
	)
}

func checkWords(field string, words *[]string) error {
	if words != nil && slices.Contains(*words, "") {
		return &ControlError{Field: field, Rule: "must not hold an empty word", Value: ""}
	}
	return nil
}

func (r *sendRules) apply(spec SendRules) {
	set(&r.busyRate, spec.BusyRate)
	set(&r.earlyQuotaAt, spec.EarlyQuotaAt)
	set(&r.userLimit, spec.UserLimit)
	set(&r.duplicate60s, spec.Duplicate60s)
	setText(&r.review, spec.Review)
	setMillis(&r.latency, spec.LatencyMS)
	setMillis(&r.userWindow, spec.UserWindowMS)
	setMillis(&r.reviewTime, spec.ReviewMS)
	if spec.IllegalWords != nil {
		r.illegalWords = slices.Clone(*spec.IllegalWords)
	}
	if spec.ReviewWords != nil {
		r.reviewWords = slices.Clone(*spec.ReviewWords)
	}
}

func (r *sendRules) view() SendRules {
	return SendRules{
		BusyRate: new(r.busyRate), LatencyMS: millis(r.latency), EarlyQuotaAt: new(r.earlyQuotaAt),
		UserLimit: new(r.userLimit), UserWindowMS: millis(r.userWindow), Duplicate60s: new(r.duplicate60s),
		IllegalWords: listOf(r.illegalWords), Review: r.review, ReviewWords: listOf(r.reviewWords), ReviewMS: millis(r.reviewTime),
	}
}

// screen is step 14 of the order of checks, but for the review, which is an
// acceptance (spec §2.9).
func (c *call) screen() wechat.Code {
	a := c.account
	switch {
	case len(a.bannedTemplates) > 0 && a.bans(c.send.TemplateID.string()):
		return wechat.CodeTemplateBanned
	case len(a.illegalWords) > 0 && c.send.mentions(a.illegalWords):
		return wechat.CodeIllegalContent
	case a.userLimit > 0 && a.tooOften(c.touser, c.now):
		return wechat.CodeRecipientTooFrequent
	case a.duplicate60s && a.sentBefore(c):
		return wechat.CodeDuplicate60s
	}
	return wechat.CodeOK
}

// screened counts an accepted message for the two rules with a memory.
func (c *call) screened() {
	a := c.account
	if a.userLimit > 0 {
		a.sentTo[c.touser] = append(a.sentTo[c.touser], c.now)
	}
	if a.duplicate60s {
		a.recentBodies.remember(c.send.hash(), struct{}{}, c.now)
	}
}

// tooOften forgets what has left the window and compares the rest with the limit.
func (r *sendRules) tooOften(openid string, now time.Time) bool {
	times := r.sentTo[openid]
	for len(times) > 0 && now.Sub(times[0]) >= r.userWindow {
		times = times[1:]
	}
	if len(times) == 0 {
		delete(r.sentTo, openid)
		return false
	}
	r.sentTo[openid] = times
	return len(times) >= r.userLimit
}

func (r *sendRules) sentBefore(c *call) bool {
	r.recentBodies.forget(c.now)
	_, seen := r.recentBodies.byKey[c.send.hash()]
	return seen
}

var bodySeed = maphash.MakeSeed()

// hash tells messages apart by everything that the user would see, and by the user.
func (b *sendBody) hash() uint64 {
	var h maphash.Hash
	h.SetSeed(bodySeed)
	for _, part := range []string{
		b.ToUser.string(), b.TemplateID.string(), b.URL.string(), b.MiniProgram.AppID, b.MiniProgram.PagePath, string(b.Data),
	} {
		_, _ = h.WriteString(part) // never fails
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

// mentions reports whether one of the words is in a value of the data.
func (b *sendBody) mentions(words []string) bool {
	data, _ := parseData(b.Data)
	for _, field := range data {
		if slices.ContainsFunc(words, func(word string) bool { return strings.Contains(field.Value, word) }) {
			return true
		}
	}
	return false
}

// busy draws whether this send answers -1.
func (p *platform) busy(c *call) bool {
	return c.account.busyRate > 0 && p.dice.rand.Float64() < c.account.busyRate
}
