package sandbox

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"hongyan/wechat"
)

// longCredentialText is 40001's text since about mid-2023 (spec §3.4).
const longCredentialText = "invalid credential, access_token is invalid or not latest, " +
	"could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"

// inventedTexts are errmsgs of codes whose wording nobody has published.
// Unverified: all of them.
var inventedTexts = map[wechat.Code]string{
	wechat.CodeAppSecretFrozen:      "appsecret is frozen",
	wechat.CodeAccountFrozen:        "account is frozen",
	wechat.CodeSubscribeBanned:      "subscribe message is banned",
	wechat.CodeIPConfirmNeeded:      "this ip needs the confirmation of the administrator",
	wechat.CodeIPConfirmPending:     "the confirmation of this ip is pending",
	wechat.CodeIPRefused1h:          "this ip was refused by the administrator, retry in one hour",
	wechat.CodeIPRefused24h:         "this ip was refused by the administrator, retry in 24 hours",
	wechat.CodeNewTmplSystemError:   "template not found",
	wechat.CodeNewTmplAccountBanned: "account is banned",
	wechat.CodeNewTmplLimit:         "private template limit reached",
	wechat.CodeNewTmplBanned:        "template is banned",
	wechat.CodeNewTmplInvalidScene:  "invalid sceneDesc",
	codeNewTmplBadInput:             "invalid parameter",
	codeNewTmplStart:                "invalid start",
	codeNewTmplLimit:                "invalid limit",
	codeNewTmplNoIDs:                "ids missing",
	codeNewTmplBadIDs:               "invalid ids",
}

// fail answers an errcode with the text that the code table has for it.
func (p *platform) fail(c *call, code wechat.Code) answer {
	info, _ := wechat.LookupCode(int(code))
	text := cmp.Or(info.Text, inventedTexts[code], "error")
	if code == wechat.CodeInvalidCredential && (c.account == nil || c.account.long40001) {
		text = longCredentialText
	}
	if c.account != nil {
		text = cmp.Or(profiles[c.account.era].texts[code], text)
	}
	return p.failText(c, code, text)
}

// failText answers an errcode with a text of its own. The suffix, rid or hint, is
// the account's choice (spec §1, §10 row 2); successes carry none.
func (p *platform) failText(c *call, code wechat.Code, text string) answer {
	suffix := suffixRID
	if c.account != nil {
		suffix = c.account.suffix
	}
	msg := []byte(text)
	if suffix == suffixHint || suffix == suffixBoth {
		msg = append(msg, " hint: ["+p.dice.hint()+"]"...)
	}
	if suffix == suffixRID || suffix == suffixBoth {
		msg = p.dice.appendRID(append(msg, " rid: "...), c.now)
	}
	return p.failWhole(c, code, string(msg))
}

// failWhole answers an errcode with the whole errmsg, suffix and all.
func (p *platform) failWhole(c *call, code wechat.Code, msg string) answer {
	a := answer{code: int(code), body: failureBody(c.path, code, msg)}
	if status := *p.rules.BusinessStatus; status != http.StatusOK {
		a.status = status
	}
	return a
}

// failureBody has errcode first, but errmsg on newtmpl's paths (spec §2.7).
func failureBody(path string, code wechat.Code, msg string) []byte {
	if strings.HasPrefix(path, "/wxaapi/newtmpl/") {
		body := appendJSONText([]byte(`{"errmsg":`), msg)
		return append(strconv.AppendInt(append(body, `,"errcode":`...), int64(code), 10), '}')
	}
	body := strconv.AppendInt([]byte(`{"errcode":`), int64(code), 10)
	return append(appendJSONText(append(body, `,"errmsg":`...), msg), '}')
}

const okBody = `{"errcode":0,"errmsg":"ok"}`

// ok is the plain success of calls that return nothing.
func ok() answer { return answer{body: []byte(okBody)} }

// sent is the success of a template message: the msgid is a JSON number (spec §4.2.6).
func sent(msgID int64) answer {
	body := append([]byte(nil), `{"errcode":0,"errmsg":"ok","msgid":`...)
	return answer{body: append(strconv.AppendInt(body, msgID, 10), '}'), msgID: msgID}
}

// reply is a success with members of its own; v's struct tags are the wire.
func reply(v any) answer {
	body, err := marshalWire(v)
	if err != nil {
		panic("sandbox: marshal an answer: " + err.Error()) // structs of this package only
	}
	return answer{body: body}
}

// appendJSONText appends a JSON string in raw UTF-8, nothing escaped that need
// not be (spec §2.7).
func appendJSONText(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == '"' || s[i] == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
