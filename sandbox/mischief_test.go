package sandbox_test

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

func TestSpoiledAnswers(t *testing.T) {
	page := "<h1>busy</h1>"
	for _, tc := range []struct {
		name, fault string
		status      int
		contentType string
		body        string // of a send; a msgid is written N
		processed   bool
	}{
		{"a page with 200", `{"html":"` + page + `"}`, 200, "text/html", page, false},
		{"a page with another status", `{"html":"` + page + `","http_status":503}`, 503, "text/html", page, false},
		{"half an answer", `{"truncate":true}`, 200, "application/json; encoding=utf-8", `{"errcode":0,"errmsg":"ok",`, true},
		{"so many bytes", `{"truncate":12}`, 200, "application/json; encoding=utf-8", `{"errcode":0`, true},
		{"all but one byte at most", `{"truncate":5000}`, 200, "application/json; encoding=utf-8", `{"errcode":0,"errmsg":"ok","msgid":N`, true},
		{"a truncated errcode", `{"truncate":13,"errcode":-1}`, 200, "application/json; encoding=utf-8", `{"errcode":-1`, false},
		{"drops of an answer", `{"drip_ms":100}`, 200, "application/json; encoding=utf-8", `{"errcode":0,"errmsg":"ok","msgid":N}`, true},
		{"drops of half a page", `{"drip_ms":100,"truncate":4,"html":"` + page + `"}`, 200, "text/html", "<h1>", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := sandboxtest.NewInMemory(t)
				token := plainToken(t, s).AccessToken
				added := do(t, s, control+"faults", `{"path":"`+pathSend+`",`+tc.fault[1:])
				if added.status != 200 {
					t.Fatalf("rule: %s", added.body)
				}
				begin := time.Now()
				got := do(t, s, with(pathSend, token), orderBody(user, ""))
				took := time.Since(begin)
				body := regexp.MustCompile(`\d{19}`).ReplaceAllString(got.body, "N")
				if got.status != tc.status || got.header.Get("Content-Type") != tc.contentType || body != tc.body {
					t.Errorf("%d %s %q, want %d %s %q", got.status, got.header.Get("Content-Type"), body, tc.status, tc.contentType, tc.body)
				}
				if want := time.Duration(len(got.body)) * 100 * time.Millisecond; strings.Contains(tc.fault, "drip") && took != want {
					t.Errorf("it took %v, want %v", took, want)
				}
				time.Sleep(2 * time.Second)
				if shown := len(s.Sandbox.Inbox(user)) == 1; shown != tc.processed {
					t.Errorf("shown: %t, want %t", shown, tc.processed)
				}
				if row := lastRow(t, s); !row.Answered {
					t.Error("the ledger says that it was not answered")
				}
			})
		})
	}
}

func TestACallerWhoLeavesDuringADripWasNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		token := plainToken(t, s).AccessToken
		s.Sandbox.AddFault(sandbox.Fault{Path: pathSend, DripMS: 1000})
		client := http.Client{Transport: s.Client.Transport, Timeout: 5 * time.Second}
		resp, err := client.Post(s.URL+with(pathSend, token), "application/json", strings.NewReader(orderBody(user, "")))
		mustNil(t, err)
		defer resp.Body.Close()
		if part, err := io.ReadAll(resp.Body); err == nil || !strings.HasPrefix(string(part), `{"er`) {
			t.Errorf("read %q, %v, want a beginning and a timeout", part, err)
		}
		time.Sleep(2 * time.Second)
		if row := lastRow(t, s); row.Answered || row.Fate != "shown" {
			t.Errorf("ledger: answered %t, fate %s, want false, shown", row.Answered, row.Fate)
		}
	})
}

var eventPattern = regexp.MustCompile(`<CreateTime>(\d+)</CreateTime>[^$]*<MsgID>(\d+)</MsgID>\s*<Status><!\[CDATA\[(.*)\]\]>`)

// bentEvent is an event in short: when it came, its MsgID in words, its Status.
type bentEvent struct {
	At            time.Duration // after the call
	MsgID, Status string
}

func TestBentEvents(t *testing.T) {
	blocked := sandbox.OpenID("BLOCK", 1)
	const delay = time.Second
	for _, tc := range []struct {
		name   string
		fault  sandbox.EventFault
		openid string
		want   []bentEvent
	}{
		{"none", sandbox.EventFault{NoEvent: true}, user, nil},
		{"doubled", sandbox.EventFault{DoubleEvent: true}, user, []bentEvent{{delay, "own", "success"}, {delay + time.Millisecond, "own", "success"}}},
		{"late", sandbox.EventFault{LateEventMS: 90_000}, user, []bentEvent{{delay + 90*time.Second, "own", "success"}}},
		{"contradicting a success", sandbox.EventFault{ContradictEvent: true}, user,
			[]bentEvent{{delay, "own", "success"}, {2 * delay, "own", "failed: system failed"}}},
		{"contradicting a failure, late and twice", sandbox.EventFault{ContradictEvent: true, LateEventMS: 1000, DoubleEvent: true}, blocked,
			[]bentEvent{{2 * delay, "own", "failed:user block"}, {2*delay + time.Millisecond, "own", "failed:user block"}, {3 * delay, "own", "success"}}},
		{"spaced", sandbox.EventFault{EventStatus: "spaced"}, blocked, []bentEvent{{delay, "own", "failed: user block"}}},
		{"tight", sandbox.EventFault{EventStatus: "tight"}, sandbox.OpenID("SYSFL", 1), []bentEvent{{delay, "own", "failed:system failed"}}},
		{"bare", sandbox.EventFault{EventStatus: "bare"}, sandbox.OpenID("SYSFL", 1), []bentEvent{{delay, "own", "system failed"}}},
		{"bare success", sandbox.EventFault{EventStatus: "bare"}, user, []bentEvent{{delay, "own", "success"}}},
		{"upper", sandbox.EventFault{EventStatus: "upper"}, blocked, []bentEvent{{delay, "own", "FAILED:USER BLOCK"}}},
		{"without a msgid", sandbox.EventFault{EventMsgIDZero: true}, user, []bentEvent{{delay, "0", "success"}}},
		{"early", sandbox.EventFault{EarlyEvent: true}, user, []bentEvent{{0, "own", "success"}}},
		{"early and contradicted", sandbox.EventFault{EarlyEvent: true, ContradictEvent: true}, user,
			[]bentEvent{{0, "own", "success"}, {delay, "own", "failed: system failed"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := sandboxtest.NewInMemory(t)
				g := newGateway(s)
				mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedServiceAppID, callbackURL, "", ""))
				token := plainToken(t, s).AccessToken
				s.Sandbox.AddFault(sandbox.Fault{Path: pathSend, EventFault: tc.fault, Times: 1})
				wantCode(t, do(t, s, with(pathSend, token), orderBody(tc.openid, "")), 0)
				msgID := lastRow(t, s).MsgID
				time.Sleep(10 * time.Minute)
				var got []bentEvent
				for _, push := range g.got() {
					m := eventPattern.FindStringSubmatch(push.body)
					if m == nil {
						t.Fatalf("event %s", push.body)
					}
					got = append(got, bentEvent{push.at, strings.Replace(m[2], msgID, "own", 1), m[3]})
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				if rule := s.Sandbox.Faults()[0]; rule.Hits != 1 {
					t.Errorf("%d hits, want 1", rule.Hits)
				}
			})
		})
	}
}

// TestAnEarlyEventArrivesBeforeTheAnswer looks from the callback whether the call
// is still under way, also when the answer then never comes.
func TestAnEarlyEventArrivesBeforeTheAnswer(t *testing.T) {
	for name, drop := range map[string]bool{"answered": false, "without an answer": true} {
		synctest.Test(t, func(t *testing.T) {
			s := sandboxtest.NewInMemory(t)
			g := newGateway(s)
			mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedServiceAppID, callbackURL, "", ""))
			token := plainToken(t, s).AccessToken
			s.Sandbox.AddFault(sandbox.Fault{Path: pathSend, DropAnswer: drop, EventFault: sandbox.EventFault{EarlyEvent: true}})
			answered := make(chan error)
			g.answer = func(_ int, w http.ResponseWriter, _ *http.Request) {
				time.Sleep(3 * time.Second)
				select {
				case <-answered:
					t.Errorf("%s: the call was answered first", name)
				default:
				}
				_, _ = io.WriteString(w, "success")
			}
			begin := time.Now()
			go func() {
				_, err := try(s, http.MethodPost, with(pathSend, token), strings.NewReader(orderBody(user, "")))
				answered <- err
			}()
			err := <-answered
			if (err != nil) != drop || time.Since(begin) != 3*time.Second || len(g.got()) != 1 {
				t.Errorf("%s: error %v after %v with %d events, want 3s and one", name, err, time.Since(begin), len(g.got()))
			}
			if drop && !errors.Is(err, io.EOF) {
				t.Errorf("%s: %v, want the end of the connection", name, err)
			}
		})
	}
}

// TestAnEarlyEventNobodyTakesHoldsUpTheAnswerForOneDeliveryOnly: a slow server, and
// none at all.
func TestAnEarlyEventNobodyTakesHoldsUpTheAnswerForOneDeliveryOnly(t *testing.T) {
	for name, tc := range map[string]struct {
		url  string
		want time.Duration
	}{"slow": {callbackURL, 5 * time.Second}, "nobody": {"http://nobody.test/", 0}, "no server": {"", 0}} {
		synctest.Test(t, func(t *testing.T) {
			s := sandboxtest.NewInMemory(t)
			g := newGateway(s)
			g.answer = func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
			mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedServiceAppID, tc.url, "", ""))
			token := plainToken(t, s).AccessToken
			s.Sandbox.AddFault(sandbox.Fault{Path: pathSend, EventFault: sandbox.EventFault{EarlyEvent: true}})
			begin := time.Now()
			wantCode(t, do(t, s, with(pathSend, token), orderBody(user, "")), 0)
			if took := time.Since(begin); took != tc.want {
				t.Errorf("%s: answered after %v, want %v", name, took, tc.want)
			}
		})
	}
}

func TestRulesThatMakeNoSenseAreRefused(t *testing.T) {
	s := sandboxtest.New(t)
	for body, field := range map[string]string{
		`"html":"x","errcode":-1`:                    "html",
		`"html":"x","drop_answer":true`:              "drop_answer",
		`"html":false`:                               "html",
		`"html":"x","http_status":304`:               "html",
		`"http_status":502,"hang_ms":5`:              "hang_ms",
		`"truncate":true,"drop_answer":true`:         "truncate",
		`"drip_ms":5,"reset":"after"`:                "drip_ms",
		`"truncate":0`:                               "truncate",
		`"truncate":-2`:                              "truncate",
		`"truncate":"x"`:                             "truncate",
		`"drip_ms":-1`:                               "drip_ms",
		`"drip_ms":0`:                                "drip_ms",
		`"no_event":true,"double_event":true`:        "double_event",
		`"early_event":true,"late_event_ms":5`:       "late_event_ms",
		`"late_event_ms":-5`:                         "late_event_ms",
		`"late_event_ms":99999999999999`:             "late_event_ms",
		`"event_status":"odd"`:                       "event_status",
		`"errcode":-1,"double_event":true`:           "double_event",
		`"reset":"before","event_msgid_zero":true`:   "event_msgid_zero",
		`"html":true,"no_event":true`:                "no_event",
		`"errcode":-1,"every_ms":1000`:               "for_ms",
		`"errcode":-1,"every_ms":1000,"for_ms":1001`: "for_ms",
		`"errcode":-1,"for_ms":10`:                   "every_ms",
		`"errcode":-1,"preset":"x"`:                  "preset",
		`"double_event":false`:                       "errcode",
		`"no_event":"yes"`:                           "no_event",
	} {
		got := do(t, s, control+"faults", `{"path":"/x",`+body+`}`)
		wantRefusal(t, got, field)
	}
	if n := len(s.Sandbox.Faults()); n != 0 {
		t.Errorf("%d rules in force, want none", n)
	}
}

func TestRulesComeBackAsTheyWereGiven(t *testing.T) {
	s := sandboxtest.New(t)
	for _, body := range []string{
		`{"path":"/x","truncate":true,"matched":0,"hits":0}`,
		`{"path":"/x","truncate":7,"drip_ms":3,"matched":0,"hits":0}`,
		`{"path":"/x","html":"<p>","matched":0,"hits":0}`,
		`{"path":"/x","double_event":true,"event_status":"bare","rate":0.5,"every_ms":100,"for_ms":10,"matched":0,"hits":0}`,
	} {
		s.Sandbox.ClearFaults()
		got := do(t, s, control+"faults", strings.Replace(body, `,"matched":0,"hits":0`, "", 1)).body
		if got = regexp.MustCompile(`"id":"fault_\d+",`).ReplaceAllString(strings.TrimSpace(got), ""); got != body {
			t.Errorf("given %s, got %s", body, got)
		}
	}
}

func TestABurstComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		token := plainToken(t, s).AccessToken
		s.Sandbox.AddFault(sandbox.Fault{Path: pathDomainIP, ErrCode: -1, EveryMS: 10_000, ForMS: 3000})
		var got []int
		for range 12 { // the bubble begins on a full minute
			got = append(got, codeOf(t, do(t, s, with(pathDomainIP, token), "")))
			time.Sleep(time.Second)
		}
		want := []int{-1, -1, -1, 0, 0, 0, 0, 0, 0, 0, -1, -1}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("errcodes second by second (-want +got):\n%s", diff)
		}
	})
}
