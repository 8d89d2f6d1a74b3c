package wechat

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	specToken  = "SpecToken2026"
	otherToken = "OtherToken2025"
	xmlType    = "text/xml"
)

func mustReceiver(t testing.TB, cfg ReceiverConfig) *Receiver {
	t.Helper()
	r, err := NewReceiver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// mustReadFile is what WeChat's documentation or the specification prints.
func mustReadFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// plainQuery is the query of an unencrypted push, signed with token.
func plainQuery(token string) url.Values {
	return url.Values{
		"timestamp": {"1790000000"}, "nonce": {"1372623149"},
		"signature": {Signature(token, "1790000000", "1372623149")},
	}
}

// sealedQuery is the query of an encrypted push.
func sealedQuery(token, sealed string) url.Values {
	q := plainQuery(token)
	q.Set("openid", "oSpecUser00000000000000000A1")
	q.Set("encrypt_type", "aes")
	q.Set("msg_signature", MsgSignature(token, "1790000000", "1372623149", sealed))
	return q
}

const finishXML = `<xml><ToUserName><![CDATA[gh_0a1b2c3d4e5f]]></ToUserName><FromUserName><![CDATA[oSpecUser00000000000000000A1]]></FromUserName>` +
	`<CreateTime>1790000000</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>` +
	`<MsgID>4123456789012345678</MsgID><Status><![CDATA[failed:user block]]></Status></xml>`

var finishEvent = Event{
	ToUserName: "gh_0a1b2c3d4e5f", FromUserName: "oSpecUser00000000000000000A1", CreateTime: 1790000000,
	MsgType: "event", Event: "TEMPLATESENDJOBFINISH", MsgID: 4123456789012345678, Status: "failed:user block",
}

func seal(t testing.TB, key, appID, msg string) string {
	t.Helper()
	sealed, err := Encrypt(mustAESKey(t, key), appID, []byte(msg))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func safeBody(toUser, sealed string) string {
	return fmt.Sprintf("<xml><ToUserName><![CDATA[%s]]></ToUserName><Encrypt><![CDATA[%s]]></Encrypt></xml>", toUser, sealed)
}

// compatBody has every plain field and the encrypted part.
func compatBody(plain, sealed string) string {
	return strings.Replace(plain, "</xml>", "<Encrypt><![CDATA["+sealed+"]]></Encrypt></xml>", 1)
}

// The whole vector of spec §5.4, as it would arrive in the safe mode.
func TestOpenTheVector(t *testing.T) {
	v := readVectors(t)["event.txt"]
	r := mustReceiver(t, ReceiverConfig{AppID: v["appid"], Mode: ModeSafe, Tokens: []string{v["token"]}, AESKeys: []string{v["encoding_aes_key"]}})
	q := url.Values{
		"signature": {v["signature"]}, "timestamp": {v["timestamp"]}, "nonce": {v["nonce"]},
		"encrypt_type": {"aes"}, "msg_signature": {v["msg_signature"]},
	}
	got, err := r.Open(q, xmlType, []byte(safeBody("gh_0a1b2c3d4e5f", v["encrypt"])))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Push{Plain: []byte(v["msg"]), Event: finishEvent}, got); diff != "" {
		t.Errorf("Open (-want +got):\n%s", diff)
	}
}

func TestOpenAccepts(t *testing.T) {
	sealed := seal(t, specAESKey, specAppID, finishXML)
	finishJSON := mustReadFile(t, "testdata/events/finish.json")
	sealedJSON := seal(t, specAESKey, specAppID, finishJSON)
	raw := plainQuery(specToken)
	raw.Set("encrypt_type", "raw")
	tests := []struct {
		name      string
		mode      CallbackMode
		q         url.Values
		body      string
		wantKey   int
		wantJSON  bool
		wantToken int
	}{
		{"plain", ModePlain, plainQuery(specToken), finishXML, -1, false, 0},
		{"plain, said so", ModePlain, raw, finishXML, -1, false, 0},
		{"plain JSON", ModePlain, plainQuery(specToken), finishJSON, -1, true, 0},
		{"plain, token before the change", ModePlain, plainQuery(otherToken), finishXML, -1, false, 2},
		{"compatible", ModeCompat, sealedQuery(specToken, sealed), compatBody(finishXML, sealed), 0, false, 0},
		{"compatible, not encrypted", ModeCompat, plainQuery(specToken), finishXML, -1, false, 0},
		{"safe", ModeSafe, sealedQuery(specToken, sealed), safeBody("gh_0a1b2c3d4e5f", sealed), 0, false, 0},
		{"safe with white space around the base64", ModeSafe, sealedQuery(specToken, sealed), safeBody("gh_0a1b2c3d4e5f", "\n"+sealed+"\n"), 0, false, 0},
		{"safe JSON", ModeSafe, sealedQuery(specToken, sealedJSON), `{"ToUserName":"gh_0a1b2c3d4e5f","Encrypt":"` + sealedJSON + `"}`, 0, true, 0},
		{"safe, token before the change", ModeSafe, sealedQuery(otherToken, sealed), safeBody("gh_0a1b2c3d4e5f", sealed), 0, false, 2},
		{"safe without the outer name", ModeSafe, sealedQuery(specToken, sealed), "<xml><Encrypt>" + sealed + "</Encrypt></xml>", 0, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := mustReceiver(t, ReceiverConfig{
				AppID: specAppID, Mode: tt.mode, Tokens: []string{specToken, "", otherToken}, AESKeys: []string{specAESKey},
			})
			got, err := r.Open(tt.q, xmlType, []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if got.KeyIndex != tt.wantKey || got.JSON != tt.wantJSON || got.TokenIndex != tt.wantToken {
				t.Errorf("Open = key %d, JSON %v, token %d, want %d, %v, %d", got.KeyIndex, got.JSON, got.TokenIndex, tt.wantKey, tt.wantJSON, tt.wantToken)
			}
			if !got.Event.Is(EventTemplateSendJobFinish) || got.Event.MsgID != 4123456789012345678 {
				t.Errorf("Event = %+v, want the delivery of 4123456789012345678", got.Event)
			}
		})
	}
}

func TestOpenWithTheKeyBeforeTheChange(t *testing.T) {
	r := mustReceiver(t, ReceiverConfig{
		AppID: specAppID, Mode: ModeSafe, Tokens: []string{specToken}, AESKeys: []string{otherAESKey, "", specAESKey},
	})
	sealed := seal(t, specAESKey, specAppID, finishXML)
	got, err := r.Open(sealedQuery(specToken, sealed), xmlType, []byte(safeBody("gh_0a1b2c3d4e5f", sealed)))
	if err != nil || got.KeyIndex != 2 {
		t.Errorf("Open = key %d, %v, want key 2", got.KeyIndex, err)
	}
}

// In the compatible mode nothing signs the plain half, so what it says must not matter.
func TestOpenCompatibleTakesTheEncryptedPart(t *testing.T) {
	r := mustReceiver(t, ReceiverConfig{AppID: specAppID, Mode: ModeCompat, Tokens: []string{specToken}, AESKeys: []string{specAESKey}})
	sealed := seal(t, specAESKey, specAppID, finishXML)
	forged := strings.Replace(finishXML, "failed:user block", "success", 1)
	got, err := r.Open(sealedQuery(specToken, sealed), xmlType, []byte(compatBody(forged, sealed)))
	if err != nil || got.Event.Status != "failed:user block" || string(got.Plain) != finishXML {
		t.Errorf("Open = %+v, %v, want the encrypted status", got, err)
	}
}

func without(q url.Values, name string) url.Values {
	q.Del(name)
	return q
}

func TestOpenRefuses(t *testing.T) {
	sealed := seal(t, specAESKey, specAppID, finishXML)
	body := safeBody("gh_0a1b2c3d4e5f", sealed)
	wrongKey, foreign := seal(t, otherAESKey, specAppID, finishXML), seal(t, specAESKey, "wx1111111111111111", finishXML)
	notXML := seal(t, specAESKey, specAppID, "hello")
	tests := []struct {
		name string
		mode CallbackMode
		q    url.Values
		body string
		want CallbackErrorKind
	}{
		{"unsigned", ModePlain, url.Values{}, finishXML, BadSignature},
		{"signed with another token", ModePlain, plainQuery("Another"), finishXML, BadSignature},
		{"encrypted in plain mode", ModePlain, sealedQuery(specToken, sealed), body, BadMode},
		{"encrypted body without saying so in plain mode", ModePlain, plainQuery(specToken), body, BadMode},
		{"unknown encryption", ModeCompat, url.Values{
			"timestamp": {"1"}, "nonce": {"2"}, "signature": {Signature(specToken, "1", "2")}, "encrypt_type": {"sm4"},
		}, body, BadMode},
		{"plain in safe mode", ModeSafe, plainQuery(specToken), finishXML, BadMode},
		{"encrypt_type removed in safe mode", ModeSafe, without(sealedQuery(specToken, sealed), "encrypt_type"), body, BadMode},
		{"announced but plain in safe mode", ModeSafe, sealedQuery(specToken, ""), finishXML, BadMode},
		{"msg_signature missing in safe mode", ModeSafe, without(sealedQuery(specToken, sealed), "msg_signature"), body, BadSignature},
		{"signature missing in safe mode", ModeSafe, without(sealedQuery(specToken, sealed), "signature"), body, BadSignature},
		{"msg_signature of another text", ModeSafe, sealedQuery(specToken, sealed+"A"), body, BadSignature},
		{"encrypt_type removed in compatible mode", ModeCompat, without(sealedQuery(specToken, sealed), "encrypt_type"), compatBody(finishXML, sealed), BadMode},
		{"msg_signature missing in compatible mode", ModeCompat, without(sealedQuery(specToken, sealed), "msg_signature"), compatBody(finishXML, sealed), BadSignature},
		{"signature missing in compatible mode", ModeCompat, without(sealedQuery(specToken, sealed), "signature"), compatBody(finishXML, sealed), BadSignature},
		{"sealed with another key", ModeSafe, sealedQuery(specToken, wrongKey), safeBody("gh_0a1b2c3d4e5f", wrongKey), BadCrypto},
		{"not base64", ModeSafe, sealedQuery(specToken, "?"), safeBody("gh_0a1b2c3d4e5f", "?"), BadCrypto},
		{"for another account", ModeSafe, sealedQuery(specToken, foreign), safeBody("gh_0a1b2c3d4e5f", foreign), WrongAppID},
		{"another name outside", ModeSafe, sealedQuery(specToken, sealed), safeBody("gh_ffffffffffff", sealed), BadBody},
		{"nonsense inside", ModeSafe, sealedQuery(specToken, notXML), safeBody("gh_0a1b2c3d4e5f", notXML), BadBody},
		{"empty body", ModePlain, plainQuery(specToken), "", BadBody},
		{"form body", ModePlain, plainQuery(specToken), "a=b", BadBody},
		{"too large", ModePlain, plainQuery(specToken), finishXML + strings.Repeat(" ", MaxPushBytes), BadBody},
		{"a number that is none", ModePlain, plainQuery(specToken), "<xml><Event>TEMPLATESENDJOBFINISH</Event><MsgID>1e9</MsgID></xml>", BadBody},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := mustReceiver(t, ReceiverConfig{AppID: specAppID, Mode: tt.mode, Tokens: []string{specToken}, AESKeys: []string{specAESKey}})
			got, err := r.Open(tt.q, xmlType, []byte(tt.body))
			checkRefusal(t, err, tt.want)
			if tt.want == WrongAppID && !errors.Is(err, ErrForeignAppID) {
				t.Errorf("error = %v, want it to wrap ErrForeignAppID", err)
			}
			if got.Plain != nil {
				t.Errorf("Open returned %q together with an error", got.Plain)
			}
		})
	}
}

// checkRefusal also looks for secrets in the text.
func checkRefusal(t *testing.T, err error, want CallbackErrorKind) {
	t.Helper()
	refusal, ok := errors.AsType[*CallbackError](err)
	if !ok || refusal.Kind != want {
		t.Fatalf("error = %v, want a CallbackError of kind %v", err, want)
	}
	for _, secret := range []string{specToken, otherToken, specAESKey, otherAESKey, "user block"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells %q: %v", secret, err)
		}
	}
}

func TestVerifyURL(t *testing.T) {
	r := mustReceiver(t, ReceiverConfig{AppID: specAppID, Mode: ModeSafe, Tokens: []string{specToken, otherToken}, AESKeys: []string{specAESKey}})
	for _, token := range []string{specToken, otherToken} {
		q := plainQuery(token)
		q.Set("echostr", `5837 "<raw>"+/=`)
		got, err := r.VerifyURL(q)
		if want := `5837 "<raw>"+/=`; err != nil || got != want {
			t.Errorf("VerifyURL = %q, %v, want %q", got, err, want)
		}
	}
	q := plainQuery("Another")
	q.Set("echostr", "1")
	_, err := r.VerifyURL(q)
	checkRefusal(t, err, BadSignature)
	_, err = r.VerifyURL(plainQuery(specToken))
	checkRefusal(t, err, BadBody)
}

func TestNewReceiverReportsEveryProblem(t *testing.T) {
	tests := []struct {
		name string
		cfg  ReceiverConfig
		want []string
	}{
		{"nothing set", ReceiverConfig{}, []string{"no callback token"}},
		{"empty current token", ReceiverConfig{Tokens: []string{"", specToken}}, []string{"no callback token"}},
		{"safe with nothing", ReceiverConfig{Mode: ModeSafe}, []string{"no callback token", "mode safe needs an EncodingAESKey", "mode safe needs the appid"}},
		{"broken keys", ReceiverConfig{AppID: specAppID, Mode: ModeCompat, Tokens: []string{specToken}, AESKeys: []string{specAESKey + "x", otherAESKey[:42] + "!"}}, []string{"key 1: ", "key 2: "}},
		{"unknown mode", ReceiverConfig{Mode: 7, AppID: specAppID, Tokens: []string{specToken}, AESKeys: []string{specAESKey}}, []string{"unknown mode CallbackMode(7)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewReceiver(tt.cfg)
			if err == nil {
				t.Fatal("NewReceiver accepted it")
			}
			if got := strings.Count(err.Error(), "\n") + 1; got != len(tt.want) {
				t.Errorf("%d problems, want %d: %v", got, len(tt.want), err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error = %v, want it to say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), specAESKey) || strings.Contains(err.Error(), specToken) {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestCallbackWords(t *testing.T) {
	for _, mode := range []CallbackMode{ModePlain, ModeCompat, ModeSafe} {
		if got, err := ParseCallbackMode(mode.String()); err != nil || got != mode {
			t.Errorf("ParseCallbackMode(%s) = %v, %v", mode, got, err)
		}
	}
	if got, err := ParseCallbackMode("aes"); err == nil {
		t.Errorf("ParseCallbackMode(aes) = %v, want an error", got)
	}
	want := "bad_signature bad_mode bad_body bad_crypto wrong_appid CallbackErrorKind(5)"
	if got := fmt.Sprint(BadSignature, BadMode, BadBody, BadCrypto, WrongAppID, CallbackErrorKind(5)); got != want {
		t.Errorf("kinds = %s, want %s", got, want)
	}
}

func FuzzOpen(f *testing.F) {
	sealed := seal(f, specAESKey, specAppID, finishXML)
	f.Add(uint8(0), finishXML, "")
	f.Add(uint8(1), compatBody(finishXML, sealed), sealed)
	f.Add(uint8(2), safeBody("gh_0a1b2c3d4e5f", sealed), sealed)
	f.Add(uint8(2), `{"ToUserName":"gh_0a1b2c3d4e5f","Encrypt":"`+sealed+`"}`, sealed)
	f.Fuzz(func(t *testing.T, mode uint8, body, sealed string) {
		cfg := ReceiverConfig{AppID: specAppID, Mode: CallbackMode(mode % 3), Tokens: []string{specToken}, AESKeys: []string{specAESKey}}
		r := mustReceiver(t, cfg)
		for _, q := range []url.Values{plainQuery(specToken), sealedQuery(specToken, sealed)} {
			got, err := r.Open(q, xmlType, []byte(body))
			if _, refused := errors.AsType[*CallbackError](err); err != nil && !refused {
				t.Errorf("error of another type: %v", err)
			}
			if err == nil && cfg.Mode == ModeSafe && got.KeyIndex != 0 {
				t.Errorf("safe mode let an unencrypted push through: %q", body)
			}
		}
		if _, err := r.Open(plainQuery("Another"), xmlType, []byte(body)); err == nil {
			t.Errorf("an unsigned push got through: %q", body)
		}
	})
}
