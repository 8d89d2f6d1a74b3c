package api

var aboutListSuppressions = about{
	summary: "List suppressed users / 免打扰名单",
	description: `Users to whom messages are held (reason suppressed): they refuse the account's messages, left it, or cannot be reached. Entries come from WeChat's answers (43004, 43019, 50002, 40003) and events (failed:user block, unsubscribe) while the account's callbacks arrive, and end by themselves after a time, when the user follows or accepts again, or when a message succeeds. What a person puts there stays until a person removes it, or its until.

Urgent messages leave anyway; those that come by WeChat's own paths do, unless the account's care.suppress_compat says otherwise.`,
}

var aboutPutSuppressions = about{summary: "Suppress users / 加入免打扰名单", description: "By hand: reason manual. It replaces what WeChat said of them. At most 1,000 at once."}

var aboutRemoveSuppression = about{summary: "Lift a suppression / 移出免打扰名单", description: "Messages held because of it are sent."}

var aboutGetUser = about{
	summary:     "Read a user / 查看用户",
	description: "What the gateway knows of one user of the account: the latest messages with their receipts, the suppression, and the day's count.",
}

var aboutEraseUser = about{
	summary: "Erase a person / 删除个人信息", status: 202,
	description: `Takes a person out of everything stored about them (个人信息保护法): their messages lose values, metadata, client_msg_id and openid, in whose place a random pseudonym stands; pushes lose body and openid and are handed on to nobody; entries of lists go. States, times, errcodes, counts and the audit log stay, without the openid.

Refused with 409 while messages wait for the person; force=true cancels them. The work is done in the background, in small steps, and goes on after a crash: read the erasure to see how far it is. Backups taken before still hold the person until they are deleted; docs/care.md says what to do about them.`,
}

var aboutGetErasure = about{summary: "Read an erasure / 查看删除进度"}
