package wechat

import "fmt"

// Class groups outcomes by what a caller should do next (spec §9).
type Class uint8

const (
	// ClassSuccess: accepted; delivery is told later by an event.
	ClassSuccess Class = iota
	// ClassToken: the access token is dead. Refresh it once, try once more.
	ClassToken
	// ClassTransient: the platform is busy. Try again later, with growing pauses.
	ClassTransient
	// ClassQuota: a limit is reached. Park the account's or recipient's queue.
	ClassQuota
	// ClassForm: the form_id or prepay_id is wrong, used up or not yet valid.
	ClassForm
	// ClassRequest: this request can never succeed as it is.
	ClassRequest
	// ClassRecipient: this recipient cannot be reached.
	ClassRecipient
	// ClassTemplate: this template cannot be used.
	ClassTemplate
	// ClassAccount: the account may not do this. Stop its queue and tell a person.
	ClassAccount
	// ClassUnknown: a code the table does not know.
	ClassUnknown
	// ClassNotSent: no byte of the request left; trying again is safe.
	ClassNotSent
	// ClassNoAnswer: the request may have arrived, what became of it is unknown.
	ClassNoAnswer
)

var classNames = [...]string{"success", "token", "transient", "quota", "form", "request",
	"recipient", "template", "account", "unknown", "not_sent", "no_answer"}

// String gives the class's word in lower case: "token", "not_sent", "no_answer".
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("Class(%d)", uint8(c))
}

// classHints are the hints of codes that need none of their own, in English and
// Chinese.
var classHints = map[Class][2]string{
	ClassSuccess:   {"Nothing to do.", "无需处理。"},
	ClassToken:     {"Refresh the token once and repeat the call once.", "刷新一次凭据并重试一次。"},
	ClassTransient: {"A fault on WeChat's side. Try again later, with growing pauses.", "微信侧故障。请稍后重试，并逐次拉长间隔。"},
	ClassQuota:     {"A limit is reached. Wait for its next period.", "已达上限，请等待下个周期。"},
	ClassForm:      {"Use another form_id.", "请换一个form_id。"},
	ClassRequest:   {"The request cannot succeed as it is. Correct it; do not repeat it.", "请求有误，原样重试不会成功，请更正。"},
	ClassRecipient: {"This user cannot be reached. Do not send to them for now.", "该用户无法送达，请暂停向其发送。"},
	ClassTemplate:  {"The template cannot be used. Choose another.", "该模板不可用，请更换。"},
	ClassAccount:   {"The account may not do this. See the notices in its console.", "账号无权执行该操作，请查看后台通知。"},
	ClassUnknown:   {"The code is unknown. Look its rid up with WeChat.", "未知返回码，请凭rid向微信查询。"},
	ClassNotSent:   {"The request did not leave. Check network, DNS and proxy; trying again is safe.", "请求未发出。请检查网络、DNS与代理；可以安全重试。"},
	ClassNoAnswer:  {"The request may have arrived. Wait for the event, or repeat with the same client_msg_id within 10 minutes.", "请求可能已到达微信。请等待事件推送，或在10分钟内用相同的client_msg_id重试。"},
}

// Hint gives the class's general advice in English and Chinese; "" for a value
// that is no class.
func (c Class) Hint() (en, zh string) {
	both := classHints[c]
	return both[0], both[1]
}

// ClassOf says what code means for the caller of ep. Most codes have one class
// everywhere; the exceptions are:
//
//   - 40013 stops the account where it shows its AppSecret (its own appid is
//     wrong) and is a fault of the request elsewhere (miniprogram.appid not linked);
//   - 40001 there means a wrong AppSecret, not a dead token.
//
// The endpoints that take the AppSecret are the two of tokens and clear_quota/v2.
//
// A code outside the table is ClassUnknown.
func ClassOf(ep Endpoint, code Code) Class {
	switch {
	case code == CodeInvalidAppID && !takesSecret(ep):
		return ClassRequest
	case code == CodeInvalidCredential && takesSecret(ep):
		return ClassAccount
	}
	info, ok := codeIndex[code]
	if !ok {
		return ClassUnknown
	}
	return info.Class
}
