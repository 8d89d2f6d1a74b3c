package api

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"hongyan"
	"hongyan/dispatch"
	"hongyan/wechat"
)

// messageBody is client.MessageRequest as the gateway reads it: the same
// fields, decoded into WeChat's shapes without a copy in between. A test
// compares the two.
type messageBody struct {
	AppID            string         `json:"appid"`
	ToUser           string         `json:"touser"`
	TemplateID       string         `json:"template_id"`
	URL              string         `json:"url"`
	MiniProgram      *jump          `json:"miniprogram"`
	TopColor         string         `json:"topcolor"`
	Page             string         `json:"page"`
	FormID           string         `json:"form_id"`
	EmphasisKeyword  string         `json:"emphasis_keyword"`
	Color            string         `json:"color"`
	MiniProgramState string         `json:"miniprogram_state"`
	Lang             string         `json:"lang"`
	Scene            string         `json:"scene"`
	Title            string         `json:"title"`
	Data             messageData    `json:"data"`
	Kind             string         `json:"kind"`
	ClientMsgID      string         `json:"client_msg_id"`
	SendAt           time.Time      `json:"send_at"`
	ExpiresAt        time.Time      `json:"expires_at"`
	Priority         string         `json:"priority"`
	Metadata         jsontext.Value `json:"metadata"`
}

// jump is wechat.MiniProgram, read strictly.
type jump struct {
	AppID    string `json:"appid"`
	PagePath string `json:"pagepath"`
}

// messageData is wechat.Data, read strictly.
type messageData wechat.Data

// dotData is what people append to keys because the template's content shows it.
const dotData = ".DATA"

// UnmarshalJSONFrom reads an object of bare strings and {"value","color"}
// objects. The two classic mistakes get errors of their own.
func (d *messageData) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	data, dotted, err := readData(dec)
	if err == nil && dotted != nil {
		err = dotted
	}
	if err == nil && data != nil {
		*d = data
	}
	return err
}

// lintData is messageData whose keys may carry their .DATA: what is wrong with them is for
// the linter to say, beside what else is.
type lintData messageData

// UnmarshalJSONFrom reads what a message's data may be, right or wrong.
func (d *lintData) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	data, _, err := readData(dec)
	if err == nil && data != nil {
		*d = lintData(data)
	}
	return err
}

// readData reads an object of values, nil for null. dotted is what is wrong with keys that
// carry their .DATA, whose braces are left out in data.
func readData(dec *jsontext.Decoder) (data messageData, dotted *hongyan.Error, err error) {
	switch dec.PeekKind() {
	case jsontext.KindNull:
		return nil, nil, dec.SkipValue()
	case jsontext.KindBeginObject:
	case jsontext.KindString:
		return nil, nil, badField("data_is_string", string(dec.StackPointer()), "data must be a JSON object, not a string that contains JSON; do not encode it twice").
			InChinese("data 应为 JSON 对象，而不是内含 JSON 的字符串；请勿重复编码")
	default:
		return nil, nil, wrongType(dec, anObject)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, nil, err
	}
	data = make(messageData, 8)
	for dec.PeekKind() != jsontext.KindEndObject {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, nil, err
		}
		key := name.String()
		if strings.HasSuffix(strings.TrimRight(key, "} "), dotData) { // {{thing1.DATA}} too
			dotted = addDotted(dotted, string(dec.StackPointer()), key)
			key = strings.Trim(key, "{} ")
		}
		if _, twice := data[key]; twice { // thing1.DATA and {{thing1.DATA}}
			return nil, nil, badField("duplicate_field", string(dec.StackPointer()), "the key %q is given twice", clip(key)).InChinese("键 %q 出现了两次", clip(key))
		}
		if data[key], err = readField(dec); err != nil {
			return nil, nil, err
		}
	}
	_, err = dec.ReadToken()
	return data, dotted, err
}

func addDotted(e *hongyan.Error, pointer, key string) *hongyan.Error {
	short := strings.Trim(strings.TrimSuffix(strings.TrimRight(key, "} "), dotData), "{ ")
	found := badField("dot_data_key", pointer, "the key is %q, not %q: .DATA belongs to the template's text only", clip(short), clip(key)).
		InChinese("键应为 %q，而不是 %q：.DATA 只属于模板正文", clip(short), clip(key))
	if e == nil {
		return found
	}
	e.Fields = append(e.Fields, found.Fields...)
	return e
}

// readField reads one value of data.
func readField(dec *jsontext.Decoder) (wechat.Field, error) {
	switch dec.PeekKind() {
	case jsontext.KindString:
		value, err := dec.ReadToken()
		if err != nil {
			return wechat.Field{}, err
		}
		return wechat.Field{Value: value.String()}, nil
	case jsontext.KindBeginObject:
		return readFieldObject(dec)
	default:
		return wechat.Field{}, wrongType(dec, dataString)
	}
}

func readFieldObject(dec *jsontext.Decoder) (field wechat.Field, err error) {
	if _, err := dec.ReadToken(); err != nil {
		return field, err
	}
	for dec.PeekKind() != jsontext.KindEndObject {
		name, err := dec.ReadToken()
		if err != nil {
			return field, err
		}
		var to *string
		switch key := name.String(); key {
		case "value":
			to = &field.Value
		case "color":
			to = &field.Color
		default:
			return field, badField("unknown_field", string(dec.StackPointer()), "there is no field %q here; a value has value and color", clip(key)).
				InChinese("此处没有字段 %q；一个值只有 value 和 color", clip(key))
		}
		if dec.PeekKind() != jsontext.KindString {
			return field, wrongType(dec, aString)
		}
		value, err := dec.ReadToken()
		if err != nil {
			return field, err
		}
		*to = value.String()
	}
	_, err = dec.ReadToken()
	return field, err
}

// wrongType is an error about the value dec would read next. A value that is
// no JSON at all is reported as that.
func wrongType(dec *jsontext.Decoder, want said) error {
	pointer, kind := string(dec.StackPointer()), dec.PeekKind()
	switch kind {
	case jsontext.KindInvalid:
		_, err := dec.ReadToken()
		return err
	case jsontext.KindNumber:
		return wrongNumber(dec, pointer, want)
	default:
		return mistyped(pointer, want, kindWord(kind))
	}
}

func wrongNumber(dec *jsontext.Decoder, pointer string, want said) error {
	number, err := dec.ReadValue()
	if err != nil {
		return err
	}
	got := gotWords(pointer, jsontext.KindNumber, number)
	if want == aString || want == dataString {
		got.en += "; put it in quotes, so that it is shown as it is written"
		got.zh += "；请加上引号，以便原样显示"
	}
	return mistyped(pointer, want, got)
}

// checkedMessage is messageBody for CheckMessage.
type checkedMessage struct {
	messageBody
	Data lintData `json:"data"`
}

// CheckMessage reads a message as strictly as POST /v1/messages, with the same errors.
// Values and keys of its data are not judged: they are for the linter.
func CheckMessage(body []byte) error {
	var m checkedMessage
	if err := decodeStrict(body, &m); err != nil {
		return err
	}
	m.AppID = cmp.Or(m.AppID, "-") // whom it is for does not matter
	_, err := m.request()
	return err
}

// request checks the little that is not the engine's to check, and translates.
func (b *messageBody) request() (dispatch.Request, error) {
	if b.AppID == "" {
		return dispatch.Request{}, b.missing()
	}
	priority, err := hongyan.ParsePriority(b.Priority)
	if err != nil {
		return dispatch.Request{}, err
	}
	if b.Kind != "" && !slices.Contains(hongyan.MessageKinds(), hongyan.MessageKind(b.Kind)) {
		return dispatch.Request{}, hongyan.UnknownKind(clip(b.Kind))
	}
	metadata, err := metadataObject(b.Metadata)
	if err != nil {
		return dispatch.Request{}, err
	}
	req := dispatch.Request{
		AppID: b.AppID, Kind: hongyan.MessageKind(b.Kind), ToUser: b.ToUser, TemplateID: b.TemplateID,
		URL: b.URL, TopColor: b.TopColor, Page: b.Page, FormID: b.FormID,
		EmphasisKeyword: b.EmphasisKeyword, Color: b.Color, MiniProgramState: b.MiniProgramState, Lang: b.Lang,
		Scene: b.Scene, Title: b.Title, Data: wechat.Data(b.Data),
		ClientMsgID: b.ClientMsgID, SendAt: b.SendAt, ExpiresAt: b.ExpiresAt,
		Priority: priority, Metadata: metadata,
	}
	if b.MiniProgram != nil && *b.MiniProgram != (jump{}) { // an empty one is what some callers send for none
		req.MiniProgram = &wechat.MiniProgram{AppID: b.MiniProgram.AppID, PagePath: b.MiniProgram.PagePath}
	}
	return req, nil
}

// missing names every required field that is not there. Without an account the
// engine can check none of the rest.
func (b *messageBody) missing() error {
	var f faults
	f.add("/appid", "appid is missing: the account, by appid or alias")
	if b.ToUser == "" {
		f.add("/touser", "touser is missing: the openid of the recipient")
	}
	if b.TemplateID == "" {
		f.add("/template_id", "template_id is missing: a template the account holds")
	}
	if len(b.Data) == 0 {
		f.add("/data", "data is missing: a value for every key of the template")
	}
	return &hongyan.Error{Kind: hongyan.Invalid, Code: "missing_field", Message: f[0].Detail, Fields: f}
}

func metadataObject(v jsontext.Value) ([]byte, error) {
	switch kind := v.Kind(); {
	case len(v) == 0 || kind == jsontext.KindNull:
		return nil, nil
	case kind != jsontext.KindBeginObject:
		return nil, mistyped("/metadata", anObject, gotWords("/metadata", kind, v))
	default:
		return v, nil
	}
}
