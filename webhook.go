package hongyan

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"time"
)

// WebhookKind says how an endpoint is spoken to.
type WebhookKind string

// The kinds of endpoint.
const (
	WebhookStandard WebhookKind = "webhook"  // Standard Webhooks: signed JSON
	WebhookWeCom    WebhookKind = "wecom"    // 企业微信 group robot
	WebhookDingTalk WebhookKind = "dingtalk" // 钉钉 group robot
	WebhookFeishu   WebhookKind = "feishu"   // 飞书 group robot
)

// WebhookKinds returns every kind.
func WebhookKinds() []WebhookKind {
	return []WebhookKind{WebhookStandard, WebhookWeCom, WebhookDingTalk, WebhookFeishu}
}

// Robot reports whether the endpoint is a chat's robot that tells people, in words.
func (k WebhookKind) Robot() bool { return k != WebhookStandard }

// Signs reports whether requests to an endpoint of the kind can be signed.
func (k WebhookKind) Signs() bool { return k != WebhookWeCom }

// Webhook is an endpoint of somebody who wants to hear news.
type Webhook struct {
	ID     string // webhookIDPrefix and a UUID
	Name   string // for people, unique
	Kind   WebhookKind
	URL    Secret   // where news are posted; a robot's is its credential
	Events []string // types of news, or "message.*"; empty = all
	AppIDs []string // accounts; empty = all
	// Secrets sign requests, the newest first. Those whose Until has passed sign
	// nothing. A robot has one or none.
	Secrets  []WebhookSecret
	Language string // of a robot's words: zh, en, or "" for both
	Paused   bool   // keeps its news until it is resumed
	// Disabled says why nothing is sent any more and nothing kept, "" = in use:
	// DisabledGone or DisabledByOperator, or what a program before those wrote.
	Disabled   string
	DisabledAt time.Time
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Why an endpoint is disabled.
const (
	DisabledGone       = "it answered 410 Gone"
	DisabledByOperator = "an operator disabled it"
)

// DisabledZH is Disabled in Chinese.
func (w *Webhook) DisabledZH() string {
	switch w.Disabled {
	case DisabledGone:
		return "对方返回了 410 Gone"
	case DisabledByOperator:
		return "已被人工停用"
	}
	return w.Disabled
}

// WebhookSecret is a key that signs requests. Until zero = until it is replaced.
type WebhookSecret struct {
	Secret Secret
	Until  time.Time
}

// NewWebhookID returns a new id of an endpoint.
func NewWebhookID() string { return newID("whk_") }

// WebhookSecretPrefix starts a secret as people see it; base64 follows.
const WebhookSecretPrefix = "whsec_"

// NewWebhookSecret returns a new secret: 32 random bytes (Standard Webhooks asks for
// 24 to 64).
func NewWebhookSecret() Secret {
	key := make([]byte, 32)
	rand.Read(key) // never fails, see crypto/rand
	return Secret(WebhookSecretPrefix + base64.StdEncoding.EncodeToString(key))
}

// Live returns the secrets that sign at now.
func (w *Webhook) Live(now time.Time) (all []Secret) {
	for _, s := range w.Secrets {
		if s.Until.IsZero() || now.Before(s.Until) {
			all = append(all, s.Secret)
		}
	}
	return all
}

// Wants reports whether the endpoint is to hear news of that type about that account.
// News about no account concern everybody.
func (w *Webhook) Wants(newsType, appID string) bool {
	if w.Disabled != "" || appID != "" && len(w.AppIDs) > 0 && !slices.Contains(w.AppIDs, appID) {
		return false
	}
	return newsType != NewsWebhookTest && MatchesNews(w.Events, newsType)
}

// MatchesNews reports whether a type is among words, which may end in ".*"; all are
// when there are no words.
func MatchesNews(words []string, newsType string) bool {
	if len(words) == 0 {
		return true
	}
	for _, word := range words {
		if noun, all := strings.CutSuffix(word, "*"); word == newsType || all && strings.HasPrefix(newsType, noun) {
			return true
		}
	}
	return false
}

// WebhookDelivery is one news on its way to one endpoint. There is one for each pair.
type WebhookDelivery struct {
	ID         int64
	WebhookID  string
	NewsID     int64
	Type       string
	AppID      string
	MessageSeq int64
	State      DeliveryState
	DueAt      time.Time // not tried before this; while it is being tried, when it counts as lost
	Attempts   int       // begun
	LastAt     time.Time // start of the latest attempt
	LastStatus int       // HTTP status of the latest; 0 = there was none
	LastError  string    // why the latest failed, for people; never a secret
	LastAnswer string    // what the endpoint said, its beginning
	LastTook   time.Duration
	CreatedAt  time.Time
	EndedAt    time.Time
	// History are the attempts that ended, oldest first, those before a redelivery too:
	// the newest MaxWebhookHistory. It is read only with a single delivery.
	History []WebhookAttempt
}

// MaxWebhookHistory is how many attempts are remembered of one delivery.
const MaxWebhookHistory = 20

// WebhookAttempt is one call to an endpoint, or one that may have been made.
type WebhookAttempt struct {
	At     time.Time // it began
	Status int       // HTTP; 0 = there was no answer
	Error  string    // why it failed, for people; "" = the endpoint took it
	Answer string    // what the endpoint said, its beginning
	Took   time.Duration
}
