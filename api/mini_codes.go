package api

import "net/http"

// miniCodes are about form_ids, consents, and lists that come a row each.
var miniCodes = map[string]codeInfo{
	"no_consent": {status: http.StatusUnprocessableEntity, title: "No consent left", titleZH: "用户没有剩余的订阅次数",
		means: "It is known that the user has no send of this subscribe template left, and the account refuses such messages (mini.consent_check).", meansZH: "已知该用户对该订阅模板没有剩余次数，且账号设置为拒绝此类消息（mini.consent_check）。",
		remedy: "Let the mini program ask the user again; GET …/consents?openid= shows what is known.", remedyZH: "请在小程序中再次请求订阅；GET …/consents?openid= 可查看已知的次数。"},
	"invalid_row": {status: http.StatusUnprocessableEntity, title: "Entry breaks a rule", titleZH: "条目不符合规则",
		means: "The one entry that was sent breaks a rule; nothing is stored.", meansZH: "发送的条目不符合规则，没有保存。",
		remedy: "See errors.", remedyZH: "见 errors。"},
	"line_too_long": {status: http.StatusUnprocessableEntity, title: "Line too long", titleZH: "单行过长",
		means: "A line of NDJSON is longer than 64 KiB. The parts before it are stored.", meansZH: "NDJSON 的某一行超过 64 KiB；此前的部分已保存。",
		remedy: "Write one entry a line.", remedyZH: "请每行写一个条目。"},
}
