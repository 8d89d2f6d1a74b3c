package api

import "github.com/danielgtaylor/huma/v2"

// The words of the API's documents. Headings are in English and Chinese.

const apiDescription = `Hongyan (鸿雁) gets WeChat template messages to people and knows what became of each one.

Send an API key as "Authorization: Bearer hyk_…". Times are RFC 3339; answers use UTC with milliseconds. Bodies are JSON and read strictly: unknown or repeated fields and wrong types are refused. Lists are {"items":[…],"next_cursor":"…"|null}; give next_cursor as cursor to go on.

Refusals are application/problem+json (RFC 9457): code is stable and for programs, type leads to a page that explains it, errors names the fields, retryable says whether the same request may succeed later.

WeChat's pushes to /callback/{appid} are refused in few words instead, as {"error":"bad_signature"} with status 403, because nobody reads them; docs/operations.md lists the words.

Open to everybody: GET /healthz (the process answers), GET /readyz (200 when messages can be taken and sent, else 503 and why), GET /problems/{code}. GET /metrics is for Prometheus and takes a key off loopback.

发送微信模板消息，并且知道每一条的下落。请求头带 "Authorization: Bearer hyk_…"。错误以 application/problem+json 返回，type 指向解释页面。`

var apiTags = []*huma.Tag{
	{Name: "messages", Description: "Messages 消息"},
	{Name: "events", Description: "Events 事件"},
	{Name: "webhooks", Description: "Webhooks 事件通知"},
	{Name: "pushes", Description: "Pushes of WeChat 微信推送"},
	{Name: "batches", Description: "Batches 批量"},
	{Name: "accounts", Description: "Accounts 账号"},
	{Name: "templates", Description: "Templates 模板"},
	{Name: "downstreams", Description: "Downstreams 下游回调"},
	{Name: "deliveries", Description: "Deliveries 回调转发记录"},
	{Name: "form_ids", Description: "Form ids of mini programs 小程序 form_id"},
	{Name: "consents", Description: "Consents to subscribe messages 订阅消息同意"},
	{Name: "tokens", Description: "Access tokens 接口调用凭据"},
	{Name: "quotas", Description: "Quotas 额度"},
	{Name: "rules", Description: "Rules on events 事件规则"},
	{Name: "suppressions", Description: "Suppressed users 免打扰名单"},
	{Name: "users", Description: "Users 用户"},
	{Name: "erasures", Description: "Erasures 个人信息删除"},
	{Name: "keys", Description: "Keys 密钥"},
	{Name: "audit", Description: "Audit log 审计日志"},
	{Name: "doctor", Description: "Doctor 体检"},
	{Name: "health", Description: "Health 健康检查"},
}

var aboutSend = about{
	summary: "Send a message / 发送消息",
	description: `Takes WeChat's own body plus appid and a few fields of ours, stores the message and answers 202. Nothing is stored when it is refused.

An Idempotency-Key header (1 to 255 visible characters) makes a repeated request answer the first message with 200 and Idempotency-Replayed: true for 24 hours; the same key with another body is refused with 422. Bodies are compared byte for byte, so repeat the bytes you sent: other spacing or another order of fields is another body. A repeated client_msg_id to one user within 10 minutes answers the first message with 200 as well.

data is an object such as {"thing1":"巧克力","amount2":{"value":"￥39.80"}}: not JSON inside a string, and keys without .DATA. Values are strings; numbers are refused, because their text would be a guess.`,
}

var aboutListMessages = about{
	summary:     "List messages / 查询消息",
	description: "Newest first. attempts holds the last finished attempt only; read one message to see all of them.",
}

var aboutGetMessage = about{
	summary:     "Read a message / 查看消息",
	description: "With all finished attempts, the receipt, and WeChat's own body as payload.",
}

var aboutCancel = about{
	summary:     "Cancel a message / 取消消息",
	description: "Possible while it is queued or held and was never tried in doubt; otherwise 409.",
}

var aboutRetry = about{
	summary: "Retry a message / 重发消息", status: 202,
	description: "Makes a new message of one that failed, expired or is uncertain, with retry_of; the old one stays as it ended. Otherwise 409.",
}

var aboutRelease = about{
	summary:     "Release a message / 放行消息",
	description: "Lets a queued or held message go now; otherwise 409.",
}

var aboutListPushes = about{
	summary:     "List pushes / 查询微信推送",
	description: "What WeChat pushed, newest first, as it came: for one account, or for all the key covers.",
}

var aboutCreateAccount = about{
	summary: "Add an account / 添加账号", status: 201,
	description: "Secrets are stored encrypted and never answered. Put callback_url_path behind the gateway's public address into WeChat's console.",
}

var aboutListAccounts = about{summary: "List accounts / 账号列表", description: "Those the key covers, by appid. The list has one page."}

var aboutGetAccount = about{summary: "Read an account / 查看账号"}

var aboutUpdateAccount = about{
	summary: "Change an account / 修改账号",
	description: `Fields that are left out stay as they are; an empty string, 0 or an empty list goes back to the default.

downstreams replaces the whole list. A downstream that leaves out token, aes_key or paused keeps what the one of the same name has; what waits for one that is no longer listed is dropped.

Rotation: a new callback.token or callback.aes_key keeps the old one valid beside it, until the next change. An empty one clears both.`,
}

var aboutDeleteAccount = about{
	summary:     "Remove an account / 删除账号",
	description: "With its templates and token. 409 while a message of it has not ended. Ended messages stay.",
}

var aboutPause = about{summary: "Pause an account / 暂停账号", description: "Its messages are accepted and wait, shown as held."}

var aboutResume = about{summary: "Resume an account / 恢复账号", description: "Ends a pause, and the holds that a person must end."}

var aboutReleaseRestored = about{
	summary:     "Let restored messages go / 放行恢复的消息",
	description: "After a restore from a backup (docs/operations.md): messages held with reason restored are queued, each at its own time if that is still to come. They may have been sent before the restore, so a user may get one twice.",
}

var aboutGetToken = about{
	summary:     "Read the access_token / 查看 access_token",
	description: "The one current token of the account, its age, what remains of it, who fetched it, and who asks for it on the WeChat-compatible surface. Give it to nobody who should not send in the account's name.",
}

var aboutRefreshToken = about{
	summary: "Refresh the access_token / 刷新 access_token", optionalBody: true,
	description: "With failed_token: compares first, and fetches only if that token is still the current one. Without it: fetches in any case.",
}

var aboutPushToken = about{
	summary:     "Push an access_token / 推送 access_token",
	description: "For an account with token_source external: the central server that you run already gives the gateway each new token, as soon as it has it. 409 for any other account.",
}

var aboutListDownstreams = about{
	summary:     "List downstreams / 下游列表",
	description: "The servers that get the account's pushes, in the order given, and how each does. They are set with PATCH /v1/accounts/{appid}. The list has one page.",
}

var aboutPauseDownstream = about{summary: "Pause a downstream / 暂停下游", description: "Its pushes are kept and wait."}

var aboutResumeDownstream = about{summary: "Resume a downstream / 恢复下游", description: "What was kept is handed on, oldest first."}

var aboutReplayDownstream = about{
	summary:     "Replay pushes to a downstream / 重放推送",
	description: "Hands on once more what was received in a time, whatever became of it before: after a fault of the downstream's, or to fill a new one. It may get pushes twice, as from WeChat itself. count is how many are pending now.",
}

var aboutListDeliveries = about{
	summary:     "List deliveries / 转发记录",
	description: "Which push reached which downstream, newest first. Those that ended are remembered for 7 days.",
}

var aboutGetQuota = about{summary: "Read quotas / 查看额度", description: "Every rule of the account with what is used and what remains in the present period."}

var aboutCreateKey = about{
	summary: "Make a key / 创建密钥", status: 201,
	description: `The key is shown this once; only its hash is kept.

kind api makes an API key, hyk_…, for /v1. kind gateway makes a gateway secret, hys_…, which takes the place of the AppSecret with programs that speak WeChat's own API to the gateway. Neither is accepted in the place of the other.`,
}

var aboutListKeys = about{summary: "List keys / 密钥列表", description: "Without the keys themselves. The list has one page."}

var aboutRevokeKey = about{summary: "Revoke a key / 吊销密钥", description: "At once on this node, within 30 seconds on others."}

var aboutListAudit = about{
	summary: "Read the audit log / 查看审计日志",
	description: `Who changed what, and which logins were refused, newest first; kept for a year. Only for keys that cover all accounts.

Every change made through this API is an entry: ok, refused (the key's role or accounts do not reach) or failed. Reading, sending, and what is stored to send with (form_ids, consents) are none. detail names the fields that were given, never their values. Equal entries that are not ok come as one with their count for each minute.`,
}

var aboutHealth = about{summary: "Is the process alive / 进程是否存活", description: "Open to everybody."}

var aboutReady = about{
	summary:     "Can messages be taken and sent / 是否可以受理并发送",
	description: "200 when it can, else 503 and why. Open to everybody.",
}

var aboutExamine = about{
	summary: "Examine the gateway / 体检",
	description: `Looks whether what the gateway needs is in order: clocks, database, disk, keys and webhooks; of each account the name of base_url, the token, this machine's address at WeChat, who still uses the real AppSecret, the callback URL and whether pushes arrive, templates, quotas, holds and downstreams. Each finding that is not ok says what to do about it.

Nothing is changed. WeChat is asked at most five harmless questions for an account; each check has 10 s, all together 45 s. Findings about the gateway itself are for keys that cover all accounts.`,
}
