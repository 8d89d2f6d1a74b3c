package compat

import (
	"strings"

	"hongyan"
	"hongyan/dispatch"
	"hongyan/wechat"
)

// fieldCodes is WeChat's code for a rule about a field, in all kinds alike.
var fieldCodes = map[string]wechat.Code{
	"/appid":                wechat.CodeInvalidCredential, // the account went away with its token
	"/kind":                 wechat.CodeAPIUnauthorized,
	"/touser":               wechat.CodeInvalidOpenID,
	"/url":                  wechat.CodeInvalidURLSize,
	"/miniprogram/appid":    wechat.CodeInvalidAppID,
	"/miniprogram":          wechat.CodeInvalidAppID,
	"/miniprogram/pagepath": wechat.CodeInvalidPagePath,
	"/form_id":              wechat.CodeInvalidFormID,
	"/page":                 wechat.CodeInvalidPage,
	"/emphasis_keyword":     wechat.CodeEmphasisNotAllowed,
	"/title":                wechat.CodeInvalidTitleSize,
	"/scene":                wechat.CodeUserRefused, // nobody can have agreed to it
}

// wording is how WeChat says what the engine found: code and errmsg. Of several
// rules broken the first is named, as WeChat does.
func (g *Gate) wording(x *exchange, r *dispatch.Request, e *hongyan.Error) (wechat.Code, string) {
	pointer := ""
	if len(e.Fields) > 0 {
		pointer = e.Fields[0].Pointer
	}
	switch {
	case e.Code == "no_consent":
		return wechat.CodeUserRefused, textOf(wechat.CodeUserRefused)
	case pointer == "/template_id":
		code := templateCode(r, e.Code)
		return code, textOf(code)
	case pointer == "/client_msg_id" && e.Code == "client_msg_id_too_long":
		return wechat.CodeClientMsgIDTooLong, textOf(wechat.CodeClientMsgIDTooLong)
	case r.Kind == hongyan.KindOneTime && strings.HasPrefix(pointer, "/data"):
		code := wechat.CodeContentTooLong
		if strings.TrimSpace(r.Data["content"].Value) == "" {
			code = wechat.CodeEmptyContent
		}
		return code, textOf(code)
	case pointer == "/data":
		return wechat.CodeArgumentInvalid, g.nothingGiven(x, r)
	case strings.HasPrefix(pointer, "/data/"):
		return wechat.CodeArgumentInvalid, badValue(r, unescape(pointer[len("/data/"):]))
	}
	if code, known := fieldCodes[pointer]; known {
		return code, textOf(code)
	}
	name := strings.ReplaceAll(strings.TrimPrefix(pointer, "/"), "/", ".")
	return wechat.CodeArgumentInvalid, "argument invalid! " + name + " invalid"
}

// templateCode tells a template_id of a wrong length from one that nobody holds
// (spec §4.2.6). Subscribe messages know the second only.
func templateCode(r *dispatch.Request, code string) wechat.Code {
	const length = 43 // characters of any template_id
	classic := r.Kind == hongyan.KindTemplate || r.Kind == hongyan.KindMiniTemplate
	switch {
	case code == "template_banned":
		return wechat.CodeTemplateBanned
	case classic && len(r.TemplateID) != length:
		return wechat.CodeInvalidTemplateIDSize
	}
	return wechat.CodeInvalidTemplateID
}

// badValue words a bad value of data as WeChat does: it is empty, or invalid.
func badValue(r *dispatch.Request, key string) string {
	kind := wechat.ProblemRule
	if strings.HasSuffix(key, ".DATA") || strings.TrimSpace(r.Data[key].Value) == "" {
		kind = wechat.ProblemEmpty
	}
	return wechat.PlatformText(wechat.ValueProblem{Key: strings.TrimSuffix(key, ".DATA"), Kind: kind})
}

// nothingGiven names the template's first parameter, which is what WeChat misses
// when data is absent, empty, or no object.
func (g *Gate) nothingGiven(x *exchange, r *dispatch.Request) string {
	t, err := g.cfg.Store.Template(x.ctx(), r.AppID, r.TemplateID)
	if err != nil {
		return "argument invalid! data is empty"
	}
	params := wechat.ParseContent(t.Content).Params()
	if len(params) == 0 {
		return "argument invalid! data is empty"
	}
	return wechat.PlatformText(wechat.ValueProblem{Key: params[0], Kind: wechat.ProblemEmpty})
}

// unescape undoes the escapes of a JSON pointer (RFC 6901).
func unescape(s string) string { return strings.NewReplacer("~1", "/", "~0", "~").Replace(s) }
