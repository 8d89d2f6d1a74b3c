package sandboxtest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
	"hongyan/wechat"
)

// tellNumber stands for your code: it is told where WeChat is and with which client.
func tellNumber(ctx context.Context, base string, client *http.Client, openID, number string) error {
	c := &wechat.Client{BaseURL: base, HTTPClient: client}
	token, err := c.StableToken(ctx, sandbox.SeedServiceAppID, sandbox.SeedServiceSecret, false)
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	c.Tokens = wechat.StaticToken(token.AccessToken)
	_, err = c.SendTemplateMessage(ctx, &wechat.TemplateMessage{
		ToUser: openID, TemplateID: sandbox.SeedTemplateQueue, ClientMsgID: "queue-" + number,
		Data: wechat.Data{"thing1": {Value: "人民路店"}, "character_string2": {Value: number}, "time3": {Value: "18:05"}},
	})
	return err
}

// A real port: for code and SDKs that only take a base URL.
func TestTheUserReadsTheNumber(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1}) // delivered at once; ends with the test
	user := sandbox.OpenID("", 1)
	if err := tellNumber(t.Context(), s.URL, s.Client, user, "B27"); err != nil {
		t.Fatal(err)
	}
	inbox := s.Sandbox.Inbox(user)
	if len(inbox) != 1 || inbox[0].Lines[1].Value != "B27" {
		t.Errorf("the user sees %+v, want one message with B27", inbox)
	}
}

// The answer gets lost on its way: the caller sees an error, the user a message.
func TestALostAnswerIsAnError(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	s.Sandbox.AddFault(sandbox.Fault{Path: "/cgi-bin/message/template/send", DropAnswer: true, Times: 1})
	user := sandbox.OpenID("", 1)
	if err := tellNumber(t.Context(), s.URL, s.Client, user, "B28"); err == nil {
		t.Error("a lost answer was taken for success")
	}
	if got := len(s.Sandbox.Inbox(user)); got != 1 {
		t.Errorf("%d messages were shown, want 1", got)
	}
}

// In memory and in a bubble: the second until the event takes no time.
func TestTheEventSaysThatTheUserRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		events := make(chan wechat.Event, 1)
		s.RegisterHost("shop.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			event, err := wechat.ParseEvent(body)
			if err != nil {
				t.Error(err)
			}
			events <- event
			_, _ = io.WriteString(w, "success")
		}))
		if err := s.Sandbox.SetServerURL(sandbox.SeedServiceAppID, "http://shop.test/wechat", "plain", "xml"); err != nil {
			t.Fatal(err)
		}
		user := sandbox.OpenID("BLOCK", 1)
		if err := tellNumber(t.Context(), s.URL, s.Client, user, "B29"); err != nil {
			t.Fatal(err)
		}
		if got := (<-events).Delivery(); got != wechat.StatusUserBlock {
			t.Errorf("the event says %s, want %s", got, wechat.StatusUserBlock)
		}
		for _, call := range s.Sandbox.Ledger(sandbox.LedgerFilter{ToUser: user}) {
			if call.ErrCode != 0 || call.Fate != "user_block" {
				t.Errorf("errcode %d, fate %s, want 0 and user_block", call.ErrCode, call.Fate)
			}
		}
	})
}
