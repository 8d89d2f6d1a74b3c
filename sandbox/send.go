package sandbox

import (
	"slices"
	"strings"
	"time"

	"hongyan/wechat"
)

const (
	// templateIDLength is the length of every template id (spec §1).
	templateIDLength = 43
	// maxURL and maxPagePath bound jump targets in bytes.
	// Unverified: the platform publishes no limit; 1024 is what is called safe (spec §4.2.6).
	maxURL, maxPagePath = 1024, 1024
	// dedupeWindow is how long one openid and client_msg_id make one message (spec §4.2.6).
	dedupeWindow = 10 * time.Minute
)

// sendKey is what duplicates are known by.
type sendKey struct {
	account     *account
	openid      string
	clientMsgID string
}

// serveSend is message/template/send, in the platform's order (spec §2.9, steps 6
// to 15).
func (p *platform) serveSend(c *call) answer {
	if code := c.spendQuotaAndParse(); code != wechat.CodeOK {
		return p.fail(c, code)
	}
	t, code := c.recipientAndTemplate(familyTemplate)
	if code == wechat.CodeOK {
		code = p.checkJump(c)
	}
	if code == wechat.CodeOK {
		code = p.checkRecipient(c.account, c.touser)
	}
	if code != wechat.CodeOK {
		return p.fail(c, code)
	}
	if c.account.valueRules == valuesTyped {
		if text := dataProblem(t, c); text != "" {
			return p.failArgument(c, text)
		}
	}
	return p.accept(c, t)
}

// spendQuotaAndParse is steps 6 to 8: quotas, then the body.
func (c *call) spendQuotaAndParse() wechat.Code {
	a := c.account
	var month *monthCount
	if a.monthlyQuota > 0 {
		if month = a.monthlyOf(c.send.TemplateID.string()); month.used(c.now) >= a.monthlyQuota {
			return wechat.CodeDailyQuota
		}
	}
	if a.earlyQuotaAt > 0 && a.usageOf(c.path, c.now).thisDay >= a.earlyQuotaAt {
		return wechat.CodeDailyQuota
	}
	if code := a.charge(c.path, c.now, a.minuteQuota, a.dailyQuota); code != wechat.CodeOK {
		return code
	}
	if month != nil {
		month.add(c.now)
	}
	return c.badBody
}

// recipientAndTemplate is steps 9 and 10.
func (c *call) recipientAndTemplate(family string) (*template, wechat.Code) {
	if !validOpenID(c.touser) || fateOf(c.touser) == fateBadID {
		return nil, wechat.CodeInvalidOpenID
	}
	id := c.send.TemplateID.string()
	if len(id) != templateIDLength {
		return nil, wechat.CodeInvalidTemplateIDSize
	}
	t := c.account.find(id, family)
	if t == nil {
		return nil, wechat.CodeInvalidTemplateID
	}
	return t, wechat.CodeOK
}

// checkJump is step 11. A miniprogram member without appid is no jump, as many
// SDKs send it empty (design §9).
func (p *platform) checkJump(c *call) wechat.Code {
	jump := c.send.MiniProgram
	if jump.AppID != "" && profiles[c.account.era].knowsJump {
		if !slices.Contains(c.account.linked, jump.AppID) {
			return wechat.CodeInvalidAppID
		}
		if !p.validPage(jump.AppID, jump.PagePath) {
			return wechat.CodeInvalidPagePath
		}
	}
	if len(c.send.URL) > maxURL {
		return wechat.CodeInvalidURLSize
	}
	return wechat.CodeOK
}

// validPage reports whether the mini program can have that page: it is in the
// list of released pages, or, without such a list, looks like a path.
func (p *platform) validPage(appid, page string) bool {
	if page == "" {
		return true
	}
	if len(page) > maxPagePath || strings.Contains(page, "://") || strings.ContainsAny(page, " \t\r\n") {
		return false
	}
	mini := p.accounts[appid]
	if mini == nil || len(mini.pages) == 0 {
		return true
	}
	path, _, _ := strings.Cut(page, "?")
	return slices.Contains(mini.pages, strings.TrimPrefix(path, "/"))
}

// checkRecipient is step 12.
func (p *platform) checkRecipient(a *account, openid string) wechat.Code {
	u := p.look(openid)
	switch tie := u.with(a); {
	case !tie.follows:
		return wechat.CodeRequireSubscribe
	case tie.blacklisted:
		return wechat.CodeRecipientBlacklisted
	case u.frozen:
		return wechat.CodeUserLimited
	}
	return wechat.CodeOK
}

// dataProblem is step 13: the errmsg of 47003, or "". Only the first problem is
// named, and data that is no object has every parameter empty, of historical
// templates too (spec §4.3).
func dataProblem(t *template, c *call) string {
	rules := t.rules
	if !c.dataIsObject {
		rules = wechat.RulesTemplate
	}
	if first := wechat.FirstFatal(wechat.ValidateData(t.parsed, c.data, rules)); first != nil {
		return wechat.PlatformText(*first)
	}
	return ""
}

// accept is steps 14 and 15: repeated client_msg_ids of the last ten minutes get the first
// one's msgid and nothing more; others get a msgid and are delivered later.
func (p *platform) accept(c *call, t *template) answer {
	key := sendKey{c.account, c.touser, c.send.ClientMsgID.string()}
	if !c.account.dedupe {
		key.clientMsgID = ""
	}
	if key.clientMsgID != "" {
		p.recent.forget(c.now)
		if first, seen := p.recent.byKey[key]; seen {
			return p.duplicate(c, first)
		}
	}
	if code := c.screen(); code != wechat.CodeOK {
		return p.fail(c, code)
	}
	c.screened()
	m := p.newMessage(c, t)
	if key.clientMsgID != "" {
		p.recent.remember(key, m.msgID, c.now)
	}
	if c.reviewed() {
		return p.holdForReview(c, m)
	}
	a := sent(m.msgID)
	a.accepted = m
	return a
}

// duplicate answers a repeated client_msg_id by the account's switch. Unverified:
// the platform's answer is undocumented (spec §4.2.6, K19).
func (p *platform) duplicate(c *call, first int64) answer {
	var a answer
	switch c.account.duplicateAnswer {
	case duplicate45065:
		a = p.fail(c, wechat.CodeClientMsgIDExists)
	case duplicate44007:
		a = p.fail(c, wechat.CodeRepeatedMsgID)
	default:
		a = sent(first)
	}
	a.duplicateOf = first
	return a
}
