package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// newsWorld is a Herald in a world, and what its endpoints got.
type newsWorld struct {
	*world
	herald *Herald

	mu  sync.Mutex
	got map[string][]received // by host
}

// received is one request to an endpoint.
type received struct {
	at     time.Time
	header http.Header
	query  string
	body   string
}

// inNewsWorld runs f beside a Herald that runs.
func inNewsWorld(t *testing.T, f func(t *testing.T, w *newsWorld)) {
	t.Helper()
	bubble(t, nil, func(t *testing.T, inner *world) {
		w := &newsWorld{world: inner, got: map[string][]received{}}
		w.herald = w.newHerald(w.store)
		w.runHerald(w.herald)
		f(t, w)
	})
}

func (w *newsWorld) newHerald(s store.Store) *Herald {
	return NewHerald(HeraldConfig{Store: s, HTTPClient: w.client, Logger: slog.New(slog.NewTextHandler(w.world, nil))})
}

func (w *newsWorld) runHerald(h *Herald) {
	before := w.stop
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("Run: %v", err)
		}
		if before != nil {
			before()
		}
	})
}

// endpoint serves a host that answers as answer says (nil = 204) and is told everything.
func (w *newsWorld) endpoint(host string, answer http.HandlerFunc, change ...func(*hongyan.Webhook)) string {
	w.t.Helper()
	w.serve(host, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		w.got[host] = append(w.got[host], received{time.Now(), r.Header.Clone(), r.URL.RawQuery, string(body)})
		w.mu.Unlock()
		if answer == nil {
			rw.WriteHeader(http.StatusNoContent)
			return
		}
		answer(rw, r)
	}))
	hook := hongyan.Webhook{ID: hongyan.NewWebhookID(), Name: host, Kind: hongyan.WebhookStandard, URL: hongyan.Secret("http://" + host + "/hook?key=k"),
		Secrets: []hongyan.WebhookSecret{{Secret: hongyan.NewWebhookSecret()}}}
	for _, c := range change {
		c(&hook)
	}
	if err := w.store.CreateWebhook(w.t.Context(), hook); err != nil {
		w.t.Fatal(err)
	}
	w.herald.WebhooksChanged()
	return hook.ID
}

func (w *newsWorld) put(types ...string) {
	w.t.Helper()
	for _, typ := range types {
		if err := w.store.PutNews(w.t.Context(), []hongyan.News{{Type: typ, AppID: appID, Data: []byte(`{"name":"x"}`)}}); err != nil {
			w.t.Fatal(err)
		}
	}
	w.herald.Wake()
}

func (w *newsWorld) at(host string) []received {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got[host])
}

func (w *newsWorld) hook(id string) *hongyan.Webhook {
	w.t.Helper()
	hook, err := w.store.Webhook(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return &hook
}

// delivery is the only delivery to an endpoint.
func (w *newsWorld) delivery(id string) store.ClaimedNews {
	w.t.Helper()
	all, err := w.store.WebhookDeliveries(w.t.Context(), store.WebhookDeliveryFilter{WebhookID: id, Limit: 10})
	if err != nil || len(all) != 1 {
		w.t.Fatalf("%d deliveries (%v), want one", len(all), err)
	}
	return all[0]
}

func TestAnEventIsPostedSigned(t *testing.T) {
	inNewsWorld(t, func(t *testing.T, w *newsWorld) {
		id := w.endpoint("a", nil)
		w.put(hongyan.NewsAccountStopped)
		w.after(time.Second)
		got := w.at("a")
		if len(got) != 1 {
			t.Fatalf("%d requests, want one", len(got))
		}
		h := got[0].header
		want, err := SignWebhook(w.hook(id).Live(time.Now()), h.Get("webhook-id"), time.Now().Add(-time.Second), []byte(got[0].body))
		if err != nil || h.Get("webhook-signature") != want || h.Get("Content-Type") != "application/json" {
			t.Errorf("%v, want signature %s (%v)", h, want, err)
		}
		var body struct {
			ID, Type, Timestamp string
			Data                map[string]string
		}
		if err := json.Unmarshal([]byte(got[0].body), &body); err != nil {
			t.Fatal(err)
		}
		if body.ID != h.Get("webhook-id") || body.Type != "account.stopped" || body.Data["appid"] != appID || body.Data["name"] != "x" || body.Timestamp == "" {
			t.Errorf("body %s", got[0].body)
		}
		d := w.delivery(id)
		if d.State != hongyan.DeliveryDone || d.LastStatus != 204 || d.Attempts != 1 {
			t.Errorf("%+v, want one that was delivered", d.WebhookDelivery)
		}
		shown := ShowRequest(w.hook(id), &d)
		if shown.Body != got[0].body || shown.Headers["webhook-id"] != body.ID || strings.Contains(fmt.Sprint(shown), strings.TrimPrefix(want, "v1,")) {
			t.Errorf("shown %+v", shown)
		}
	})
}

// TestASignatureIsThatOfTheSpecification: the example of the Standard Webhooks document.
func TestASignatureIsThatOfTheSpecification(t *testing.T) {
	got, err := SignWebhook([]hongyan.Secret{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if _, err := SignWebhook([]hongyan.Secret{"whsec_not base64!"}, "a", time.Now(), nil); err == nil || strings.Contains(err.Error(), "not base64!") {
		t.Errorf("a broken secret: %v, want an error without it", err)
	}
}

func TestTwoSecretsSignWhileOneReplacesTheOther(t *testing.T) {
	inNewsWorld(t, func(t *testing.T, w *newsWorld) {
		id := w.endpoint("a", nil, func(h *hongyan.Webhook) {
			h.Secrets = []hongyan.WebhookSecret{{Secret: hongyan.NewWebhookSecret()}, {Secret: hongyan.NewWebhookSecret(), Until: time.Now().Add(time.Hour)}}
		})
		w.put(hongyan.NewsQuota)
		w.after(time.Second)
		w.after(time.Hour)
		w.put(hongyan.NewsQuota)
		w.after(time.Second)
		got := w.at("a")
		if n := len(strings.Fields(got[0].header.Get("webhook-signature"))); n != 2 {
			t.Errorf("%d signatures, want two", n)
		}
		one, err := SignWebhook([]hongyan.Secret{w.hook(id).Secrets[0].Secret}, got[1].header.Get("webhook-id"), got[1].at, []byte(got[1].body))
		if err != nil || got[1].header.Get("webhook-signature") != one {
			t.Errorf("after the hour %s, want that of the new secret alone", got[1].header.Get("webhook-signature"))
		}
	})
}

func TestARefusedEventIsTriedForThreeDaysWithOneID(t *testing.T) {
	inNewsWorld(t, func(t *testing.T, w *newsWorld) {
		id := w.endpoint("a", func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "not today", 500) })
		w.put(hongyan.NewsQuota)
		w.after(80 * time.Hour)
		got := w.at("a")
		last := got[len(got)-1]
		if len(got) < 30 || last.at.Sub(got[0].at) < 69*time.Hour || last.at.Sub(got[0].at) > 72*time.Hour {
			t.Errorf("%d tries in %s, want more than 30 in three days", len(got), last.at.Sub(got[0].at))
		}
		if gap := got[1].at.Sub(got[0].at); gap < 5*time.Second || gap > 6*time.Second {
			t.Errorf("the second try came after %s, want 5 s", gap)
		}
		for _, r := range got {
			if r.header.Get("webhook-id") != got[0].header.Get("webhook-id") || r.body != got[0].body {
				t.Fatalf("a try with another id or body: %v", r)
			}
		}
		d := w.delivery(id)
		if d.State != hongyan.DeliveryGaveUp || d.LastError != "answered 500" || !strings.HasPrefix(d.LastAnswer, "not today") {
			t.Errorf("%+v, want it given up", d.WebhookDelivery)
		}
	})
}

func TestRetryAfterIsRespected(t *testing.T) {
	for name, value := range map[string]func() string{
		"seconds": func() string { return "600" },
		"a date":  func() string { return time.Now().Add(10 * time.Minute).UTC().Format(http.TimeFormat) },
	} {
		t.Run(name, func(t *testing.T) {
			inNewsWorld(t, func(t *testing.T, w *newsWorld) {
				busy := true
				w.endpoint("a", func(rw http.ResponseWriter, _ *http.Request) {
					if busy {
						busy = false
						rw.Header().Set("Retry-After", value())
						rw.WriteHeader(http.StatusTooManyRequests)
					}
				})
				w.put(hongyan.NewsQuota)
				w.after(time.Second)
				w.put(hongyan.NewsRuleFired) // others wait too
				w.after(9 * time.Minute)
				if n := len(w.at("a")); n != 1 {
					t.Errorf("%d requests within the time it asked for, want one", n)
				}
				w.after(3 * time.Minute)
				if n := len(w.at("a")); n != 3 {
					t.Errorf("%d requests, want three", n)
				}
			})
		})
	}
}

func TestAnEndpointThatIsGoneIsDisabledAndSaidToBe(t *testing.T) {
	inNewsWorld(t, func(t *testing.T, w *newsWorld) {
		gone := w.endpoint("gone", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusGone) })
		w.endpoint("other", nil, func(h *hongyan.Webhook) { h.Events = []string{hongyan.NewsWebhookDisabled} })
		w.put(hongyan.NewsQuota)
		w.after(10 * time.Second)
		w.put(hongyan.NewsQuota)
		w.after(time.Hour)
		if n := len(w.at("gone")); n != 1 {
			t.Errorf("%d requests, want one", n)
		}
		if hook := w.hook(gone); hook.Disabled == "" || hook.DisabledAt.IsZero() {
			t.Errorf("%+v, want it disabled", hook)
		}
		told := w.at("other")
		if len(told) != 1 || !strings.Contains(told[0].body, gone) || !strings.Contains(told[0].body, `"reason":"it answered 410 Gone","reason_zh":"对方返回了 410 Gone"`) {
			t.Errorf("the other endpoint was told %v, want one event with the id, and why in two languages", told)
		}
		if d := w.delivery(gone); d.State != hongyan.DeliveryGaveUp {
			t.Errorf("%+v, want it given up", d.WebhookDelivery)
		}
	})
}

func TestARedirectAndAHangAreFailuresAndHoldUpNobody(t *testing.T) {
	inNewsWorld(t, func(t *testing.T, w *newsWorld) {
		redirect := w.endpoint("redirect", func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		})
		hang := w.endpoint("hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		w.endpoint("good", nil)
		for range 40 {
			w.put(hongyan.NewsRuleFired)
		}
		w.after(time.Second)
		if n := len(w.at("good")); n != 40 {
			t.Errorf("the good endpoint has %d of 40 events after a second", n)
		}
		w.after(20 * time.Second)
		for id, want := range map[string]string{redirect: "answered 302: redirects are not followed", hang: "no answer within 10s"} {
			all, err := w.store.WebhookDeliveries(t.Context(), store.WebhookDeliveryFilter{WebhookID: id, Limit: 100})
			if err != nil || !slices.ContainsFunc(all, func(c store.ClaimedNews) bool { return c.LastError == want }) {
				t.Errorf("%s: %v, want %q", w.hook(id).Name, err, want)
			}
		}
		if n := len(w.at("hang")); n > 2*hookWidth {
			t.Errorf("%d requests to who hangs, want it probed one by one", n)
		}
	})
}

// TestADrippingBodyIsTaken: its status said all.
func TestADrippingBodyIsTaken(t *testing.T) {
	inNewsWorld(t, func(t *testing.T, w *newsWorld) {
		id := w.endpoint("drip", func(rw http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				fmt.Fprint(rw, "x")
				_ = http.NewResponseController(rw).Flush()
				time.Sleep(100 * time.Millisecond)
			}
		})
		w.put(hongyan.NewsQuota)
		w.after(3 * time.Second)
		d := w.delivery(id)
		if d.State != hongyan.DeliveryDone || d.LastTook > 2*time.Second || len(d.LastAnswer) == 0 {
			t.Errorf("%+v, want it delivered in a second", d.WebhookDelivery)
		}
	})
}

func TestAPausedEndpointGetsItsEventsWhenItIsResumed(t *testing.T) {
	inNewsWorld(t, func(t *testing.T, w *newsWorld) {
		id := w.endpoint("a", nil, func(h *hongyan.Webhook) { h.Paused = true })
		w.put(hongyan.NewsQuota, hongyan.NewsRuleFired)
		w.after(time.Hour)
		if n := len(w.at("a")); n != 0 {
			t.Fatalf("%d requests while it is paused", n)
		}
		if _, err := w.store.UpdateWebhook(t.Context(), id, func(h *hongyan.Webhook) error { h.Paused = false; return nil }); err != nil {
			t.Fatal(err)
		}
		w.herald.WebhooksChanged()
		w.after(5 * time.Second)
		if n := len(w.at("a")); n != 2 {
			t.Errorf("%d requests after it was resumed, want two", n)
		}
	})
}

// deafStore records nothing once it is deaf, as after kill -9.
type deafStore struct {
	store.Store
	deaf atomic.Bool
}

func (d *deafStore) FinishNews(ctx context.Context, rs []store.NewsResult) error {
	if d.deaf.Load() {
		return errKilled
	}
	return d.Store.FinishNews(ctx, rs)
}

// TestAnEventWhoseOutcomeWasLostComesAgainWithItsID: at least once.
func TestAnEventWhoseOutcomeWasLostComesAgainWithItsID(t *testing.T) {
	bubble(t, nil, func(t *testing.T, inner *world) {
		w := &newsWorld{world: inner, got: map[string][]received{}}
		deaf := &deafStore{Store: w.store}
		deaf.deaf.Store(true)
		w.herald = w.newHerald(deaf)
		w.runHerald(w.herald)
		id := w.endpoint("a", nil)
		w.put(hongyan.NewsQuota)
		w.after(10 * time.Second)
		deaf.deaf.Store(false)
		w.after(time.Minute)
		got := w.at("a")
		if len(got) != 2 || got[0].header.Get("webhook-id") != got[1].header.Get("webhook-id") {
			t.Errorf("%d requests, want two with one id", len(got))
		}
		if d := w.delivery(id); d.State != hongyan.DeliveryDone || d.Attempts != 2 {
			t.Errorf("%+v", d.WebhookDelivery)
		}
	})
}

// TestARedeliveryEndsTheRest that an endpoint asked for, and counts what waits.
func TestARedeliveryEndsTheRest(t *testing.T) {
	inNewsWorld(t, func(t *testing.T, w *newsWorld) {
		busy := true
		id := w.endpoint("a", func(rw http.ResponseWriter, _ *http.Request) {
			if busy {
				rw.Header().Set("Retry-After", "3600")
				http.Error(rw, "", http.StatusServiceUnavailable)
			}
		})
		w.put(hongyan.NewsQuota)
		w.after(time.Minute)
		busy = false
		n, err := w.herald.Redeliver(t.Context(), store.Redelivery{WebhookID: id})
		w.after(time.Second)
		if err != nil || n != 1 || len(w.at("a")) != 2 || w.delivery(id).State != hongyan.DeliveryDone {
			t.Errorf("%d counted, %v, %d requests, want one tried once more at once", n, err, len(w.at("a")))
		}
	})
}

// TestErrorsQuoteNobody: what an endpoint says may repeat what it was told, so only the
// answer has it, which an erasure takes and readers see masked.
func TestErrorsQuoteNobody(t *testing.T) {
	const user = "oUser_0000000000000000000001"
	raw := func(answer string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			if c, _, err := rw.(http.Hijacker).Hijack(); err == nil {
				_, _ = io.WriteString(c, answer)
				_ = c.Close()
			}
		}
	}
	robot := func(h *hongyan.Webhook) {
		h.Kind, h.Secrets, h.Events = hongyan.WebhookWeCom, nil, hongyan.AlarmTypes()
	}
	inNewsWorld(t, func(t *testing.T, w *newsWorld) {
		wants := map[string]string{
			w.endpoint("status", raw("HTTP/1.1 "+user+" not known\r\n\r\n")):                                             errNotHTTP.Error(),
			w.endpoint("location", raw("HTTP/1.1 302 Found\r\nLocation: http://["+user+"\r\nContent-Length: 0\r\n\r\n")): errNotHTTP.Error(),
			w.endpoint("silent", raw("")): errNoAnswer.Error(),
			w.endpoint("robot", func(rw http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(rw, `{"errcode":93000,"errmsg":"%s not known"}`, user)
			}, robot): "the robot refused: 93000",
			w.endpoint("much", func(rw http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(rw, `{"errcode":45009,"errmsg":"%s not known"}`, user)
			}, robot): "the robot is told too much: 45009",
		}
		w.put(hongyan.NewsAccountStopped)
		w.after(10 * time.Second)
		for id, want := range wants {
			d := w.delivery(id)
			if d.LastError != want || w.hook(id).Kind.Robot() != strings.Contains(d.LastAnswer, user) {
				t.Errorf("%s: %q, answered %q, want %q", w.hook(id).Name, d.LastError, d.LastAnswer, want)
			}
		}
	})
}

func TestRobotsAreToldInWordsAndNotTooOften(t *testing.T) {
	kinds := map[hongyan.WebhookKind]struct{ ok, tooMuch, text string }{
		hongyan.WebhookWeCom:    {`{"errcode":0,"errmsg":"ok"}`, `{"errcode":45009,"errmsg":"api freq out of limit"}`, "content"},
		hongyan.WebhookDingTalk: {`{"errcode":0,"errmsg":"ok"}`, `{"errcode":130101,"errmsg":"send too fast"}`, "content"},
		hongyan.WebhookFeishu:   {`{"code":0,"msg":"success"}`, `{"code":11232,"msg":"frequency limited"}`, "text"},
	}
	for kind, say := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			inNewsWorld(t, func(t *testing.T, w *newsWorld) {
				first := true
				id := w.endpoint("robot", func(rw http.ResponseWriter, _ *http.Request) {
					if answer := say.ok; first {
						first = false
						fmt.Fprint(rw, say.tooMuch)
					} else {
						fmt.Fprint(rw, answer)
					}
				}, func(h *hongyan.Webhook) {
					h.Kind, h.Secrets, h.Events = kind, nil, hongyan.AlarmTypes()
					if kind.Signs() {
						h.Secrets = []hongyan.WebhookSecret{{Secret: "SECexample"}}
					}
				})
				w.put(hongyan.NewsAccountStopped)
				w.after(10 * time.Second)
				for range 100 {
					w.put(hongyan.NewsTokenDiedEarly)
				}
				w.after(45 * time.Second)
				if n := len(w.at("robot")); n != 1 {
					t.Errorf("%d messages within the minute after it said too much, want one", n)
				}
				w.after(20 * time.Minute)
				got := w.at("robot")
				if len(got) < 10 || len(got) > 20 {
					t.Errorf("101 alarms came in %d messages, want about 12", len(got))
				}
				for i := 20; i < len(got); i++ {
					if got[i].at.Sub(got[i-20].at) < time.Minute {
						t.Errorf("more than 20 messages in a minute")
					}
				}
				if body := got[1].body; !strings.Contains(body, "鸿雁") || !strings.Contains(body, appID) || !strings.Contains(body, `"`+say.text+`"`) {
					t.Errorf("message %s", body)
				}
				counts, err := w.store.WebhookCounts(t.Context())
				if err != nil || counts[id].Done != 101 {
					t.Errorf("%+v, %v, want 101 delivered", counts[id], err)
				}
			})
		})
	}
}

// TestRobotsAreSignedAsTheirMakersSay: known answers.
func TestRobotsAreSignedAsTheirMakersSay(t *testing.T) {
	at := time.UnixMilli(1790000000123)
	hook := hongyan.Webhook{Kind: hongyan.WebhookDingTalk, URL: "https://oapi.dingtalk.com/robot/send?access_token=t", Secrets: []hongyan.WebhookSecret{{Secret: "SECexample"}}}
	req, err := robotRequest(&hook, []hongyan.News{{Type: hongyan.NewsWebhookTest}}, at)
	if err != nil {
		t.Fatal(err)
	}
	q := req.URL.Query()
	if want := hmacBase64("SECexample", "1790000000123\nSECexample"); q.Get("timestamp") != "1790000000123" || q.Get("sign") != want || q.Get("access_token") != "t" {
		t.Errorf("query %v", q)
	}
	hook.Kind, hook.URL = hongyan.WebhookFeishu, "https://open.feishu.cn/open-apis/bot/v2/hook/h"
	if req, err = robotRequest(&hook, []hongyan.News{{Type: hongyan.NewsWebhookTest}}, at); err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.NewDecoder(req.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	if body["timestamp"] != "1790000000" || body["sign"] != hmacBase64("1790000000\nSECexample", "") || req.URL.RawQuery != "" {
		t.Errorf("body %v", body)
	}
}

func TestEveryAlarmHasWordsInBothLanguages(t *testing.T) {
	data := []byte(`{"errcode":40125,"detail":"d","release":"r","reason":"quota","until":"u","percent":80,"used":8,"limit":10,"period":"day","title":"订单","template_id":"tmpl","seconds_early":30,"name":"n","batch_id":"b"}`)
	for _, typ := range hongyan.NewsTypes() {
		n := hongyan.News{Type: typ, AppID: appID, At: time.Unix(1790000000, 0), Data: data}
		zh, en, both := alarmWords("zh", &n), alarmWords("en", &n), alarmWords("", &n)
		if !strings.Contains(zh, "鸿雁") || !strings.Contains(en, "Hongyan") || len(both) <= len(zh) {
			t.Errorf("%s: %q, %q, %q", typ, zh, en, both)
		}
		if said := strings.TrimPrefix(zh, "【鸿雁】"); !unicode.Is(unicode.Han, []rune(said)[0]) && !strings.HasPrefix(said, "Webhook 已") || strings.Contains(said, typ) {
			t.Errorf("%s is not said in Chinese: %q", typ, zh)
		}
	}
	if got := alarmWords("zh", &hongyan.News{Type: hongyan.NewsQuota, AppID: appID, At: time.Unix(1790000000, 0), Data: data}); got != "【鸿雁】账号 "+appID+" 的今日额度已用 80%：8 / 10（tmpl）\n2026-09-21 22:13:20" {
		t.Errorf("got %q", got)
	}
}

// TestAStoppedAccountIsToldInTheLanguageThatIsWanted: the hold says it in two, as the
// token's part and the engine write it, and robots say it in one, or each once.
func TestAStoppedAccountIsToldInTheLanguageThatIsWanted(t *testing.T) {
	info, ok := wechat.LookupCode(40164)
	if !ok {
		t.Fatal("40164 is unknown")
	}
	raw := "token: errcode 40164 invalid ip 203.0.113.7"
	for what, data := range map[string]map[string]any{
		"token":  {"errcode": 40164, "detail": raw + ". " + info.Hint + " " + info.HintZH, "release": "put it right, then update or resume the account 处理后更新或恢复该账号"},
		"engine": {"errcode": 40164, "detail": raw, "release": "cure errcode 40164, then resume the account"},
	} {
		n := hongyan.News{Type: hongyan.NewsAccountStopped, AppID: appID, Data: jsonOf(data)}
		zh, en, both := alarmWords("zh", &n), alarmWords("en", &n), alarmWords("", &n)
		for _, s := range []string{info.HintZH, info.MeaningZH, raw, "处理后更新或恢复该账号"} {
			if strings.Count(zh, s) != 1 || strings.Count(both, s) != 1 {
				t.Errorf("%s: %q is not once in\n%s\nand in\n%s", what, s, zh, both)
			}
		}
		for _, s := range []string{info.Hint, info.Meaning, raw, "then update or resume the account"} {
			if strings.Count(en, s) != 1 || strings.Count(both, s) != 1 {
				t.Errorf("%s: %q is not once in\n%s\nand in\n%s", what, s, en, both)
			}
		}
		if strings.Contains(zh, "cure") || strings.Contains(zh, info.Hint) || strings.ContainsFunc(en, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("%s: another language in\n%s\nor in\n%s", what, zh, en)
		}
	}
	alarm := hongyan.News{Type: hongyan.NewsAccountAlarm, AppID: appID, Data: []byte(`{"reason":"quota","detail":"WeChat's day limit is used up"}`)}
	if zh := alarmWords("zh", &alarm); strings.Contains(zh, "limit") || !strings.Contains(zh, "额度用完") {
		t.Errorf("an alarm in Chinese: %s", zh)
	}
}

// TestReasonsAreToldInTheLanguageThatIsWanted: those that we give; WeChat's own words are
// of no language, and said once.
func TestReasonsAreToldInTheLanguageThatIsWanted(t *testing.T) {
	for _, tt := range []struct {
		typ    string
		data   map[string]any
		zh, en string
	}{
		{hongyan.NewsWebhookDisabled, map[string]any{"name": "n", "reason": hongyan.DisabledGone, "reason_zh": "对方返回了 410 Gone"}, "已停用：n，对方返回了 410 Gone", "disabled: n, it answered 410 Gone"},
		{hongyan.NewsTemplateRemoved, map[string]any{"title": "T", "reason": templateMissing}, "，上次同步时不在微信的列表里", ": not in WeChat's list at the last sync"},
		{hongyan.NewsBatchFinished, map[string]any{"name": "n", "state": "cancelled"}, "批次已取消：n", "batch cancelled: n"},
		{hongyan.NewsFailed, map[string]any{"state": "failed", "reason": "errcode"}, "消息失败 " + appID + " errcode", "event message.failed " + appID + " failed errcode"},
	} {
		n := hongyan.News{Type: tt.typ, AppID: appID, Data: jsonOf(tt.data)}
		zh, en, both := alarmWords("zh", &n), alarmWords("en", &n), alarmWords("", &n)
		if !strings.Contains(zh, tt.zh) || strings.Contains(zh, tt.en) || !strings.Contains(en, tt.en) || strings.Contains(en, tt.zh) ||
			!strings.Contains(both, tt.zh) || !strings.Contains(both, tt.en) {
			t.Errorf("%s: %q, %q, %q", tt.typ, zh, en, both)
		}
	}
	banned := hongyan.News{Type: hongyan.NewsTemplateBanned, AppID: appID, Data: []byte(`{"title":"T","reason":"errcode 43116: banned"}`)}
	if both := alarmWords("", &banned); strings.Count(both, "errcode 43116: banned") != 1 {
		t.Errorf("WeChat's words are not told once: %s", both)
	}
}

// TestWhatARobotsMessageHasNoRoomForComesInTheNext: recorded as delivered is only what a
// person could read.
func TestWhatARobotsMessageHasNoRoomForComesInTheNext(t *testing.T) {
	inNewsWorld(t, func(t *testing.T, w *newsWorld) {
		id := w.endpoint("robot", func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, `{"errcode":0,"errmsg":"ok"}`) },
			func(h *hongyan.Webhook) {
				h.Kind, h.Secrets, h.Events = hongyan.WebhookWeCom, nil, hongyan.AlarmTypes()
			})
		for i := range 10 {
			n := hongyan.News{Type: hongyan.NewsTemplateBanned, AppID: appID, Data: jsonOf(map[string]any{"title": fmt.Sprintf("<%d>", i), "reason": strings.Repeat("长", 90)})}
			if err := w.store.PutNews(t.Context(), []hongyan.News{n}); err != nil {
				t.Fatal(err)
			}
		}
		w.herald.Wake()
		w.after(time.Minute)
		var told string
		for _, c := range w.at("robot") {
			var body struct{ Text struct{ Content string } }
			if err := json.Unmarshal([]byte(c.body), &body); err != nil || len(body.Text.Content) > 2048 {
				t.Errorf("%v, %d bytes", err, len(body.Text.Content))
			}
			told += body.Text.Content
		}
		for i := range 10 {
			if n := strings.Count(told, fmt.Sprintf("模板被微信封禁：<%d>", i)); n != 1 {
				t.Errorf("alarm %d was told %d times", i, n)
			}
		}
		if n := len(w.at("robot")); n < 2 || n > 9 {
			t.Errorf("%d messages, want several with several alarms each", n)
		}
		counts, err := w.store.WebhookCounts(t.Context())
		if err != nil || counts[id].Done != 10 {
			t.Errorf("%+v, %v, want 10 delivered", counts[id], err)
		}
	})
	huge := hongyan.News{Type: "x." + strings.Repeat("长", 1000)}
	if text, told := robotText("zh", []hongyan.News{huge, huge}); told != 1 || len(text) > 2048 || !strings.HasSuffix(text, "…") {
		t.Errorf("%d told in %d bytes, want one, shortened", told, len(text))
	}
}

// realHerald is a Herald without a store, for single calls over real sockets.
func realHerald(t *testing.T, allow ...string) *Herald {
	t.Helper()
	return NewHerald(HeraldConfig{Store: clock{}, HTTPClient: newRealSender(t, allow...).client})
}

func tryAt(t *testing.T, target string, allow ...string) HookTrial {
	t.Helper()
	return realHerald(t, allow...).Try(t.Context(), &hongyan.Webhook{ID: "whk_1", Kind: hongyan.WebhookStandard, URL: hongyan.Secret(target),
		Secrets: []hongyan.WebhookSecret{{Secret: hongyan.NewWebhookSecret()}}})
}

// TestATrialReachesNoPrivateAddress, whatever its name, nor behind a redirect.
func TestATrialReachesNoPrivateAddress(t *testing.T) {
	hits := make(chan string, 10)
	victim := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { hits <- r.URL.Path }))
	defer victim.Close()
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "169.254.169.254"} {
		_, port, _ := strings.Cut(victim.Listener.Addr().String(), ":")
		got := tryAt(t, "http://"+host+":"+port+"/SEKRET")
		if !strings.Contains(got.Error, "allow_private") || strings.Contains(got.Error, "SEKRET") {
			t.Errorf("%s: %q, want a refusal that names allow_private", host, got.Error)
		}
	}
	bent := httptest.NewServer(http.RedirectHandler(victim.URL, http.StatusTemporaryRedirect))
	defer bent.Close()
	if got := tryAt(t, bent.URL, "127.0.0.0/8"); got.Status != 307 || got.Error == "" {
		t.Errorf("a redirect: %+v", got)
	}
	if len(hits) != 0 {
		t.Errorf("called %s", <-hits)
	}
	if got := tryAt(t, victim.URL, "127.0.0.0/8"); got.Error != "" || got.Status != 200 || len(hits) != 1 {
		t.Errorf("listed: %+v", got)
	}
}

// TestAnEndlessAnswerOfAnEndpointIsCutOff: a kilobyte of it is kept.
func TestAnEndlessAnswerOfAnEndpointIsCutOff(t *testing.T) {
	wrote := make(chan int64, 1)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		n, _ := io.CopyN(rw, zeros{}, 10<<30)
		wrote <- n
	}))
	defer server.Close()
	if got := tryAt(t, server.URL, "127.0.0.0/8"); got.Error != "" || len(got.Answer) > maxHookAnswer {
		t.Errorf("%+v", got)
	}
	if n := <-wrote; n > 64<<20 {
		t.Errorf("the server wrote %d bytes before the connection ended", n)
	}
}
