package api

var aboutCreateRule = about{
	summary: "Make a rule / 新建规则", status: 201,
	description: `Sends a message when WeChat pushes an event: the card that greets a follower (S57), the note after a scan.

The texts of message may hold {{openid}}, {{time}} (when the event happened, in Beijing, like 2026-11-20 10:15), {{time:YYYY年M月D日 HH:mm}} in a form of your own, and fields of the push such as {{event.EventKey}} or {{event.Scene}}; a field the push does not have is empty. Inside url, page and pagepath values are escaped.

Each push sets a rule off at most once, also over a crash and when WeChat pushes it again. A message that is refused does not use up once_per; the refusal shows with the rule. Template messages are service notices: WeChat forbids marketing in them.`,
}

var aboutListRules = about{summary: "List rules / 规则列表", description: "By name, with what each did. The list has one page."}

var aboutGetRule = about{summary: "Read a rule / 查看规则", description: "With its last firing and its last refusal."}

var aboutUpdateRule = about{summary: "Change a rule / 修改规则", description: "Pushes that were processed before are not looked at again."}

var aboutDeleteRule = about{summary: "Delete a rule / 删除规则", description: "With the memory of whom it fired for. Messages it made stay."}

var aboutPauseRule = about{summary: "Pause a rule / 暂停规则", description: "Pushes that come meanwhile never set it off."}

var aboutResumeRule = about{summary: "Resume a rule / 恢复规则"}

var aboutTestRule = about{
	summary:     "Try a rule on a past push / 用历史推送试运行规则",
	description: "What the rule would do with the push, the message filled in, and what that would break. Nothing is sent or stored, and it does not matter whether the rule is paused or the push is old.",
}

var aboutListFirings = about{summary: "List firings / 规则触发记录", description: "Which pushes set the rule off and what came of each, newest first; kept for 30 days after they ended."}
