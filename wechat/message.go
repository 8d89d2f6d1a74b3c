package wechat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// TemplateMessage is the body of an official account's template message
// (公众号模板消息), POST /cgi-bin/message/template/send; spec §4.2.6,
// https://developers.weixin.qq.com/doc/service/api/notify/template/api_sendtemplatemessage
//
// ToUser, TemplateID and Data are required by the platform. The keys of Data
// are whatever the template's content names, without ".DATA".
type TemplateMessage struct {
	ToUser     string `json:"touser"`
	TemplateID string `json:"template_id"`
	// URL is opened by a tap; empty means no jump (a blank page on old iOS clients, K12).
	URL string `json:"url,omitempty"`
	// TopColor is the bar colour of about 2014, "#RRGGBB"; accepted and ignored today (K11).
	TopColor    string       `json:"topcolor,omitempty"`
	MiniProgram *MiniProgram `json:"miniprogram,omitempty"`
	// ClientMsgID makes the platform drop a second message with the same
	// recipient and id for ten minutes. Empty means no such protection.
	ClientMsgID string `json:"client_msg_id,omitempty"`
	Data        Data   `json:"data"`
}

// MiniProgram is a jump into a mini program that is linked with the sending
// account; it wins over TemplateMessage.URL on clients that know mini programs.
type MiniProgram struct {
	AppID    string `json:"appid"`
	PagePath string `json:"pagepath,omitempty"` // may carry a query: "index?foo=bar"
}

// UnmarshalJSON also reads the member "path", which some dated documents and
// SDKs send instead of "pagepath" (spec §4.2.6). "pagepath" wins.
func (m *MiniProgram) UnmarshalJSON(b []byte) error {
	var wire struct {
		AppID    string `json:"appid"`
		PagePath string `json:"pagepath"`
		Path     string `json:"path"`
	}
	if err := json.Unmarshal(b, &wire); err != nil {
		return fmt.Errorf("wechat: miniprogram: %w", err)
	}
	m.AppID, m.PagePath = wire.AppID, wire.PagePath
	if m.PagePath == "" {
		m.PagePath = wire.Path
	}
	return nil
}

// MiniTemplateMessage is the body of a mini program's template message
// (小程序模板消息), POST /cgi-bin/message/wxopen/template/send; spec §6.2. The
// platform withdrew it on 2020-01-10. Its answer carries no msgid.
type MiniTemplateMessage struct {
	ToUser     string `json:"touser"`
	TemplateID string `json:"template_id"`
	Page       string `json:"page,omitempty"` // empty means no jump
	FormID     string `json:"form_id"`        // a formId, or the prepay_id of a payment
	Data       Data   `json:"data"`
	Color      string `json:"color,omitempty"`
	// EmphasisKeyword names the line shown enlarged, "keyword1.DATA"; empty means none.
	EmphasisKeyword string `json:"emphasis_keyword,omitempty"`
}

// Data holds the values of a template's parameters by key.
type Data map[string]Field

// Field is one parameter's value and its colour, "#RRGGBB"; an empty colour is
// black. The platform has ignored colours since 2023-05-04 (spec §0.4).
type Field struct {
	Value string `json:"value"`
	Color string `json:"color,omitempty"`
}

// UnmarshalJSON reads {"value":…,"color":…}, a bare string or a bare number.
// A number is kept as the text it was written with, so no digit is lost. null
// is an empty value; other kinds are an error. Unknown members are ignored.
func (f *Field) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[0] != '{' {
		value, err := scalarText(b)
		if err != nil {
			return err
		}
		*f = Field{Value: value}
		return nil
	}
	var wire struct {
		Value json.RawMessage `json:"value"`
		Color string          `json:"color"`
	}
	if err := json.Unmarshal(b, &wire); err != nil {
		return fmt.Errorf("wechat: data field: %w", err)
	}
	value, err := scalarText(wire.Value)
	if err != nil {
		return err
	}
	*f = Field{Value: value, Color: wire.Color}
	return nil
}

var errFieldKind = errors.New("wechat: data value must be a string or a number")

// scalarText is the text of a JSON string or number; absent and null give "".
func scalarText(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	switch c := raw[0]; {
	case c == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case c == '-' || '0' <= c && c <= '9':
		var n json.Number
		err := json.Unmarshal(raw, &n)
		return n.String(), err
	}
	return "", errFieldKind
}

// MarshalBody encodes v the way the platform wants request bodies: raw UTF-8,
// no HTML escaping and no newline at the end. Escaped text is refused on some
// endpoints with 40033 or 47002 (spec §2.4), and "&" in a URL must stay "&".
func MarshalBody(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("wechat: encode body: %w", err)
	}
	return unescape(bytes.TrimSuffix(buf.Bytes(), []byte("\n"))), nil
}

// escapedAnyway are the characters that encoding/json escapes whatever it is told:
// two line separators, which text copied from web pages contains, and the
// character it puts in the place of bytes that are not UTF-8.
var escapedAnyway = map[string]string{"u2028": "\u2028", "u2029": "\u2029", "ufffd": "\ufffd"}

// unescape puts the characters of escapedAnyway back, in place. A backslash in the
// text itself is written as two, so escapes are passed over one by one.
func unescape(body []byte) []byte {
	if !bytes.Contains(body, []byte(`\u`)) {
		return body
	}
	out := body[:0]
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			out = append(out, body[i])
			continue
		}
		if i+6 <= len(body) {
			if raw, ok := escapedAnyway[string(body[i+1:i+6])]; ok {
				out = append(out, raw...)
				i += 5
				continue
			}
		}
		out = append(out, body[i], body[i+1])
		i++
	}
	return out
}
