package sandbox

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hongyan/wechat"
)

// Exchange is one API call received, or one push sent, as it went over the wire.
// Secrets and tokens are replaced by ***; everything else is whole.
type Exchange struct {
	Seq       int64  `json:"seq"` // 1, 2, 3 … over the sandbox's life
	At        Time   `json:"at"`  // when it arrived, or was sent
	Direction string `json:"direction"`
	AppID     string `json:"appid"`  // "" when the token told nothing
	ToUser    string `json:"touser"` // recipient, or the user an event is about
	Method    string `json:"method"`
	Path      string `json:"path"`  // of a push, the server's URL without its query
	Query     string `json:"query"` // without the question mark

	RequestBody string `json:"request_body"`
	Decrypted   string `json:"decrypted,omitzero"` // of an encrypted push: what Encrypt holds
	Status      int    `json:"status"`             // HTTP; 0 = there was no answer
	AnswerBody  string `json:"answer_body"`
	RID         string `json:"rid,omitzero"`
	ErrCode     int    `json:"errcode"` // as in LedgerEntry
	Why         string `json:"why"`     // what happened, or why it failed, in one or two sentences
	WhyZH       string `json:"why_zh"`
	MsgID       string `json:"msgid,omitzero"`
	TookMS      int64  `json:"took_ms"`

	Event     string           `json:"event,omitzero"`     // of a push
	Signature *SignatureInputs `json:"signature,omitzero"` // of a push
	Curl      string           `json:"curl,omitzero"`      // of a call: the command that repeats it; needs BASE, TOKEN, SECRET
}

// SignatureInputs is how a push was signed: Sorted joined and hashed with SHA-1
// gives Signature, the same with MsgSorted MsgSignature. The callback token is
// *** and the ciphertext (Encrypt), each in its place of the order.
type SignatureInputs struct {
	Timestamp    string   `json:"timestamp"`
	Nonce        string   `json:"nonce"`
	Sorted       []string `json:"sorted"`
	Signature    string   `json:"signature"`
	EncryptType  string   `json:"encrypt_type,omitzero"` // aes, or "" in plain mode
	MsgSorted    []string `json:"msg_sorted,omitzero"`
	MsgSignature string   `json:"msg_signature,omitzero"`
}

// exchange makes a sighting fit to be shown.
func (s *sighting) exchange() Exchange {
	e := Exchange{
		Seq: s.seq, At: stamp(s.at), Direction: DirectionCall, AppID: valid(s.appID), ToUser: valid(s.touser),
		Method: s.method, Path: valid(s.target), Query: hideInQuery(s.query, masked, masked),
		RequestBody: hideInBody(s.request, masked), Status: s.status, AnswerBody: hideInBody(s.answer, masked),
		RID: ridOf(s.answer), ErrCode: s.code, MsgID: idText(s.msgID), TookMS: s.took.Milliseconds(),
	}
	why := s.why()
	e.Why, e.WhyZH = why.en, why.zh
	if s.push {
		s.describePush(&e)
	} else if !s.rival {
		e.Curl = s.curl()
	}
	return e
}

func (s *sighting) describePush(e *Exchange) {
	d := s.delivery
	e.Direction, e.Event, e.Decrypted = DirectionPush, d.event, string(d.plain)
	if base, query, found := strings.Cut(s.target, "?"); found {
		e.Path, e.Query = valid(base), query // what signs is in it, no secret
	}
	e.Signature = &SignatureInputs{
		Timestamp: d.timestamp, Nonce: d.nonce, Signature: wechat.Signature(d.token, d.timestamp, d.nonce),
		Sorted: sortMasked(d.token, "", d.timestamp, d.nonce),
	}
	if d.encrypt != "" {
		e.Signature.EncryptType = "aes"
		e.Signature.MsgSignature = wechat.MsgSignature(d.token, d.timestamp, d.nonce, d.encrypt)
		e.Signature.MsgSorted = sortMasked(d.token, d.encrypt, d.timestamp, d.nonce)
	}
}

// sortMasked sorts as a signature does and then hides the token and shortens the
// ciphertext.
func sortMasked(token, encrypt string, more ...string) []string {
	parts := append(more, token)
	if encrypt != "" {
		parts = append(parts, encrypt)
	}
	slices.Sort(parts)
	for i, part := range parts {
		switch part {
		case token:
			parts[i] = masked
		case encrypt:
			parts[i] = "(Encrypt)"
		}
	}
	return parts
}

// masked stands where a secret was.
const masked = "***"

var (
	secretMember = regexp.MustCompile(`(?i)("[a-z_]*(?:secret|access_token|ticket)"\s*:\s*)"(?:[^"\\]|\\.)*"?`)
	secretPair   = regexp.MustCompile(`(?i)(^|[&?\s"])([a-z_]*(?:secret|access_token|ticket)=)[^&\s"]*`)
)

// hideInBody replaces the secrets of a body of JSON or a form. A name written with
// \u escapes may be a secret's: such a body is unescaped first, and hidden as a
// whole when it is no JSON.
func hideInBody(body []byte, mask string) string {
	if bytes.Contains(body, []byte(`\u00`)) && escapedName.Match(body) {
		var v any
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		if dec.Decode(&v) != nil {
			return masked
		}
		body, _ = json.Marshal(v) // what was just read can be written
	}
	text := valid(string(body))
	if !mayHoldSecret(text) {
		return text
	}
	text = secretMember.ReplaceAllString(text, `${1}"`+mask+`"`)
	return secretPair.ReplaceAllString(text, "${1}${2}"+mask)
}

// mayHoldSecret spares most bodies the regular expressions, which are slow.
func mayHoldSecret(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "secret") || strings.Contains(text, "access_token") || strings.Contains(text, "ticket")
}

// escapedName finds a member's name with an escape in it.
var escapedName = regexp.MustCompile(`"[^"]*\\u00[^"]*"\s*:`)

// hideInQuery replaces the secrets of a raw query, token by token and secret by
// secret; the names may be percent-encoded.
func hideInQuery(raw, token, secret string) string {
	if raw == "" {
		return ""
	}
	pairs := strings.Split(raw, "&")
	for i, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(name)
		if err != nil {
			plain = name
		}
		switch plain = strings.ToLower(plain); {
		case strings.HasSuffix(plain, "access_token"):
			pairs[i] = name + "=" + token
		case strings.HasSuffix(plain, "secret"), strings.HasSuffix(plain, "ticket"):
			pairs[i] = name + "=" + secret
		}
	}
	return valid(strings.Join(pairs, "&"))
}

// valid makes text fit for JSON: callers may send any bytes.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// secretHole marks, while a command is quoted, where the shell's $SECRET goes. No
// body that reached here as valid text can hold it: it is not valid UTF-8.
const secretHole = "\xff"

// curl is the command that repeats a call. The base URL, the token and the secret
// are left to variables of the shell.
func (s *sighting) curl() string {
	target := shellText.Replace(valid(s.target))
	if s.query != "" {
		query := hideInQuery(s.query, "\x01", "\x02")
		query = strings.NewReplacer("\x01", "$TOKEN", "\x02", "$SECRET").Replace(shellText.Replace(query))
		target += "?" + query
	}
	b := strings.Builder{}
	b.WriteString("curl")
	if s.method != "GET" && (s.method != "POST" || len(s.request) == 0) {
		b.WriteString(" -X " + s.method)
	}
	b.WriteString(` "$BASE` + target + `"`)
	if len(s.request) > 0 {
		body := strings.ReplaceAll(hideInBody(s.request, secretHole), "'", `'\''`)
		b.WriteString(` -H 'Content-Type: application/json' --data-raw '` + strings.ReplaceAll(body, secretHole, `'"$SECRET"'`) + "'")
	}
	return b.String()
}

// shellText escapes what means something inside double quotes.
var shellText = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`")

var ridMark = []byte(" rid: ")

// ridLength is that of three groups of eight digits with two dashes.
const ridLength = 26

// ridOf is the rid in an errmsg, "" when there is none.
func ridOf(answer []byte) string {
	at := bytes.LastIndex(answer, ridMark)
	if at < 0 || len(answer) < at+len(ridMark)+ridLength {
		return ""
	}
	return string(answer[at+len(ridMark) : at+len(ridMark)+ridLength])
}

// explained is a sentence in both languages.
type explained struct{ en, zh string }

// why says what happened, or why it failed.
func (s *sighting) why() explained {
	switch {
	case s.push:
		return s.delivery.why(s)
	case s.rival:
		return explained{"Preset token-war: another process fetched a new access_token; the one before has five minutes at most.",
			"预设 token-war：另一进程取得了新的 access_token，旧的最多还能用五分钟。"}
	case s.fault != nil:
		return s.spoiled()
	case s.status >= 400:
		return frontEndWords[s.status]
	case s.code != 0:
		return meaning(s.code)
	case s.duplicateOf != 0:
		return explained{"Accepted before: this openid and client_msg_id made message " + idText(s.duplicateOf) + "; nothing new is sent.",
			"此前已受理：相同 openid 与 client_msg_id 已产生消息 " + idText(s.duplicateOf) + "，不会再发。"}
	case s.msgID != 0:
		return explained{"Accepted as message " + idText(s.msgID) + "; whether it arrives is told later.",
			"已受理，消息 ID 为 " + idText(s.msgID) + "；是否送达随后才知道。"}
	}
	return explained{"Done.", "成功。"}
}

// frontEndWords explains the refusals that have a page instead of an errcode.
var frontEndWords = map[int]explained{
	412: {"The body came in chunks without Content-Length; the front end refuses that. Send a body of known length.",
		"请求体未带 Content-Length（分块传输），接入层拒绝。请发送长度已知的请求体。"},
	413: {"The body is larger than 1 MiB.", "请求体超过 1 MiB。"},
	415: {"This path takes a form, not JSON.", "此接口只接受表单，不接受 JSON。"},
}

// meaning is what the code table says: meaning, then cause and cure.
func meaning(code int) explained {
	info, known := wechat.LookupCode(code)
	if !known {
		return explained{"Code " + strconv.Itoa(code) + " is not in the table of return codes.", "返回码表中没有 " + strconv.Itoa(code) + "。"}
	}
	why := explained{info.Meaning + ".", info.MeaningZH + "。"}
	if info.Hint != "" {
		why.en += " " + info.Hint
	}
	if info.HintZH != "" {
		why.zh += info.HintZH
	}
	return why
}

// spoiled says what a fault rule did to the call.
func (s *sighting) spoiled() explained {
	rule := "Fault rule " + s.fault.ID + ": "
	ruleZH := "故障规则 " + s.fault.ID + "："
	switch {
	case s.status == 0 && s.code == cutShort:
		return explained{rule + "the connection was cut before anything was done.", ruleZH + "处理前断开连接，什么也没做。"}
	case s.status == 0:
		return explained{rule + "done (errcode " + strconv.Itoa(s.code) + "), then the connection was cut without an answer.",
			ruleZH + "已处理（errcode " + strconv.Itoa(s.code) + "），随后断开连接，不给应答。"}
	case s.fault.replaces():
		return explained{rule + "answered " + strconv.Itoa(s.code) + "; nothing was done.", ruleZH + "应答 " + strconv.Itoa(s.code) + "，什么也没做。"}
	case s.fault.Truncate != 0:
		return explained{rule + "done, but the answer was cut short.", ruleZH + "已处理，但应答被截断。"}
	case s.fault.DripMS != 0:
		return explained{rule + "done; the answer came byte by byte.", ruleZH + "已处理，应答逐字节发出。"}
	case s.fault.EventFault != (EventFault{}):
		return explained{rule + "done; the event is not what it should be (" + s.fault.words() + ").", ruleZH + "已处理；事件推送异常（" + s.fault.words() + "）。"}
	}
	return explained{rule + "answered after a delay.", ruleZH + "延迟后应答。"}
}

// why says how a delivery went and what comes next.
func (d *pushDelivery) why(s *sighting) explained {
	try := strconv.Itoa(d.try) + " of " + strconv.Itoa(d.tries)
	tryZH := "第 " + strconv.Itoa(d.try) + " 次（共 " + strconv.Itoa(d.tries) + " 次）"
	result := explained{"Delivery " + try + ": answered " + strconv.Itoa(s.status), tryZH + "推送：应答 " + strconv.Itoa(s.status)}
	if s.status == 0 {
		result = explained{"Delivery " + try + ": no answer after " + s.took.String(), tryZH + "推送：" + s.took.String() + " 内没有应答"}
	}
	switch {
	case s.status/100 == 2:
		return explained{result.en + ".", result.zh + "。"}
	case !d.next.IsZero():
		at := d.next.In(beijing).Format("15:04:05")
		return explained{result.en + "; the next one is at " + at + " Beijing time.", result.zh + "；下一次在北京时间 " + at + "。"}
	}
	return explained{result.en + "; given up, the event is lost.", result.zh + "；放弃，事件丢失。"}
}
