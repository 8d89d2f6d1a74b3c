package compat

import (
	"testing"

	"hongyan"
	"hongyan/dispatch"
	"hongyan/wechat"
)

// TestNoConsentIsWordedAsWeChatDoes: the account refuses what WeChat would.
func TestNoConsentIsWordedAsWeChatDoes(t *testing.T) {
	code, text := new(Gate).wording(nil, &dispatch.Request{Kind: hongyan.KindSubscribe}, hongyan.InvalidField("no_consent", "/touser", "none left"))
	if code != wechat.CodeUserRefused || text != "user refuse to accept the msg" {
		t.Errorf("got %d %q", code, text)
	}
}
