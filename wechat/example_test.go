package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"

	"hongyan/sandbox"
	"hongyan/wechat"
)

// A template message leaves with a token of the caller's own; WeChat answers
// with its msgid.
func ExampleClient_SendTemplateMessage() {
	box := httptest.NewServer(sandbox.New(sandbox.Options{}).Handler()) // a local WeChat
	defer box.Close()
	ctx := context.Background()

	c := &wechat.Client{BaseURL: box.URL}
	token, err := c.StableToken(ctx, sandbox.SeedServiceAppID, sandbox.SeedServiceSecret, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Tokens = wechat.StaticToken(token.AccessToken)
	sent, err := c.SendTemplateMessage(ctx, &wechat.TemplateMessage{
		ToUser:     sandbox.OpenID("", 1),
		TemplateID: sandbox.SeedTemplateQueue,
		Data: wechat.Data{
			"thing1":            {Value: "人民路店"},
			"character_string2": {Value: "B27"},
			"time3":             {Value: "2026-11-20 18:05"},
		},
	})
	fmt.Println(sent.MsgID != 0, err)
	// Output: true <nil>
}

// What WeChat refuses comes back as an *Error with its class.
func ExampleError() {
	box := httptest.NewServer(sandbox.New(sandbox.Options{}).Handler())
	defer box.Close()

	c := &wechat.Client{BaseURL: box.URL}
	_, err := c.StableToken(context.Background(), sandbox.SeedServiceAppID, "not the secret", false)
	if said, ok := errors.AsType[*wechat.Error](err); ok {
		info, _ := wechat.LookupCode(int(said.Code))
		fmt.Println(said.Code, said.Class(), info.MeaningZH)
	}
	// Output: 40125 account 不合法的appsecret
}

// A template's text says which keys its data needs, and of which type.
func ExampleValidateData() {
	content := wechat.ParseContent("订单编号：{{character_string1.DATA}}\n商品：{{thing2.DATA}}")
	data := wechat.Data{"character_string1": {Value: "订单一"}, "thing2": {Value: "巧克力"}}
	for _, p := range wechat.ValidateData(content, data, wechat.RulesOf(content)) {
		fmt.Println(p.Key, p.Rule, p.Fatal)
	}
	// Output: character_string1 character_string:no_chinese true
}

// WeChat proves that a URL is its own before it pushes there.
func ExampleReceiver_VerifyURL() {
	r, err := wechat.NewReceiver(wechat.ReceiverConfig{AppID: sandbox.SeedServiceAppID, Tokens: []string{"AAAAA"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	echo, err := r.VerifyURL(url.Values{
		"signature": {"899cf89e464efb63f54ddac96b0a0a235f53aa78"}, "timestamp": {"1714037059"}, "nonce": {"486452656"},
		"echostr": {"4375120948345356249"},
	})
	fmt.Println(echo, err)
	// Output: 4375120948345356249 <nil>
}

// A one-time message needs the user's word first, given on a page of WeChat's.
func ExampleOneTimePage() {
	page := wechat.OneTimePage{
		AppID:       "wx0f1e2d3c4b5a6978",
		Scene:       1000,
		TemplateID:  "Zk3vQe0a1b2c3d4e5f6g7h8i9j0kLmNoPqRsTuVwXy1",
		RedirectURL: "https://shop.example.com/subscribed",
		Reserved:    "8f3a9c", // random, kept in the user's session
	}
	address, err := page.URL()
	fmt.Println(address, err)

	// Back from the page, at https://shop.example.com/subscribed?…
	query := url.Values{
		"action": {"confirm"}, "openid": {"oSpecUser00000000000000000A1"}, "template_id": {page.TemplateID},
		"scene": {"1000"}, "reserved": {"8f3a9c"},
	}
	consent, err := wechat.ParseOneTimeRedirect(query)
	fmt.Println(consent.Confirmed, consent.OpenID, consent.Reserved == page.Reserved, err)
	// Output:
	// https://mp.weixin.qq.com/mp/subscribemsg?action=get_confirm&appid=wx0f1e2d3c4b5a6978&scene=1000&template_id=Zk3vQe0a1b2c3d4e5f6g7h8i9j0kLmNoPqRsTuVwXy1&redirect_url=https%3A%2F%2Fshop.example.com%2Fsubscribed&reserved=8f3a9c#wechat_redirect <nil>
	// true oSpecUser00000000000000000A1 true <nil>
}
