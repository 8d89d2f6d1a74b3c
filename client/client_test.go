package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newTestGateway answers every request with handler, under a gateway's mark.
func newTestGateway(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	return newTestServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "req_0000000000000001")
		handler(w, r)
	})
}

// newTestServer is any server, whose answers have no mark.
func newTestServer(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c := New(server.URL+"/", "hyk_test")
	c.Retries.Tries = 1
	return c
}

func TestSendSaysWhatItMeans(t *testing.T) {
	var body, idempotency, authorization string
	c := newTestGateway(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		body, idempotency, authorization = string(raw), r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization")
		w.Header().Set("Idempotency-Replayed", "true")
		_, _ = io.WriteString(w, `{"id":"msg_1","state":"queued","msgid":null,"created_at":"2026-11-20T01:30:00.120Z","due_at":null,"attempts":[]}`)
	})
	got, err := c.Send(t.Context(), MessageRequest{
		AppID: "shop", ToUser: "o1", TemplateID: "t", IdempotencyKey: "order-1",
		Data:   map[string]Field{"a": {Value: "<巧克力>"}, "b": {Value: "1", Color: "#173177"}},
		SendAt: time.Date(2026, 11, 20, 9, 30, 0, 0, time.FixedZone("CST", 8*3600)),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"appid":"shop","touser":"o1","template_id":"t","data":{"a":"<巧克力>","b":{"value":"1","color":"#173177"}},"send_at":"2026-11-20T09:30:00+08:00"}`
	if diff := cmp.Diff(want, strings.TrimSpace(body)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if idempotency != "order-1" || authorization != "Bearer hyk_test" {
		t.Errorf("Idempotency-Key %q, Authorization %q", idempotency, authorization)
	}
	if !got.Replayed || got.ID != "msg_1" || got.MsgID != nil || got.DueAt != nil || got.CreatedAt.String() != "2026-11-20T01:30:00.120Z" {
		t.Errorf("sent %+v", got)
	}
}

func TestRefusalIsAProblem(t *testing.T) {
	c := newTestGateway(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"type":"/problems/x","title":"T","status":503,"detail":"not now","code":"x","errors":[{"pointer":"/a","detail":"bad"}],"request_id":"req_1","retryable":true}`)
	})
	_, err := c.Message(t.Context(), "msg_1")
	got, ok := errors.AsType[*Problem](err)
	if !ok {
		t.Fatalf("error %v, want a Problem", err)
	}
	want := &Problem{Type: "/problems/x", Title: "T", Status: 503, Detail: "not now", Code: "x", Errors: []FieldError{{Pointer: "/a", Detail: "bad"}}, RequestID: "req_1", Retryable: true, RetryAfter: 7 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
	if got, want := err.Error(), "not now (HTTP 503, x); /a: bad [req_1]"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}

func TestAnswerOfSomethingElse(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"an error page of a proxy", 502, "<html>bad gateway</html>", "http_502"},
		{"an empty refusal", 404, "", "http_404"},
		{"JSON of another program", 400, `{"error":"x"}`, "http_400"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newTestGateway(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			_, err := c.Accounts(t.Context())
			got, ok := errors.AsType[*Problem](err)
			if !ok || got.Code != tt.want || got.Status != tt.status {
				t.Errorf("error %v, want code %s", err, tt.want)
			}
		})
	}
	c := newTestGateway(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	if _, err := c.Accounts(t.Context()); err == nil || !strings.Contains(err.Error(), "GET /v1/accounts: decode answer") {
		t.Errorf("error %v, want one that names the call", err)
	}
}

// TestSuccessOfSomethingElseIsNone points every kind of call at servers that
// say yes to everything.
func TestSuccessOfSomethingElseIsNone(t *testing.T) {
	servers := []struct {
		name    string
		status  int
		header  [2]string
		body    string
		sandbox bool
	}{
		{"a local WeChat", 200, [2]string{"X-Hongyan-Sandbox", "yes"}, `{"errcode":40066,"errmsg":"invalid url"}`, true},
		{"a local WeChat behind a proxy that numbers requests", 200, [2]string{"X-Request-Id", "7"}, "\n" + `{"errcode":40066}`, false},
		{"WeChat", 200, [2]string{}, `{"errcode":40066,"errmsg":"invalid url"}`, false},
		{"a web server", 200, [2]string{}, "<html>It works!</html>", false},
		{"a service of somebody else", 200, [2]string{}, `{"items":[]}`, false},
		{"a server that has nothing to say", 204, [2]string{}, "", false},
		{"a gateway's mark with another status", 203, [2]string{"X-Request-Id", "req_1"}, `{"items":[]}`, false},
	}
	for _, tt := range servers {
		t.Run(tt.name, func(t *testing.T) {
			c := newTestServer(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.header[0] != "" {
					w.Header().Set(tt.header[0], tt.header[1])
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			for name, err := range everyCall(t.Context(), c) {
				got, ok := errors.AsType[*Problem](err)
				if !ok || got.Code != NotAGateway || strings.Contains(got.Detail, "sandbox") != tt.sandbox {
					t.Errorf("%s: got %v, want %s", name, err, NotAGateway)
				}
			}
		})
	}
}

// everyCall makes one call for each way in which an answer is read.
func everyCall(ctx context.Context, c *Client) map[string]error {
	fails := map[string]error{}
	_, fails["list"] = c.Messages(ctx, MessageFilter{})
	_, fails["act"] = c.PauseAccount(ctx, "shop")
	_, fails["retry"] = c.Retry(ctx, "msg_1")
	_, fails["create"] = c.CreateKey(ctx, KeyRequest{Name: "x"})
	_, fails["send"] = c.Send(ctx, MessageRequest{})
	_, fails["send JSON"] = c.SendJSON(ctx, []byte("{}"), "")
	fails["delete"] = c.RevokeKey(ctx, "key_1")
	fails["health"] = c.Health(ctx)
	return fails
}

func TestSendJSONChangesNothing(t *testing.T) {
	const message = ` {"appid" : "shop",
 "appid":"a"} trailing`
	var body, idempotency, contentType string
	c := newTestGateway(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		body, idempotency, contentType = string(raw), r.Header.Get("Idempotency-Key"), r.Header.Get("Content-Type")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"id":"msg_1"}`)
	})
	got, err := c.SendJSON(t.Context(), []byte(message), "order-1")
	if err != nil || got.ID != "msg_1" {
		t.Errorf("sent %+v, %v", got, err)
	}
	if body != message || idempotency != "order-1" || contentType != "application/json" {
		t.Errorf("body %q, Idempotency-Key %q, Content-Type %q", body, idempotency, contentType)
	}
}

func TestAllMessagesFollowsTheCursor(t *testing.T) {
	pages := map[string]string{
		"":   `{"items":[{"id":"a"},{"id":"b"}],"next_cursor":"c1"}`,
		"c1": `{"items":[{"id":"c"}],"next_cursor":null}`,
	}
	var queries []string
	c := newTestGateway(t, func(w http.ResponseWriter, r *http.Request) {
		queries = append(queries, r.URL.RawQuery)
		_, _ = io.WriteString(w, pages[r.URL.Query().Get("cursor")])
	})
	var got []string
	filter := MessageFilter{States: []string{"queued", "held"}, Since: time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC), Limit: 2}
	for m, err := range c.AllMessages(t.Context(), filter) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.ID)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, got); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	want := []string{"limit=2&since=2026-11-20T01%3A30%3A00Z&state=queued%2Cheld", "cursor=c1&limit=2&since=2026-11-20T01%3A30%3A00Z&state=queued%2Cheld"}
	if diff := cmp.Diff(want, queries); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
}

func TestAllFiringsFollowsTheCursor(t *testing.T) {
	pages := map[string]string{
		"":   `{"items":[{"id":"3","state":"refused"},{"id":"2","state":"sent"}],"next_cursor":"c1"}`,
		"c1": `{"items":[{"id":"1","state":"sent"}],"next_cursor":null}`,
	}
	var asked []string
	c := newTestGateway(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI())
		_, _ = io.WriteString(w, pages[r.URL.Query().Get("cursor")])
	})
	var got []string
	for f, err := range c.AllFirings(t.Context(), "shop", "welcome") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, f.ID+" "+f.State)
	}
	if diff := cmp.Diff([]string{"3 refused", "2 sent", "1 sent"}, got); diff != "" {
		t.Errorf("firings (-want +got):\n%s", diff)
	}
	want := []string{"/v1/accounts/shop/rules/welcome/firings?limit=1000", "/v1/accounts/shop/rules/welcome/firings?cursor=c1&limit=1000"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestNotReadyIsNoError(t *testing.T) {
	c := newTestGateway(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"ready":false,"reason":"store: the disk is full","store":"the disk is full","engine":"ok"}`)
	})
	got, err := c.Ready(t.Context())
	if want := (Readiness{Reason: "store: the disk is full", Store: "the disk is full", Engine: "ok"}); err != nil || got != want {
		t.Errorf("readiness %+v, %v, want %+v", got, err, want)
	}
}

func TestTimesHaveThreeDecimalsInUTC(t *testing.T) {
	beijing := time.FixedZone("CST", 8*3600)
	tests := []struct {
		name string
		time time.Time
		want string
	}{
		{"a whole second", time.Date(2026, 11, 20, 9, 30, 0, 0, beijing), `"2026-11-20T01:30:00.000Z"`},
		{"milliseconds that end in zero", time.Date(2026, 11, 20, 1, 30, 0, 120e6, time.UTC), `"2026-11-20T01:30:00.120Z"`},
		{"more than milliseconds", time.Date(2026, 11, 20, 1, 30, 0, 7_999_999, time.UTC), `"2026-11-20T01:30:00.007Z"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(Time{tt.time})
			if err != nil || string(got) != tt.want {
				t.Errorf("JSON %s, %v, want %s", got, err, tt.want)
			}
			var back Time
			if err := json.Unmarshal(got, &back); err != nil || !back.Time.Equal(tt.time.Truncate(time.Millisecond)) {
				t.Errorf("read back %v, %v", back, err)
			}
		})
	}
	if _, err := json.Marshal(Time{time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Error("the year 10000 was written")
	}
	if At(time.Time{}) != nil || !(*Time)(nil).Or().IsZero() {
		t.Error("the zero time is not nil")
	}
}

func TestFieldReadsBothForms(t *testing.T) {
	for text, want := range map[string]Field{`"x"`: {Value: "x"}, `{"value":"x"}`: {Value: "x"}, `{"value":"x","color":"#fff"}`: {Value: "x", Color: "#fff"}} {
		got := Field{Color: "left over"}
		if strings.HasPrefix(text, "{") {
			got = Field{}
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s gave %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestPathsAreEscaped(t *testing.T) {
	var path string
	c := newTestGateway(t, func(w http.ResponseWriter, r *http.Request) { path = r.URL.EscapedPath(); w.WriteHeader(204) })
	if err := c.DeleteTemplate(t.Context(), "shop", "a/b?c"); err != nil {
		t.Fatal(err)
	}
	if want := "/v1/accounts/shop/templates/a%2Fb%3Fc"; path != want {
		t.Errorf("path %s, want %s", path, want)
	}
}

// TestEveryListOfPagesHasAWalk: a method that reads one page at a cursor has one that
// reads them all, with All before its name.
func TestEveryListOfPagesHasAWalk(t *testing.T) {
	found, methods := 0, reflect.TypeFor[*Client]()
	for method := range methods.Methods() {
		last := method.Type.In(method.Type.NumIn() - 1)
		if strings.HasPrefix(method.Name, "All") || last.Kind() != reflect.Struct {
			continue
		}
		if _, paged := last.FieldByName("Cursor"); !paged || method.Type.Out(0).Kind() != reflect.Struct {
			continue
		}
		found++
		all, ok := methods.MethodByName("All" + method.Name)
		if !ok || !all.Type.Out(0).CanSeq2() {
			t.Errorf("%s has no All%s that walks through its pages", method.Name, method.Name)
		}
	}
	if found < 4 {
		t.Errorf("%d lists of pages found, want 4 or more", found)
	}
}

// TestTheWordsAreThoseOfTheDocument compares the constants with the enums of the types.
func TestTheWordsAreThoseOfTheDocument(t *testing.T) {
	for field, want := range map[string][]string{
		"State":    {StateQueued, StateHeld, StateSending, StateUncertain, StateAccepted, StateFailed, StateCancelled, StateExpired, StateDelivered, StateUndelivered},
		"Kind":     {KindTemplate, KindMiniTemplate, KindSubscribe, KindNotice, KindOneTime},
		"Priority": {PriorityUrgent, PriorityNormal, PriorityBulk},
	} {
		f, _ := reflect.TypeFor[Message]().FieldByName(field)
		if diff := cmp.Diff(want, strings.Split(f.Tag.Get("enum"), ",")); diff != "" {
			t.Errorf("%s (-constants +enum):\n%s", field, diff)
		}
	}
}
