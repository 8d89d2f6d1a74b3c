package sandbox

import (
	"bytes"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hongyan/wechat"
)

// The wire structs are read with names compared exactly, as the platform does:
// "toUser" is not touser. A repeated name is no error there; the last one counts.
// Values of the wrong type count as missing rather than as bad JSON, because the
// platform names the missing field then (40003 for a touser that is a number).
var wireOptions = json.JoinOptions(jsontext.AllowDuplicateNames(true))

func marshalWire(v any) ([]byte, error) { return json.Marshal(v, wireOptions) }

// unmarshal reads the call's body into v: 0, 44002 (no body), 40033 (not UTF-8)
// or 47001 (not a JSON object).
func (c *call) unmarshal(v any) wechat.Code {
	if len(c.body) == 0 {
		return wechat.CodeEmptyBody
	}
	err := json.Unmarshal(c.body, v, wireOptions)
	if err != nil || !isObject(c.body) {
		if !utf8.Valid(c.body) {
			return wechat.CodeInvalidCharset
		}
		return wechat.CodeDataFormatError
	}
	return wechat.CodeOK
}

// isObject tells an object from null, which would be read as an empty one.
func isObject(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
}

// wireText is a string member; anything that is no string reads as empty.
type wireText string

func (t wireText) string() string { return string(t) }

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (t *wireText) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil {
		return err
	}
	*t = ""
	if v.Kind() == '"' {
		*t = wireText(unquote(v))
	}
	return nil
}

// wireTexts is an array of strings; anything that is no array reads as empty.
type wireTexts []wireText

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (t *wireTexts) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil {
		return err
	}
	*t = nil
	if v.Kind() != '[' {
		return nil
	}
	return json.Unmarshal(v, (*[]wireText)(t), wireOptions)
}

// wireBool is a boolean member; anything but true reads as false.
type wireBool bool

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (b *wireBool) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil {
		return err
	}
	*b = string(v) == "true"
	return nil
}

func unquote(v jsontext.Value) string {
	text, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return "" // cannot happen: the decoder has accepted the value
	}
	return string(text)
}

// sendBody is the body of both sends; each reads its own members.
type sendBody struct {
	ToUser      wireText       `json:"touser"`
	TemplateID  wireText       `json:"template_id"`
	URL         wireText       `json:"url"`
	TopColor    wireText       `json:"topcolor"`
	MiniProgram wireJump       `json:"miniprogram"`
	ClientMsgID wireText       `json:"client_msg_id"`
	Data        jsontext.Value `json:"data"`

	// Of mini programs only.
	Page            wireText `json:"page"`
	FormID          wireText `json:"form_id"`
	EmphasisKeyword wireText `json:"emphasis_keyword"`
}

// wireJump is the miniprogram member. Some dated documents say path for
// pagepath (spec §4.2.6). null and other kinds read as absent.
type wireJump struct{ AppID, PagePath string }

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (j *wireJump) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil || v.Kind() != '{' {
		return err
	}
	var wire struct {
		AppID    wireText `json:"appid"`
		PagePath wireText `json:"pagepath"`
		Path     wireText `json:"path"`
	}
	if err := json.Unmarshal(v, &wire, wireOptions); err != nil {
		return err
	}
	if wire.PagePath == "" {
		wire.PagePath = wire.Path
	}
	*j = wireJump{AppID: wire.AppID.string(), PagePath: wire.PagePath.string()}
	return nil
}

func (c *call) parseSend() {
	c.send = new(sendBody)
	c.badBody = c.unmarshal(c.send)
	c.touser = c.send.ToUser.string()
	c.data, c.dataIsObject = parseData(c.send.Data) // here, where nobody waits for the mutex
}

// wireField is one value of data. The platform reads objects only: a bare string
// has no "value" and counts as empty (spec §4.3).
type wireField struct {
	Value wireScalar `json:"value"`
	Color wireText   `json:"color"`
}

// wireDatum is a member of data, read in one go; what is no object is left empty.
type wireDatum struct{ wireField }

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (d *wireDatum) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	d.wireField = wireField{} // a repeated name counts anew
	if dec.PeekKind() == '{' {
		return json.UnmarshalDecode(dec, &d.wireField)
	}
	return dec.SkipValue()
}

// wireScalar is a string, or a number or boolean kept as its text.
// Unverified: the platform's documentation types it "any" (spec §4.3).
type wireScalar string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (s *wireScalar) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil {
		return err
	}
	switch v.Kind() {
	case '"':
		*s = wireScalar(unquote(v))
	case '0', 't', 'f':
		*s = wireScalar(v)
	default:
		*s = ""
	}
	return nil
}

// wireScalars is an array of strings or numbers; anything that is no array reads as
// empty.
type wireScalars []wireScalar

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (s *wireScalars) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil {
		return err
	}
	*s = nil
	if v.Kind() != '[' {
		return nil
	}
	return json.Unmarshal(v, (*[]wireScalar)(s), wireOptions)
}

// parseData reads the data member; ok is false when it is absent or no object.
func parseData(raw jsontext.Value) (data wechat.Data, ok bool) {
	if raw.Kind() != '{' {
		return nil, false
	}
	var members map[string]wireDatum
	if json.Unmarshal(raw, &members, wireOptions) != nil {
		return nil, false
	}
	data = make(wechat.Data, len(members))
	for key, f := range members {
		data[key] = wechat.Field{Value: string(f.Value), Color: f.Color.string()}
	}
	return data, true
}
