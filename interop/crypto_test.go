package interop

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"hongyan/sandbox"
	"hongyan/wechat"
)

func startCrypto(t *testing.T) *script {
	return start(t, "wechat-crypto", settings{
		"TOKEN": sandbox.SeedCallbackToken, "AES_KEY": sandbox.SeedAESKey, "APPID": sandbox.SeedServiceAppID,
	})
}

func TestWechatCryptoOpensASafePush(t *testing.T) {
	type push struct {
		query url.Values
		body  string
	}
	pushes := make(chan push, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the push: %v", err)
		}
		pushes <- push{r.URL.Query(), string(body)}
	}))
	defer server.Close()
	at := theSandbox(t, sandbox.Options{})
	mustNil(t, at.platform.SetServerURL(at.service.appID, server.URL, "safe", "xml"))
	var sent sent
	clients[0].forService(t, at).must(t, "send", order(sandbox.OpenID("", 1), nil), &sent)
	got := <-pushes

	var opened struct{ Signature, Message, ID string }
	startCrypto(t).must(t, "open", map[string]any{
		"timestamp": got.query.Get("timestamp"), "nonce": got.query.Get("nonce"),
		"encrypt": encrypted(got.body),
	}, &opened)
	if want := got.query.Get("msg_signature"); opened.Signature != want {
		t.Errorf("it signs %s with %s, we with %s", got.body, opened.Signature, want)
	}
	if opened.ID != at.service.appID {
		t.Errorf("it reads the appid %q, want %q", opened.ID, at.service.appID)
	}
	if want := "<MsgID>" + sent.MsgID + "</MsgID>"; !strings.Contains(opened.Message, want) || !strings.HasSuffix(opened.Message, "</xml>") {
		t.Errorf("it reads %q, want an event with %s and nothing behind it", opened.Message, want)
	}
}

// TestWeOpenWhatWechatCryptoSeals goes through every length of padding.
func TestWeOpenWhatWechatCryptoSeals(t *testing.T) {
	const timestamp, nonce = "1795140900", "1320562132"
	key, err := wechat.ParseAESKey(sandbox.SeedAESKey)
	mustNil(t, err)
	s := startCrypto(t)
	for length := range 65 {
		message := strings.Repeat("x", length)
		var sealed struct{ Encrypt, Signature string }
		s.must(t, "seal", map[string]any{"timestamp": timestamp, "nonce": nonce, "message": message}, &sealed)
		if !wechat.VerifyMsgSignature(sandbox.SeedCallbackToken, timestamp, nonce, sealed.Encrypt, sealed.Signature) {
			t.Errorf("length %d: its signature is wrong for us", length)
		}
		got, err := wechat.Decrypt(key, sandbox.SeedServiceAppID, sealed.Encrypt)
		if err != nil || string(got) != message {
			t.Errorf("length %d: we read %q, %v", length, got, err)
		}
	}
}
