package compat

import (
	"bytes"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hongyan/dispatch"
	"hongyan/wechat"
)

// Bodies are read as WeChat reads them: names are compared exactly, unknown ones
// passed over, of a repeated one the last counts, and a value of another type than
// wanted counts as missing instead of making the whole body unreadable.
var wireOptions = json.JoinOptions(jsontext.AllowDuplicateNames(true))

// decode reads a caller's JSON object into v; the error is a refusal with 44002 (no
// body), 40033 (not UTF-8) or 47001 (no JSON object). Content-Type is not looked at.
func decode(body []byte, v any) error {
	body = bytes.TrimPrefix(body, []byte("\ufeff")) // some editors and SDKs put it there
	if len(bytes.TrimSpace(body)) == 0 {
		return refuse(wechat.CodeEmptyBody)
	}
	err := json.Unmarshal(body, v, wireOptions)
	switch isObject := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")); {
	case err == nil && isObject:
		return nil
	case !utf8.Valid(body):
		return refuse(wechat.CodeInvalidCharset)
	}
	return refuse(wechat.CodeDataFormatError)
}

// wireText is a string member; anything that is no string reads as empty.
type wireText string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (t *wireText) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*t = ""
	if dec.PeekKind() != jsontext.KindString {
		return dec.SkipValue()
	}
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	*t = wireText(token.String())
	return nil
}

// wireBool is a boolean member; anything but true reads as false.
type wireBool bool

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (b *wireBool) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*b = dec.PeekKind() == jsontext.KindTrue
	return dec.SkipValue()
}

// wireScalar is a string, or a number or boolean kept as the text it was written
// with; anything else reads as empty.
type wireScalar string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (s *wireScalar) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*s = ""
	switch dec.PeekKind() {
	case jsontext.KindString:
		return (*wireText)(s).UnmarshalJSONFrom(dec)
	case jsontext.KindNumber, jsontext.KindTrue, jsontext.KindFalse:
		v, err := dec.ReadValue()
		*s = wireScalar(v)
		return err
	}
	return dec.SkipValue()
}

// wireJump is the member miniprogram. Some dated documents and SDKs say path for
// pagepath (spec §4.2.6). null, an empty object and other kinds are no jump.
type wireJump struct{ appID, pagePath string }

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (j *wireJump) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*j = wireJump{}
	if dec.PeekKind() != jsontext.KindBeginObject {
		return dec.SkipValue()
	}
	var wire struct {
		AppID    wireText `json:"appid"`
		PagePath wireText `json:"pagepath"`
		Path     wireText `json:"path"`
	}
	if err := json.UnmarshalDecode(dec, &wire, wireOptions); err != nil {
		return err
	}
	if wire.PagePath == "" {
		wire.PagePath = wire.Path
	}
	*j = wireJump{string(wire.AppID), string(wire.PagePath)}
	return nil
}

// jump is nil unless there is one: SDKs send the member with an empty appid for none.
func (j wireJump) jump() *dispatch.MiniProgram {
	if j.appID == "" {
		return nil
	}
	return &dispatch.MiniProgram{AppID: j.appID, PagePath: j.pagePath}
}

// wireData is the member data: {"key":{"value":…,"color":…}}, or {"key":…} with the
// bare value. What is no object has no values.
type wireData wechat.Data

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (d *wireData) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*d = nil
	if dec.PeekKind() != jsontext.KindBeginObject {
		return dec.SkipValue()
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	data := make(wireData, 8)
	for dec.PeekKind() != jsontext.KindEndObject {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		field, err := readField(dec)
		if err != nil {
			return err
		}
		data[key] = field
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	*d = data
	return nil
}

func readField(dec *jsontext.Decoder) (wechat.Field, error) {
	if dec.PeekKind() != jsontext.KindBeginObject {
		var value wireScalar
		err := value.UnmarshalJSONFrom(dec)
		return wechat.Field{Value: string(value)}, err
	}
	var wire struct {
		Value wireScalar `json:"value"`
		Color wireText   `json:"color"`
	}
	err := json.UnmarshalDecode(dec, &wire, wireOptions)
	return wechat.Field{Value: string(wire.Value), Color: string(wire.Color)}, err
}

// sendBody has the members of all five sends; each uses its own.
type sendBody struct {
	ToUser      wireText `json:"touser"`
	TemplateID  wireText `json:"template_id"`
	ClientMsgID wireText `json:"client_msg_id"`
	Data        wireData `json:"data"`

	URL         wireText `json:"url"`
	MiniProgram wireJump `json:"miniprogram"`
	Color       wireText `json:"color"`
	TopColor    wireText `json:"topcolor"`

	Page            wireText `json:"page"`
	FormID          wireText `json:"form_id"`
	EmphasisKeyword wireText `json:"emphasis_keyword"`

	State wireText `json:"miniprogram_state"`
	Lang  wireText `json:"lang"`

	Scene wireScalar `json:"scene"`
	Title wireText   `json:"title"`
}
