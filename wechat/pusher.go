package wechat

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// PusherConfig describes a callback server as its owner set it up.
type PusherConfig struct {
	AppID  string // the account whose pushes these are; needed to encrypt
	Mode   CallbackMode
	Token  string
	AESKey string // EncodingAESKey; ModePlain needs none, but opens encrypted replies with one
}

// Pusher builds pushes as the platform makes them, for whoever hands them on to a
// callback server, and reads what that server answers. Build it with NewPusher;
// it is safe for concurrent use and prints no secret.
type Pusher struct {
	appID string
	mode  CallbackMode
	token string
	key   AESKey // zero without one
}

// NewPusher checks cfg. The errors name the setting and never quote a token or a key.
func NewPusher(cfg PusherConfig) (*Pusher, error) {
	if cfg.Token == "" {
		return nil, errors.New("wechat: pusher: no token to sign with")
	}
	p := &Pusher{appID: cfg.AppID, mode: cfg.Mode, token: cfg.Token}
	if cfg.Mode == ModePlain && cfg.AESKey == "" {
		return p, nil
	}
	if cfg.AppID == "" || cfg.AESKey == "" {
		return nil, fmt.Errorf("wechat: pusher: mode %s needs the appid and an AES key", cfg.Mode)
	}
	key, err := ParseAESKey(cfg.AESKey)
	if err != nil {
		return nil, fmt.Errorf("wechat: pusher: %w", err)
	}
	p.key = key
	return p, nil
}

// Format hides the token from fmt.
func (p *Pusher) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redactedText)) }

// SealedPush is a push ready to be posted.
type SealedPush struct {
	Query       url.Values // signature, timestamp, nonce, openid; encrypt_type and msg_signature unless plain
	ContentType string     // text/xml or application/json
	Body        []byte
}

// Push makes the push of a plain message: signed at a time, and in the mode of
// the server (spec §5.4, §5.6). plain is the XML or JSON that Receiver.Open gave;
// what is neither is passed on as it is, encrypted where the mode asks for it.
// openID "" leaves the parameter out.
func (p *Pusher) Push(plain []byte, openID string, at time.Time) (SealedPush, error) {
	push := SealedPush{Query: url.Values{}, ContentType: "text/xml", Body: plain}
	if isJSON(plain) {
		push.ContentType = "application/json"
	}
	timestamp, nonce := strconv.FormatInt(at.Unix(), 10), newNonce()
	push.Query.Set("signature", Signature(p.token, timestamp, nonce))
	push.Query.Set("timestamp", timestamp)
	push.Query.Set("nonce", nonce)
	if openID != "" {
		push.Query.Set("openid", openID)
	}
	if p.mode == ModePlain {
		return push, nil
	}
	encrypt, err := Encrypt(p.key, p.appID, plain)
	if err != nil {
		return SealedPush{}, err
	}
	push.Query.Set("encrypt_type", "aes")
	push.Query.Set("msg_signature", MsgSignature(p.token, timestamp, nonce, encrypt))
	push.Body = p.envelope(plain, encrypt)
	return push, nil
}

// envelope puts the encrypted part beside the plain one or in its place. A body
// that cannot be taken apart has no room for it beside.
func (p *Pusher) envelope(plain []byte, encrypt string) []byte {
	if p.mode == ModeCompat {
		if body := withEncrypt(plain, encrypt); body != nil {
			return body
		}
	}
	var toUser string
	if push, err := parsePush(plain); err == nil {
		toUser = string(push.ToUserName)
	}
	if isJSON(plain) {
		name, _ := json.Marshal(toUser) // a string always can
		return []byte(`{"ToUserName":` + string(name) + `,"Encrypt":"` + encrypt + `"}`)
	}
	return []byte("<xml><ToUserName>" + cdata(toUser) + "</ToUserName>" + encryptElement(encrypt) + "</xml>")
}

func encryptElement(encrypt string) string { return "<Encrypt>" + cdata(encrypt) + "</Encrypt>" }

// withEncrypt adds the encrypted part to a plain message as its last element, nil
// when that has no end to put it before.
func withEncrypt(plain []byte, encrypt string) []byte {
	if !isJSON(plain) {
		end := rootEnd(plain)
		if end < 0 {
			return nil
		}
		return insert(plain, end, encryptElement(encrypt))
	}
	end := bytes.LastIndexByte(plain, '}')
	if _, err := parsePush(plain); err != nil || end < 0 {
		return nil
	}
	member := `"Encrypt":"` + encrypt + `"`
	if before := bytes.TrimSpace(plain[:end]); before[len(before)-1] != '{' {
		member = "," + member
	}
	return insert(plain, end, member)
}

func insert(b []byte, at int, text string) []byte {
	out := make([]byte, 0, len(b)+len(text))
	return append(append(append(out, b[:at]...), text...), b[at:]...)
}

// rootEnd returns where the end tag of an XML document's only element begins, -1
// when it has none.
func rootEnd(body []byte) int {
	text := bytes.TrimPrefix(body, byteOrderMark)
	d, end := xml.NewDecoder(bytes.NewReader(text)), -1
	for depth := 0; ; {
		before := d.InputOffset()
		token, err := d.Token()
		if err != nil {
			break
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			if depth--; depth == 0 && bytes.HasPrefix(text[before:], []byte("</")) {
				end = int(before)
			}
		}
	}
	if end < 0 {
		return -1
	}
	return end + len(body) - len(text)
}

func isJSON(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(body, byteOrderMark)), []byte("{"))
}

// cdata writes s as WeChat writes texts.
func cdata(s string) string {
	return "<![CDATA[" + strings.ReplaceAll(s, "]]>", "]]]]><![CDATA[>") + "]]>"
}

func newNonce() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return strconv.FormatUint(uint64(binary.BigEndian.Uint32(b[:])), 10)
}
