package sandbox_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

func mustPreset(t *testing.T, s *sandboxtest.Server, body string) sandbox.Preset {
	t.Helper()
	got := do(t, s, control+"presets", body)
	if got.status != 200 {
		t.Fatalf("preset %s: %s", body, got.body)
	}
	var ps sandbox.Preset
	mustDecode(t, got, &ps)
	return ps
}

func TestInATokenWarTheTokenIsReplacedAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		mustPreset(t, s, `{"name":"token-war","every_ms":60000}`)
		token := plainToken(t, s).AccessToken
		stable := stableToken(t, s, false).AccessToken
		codes := func() []int {
			return []int{codeOf(t, do(t, s, with(pathDomainIP, token), "")), codeOf(t, do(t, s, with(pathDomainIP, stable), ""))}
		}
		time.Sleep(90 * time.Second) // one refresh: ours lives on in its grace
		if diff := cmp.Diff([]int{0, 0}, codes()); diff != "" {
			t.Errorf("after one refresh (-want +got):\n%s", diff)
		}
		time.Sleep(time.Minute) // the second one kills it
		if diff := cmp.Diff([]int{40001, 0}, codes()); diff != "" {
			t.Errorf("after two (-want +got):\n%s", diff)
		}
		if got := s.Sandbox.Presets(); len(got) != 1 || got[0].Rounds != 2 {
			t.Errorf("presets %+v, want one with 2 rounds", got)
		}
		rivals := 0
		for _, e := range traffic(t, s) {
			if strings.Contains(e.Why, "another process fetched") && e.Path == pathToken && e.Curl == "" {
				rivals++
			}
		}
		if rivals != 2 {
			t.Errorf("%d refreshes in the traffic, want 2", rivals)
		}
		if rows := s.Sandbox.Ledger(sandbox.LedgerFilter{Path: pathToken}); len(rows) != 1 {
			t.Errorf("%d token calls in the ledger, want ours alone", len(rows))
		}
		if !s.Sandbox.EndPreset("token-war") {
			t.Error("it was not in force")
		}
		token = plainToken(t, s).AccessToken
		time.Sleep(time.Hour)
		if diff := cmp.Diff([]int{0, 0}, codes()); diff != "" {
			t.Errorf("an hour after its end (-want +got):\n%s", diff)
		}
	})
}

func TestATokenWarOverTheStableTokenAndALongJump(t *testing.T) {
	s := sandboxtest.New(t)
	mustPreset(t, s, `{"name":"token-war","endpoint":"stable","every_ms":1000}`)
	token, plain := stableToken(t, s, false).AccessToken, plainToken(t, s).AccessToken
	advance(t, s, 2*time.Minute)
	wantCode(t, do(t, s, with(pathDomainIP, token), ""), 40001)
	wantCode(t, do(t, s, with(pathDomainIP, plain), ""), 0)
	if got := s.Sandbox.Presets()[0].Rounds; got != 4 { // at 1, 31, 61 and 91 s: two within 30 s are one
		t.Errorf("%d rounds in two minutes, want 4", got)
	}
	advance(t, s, 50*365*24*time.Hour) // catches up with a thousand, not with a billion
	if got := s.Sandbox.Presets()[0].Rounds; got > 50 {
		t.Errorf("%d rounds, want the day's limit at most", got)
	}
}

func TestAQuotaDayLeavesAFewSendsAndGivesTheQuotaBack(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	send := func() int { return codeOf(t, do(t, s, with(pathSend, token), orderBody(user, ""))) }
	send()
	mustPreset(t, s, `{"name":"quota-day","remaining":2}`)
	if got := []int{send(), send(), send()}; !cmp.Equal(got, []int{0, 0, 45009}) {
		t.Errorf("errcodes %v, want 0, 0, 45009", got)
	}
	mustPreset(t, s, `{"name":"quota-day","remaining":1}`) // replaces, and does not take the other's quota for the account's
	if got := []int{send(), send()}; !cmp.Equal(got, []int{0, 45009}) {
		t.Errorf("errcodes %v, want 0, 45009", got)
	}
	do(t, s, control+"presets/token-war", "") // another name changes nothing
	s.Sandbox.EndPresets()
	if got := *s.Sandbox.Accounts()[0].DailyQuota; got != 100_000 || send() != 0 {
		t.Errorf("daily quota %d after the day, want 100000", got)
	}
	mustPreset(t, s, `{"name":"quota-day"}`)
	mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{DailyQuota: new(7)}))
	s.Sandbox.EndPresets()
	if got := *s.Sandbox.Accounts()[0].DailyQuota; got != 7 {
		t.Errorf("daily quota %d, want the 7 that was set meanwhile", got)
	}
}

// TestAFlakyNetworkSpoilsItsShareInEveryWay counts fates of calls by rule.
func TestAFlakyNetworkSpoilsItsShareInEveryWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		token := plainToken(t, s).AccessToken
		ps := mustPreset(t, s, `{"name":"flaky-network","rate":0.5}`)
		const calls = 400
		for range calls {
			_, _ = try(s, "POST", with(pathDomainIP, token), strings.NewReader("{}")) // net/http repeats a lost GET by itself
		}
		rules := s.Sandbox.Faults()
		if len(ps.Faults) != 5 || len(rules) != 5 {
			t.Fatalf("%d and %d rules, want 5", len(ps.Faults), len(rules))
		}
		total := 0
		for _, rule := range rules {
			total += rule.Hits
			if rule.Preset != "flaky-network" || rule.Hits < calls/20 || rule.Hits > calls/5 {
				t.Errorf("rule %+v: want about a tenth of %d calls", rule, calls)
			}
		}
		if total < calls*4/10 || total > calls*6/10 {
			t.Errorf("%d of %d calls spoiled, want about half", total, calls)
		}
		s.Sandbox.ClearFaults()
		if len(s.Sandbox.Presets()) != 0 {
			t.Error("clearing the faults left the preset")
		}
	})
}

func TestABusyAfternoonComesInBursts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		token := plainToken(t, s).AccessToken
		mustPreset(t, s, `{"name":"busy-afternoon","rate":1,"appid":"`+sandbox.SeedServiceAppID+`"}`)
		seen := map[int]int{}
		burst := func(n int) {
			for range n {
				seen[codeOf(t, do(t, s, with(pathSend, token), orderBody(user, "")))]++
			}
		}
		burst(15) // 300 ms each: within the first ten seconds of the minute
		if seen[-1] < 5 || seen[45011] == 0 || seen[-1]+seen[45011] < 12 {
			t.Errorf("in the burst: %v, want mostly -1 and some 45011", seen)
		}
		time.Sleep(20 * time.Second)
		clear(seen)
		begin := time.Now()
		burst(10)
		if seen[0] != 10 || time.Since(begin) < 1500*time.Millisecond {
			t.Errorf("outside: %v in %v, want ten successes, all of them slow", seen, time.Since(begin))
		}
		mini := miniToken(t, s)
		begin = time.Now()
		do(t, s, with(pathDomainIP, mini), "")
		if time.Since(begin) != 0 {
			t.Error("another account's calls are slow")
		}
	})
}

func TestBadPresetsAreRefused(t *testing.T) {
	s := sandboxtest.New(t)
	for body, field := range map[string]string{
		`{}`: "name", `{"name":"monday"}`: "name", `{"name":"token-war","rate":0.5}`: "rate",
		`{"name":"token-war","every_ms":999}`: "every_ms", `{"name":"token-war","endpoint":"odd"}`: "endpoint",
		`{"name":"quota-day","every_ms":1000}`: "every_ms", `{"name":"quota-day","remaining":-1}`: "remaining",
		`{"name":"flaky-network","rate":2}`: "rate", `{"name":"flaky-network","endpoint":"plain"}`: "endpoint",
		`{"name":"flaky-network","remaining":1}`: "remaining", `{"name":"flaky-network","appid":"wx0000000000000000"}`: "appid",
		`{"name":"token-war","rounds":4}`: "rounds", `{"name":"token-war","faults":["fault_1"]}`: "faults",
	} {
		wantRefusal(t, do(t, s, control+"presets", body), field)
	}
	if got := do(t, s, control+"presets", "").body; strings.TrimSpace(got) != `{"items":[]}` {
		t.Errorf("presets %s, want none", got)
	}
	got, err := try(s, "DELETE", control+"presets/token-war", nil)
	mustNil(t, err)
	wantRefusal(t, got, "name")
}
