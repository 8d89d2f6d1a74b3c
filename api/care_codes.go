package api

import "net/http"

// careCodes are about rules on events, suppression lists and erasures.
var careCodes = map[string]codeInfo{
	"invalid_rule": {status: http.StatusUnprocessableEntity, title: "Rule on events malformed", titleZH: "事件规则不符合要求",
		means: "Trigger, filters, times or message of the rule break what rules may say.", meansZH: "规则的触发条件、过滤条件、时间或消息不符合要求。",
		remedy: "See errors, and docs/rules.md.", remedyZH: "见 errors 与 docs/rules.md。"},
	"rule_exists": {status: http.StatusConflict, title: "A rule has that name", titleZH: "规则名称已存在",
		means: "The account has a rule of that name.", meansZH: "该账号已有同名规则。",
		remedy: "Change that one with PATCH, or choose another name.", remedyZH: "请用 PATCH 修改，或换一个名称。"},
	"unknown_rule": {status: http.StatusNotFound, title: "No such rule", titleZH: "规则不存在",
		means: "The account has no rule of that name.", meansZH: "该账号没有这个名称的规则。",
		remedy: "List the account's rules.", remedyZH: "请查看该账号的规则列表。"},
	"too_many_rules": {status: http.StatusConflict, title: "Too many rules", titleZH: "规则过多",
		means: "Each rule is compared with every push; an account may have 100.", meansZH: "每条规则都要与每个推送比较，一个账号最多 100 条。",
		remedy: "Delete one, or let one with a filter do the work of several.", remedyZH: "请删除一条，或用过滤条件合并。"},
	"no_push": {status: http.StatusNotFound, title: "No such push", titleZH: "没有这样的推送",
		means: "The account has had no push like this, or it has been removed since.", meansZH: "该账号没有收到过这样的推送，或已被清除。",
		remedy: "Provoke one (follow, scan …), or name the id of another.", remedyZH: "请先触发一次（关注、扫码……），或指定其他推送的 ID。"},
	"invalid_suppression": {status: http.StatusUnprocessableEntity, title: "Not for a suppression list", titleZH: "名单内容不符合要求",
		means: "An openid, a time or a note cannot be put on the list; nothing was.", meansZH: "某个 openid、时间或备注不符合要求；没有任何改动。",
		remedy: "See errors.", remedyZH: "见 errors。"},
	"not_suppressed": {status: http.StatusNotFound, title: "Not on the list", titleZH: "不在名单中",
		means: "The user is not on the account's suppression list, or not any more.", meansZH: "该用户不在（或已不在）该账号的名单中。",
		remedy: "Nothing is to be done.", remedyZH: "无需处理。"},
	"user_has_waiting": {status: http.StatusConflict, title: "Messages wait for this person", titleZH: "该用户还有待发送的消息",
		means: "A person is not erased while messages wait for them.", meansZH: "仍有待发送的消息时不会删除该用户的信息。",
		remedy: "Let them leave, or say force=true to cancel them.", remedyZH: "请等待发送完成，或用 force=true 取消它们。"},
	"unknown_erasure": {status: http.StatusNotFound, title: "No such erasure", titleZH: "删除记录不存在",
		means: "The account has no erasure of that id.", meansZH: "该账号没有这个 ID 的删除记录。",
		remedy: "Check the id.", remedyZH: "请检查 ID。"},
}
