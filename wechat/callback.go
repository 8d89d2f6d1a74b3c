package wechat

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// CallbackMode is how the platform encrypts what it pushes; it is chosen in the console (消息加解密方式).
type CallbackMode uint8

// The three modes.
const (
	ModePlain  CallbackMode = iota // 明文模式: never encrypted
	ModeCompat                     // 兼容模式: plain and encrypted side by side
	ModeSafe                       // 安全模式: always encrypted
)

var modeWords = [...]string{"plain", "compatible", "safe"}

// String returns "plain", "compatible" or "safe".
func (m CallbackMode) String() string {
	if int(m) < len(modeWords) {
		return modeWords[m]
	}
	return fmt.Sprintf("CallbackMode(%d)", uint8(m))
}

// ParseCallbackMode reads the words of String.
func ParseCallbackMode(s string) (CallbackMode, error) {
	for i, word := range modeWords {
		if s == word {
			return CallbackMode(i), nil
		}
	}
	return ModePlain, fmt.Errorf("wechat: unknown callback mode %q, want plain, compatible or safe", s)
}

// CallbackErrorKind says why a push or a URL verification was refused.
type CallbackErrorKind uint8

// The kinds of refusal.
const (
	BadSignature CallbackErrorKind = iota // signature or msg_signature is missing or wrong
	BadMode                               // encrypted in plain mode, or not encrypted where it must be
	BadBody                               // neither XML nor JSON of the expected shape, or too large
	BadCrypto                             // well signed, but no key of ours opens it
	WrongAppID                            // opened, but addressed to another account
)

var callbackErrorWords = [...]string{"bad_signature", "bad_mode", "bad_body", "bad_crypto", "wrong_appid"}

// String returns "bad_signature", "bad_mode", "bad_body", "bad_crypto" or "wrong_appid".
func (k CallbackErrorKind) String() string {
	if int(k) < len(callbackErrorWords) {
		return callbackErrorWords[k]
	}
	return fmt.Sprintf("CallbackErrorKind(%d)", uint8(k))
}

// CallbackError is the refusal of a push or a URL verification. Its text holds no token, no key
// and nothing of the message. Answer the sender with the HTTP status alone.
type CallbackError struct {
	Kind CallbackErrorKind
	Err  error // what exactly, never nil
}

// Error returns the kind and the reason.
func (e *CallbackError) Error() string {
	return "wechat: callback: " + e.Kind.String() + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *CallbackError) Unwrap() error { return e.Err }

func refuse(kind CallbackErrorKind, format string, args ...any) error {
	return &CallbackError{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// MaxPushBytes is the largest body Open reads. Pushes are a few hundred bytes, user messages a
// few kilobytes, three times that in the compatible mode.
const MaxPushBytes = 1 << 20

// ReceiverConfig describes an account's callback settings. Tokens and AESKeys hold the current
// value first and the previous one after it while a change is under way; later empty strings
// are skipped.
type ReceiverConfig struct {
	AppID   string
	Mode    CallbackMode
	Tokens  []string // of the server configuration, not access tokens; at least one
	AESKeys []string // EncodingAESKey; at least one unless Mode is ModePlain
}

// Format writes the appid and the mode, whatever the verb: the rest is secret.
func (c ReceiverConfig) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "callbacks of %s in mode %s", c.AppID, c.Mode)
}

// Receiver verifies and opens what the platform pushes to one account's server URL. Make one
// with NewReceiver; it never changes and may be used by many goroutines.
type Receiver struct {
	appID  string
	mode   CallbackMode
	tokens []string // "" where the config had none
	keys   []AESKey // zero where the config had none
}

// Format writes the appid and the mode, whatever the verb: the rest is secret.
func (r *Receiver) Format(f fmt.State, verb rune) {
	ReceiverConfig{AppID: r.appID, Mode: r.mode}.Format(f, verb)
}

// NewReceiver checks the settings and reports every problem at once, without quoting secrets.
func NewReceiver(cfg ReceiverConfig) (*Receiver, error) {
	r := &Receiver{appID: cfg.AppID, mode: cfg.Mode, tokens: append([]string(nil), cfg.Tokens...)}
	var problems []error
	if int(cfg.Mode) >= len(modeWords) {
		problems = append(problems, fmt.Errorf("wechat: receiver: unknown mode %s", cfg.Mode))
	}
	if len(cfg.Tokens) == 0 || cfg.Tokens[0] == "" {
		problems = append(problems, errors.New("wechat: receiver: no callback token"))
	}
	if cfg.Mode != ModePlain && (len(cfg.AESKeys) == 0 || cfg.AESKeys[0] == "") {
		problems = append(problems, fmt.Errorf("wechat: receiver: mode %s needs an EncodingAESKey", cfg.Mode))
	}
	if cfg.Mode != ModePlain && cfg.AppID == "" {
		problems = append(problems, fmt.Errorf("wechat: receiver: mode %s needs the appid", cfg.Mode))
	}
	for i, encoded := range cfg.AESKeys {
		key, err := parseOptionalKey(encoded)
		if err != nil {
			problems = append(problems, fmt.Errorf("wechat: receiver: key %d: %w", i+1, err))
		}
		r.keys = append(r.keys, key)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return r, nil
}

func parseOptionalKey(encoded string) (AESKey, error) {
	if encoded == "" {
		return AESKey{}, nil
	}
	return ParseAESKey(encoded)
}

// VerifyURL answers the platform's check of the server URL (spec §5.2): it returns the echostr to
// write back as it is, as text/plain and nothing around it. echostr is not encrypted in any
// mode, and not covered by the signature, so it must not be trusted for anything else. The error
// is a *CallbackError.
func (r *Receiver) VerifyURL(q url.Values) (echostr string, err error) {
	if _, err := r.verifySignature(q); err != nil {
		return "", err
	}
	if echostr = q.Get("echostr"); echostr == "" {
		return "", refuse(BadBody, "the query has no echostr")
	}
	return echostr, nil
}

// Push is one verified push.
type Push struct {
	Plain      []byte // the XML or JSON inside, as the platform wrote it
	JSON       bool   // Plain is JSON
	Event      Event
	KeyIndex   int // which of ReceiverConfig.AESKeys opened it; -1 when it came unencrypted
	TokenIndex int // which of ReceiverConfig.Tokens had signed it
}

// Open verifies, decrypts and parses one push. q is the request's query, body its whole body;
// contentType is only named in errors, because the first byte tells XML from JSON reliably. The
// error is always a *CallbackError.
//
// The mode is enforced strictly. ModePlain refuses what is encrypted. ModeSafe refuses what is
// not, and what has no msg_signature. ModeCompat, when the query says encrypt_type=aes, checks
// signature and msg_signature and takes the encrypted part, since nothing signs the plain one;
// otherwise it takes a body without an encrypted part as it is. An encrypted message must agree
// with the envelope around it on ToUserName (spec §5.4).
func (r *Receiver) Open(q url.Values, contentType string, body []byte) (Push, error) {
	if len(body) > MaxPushBytes {
		return Push{}, refuse(BadBody, "%d bytes, at most %d are read", len(body), MaxPushBytes)
	}
	token, err := r.verifySignature(q)
	if err != nil {
		return Push{}, err
	}
	encrypted, err := r.checkMode(q)
	if err != nil {
		return Push{}, err
	}
	outer, err := parsePush(body)
	if err != nil {
		return Push{}, refuse(BadBody, "Content-Type %q: %w", contentType, err)
	}
	var push Push
	if encrypted {
		push, err = r.openSealed(q, token, outer)
	} else {
		push, err = openPlain(body, outer)
	}
	push.TokenIndex = token
	return push, err
}

// verifySignature returns the index of the token that made signature.
func (r *Receiver) verifySignature(q url.Values) (int, error) {
	for i, token := range r.tokens {
		if VerifySignature(token, q.Get("timestamp"), q.Get("nonce"), q.Get("signature")) {
			return i, nil
		}
	}
	return 0, refuse(BadSignature, "signature does not belong to timestamp and nonce")
}

// checkMode compares what the query announces with what the mode allows.
func (r *Receiver) checkMode(q url.Values) (encrypted bool, err error) {
	switch kind := q.Get("encrypt_type"); kind {
	case "aes":
		encrypted = true
	case "", "raw":
	default:
		return false, refuse(BadMode, "unknown encrypt_type %q", kind)
	}
	switch {
	case encrypted && r.mode == ModePlain:
		return false, refuse(BadMode, "an encrypted push in plain mode")
	case !encrypted && r.mode == ModeSafe:
		return false, refuse(BadMode, "an unencrypted push in safe mode")
	case encrypted && q.Get("msg_signature") == "":
		return false, refuse(BadSignature, "the query has no msg_signature")
	}
	return encrypted, nil
}

// openPlain takes a body as it is. A body with an encrypted part came without the query that
// belongs to it: somebody removed encrypt_type, or the mode was just changed in the console.
func openPlain(body []byte, outer *wirePush) (Push, error) {
	if outer.Encrypt != "" {
		return Push{}, refuse(BadMode, "the body has an encrypted part that the query does not announce")
	}
	event, err := outer.event()
	if err != nil {
		return Push{}, refuse(BadBody, "%w", err)
	}
	return Push{Plain: body, JSON: outer.json, Event: event, KeyIndex: -1}, nil
}

// openSealed checks and opens the encrypted part.
func (r *Receiver) openSealed(q url.Values, token int, outer *wirePush) (Push, error) {
	sealed := string(outer.Encrypt)
	if sealed == "" {
		return Push{}, refuse(BadMode, "the query announces an encrypted part, the body has none")
	}
	if !VerifyMsgSignature(r.tokens[token], q.Get("timestamp"), q.Get("nonce"), sealed, q.Get("msg_signature")) {
		return Push{}, refuse(BadSignature, "msg_signature does not belong to the encrypted part")
	}
	plain, key, err := r.decrypt(sealed)
	if err != nil {
		return Push{}, err
	}
	inner, err := parsePush(plain)
	if err != nil {
		return Push{}, refuse(BadBody, "decrypted message: %w", err)
	}
	if outer.ToUserName != "" && outer.ToUserName != inner.ToUserName {
		return Push{}, refuse(BadBody, "the envelope and the message differ in ToUserName")
	}
	event, err := inner.event()
	if err != nil {
		return Push{}, refuse(BadBody, "decrypted message: %w", err)
	}
	return Push{Plain: plain, JSON: inner.json, Event: event, KeyIndex: key}, nil
}

// decrypt tries the current key, then the previous ones: pushes sealed before a change may come
// after it.
func (r *Receiver) decrypt(sealed string) (plain []byte, key int, err error) {
	kind, reason := BadCrypto, error(ErrCiphertext)
	for i, k := range r.keys {
		if k.bytes == nil {
			continue
		}
		plain, err := Decrypt(k, r.appID, strings.TrimSpace(sealed))
		if err == nil {
			return plain, i, nil
		}
		if errors.Is(err, ErrForeignAppID) {
			kind, reason = WrongAppID, err
		} else if kind == BadCrypto {
			reason = err
		}
	}
	return nil, -1, refuse(kind, "%w", reason)
}
