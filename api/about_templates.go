package api

var aboutListTemplates = about{
	summary:     "List templates / 模板列表",
	description: "As they were at the last sync, with their aliases and how many messages wait for one that is banned or removed. The list has one page.",
}

var aboutGetTemplate = about{summary: "Read a template / 查看模板", description: "By template_id or alias."}

var aboutSyncTemplates = about{
	summary: "Synchronise templates / 同步模板",
	description: `Asks WeChat and stores its lists: that of template messages, and that of subscribe messages and subscription notices. The answer shows field by field what is different, which lines came and went, and which keys messages must have under another name. With dry_run=true it says so and changes nothing.

Templates that are missing at WeChat are marked as removed, never deleted, and messages that wait for them are held until they are back. A ban we know of is lifted, and what waited for it goes: if it stands, WeChat's next refusal brings it back. WeChat lets the second list be read few times a day. Form_id templates of mini programs are on no list: register them with PUT.`,
}

var aboutAddTemplate = about{
	summary: "Add a template / 添加模板", status: 201,
	description: "Adds a template of WeChat's library to the account at WeChat, then synchronises: with template_id_short one for template messages, with tid one for subscribe messages or subscription notices. WeChat gives a new id each time it is asked.",
}

var aboutPutTemplate = about{
	summary:     "Register a template by hand / 手工登记模板",
	description: "For accounts whose templates cannot be listed: form_id templates of mini programs (小程序). Copy title and content from WeChat's console. A later sync replaces it if WeChat lists it.",
}

var aboutPatchTemplate = about{
	summary:     "Change a template's policy / 修改模板的超长策略",
	description: `policy says what becomes of values that are too long: refuse (the message is refused, as WeChat would), cut (the end is cut off and replaced by …) or split (the rest goes into later lines of the type thing that data leaves empty or out; what then is left over is cut, and a line so left that no text needs shows "-"). Empty: the account's cut_values decides. Numbers are never cut. It outlives synchronisations.`,
}

var aboutDeleteTemplate = about{
	summary:     "Delete a template / 删除模板",
	description: "At WeChat, then here. Form_id templates of mini programs: here only. 409 while an alias stands for it.",
}

var aboutLintTemplate = about{
	summary:     "Check data against a template / 校验 data",
	description: `Judges data as POST /v1/messages does, and adds what is no reason to refuse it but is not shown as given: a value cut at 20 characters, a line that is not shown, emoji and colours dropped, a key the template does not know. Findings name a JSON pointer and a rule, in English and Chinese. data is the data that would be sent, after the template's policy. Nothing is stored or sent.`,
}

var aboutPreviewTemplate = about{
	summary:     "Draw the card / 预览卡片",
	description: "What lint says, and the card as the phone of an era shows it: its parts, as an HTML document, and as text for a terminal. Without data the template's example is drawn. Nothing is stored or sent.",
}

var aboutListAliases = about{summary: "List aliases / 模板别名列表", description: "Words that stand for templates of the account. The list has one page."}

var aboutPutAlias = about{
	summary:     "Set an alias / 设置模板别名",
	description: "Wherever a template_id is taken, the word may be given instead, so that code carries no ids; messages show the template_id. It counts at once, on every node.",
}

var aboutDeleteAlias = about{summary: "Delete an alias / 删除模板别名", description: "The template stays."}

var aboutGetIndustry = about{
	summary:     "Read the industries / 查看行业",
	description: "The industries an official account has chosen at WeChat, and all there are with their codes. Accounts of today have categories instead.",
}

var aboutPutIndustry = about{
	summary:     "Choose the industries / 设置行业",
	description: "Both at once, by code. WeChat allows it once a month, and deletes the templates of an industry that is given up; the templates are synchronised afterwards, and the answer says which.",
}

var aboutListCategories = about{summary: "List categories / 类目列表", description: "The account's categories (类目) at WeChat: its public library has templates of these."}

var aboutListLibrary = about{
	summary:     "List the public library / 公共模板库",
	description: "WeChat's templates for subscribe messages and subscription notices, in the account's categories. Add one with POST /v1/accounts/{appid}/templates and its tid.",
}

var aboutListKeywords = about{
	summary:     "List the keywords of a library template / 公共模板的关键词",
	description: "The lines it may have: choose two to five by kid, in order.",
}
