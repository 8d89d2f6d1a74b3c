package sandbox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

// Facts of the founding documents (docs/requirements.md) that no other test is about.

// Since era B an account holds 25 templates (S39, S59); deleting one makes room.
func TestTwentyFiveTemplatesAtOnce(t *testing.T) {
	for _, era := range []string{"B", "F"} {
		t.Run(era, func(t *testing.T) {
			s := sandboxtest.New(t)
			setService(t, s, sandbox.AccountSpec{Era: era})
			token := plainToken(t, s).AccessToken
			add := `{"template_id_short":"TM00015"}`
			if era == "F" {
				add = `{"template_id_short":"43217","keyword_name_list":["订单编号"]}`
			}
			for n := len(list(t, s, token).Templates); n < 25; n++ {
				wantCode(t, do(t, s, with(pathAdd, token), add), 0)
			}
			wantCode(t, do(t, s, with(pathAdd, token), add), 45026)
			all := list(t, s, token).Templates
			if len(all) != 25 {
				t.Fatalf("%d templates, want 25", len(all))
			}
			wantCode(t, do(t, s, with(pathDelete, token), body(member("template_id", all[24].TemplateID))), 0)
			wantCode(t, do(t, s, with(pathAdd, token), add), 0)
		})
	}
}

// A stranger cannot be sent to; who follows is announced by a push, and then can (S57).
func TestWhoHasFollowedCanBeSentTo(t *testing.T) {
	bubble(t, "", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		stranger := sandbox.OpenID("NOFOL", 7)
		token := plainToken(t, s).AccessToken
		wantCode(t, do(t, s, with(pathSend, token), orderBody(stranger, "")), 43004)
		mustNil(t, s.Sandbox.Follow(stranger))
		synctest.Wait()
		if got := g.got(); len(got) != 1 || !strings.Contains(got[0].body, "<Event><![CDATA[subscribe]]></Event>") || !strings.Contains(got[0].body, stranger) {
			t.Fatalf("pushes %+v, want the follow of %s", got, stranger)
		}
		wantCode(t, do(t, s, with(pathSend, token), orderBody(stranger, "")), 0)
		synctest.Wait()
		if got := s.Sandbox.Inbox(stranger); len(got) != 1 {
			t.Errorf("%d messages on the phone, want the one sent after the follow", len(got))
		}
	})
}

// Several forms and several payments count for themselves (S86, S87).
func TestEachFormAndEachPaymentIsAMessage(t *testing.T) {
	s := sandboxtest.New(t)
	token := miniToken(t, s)
	var ids []string
	for range 2 {
		ids = append(ids, s.Sandbox.GiveForm("", user), s.Sandbox.GivePayment(user, 0))
	}
	for _, id := range ids {
		wantCode(t, do(t, s, with(pathMiniSend, token), miniBody(user, id, "")), 0)
	}
	for _, id := range ids {
		wantCode(t, do(t, s, with(pathMiniSend, token), miniBody(user, id, "")), 41029)
	}
}

// The sample of the notes on mini programs: this payment's prepay_id in place of a
// form_id, which was nobody's before the payment; five keywords with colours of
// their own, the first emphasised (S90).
func TestAPaymentsMessageHasFiveKeywords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t, sandbox.Options{DeliveryDelay: -1})
		token := miniToken(t, s)
		var added struct {
			TemplateID string `json:"template_id"`
		}
		mustDecode(t, do(t, s, with(pathMiniAdd, token), `{"id":"AT0002","keyword_id_list":[1,2,3,4,5]}`), &added)
		var data []string
		for n, colour := range []string{"#FF6A00", "#173177", "#173177", "#888888", "#E60012"} {
			data = append(data, fmt.Sprintf(`"keyword%d":{"value":"值%d","color":%q}`, n+1, n+1, colour))
		}
		send := func(id string) reply {
			return do(t, s, with(pathMiniSend, token), body(toUser, member("template_id", added.TemplateID), member("form_id", id),
				member("emphasis_keyword", "keyword1.DATA"), `"data":{`+strings.Join(data, ",")+`}`))
		}
		wantCode(t, send("wx20261120101500abcdef0123456789abcd"), 41028) // nobody has paid
		prepay := s.Sandbox.GivePayment(user, 5*time.Second)
		time.Sleep(5 * time.Second)
		wantCode(t, send(prepay), 0)
		synctest.Wait()
		inbox := s.Sandbox.Inbox(user)
		if len(inbox) != 1 {
			t.Fatalf("%d messages on the phone, want 1", len(inbox))
		}
		var values []string
		for _, line := range inbox[0].Lines {
			values = append(values, line.Value)
			if want := line.Value == "值1"; line.Emphasis != want {
				t.Errorf("%s: emphasis %t, want %t", line.Value, line.Emphasis, want)
			}
		}
		slices.Sort(values)
		if diff := cmp.Diff([]string{"值1", "值2", "值3", "值4", "值5"}, values); diff != "" {
			t.Errorf("values on the phone (-want +got):\n%s", diff)
		}
	})
}
