package sandbox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

// outcome is what the ledger says of a spoiled call.
type outcome struct {
	ErrCode   int
	Answered  bool
	Processed bool
}

func TestEveryFaultAndWhatTheLedgerSays(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...sandbox.Options) *sandboxtest.Server{
		"real port": sandboxtest.New, "in memory": sandboxtest.NewInMemory,
	} {
		for _, tt := range []struct {
			name    string
			fault   sandbox.Fault
			want    outcome
			body    string // "" = no answer
			wantErr error  // of the caller without an answer
		}{
			{"errcode", sandbox.Fault{ErrCode: -1}, outcome{-1, true, false}, `{"errcode":-1,"errmsg":"system error rid"}`, nil},
			{"http status", sandbox.Fault{HTTPStatus: 502}, outcome{502, true, false}, "502 Bad Gateway", nil},
			{"dropped answer", sandbox.Fault{DropAnswer: true}, outcome{0, false, true}, "", io.EOF},
			{"reset after", sandbox.Fault{Reset: "after"}, outcome{0, false, true}, "", syscall.ECONNRESET},
			{"reset before", sandbox.Fault{Reset: "before"}, outcome{-1, false, false}, "", syscall.ECONNRESET},
			{"hang", sandbox.Fault{HangMS: 1}, outcome{0, true, true}, `"errmsg":"ok"`, nil},
			{"delay", sandbox.Fault{DelayMS: 1}, outcome{0, true, true}, `"errmsg":"ok"`, nil},
		} {
			t.Run(name+" "+tt.name, func(t *testing.T) {
				s := start(t, sandbox.Options{DeliveryDelay: -1})
				token := plainToken(t, s).AccessToken
				tt.fault.Path = pathSend
				s.Sandbox.AddFault(tt.fault)
				got, err := try(s, http.MethodPost, with(pathSend, token), strings.NewReader(orderBody(user, "")))
				if !errors.Is(err, tt.wantErr) {
					t.Errorf("error = %v, want %v", err, tt.wantErr)
				}
				if !strings.Contains(ridPattern.ReplaceAllString(got.body, ` rid"`), tt.body) {
					t.Errorf("body = %s, want %s", got.body, tt.body)
				}
				row := lastRow(t, s)
				processed := row.MsgID != "" && row.Fate == "shown" && len(s.Sandbox.Inbox(user)) == 1
				if diff := cmp.Diff(tt.want, outcome{row.ErrCode, row.Answered, processed}); diff != "" {
					t.Errorf("ledger (-want +got):\n%s", diff)
				}
				if row.ToUser != user || row.AppID != sandbox.SeedServiceAppID || row.TemplateID != sandbox.SeedTemplateOrder {
					t.Errorf("ledger: appid %q touser %q template_id %q", row.AppID, row.ToUser, row.TemplateID)
				}
			})
		}
	}
}

func TestADroppedAnswerIsMadeUpForByTheSameClientMsgID(t *testing.T) {
	s := sandboxtest.New(t, sandbox.Options{DeliveryDelay: -1})
	token := plainToken(t, s).AccessToken
	s.Sandbox.AddFault(sandbox.Fault{Path: pathSend, DropAnswer: true, Times: 1})
	send := func() (reply, error) {
		return try(s, http.MethodPost, with(pathSend, token), strings.NewReader(orderBody(user, clientID("k"))))
	}
	if _, err := send(); err == nil {
		t.Fatal("the first send was answered, want none")
	}
	first := lastRow(t, s).MsgID
	again, err := send()
	mustNil(t, err)
	wantBody(t, again, `{"errcode":0,"errmsg":"ok","msgid":`+first+`}`)
	if got := len(s.Sandbox.Inbox(user)); got != 1 {
		t.Errorf("%d messages shown, want 1", got)
	}
}

func TestACallerWhoLeavesDuringAHangIsNotProcessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		token := plainToken(t, s).AccessToken
		s.Sandbox.AddFault(sandbox.Fault{Path: pathSend, HangMS: 60_000})
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+with(pathSend, token), strings.NewReader(orderBody(user, "")))
		mustNil(t, err)
		if _, err := s.Client.Do(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v, want a deadline", err)
		}
		synctest.Wait()
		if row := lastRow(t, s); row.ErrCode != -1 || row.Answered || row.MsgID != "" {
			t.Errorf("ledger: errcode %d answered %t msgid %q, want -1, false, none", row.ErrCode, row.Answered, row.MsgID)
		}
	})
}

func TestWhomAFaultStrikesAndHowOften(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	other := sandbox.OpenID("", 2)
	for _, tt := range []struct {
		name   string
		fault  sandbox.Fault
		openid []string
		want   []int
	}{
		{"one user", sandbox.Fault{Path: pathSend, OpenID: user, ErrCode: -1}, []string{user, other, user}, []int{-1, 0, -1}},
		{"another account", sandbox.Fault{Path: pathSend, AppID: sandbox.SeedMiniAppID, ErrCode: -1}, []string{user}, []int{0}},
		{"the second call", sandbox.Fault{Path: pathSend, ErrCode: 45009, Nth: 2}, []string{user, user, user}, []int{0, 45009, 0}},
		{"two from the second on", sandbox.Fault{Path: pathSend, ErrCode: -1, Nth: 2, Times: 2}, []string{user, user, user, user}, []int{0, -1, -1, 0}},
		{"never", sandbox.Fault{Path: "*", ErrCode: -1, Rate: new(0.0)}, []string{user, user}, []int{0, 0}},
		{"always", sandbox.Fault{Path: "/cgi-bin/message/*", ErrCode: -1, Rate: new(1.0)}, []string{user, user}, []int{-1, -1}},
		{"another path", sandbox.Fault{Path: pathMiniSend, ErrCode: -1}, []string{user}, []int{0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.Sandbox.ClearFaults()
			id := s.Sandbox.AddFault(tt.fault)
			hits := 0
			for i, openid := range tt.openid {
				wantCode(t, do(t, s, with(pathSend, token), orderBody(openid, "")), tt.want[i])
				if tt.want[i] != 0 {
					hits++
				}
			}
			got := s.Sandbox.Faults()[0]
			if got.ID != id || got.Hits != hits {
				t.Errorf("rule %s with %d hits, want %s with %d", got.ID, got.Hits, id, hits)
			}
		})
	}
}

func TestFaultsOnTokenEndpoints(t *testing.T) {
	s := sandboxtest.New(t)
	s.Sandbox.AddFault(sandbox.Fault{Path: pathStable, AppID: sandbox.SeedServiceAppID, ErrCode: -1, Times: 1})
	s.Sandbox.AddFault(sandbox.Fault{Path: pathToken, AppID: sandbox.SeedServiceAppID, ErrCode: 40164, Times: 1})
	wantCode(t, do(t, s, pathStable, stableBody(false)), -1)
	wantCode(t, do(t, s, pathStable, stableBody(false)), 0)
	wantCode(t, do(t, s, tokenTarget(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret), ""), 40164)
	fetches := s.Sandbox.Stats().TokenFetches[sandbox.SeedServiceAppID]
	if diff := cmp.Diff(map[string]int64{"plain": 0, "stable": 1}, fetches); diff != "" {
		t.Errorf("token fetches (-want +got):\n%s", diff)
	}
}

func TestARateIsRepeatable(t *testing.T) {
	hits := func() (n int) {
		s := sandboxtest.New(t, sandbox.Options{Seed: 5})
		token := plainToken(t, s).AccessToken
		s.Sandbox.AddFault(sandbox.Fault{Path: pathDomainIP, ErrCode: -1, Rate: new(0.5)})
		for range 100 {
			do(t, s, with(pathDomainIP, token), "")
		}
		return s.Sandbox.Faults()[0].Hits
	}
	first := hits()
	if second := hits(); first != second || first < 25 || first > 75 {
		t.Errorf("hits = %d, then %d, want the same near 50", first, second)
	}
}

func TestAStatusWithoutABodyIsAnsweredAllTheSame(t *testing.T) {
	s := sandboxtest.New(t)
	for _, status := range []int{http.StatusNoContent, http.StatusNotModified} {
		s.Sandbox.ClearFaults()
		s.Sandbox.AddFault(sandbox.Fault{Path: pathDomainIP, HTTPStatus: status})
		got := do(t, s, pathDomainIP, "")
		if row := lastRow(t, s); got.status != status || got.body != "" || !row.Answered || row.ErrCode != status {
			t.Errorf("%d: answered %d %q; ledger: %+v", status, got.status, got.body, row)
		}
	}
	for _, status := range []string{"204", "304"} {
		wantRefusal(t, do(t, s, control+"settings", `{"business_status":`+status+`}`), "business_status")
	}
}

// An errcode comes from behind the front end and the token's check; a call that fails
// there is not the rule's business. What a proxy does strikes before.
func TestAnErrcodeStrikesBehindTheTokensCheck(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	s.Sandbox.AddFault(sandbox.Fault{Path: pathSend, ErrCode: 45009, Times: 1})
	wantCode(t, do(t, s, pathSend, orderBody(user, "")), 41001)
	wantCode(t, do(t, s, with(pathSend, "92_x"), orderBody(user, "")), 40001)
	wantCode(t, do(t, s, with(pathSend, token), ""), 43002)
	chunked, err := try(s, http.MethodPost, with(pathSend, token), io.MultiReader(strings.NewReader("{}")))
	mustNil(t, err)
	if got := s.Sandbox.Faults()[0]; chunked.status != 412 || got.Matched != 0 || got.Hits != 0 {
		t.Errorf("chunked: %d; the rule matched %d and struck %d calls, want 412 and none", chunked.status, got.Matched, got.Hits)
	}
	wantCode(t, do(t, s, with(pathSend, token), "no json"), 45009)
	wantCode(t, do(t, s, with(pathSend, token), "no json"), 47001)

	s.Sandbox.ClearFaults()
	s.Sandbox.AddFault(sandbox.Fault{Path: pathSend, HTTPStatus: 502})
	if got := do(t, s, pathSend, orderBody(user, "")); got.status != 502 {
		t.Errorf("http_status on a call without a token: %d, want 502", got.status)
	}
}
