package sandbox_test

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func TestTheStatusSpellings(t *testing.T) {
	for spelling, want := range map[string][2]string{
		"wiki":   {"failed:user block", "failed: system failed"},
		"spaced": {"failed: user block", "failed: system failed"},
		"tight":  {"failed:user block", "failed:system failed"},
		"bare":   {"user block", "system failed"},
	} {
		bubble(t, "", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
			setService(t, s, sandbox.AccountSpec{WireRules: sandbox.WireRules{StatusSpelling: spelling}})
			for i, fate := range []string{"BLOCK", "SYSFL", ""} {
				sendTo(t, s, sandbox.OpenID(fate, 1), "")
				status := append(want[:], "success")[i]
				if got := g.got()[i].body; !strings.Contains(got, "<Status><![CDATA["+status+"]]></Status>") {
					t.Errorf("%s: event %s, want %s", spelling, got, status)
				}
			}
		})
	}
}

func TestBodyFirstIsAnotherOrder(t *testing.T) {
	s := sandboxtest.New(t)
	setService(t, s, sandbox.AccountSpec{DailyQuota: new(0)})
	token := plainToken(t, s).AccessToken
	wantCode(t, do(t, s, with(pathSend, token), "{"), 45009)
	setService(t, s, sandbox.AccountSpec{WireRules: sandbox.WireRules{BodyFirst: new(true)}})
	wantCode(t, do(t, s, with(pathSend, token), "{"), 47001)
	wantCode(t, do(t, s, with(pathSend, token), "{}"), 45009)
}

func TestTheTokenGrace(t *testing.T) {
	s := sandboxtest.New(t)
	first := plainToken(t, s).AccessToken
	plainToken(t, s)
	wantCode(t, do(t, s, with(pathDomainIP, first), ""), 0)
	setService(t, s, sandbox.AccountSpec{WireRules: sandbox.WireRules{TokenGrace: new(0)}})
	second := plainToken(t, s).AccessToken
	plainToken(t, s)
	wantCode(t, do(t, s, with(pathDomainIP, second), ""), 40001)
}

func TestTheDeliveryJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		token := plainToken(t, s).AccessToken
		setService(t, s, sandbox.AccountSpec{WireRules: sandbox.WireRules{DeliveryJitterMS: new(2000)}})
		for n := range 20 {
			do(t, s, with(pathSend, token), orderBody(sandbox.OpenID("", n+1), ""))
		}
		shown := func() (n int) {
			for i := range 20 {
				n += len(s.Sandbox.Inbox(sandbox.OpenID("", i+1)))
			}
			return n
		}
		time.Sleep(2 * time.Second)
		if got := shown(); got == 0 || got == 20 {
			t.Errorf("%d of 20 shown after 2 s, want some", got)
		}
		time.Sleep(time.Second + time.Millisecond)
		if got := shown(); got != 20 {
			t.Errorf("%d of 20 shown after 3 s, want all", got)
		}
	})
}

func TestTheStatusOfBusinessErrors(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	for _, status := range []int{200, 400} {
		s.Sandbox.Configure(sandbox.Settings{BusinessStatus: new(status)})
		if got := do(t, s, with(pathSend, token), `{}`); got.status != status || codeOf(t, got) != 40003 {
			t.Errorf("an errcode: %d %s, want %d", got.status, got.body, status)
		}
		if got := do(t, s, with(pathSend, token), orderBody(user, "")); got.status != 200 {
			t.Errorf("a success: %d, want 200", got.status)
		}
	}
	wantControl(t, do(t, s, control+"settings", `{"business_status":20}`), 400,
		`{"error":"sandbox: business_status: must be at least 200, got 20","field":"business_status","rule":"must be at least 200","value":20}`)
}
