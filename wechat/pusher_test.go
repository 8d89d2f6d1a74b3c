package wechat

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	finishJSON = `{"ToUserName":"gh_0a1b2c3d4e5f","FromUserName":"oSpecUser00000000000000000A1","CreateTime":1790000000,"MsgType":"event",` +
		`"Event":"TEMPLATESENDJOBFINISH","MsgID":4123456789012345678,"Status":"failed:user block"}`
	openID = "oSpecUser00000000000000000A1"
)

var pushedAt = time.Unix(1790000100, 0)

func mustPusher(t testing.TB, mode CallbackMode) *Pusher {
	t.Helper()
	p, err := NewPusher(PusherConfig{AppID: specAppID, Mode: mode, Token: specToken, AESKey: specAESKey})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAReceiverOpensWhatAPusherMakes goes there and back in every mode and format.
func TestAReceiverOpensWhatAPusherMakes(t *testing.T) {
	for _, mode := range []CallbackMode{ModePlain, ModeCompat, ModeSafe} {
		for name, plain := range map[string]string{
			"XML": finishXML, "JSON": finishJSON, "XML with a declaration, comments and space": "\n<?xml version=\"1.0\"?>\n" + finishXML + "<!-- </xml> -->\n",
			"JSON with space": "\ufeff " + finishJSON[:len(finishJSON)-1] + " }\n",
		} {
			t.Run(mode.String()+" "+name, func(t *testing.T) {
				sealed, err := mustPusher(t, mode).Push([]byte(plain), openID, pushedAt)
				if err != nil {
					t.Fatal(err)
				}
				r := mustReceiver(t, ReceiverConfig{AppID: specAppID, Mode: mode, Tokens: []string{specToken}, AESKeys: []string{specAESKey}})
				got, err := r.Open(sealed.Query, sealed.ContentType, sealed.Body)
				if err != nil {
					t.Fatalf("%v\n%s", err, sealed.Body)
				}
				if diff := cmp.Diff(finishEvent, got.Event); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				if string(got.Plain) != plain {
					t.Errorf("plain = %q, want %q", got.Plain, plain)
				}
				if got, want := sealed.ContentType, map[bool]string{true: "application/json", false: "text/xml"}[got.JSON]; got != want {
					t.Errorf("Content-Type = %s, want %s", got, want)
				}
				if got := sealed.Query.Get("openid"); got != openID {
					t.Errorf("openid = %q", got)
				}
			})
		}
	}
}

// TestCompatibleModeKeepsThePlainFields: a server that does not decrypt reads them.
func TestCompatibleModeKeepsThePlainFields(t *testing.T) {
	for _, plain := range []string{finishXML, finishJSON} {
		sealed, err := mustPusher(t, ModeCompat).Push([]byte(plain), openID, pushedAt)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseEvent(sealed.Body)
		if err != nil {
			t.Fatalf("%v\n%s", err, sealed.Body)
		}
		if diff := cmp.Diff(finishEvent, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestPushOfWhatCannotBeParsed(t *testing.T) {
	tests := map[string]string{
		"no document": "hello", "an open element": "<xml><a>", "no end tag": "<xml/>", "broken JSON": `{"a":`, "an empty object": "{}", "nothing": "",
	}
	for name, plain := range tests {
		t.Run(name, func(t *testing.T) {
			sealed, err := mustPusher(t, ModePlain).Push([]byte(plain), "", pushedAt)
			if err != nil || string(sealed.Body) != plain || sealed.Query.Has("openid") {
				t.Errorf("plain: %q, %v, %v; want it as it is", sealed.Body, sealed.Query, err)
			}
			for _, mode := range []CallbackMode{ModeCompat, ModeSafe} {
				sealed, err := mustPusher(t, mode).Push([]byte(plain), "", pushedAt)
				if err != nil {
					t.Fatal(err)
				}
				outer, err := parsePush(sealed.Body)
				if err != nil {
					t.Fatalf("%v: %s", err, sealed.Body)
				}
				got, err := Decrypt(mustAESKey(t, specAESKey), specAppID, string(outer.Encrypt))
				if err != nil || string(got) != plain {
					t.Errorf("%s: decrypted %q, %v, want %q", mode, got, err, plain)
				}
			}
		})
	}
}

func TestEnvelopeQuotesTheAccountsName(t *testing.T) {
	const name = `a]]>b"c`
	for _, plain := range []string{"<xml><ToUserName>a]]&gt;b\"c</ToUserName></xml>", `{"ToUserName":"a]]>b\"c"}`} {
		sealed, err := mustPusher(t, ModeSafe).Push([]byte(plain), "", pushedAt)
		if err != nil {
			t.Fatal(err)
		}
		outer, err := parsePush(sealed.Body)
		if err != nil || string(outer.ToUserName) != name {
			t.Errorf("ToUserName = %q, %v, want %q", outer.ToUserName, err, name)
		}
	}
}

func TestNewPusherRefuses(t *testing.T) {
	tests := map[string]struct {
		cfg  PusherConfig
		want string
	}{
		"no token":                  {PusherConfig{AppID: specAppID}, "wechat: pusher: no token to sign with"},
		"no key":                    {PusherConfig{AppID: specAppID, Mode: ModeSafe, Token: specToken}, "wechat: pusher: mode safe needs the appid and an AES key"},
		"no appid":                  {PusherConfig{Mode: ModeCompat, Token: specToken, AESKey: specAESKey}, "wechat: pusher: mode compatible needs the appid and an AES key"},
		"a key of the wrong length": {PusherConfig{AppID: specAppID, Mode: ModeSafe, Token: specToken, AESKey: "x"}, "wechat: pusher: wechat: EncodingAESKey has 1 characters, want 43"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := NewPusher(tt.cfg); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestPusherPrintsNoSecret(t *testing.T) {
	if got := fmt.Sprintf("%v %+v %#v", mustPusher(t, ModeSafe), mustPusher(t, ModeSafe), mustPusher(t, ModeSafe)); strings.Contains(got, specToken) {
		t.Errorf("printed %s", got)
	}
}

const replyXML = "<xml><ToUserName><![CDATA[oSpecUser00000000000000000A1]]></ToUserName><FromUserName><![CDATA[gh_0a1b2c3d4e5f]]></FromUserName>" +
	"<CreateTime>1790000101</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好]]></Content></xml>"

// sealedReply is a reply as callback servers write it: time in milliseconds, their own nonce.
func sealedReply(t testing.TB, token, key, plain string) string {
	encrypt := seal(t, key, specAppID, plain)
	return fmt.Sprintf("<xml><Encrypt><![CDATA[%s]]></Encrypt><MsgSignature><![CDATA[%s]]></MsgSignature><TimeStamp>1790000101123</TimeStamp><Nonce><![CDATA[77]]></Nonce></xml>",
		encrypt, MsgSignature(token, "1790000101123", "77", encrypt))
}

func TestOpenReply(t *testing.T) {
	jsonReply := `{"ToUserName":"o","MsgType":"text","Content":"hi"}`
	encrypt := seal(t, specAESKey, specAppID, jsonReply)
	tests := map[string]struct{ body, want string }{
		"nothing":                 {"", ""},
		"white space":             {" \n", ""},
		"success":                 {"success\n", ""},
		"plain XML":               {"\ufeff" + replyXML + "\n", replyXML},
		"plain JSON":              {jsonReply, jsonReply},
		"encrypted XML":           {sealedReply(t, specToken, specAESKey, replyXML), replyXML},
		"encrypted success":       {sealedReply(t, specToken, specAESKey, "success"), ""},
		"encrypted nothing":       {sealedReply(t, specToken, specAESKey, ""), ""},
		"JSON in an XML envelope": {sealedReply(t, specToken, specAESKey, jsonReply), jsonReply},
		"encrypted JSON":          {fmt.Sprintf(`{"Encrypt":%q,"MsgSignature":%q,"TimeStamp":1790000101,"Nonce":"77"}`, encrypt, MsgSignature(specToken, "1790000101", "77", encrypt)), jsonReply},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := mustPusher(t, ModeSafe).OpenReply([]byte(tt.body))
			if err != nil || string(got) != tt.want || (got == nil) != (tt.want == "") {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestOpenReplyRefuses(t *testing.T) {
	tests := map[string]struct{ body, want string }{
		"text":                 {"it works", "wechat: reply: neither XML nor JSON, nor success"},
		"a page":               {"<html><body>502</body></html>", "wechat: reply: XML that cannot be read"},
		"half an answer":       {replyXML[:100], "wechat: reply: XML that cannot be read"},
		"two documents":        {replyXML + replyXML, "wechat: reply: XML that cannot be read"},
		"a document type":      {"<!DOCTYPE xml [<!ENTITY a 'b'>]>" + replyXML, "wechat: reply: XML that cannot be read"},
		"broken JSON":          {`{"MsgType":`, "wechat: reply: JSON that cannot be read"},
		"no MsgType":           {"<xml><Content>hi</Content></xml>", "wechat: reply: it has no MsgType"},
		"no MsgType inside":    {sealedReply(t, specToken, specAESKey, "<xml></xml>"), "wechat: reply: it has no MsgType"},
		"too long":             {replyXML + strings.Repeat(" ", MaxReplyBytes), "wechat: reply: more than 65536 bytes"},
		"another token's seal": {sealedReply(t, otherToken, specAESKey, replyXML), "wechat: reply: MsgSignature does not belong to the encrypted part"},
		"another key":          {sealedReply(t, specToken, otherAESKey, replyXML), "wechat: reply: wechat: cannot decrypt: wrong key or damaged text"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := mustPusher(t, ModeSafe).OpenReply([]byte(tt.body))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %q, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// TestOpenReplyToAPlainPush: some servers encrypt their replies whenever they have a key.
func TestOpenReplyToAPlainPush(t *testing.T) {
	sealed := []byte(sealedReply(t, specToken, specAESKey, replyXML))
	if got, err := mustPusher(t, ModePlain).OpenReply(sealed); err != nil || string(got) != replyXML {
		t.Errorf("with a key: got %q, %v, want the reply", got, err)
	}
	keyless, err := NewPusher(PusherConfig{AppID: specAppID, Mode: ModePlain, Token: specToken})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keyless.OpenReply(sealed); err == nil {
		t.Error("an encrypted reply is read without a key")
	}
}

// TestSealReplyUsesTheKeyAndTokenOfThePush rotates both: WeChat may still have the old ones.
func TestSealReplyUsesTheKeyAndTokenOfThePush(t *testing.T) {
	r := mustReceiver(t, ReceiverConfig{AppID: specAppID, Mode: ModeSafe, Tokens: []string{otherToken, specToken}, AESKeys: []string{otherAESKey, specAESKey}})
	for _, plain := range []string{replyXML, `{"MsgType":"text"}`} {
		for _, platform := range []PusherConfig{
			{AppID: specAppID, Mode: ModeSafe, Token: specToken, AESKey: specAESKey},
			{AppID: specAppID, Mode: ModeSafe, Token: otherToken, AESKey: otherAESKey},
			{AppID: specAppID, Mode: ModeSafe, Token: specToken, AESKey: otherAESKey},
		} {
			p, err := NewPusher(platform)
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := p.Push([]byte(finishXML), openID, pushedAt)
			if err != nil {
				t.Fatal(err)
			}
			push, err := r.Open(sealed.Query, "", sealed.Body)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := r.SealReply(push, []byte(plain), pushedAt)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.OpenReply(answer) // as the platform would
			if err != nil || string(got) != plain {
				t.Errorf("the platform reads %q, %v, want %q", got, err, plain)
			}
			if strings.Contains(string(answer), "MsgType") {
				t.Errorf("the answer is not encrypted: %s", answer)
			}
		}
	}
}

func TestSealReplyOfAPlainPushOrOfNothing(t *testing.T) {
	r := mustReceiver(t, ReceiverConfig{AppID: specAppID, Mode: ModeSafe, Tokens: []string{specToken}, AESKeys: []string{specAESKey}})
	if got, err := r.SealReply(Push{KeyIndex: -1}, []byte(replyXML), pushedAt); err != nil || string(got) != replyXML {
		t.Errorf("plain push: %s, %v, want the reply as it is", got, err)
	}
	if got, err := r.SealReply(Push{}, nil, pushedAt); err != nil || string(got) != "success" {
		t.Errorf("no reply: %s, %v, want success", got, err)
	}
	if got, err := r.SealReply(Push{KeyIndex: 1}, []byte(replyXML), pushedAt); err == nil {
		t.Errorf("a push of another receiver: %s, want an error", got)
	}
}

func FuzzOpenReply(f *testing.F) {
	f.Add([]byte(replyXML))
	f.Add([]byte(sealedReply(f, specToken, specAESKey, replyXML)))
	f.Add([]byte("success"))
	f.Add([]byte(`{"MsgType":"text"}`))
	p := mustPusher(f, ModeSafe)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := p.OpenReply(body)
		if err != nil && got != nil {
			t.Errorf("a reply %q beside %v", got, err)
		}
	})
}

// FuzzPush: whatever the message, a receiver gets back exactly that, or refuses it as unreadable.
func FuzzPush(f *testing.F) {
	for _, seed := range []string{finishXML, finishJSON, "<xml/>", "{}", "<a></a", `{"ToUserName":"]]>"}`} {
		f.Add([]byte(seed))
	}
	pushers := []*Pusher{mustPusher(f, ModePlain), mustPusher(f, ModeCompat), mustPusher(f, ModeSafe)}
	var receivers []*Receiver
	for _, p := range pushers {
		receivers = append(receivers, mustReceiver(f, ReceiverConfig{AppID: specAppID, Mode: p.mode, Tokens: []string{specToken}, AESKeys: []string{specAESKey}}))
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		_, parseErr := ParseEvent(plain)
		if push, err := parsePush(plain); err == nil && push.Encrypt != "" || len(plain) > 10_000 {
			return // never the inside of a push
		}
		for i, p := range pushers {
			sealed, err := p.Push(plain, openID, pushedAt)
			if err != nil {
				t.Fatal(err)
			}
			got, err := receivers[i].Open(url.Values(sealed.Query), sealed.ContentType, sealed.Body)
			if parseErr == nil && (err != nil || string(got.Plain) != string(plain)) {
				t.Errorf("%s: got %q, %v, want %q\n%s", p.mode, got.Plain, err, plain, sealed.Body)
			}
		}
	})
}
