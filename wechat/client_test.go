package wechat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorded is what the platform's side saw of a request.
type recorded struct {
	Method, Path, Query, ContentType, Body string
	Length                                 int64
	Chunked                                bool
}

// recorder is an HTTP server that notes requests and plays back answers, the
// last one for ever.
type recorder struct {
	*httptest.Server
	mu      sync.Mutex
	seen    []recorded
	answers []string
}

func newRecorder(t *testing.T, answers ...string) *recorder {
	r := &recorder{answers: answers}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) serve(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, recorded{req.Method, req.URL.Path, req.URL.RawQuery, req.Header.Get("Content-Type"),
		string(body), req.ContentLength, len(req.TransferEncoding) > 0})
	w.Header().Set("Content-Type", "text/plain; encoding=utf-8")
	io.WriteString(w, r.answers[min(len(r.seen), len(r.answers))-1])
}

const jsonUTF8 = "application/json; charset=UTF-8"

// typedCall is one method, what the platform answers and what must come of it.
type typedCall struct {
	name   string
	call   func(context.Context, *Client) (any, error)
	answer string
	want   any
	wire   recorded // without its Length
}

const answerOK = `{"errcode":0,"errmsg":"ok"}`

// posted is a request with a JSON body and the token of checkTypedCalls.
func posted(path, body string) recorded {
	return recorded{Method: "POST", Path: path, Query: "access_token=t%2Bk", ContentType: jsonUTF8, Body: body}
}

// gotten is a request without body; query follows the token.
func gotten(path, query string) recorded {
	return recorded{Method: "GET", Path: path, Query: "access_token=t%2Bk" + query}
}

// checkTypedCalls makes each call once over loopback and compares the request
// byte for byte.
func checkTypedCalls(t *testing.T, tests []typedCall) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newRecorder(t, tt.answer)
			got, err := tt.call(t.Context(), &Client{BaseURL: server.URL + "/", Tokens: StaticToken("t+k")})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			tt.wire.Length = int64(len(tt.wire.Body))
			if diff := cmp.Diff([]recorded{tt.wire}, server.seen); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTypedCalls(t *testing.T) {
	checkTypedCalls(t, []typedCall{
		{
			name: "token",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.Token(ctx, "wx0f1e2d3c4b5a6978", "s&c")
			},
			answer: `{"access_token":"99_EXAMPLEtoken-abc_DEF","expires_in":7200}`,
			want:   Token{"99_EXAMPLEtoken-abc_DEF", 7200},
			wire: recorded{Method: "GET", Path: "/cgi-bin/token",
				Query: "grant_type=client_credential&appid=wx0f1e2d3c4b5a6978&secret=s%26c"},
		},
		{
			name: "stable token",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.StableToken(ctx, "wx0f1e2d3c4b5a6978", "sec", true)
			},
			answer: `{"access_token":"99_x","expires_in":300}`,
			want:   Token{"99_x", 300},
			wire: recorded{Method: "POST", Path: "/cgi-bin/stable_token", ContentType: jsonUTF8,
				Body: `{"grant_type":"client_credential","appid":"wx0f1e2d3c4b5a6978","secret":"sec","force_refresh":true}`},
		},
		{
			name:   "domain addresses",
			call:   func(ctx context.Context, c *Client) (any, error) { return c.APIDomainIP(ctx) },
			answer: `{"ip_list":["203.0.113.1","203.0.113.2"]}`,
			want:   []string{"203.0.113.1", "203.0.113.2"},
			wire:   recorded{Method: "GET", Path: "/cgi-bin/get_api_domain_ip", Query: "access_token=t%2Bk"},
		},
		{
			name: "template list",
			call: func(ctx context.Context, c *Client) (any, error) { return c.ListTemplates(ctx) },
			answer: `{"template_list":[{"template_id":"Zk3","title":"订单支付成功通知","primary_industry":"IT科技",` +
				`"deputy_industry":"互联网|电子商务","content":"{{first.DATA}}\n订单编号：{{keyword1.DATA}}","example":"您好"}]}`,
			want: []Template{{"Zk3", "订单支付成功通知", "IT科技", "互联网|电子商务", "{{first.DATA}}\n订单编号：{{keyword1.DATA}}", "您好"}},
			wire: recorded{Method: "GET", Path: "/cgi-bin/template/get_all_private_template", Query: "access_token=t%2Bk"},
		},
		{
			name:   "no templates",
			call:   func(ctx context.Context, c *Client) (any, error) { return c.ListTemplates(ctx) },
			answer: `{"template_list":[]}`,
			want:   []Template{},
			wire:   recorded{Method: "GET", Path: "/cgi-bin/template/get_all_private_template", Query: "access_token=t%2Bk"},
		},
		{
			name: "add template",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.AddTemplate(ctx, AddTemplateRequest{"43217", []string{"订单编号", "下单时间"}})
			},
			answer: `{"errcode":0,"errmsg":"ok","template_id":"Zk3vQ"}`,
			want:   "Zk3vQ",
			wire: recorded{Method: "POST", Path: "/cgi-bin/template/api_add_template", Query: "access_token=t%2Bk", ContentType: jsonUTF8,
				Body: `{"template_id_short":"43217","keyword_name_list":["订单编号","下单时间"]}`},
		},
		{
			name:   "delete template",
			call:   func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteTemplate(ctx, "Zk3vQ") },
			answer: answerOK,
			wire: recorded{Method: "POST", Path: "/cgi-bin/template/del_private_template", Query: "access_token=t%2Bk", ContentType: jsonUTF8,
				Body: `{"template_id":"Zk3vQ"}`},
		},
		{
			name: "send",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.SendTemplateMessage(ctx, &TemplateMessage{ToUser: "o1", TemplateID: "T", URL: "https://a.example/?a&b",
					Data: Data{"thing1": {Value: "中文<b>"}}})
			},
			answer: `{"errcode":0,"errmsg":"ok","msgid":4123456789012345678}`,
			want:   SendResult{4123456789012345678},
			wire: recorded{Method: "POST", Path: "/cgi-bin/message/template/send", Query: "access_token=t%2Bk", ContentType: jsonUTF8,
				Body: `{"touser":"o1","template_id":"T","url":"https://a.example/?a&b","data":{"thing1":{"value":"中文<b>"}}}`},
		},
		{
			name: "mini program send has no msgid",
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.SendMiniTemplateMessage(ctx, &MiniTemplateMessage{ToUser: "o1", TemplateID: "T", FormID: "F", Data: Data{}})
			},
			answer: answerOK,
			want:   SendResult{},
			wire: recorded{Method: "POST", Path: "/cgi-bin/message/wxopen/template/send", Query: "access_token=t%2Bk", ContentType: jsonUTF8,
				Body: `{"touser":"o1","template_id":"T","form_id":"F","data":{}}`},
		},
	})
}

// everyCall has each method once, with a request that passes all checks; secret
// is the AppSecret.
func everyCall(secret string) map[string]func(context.Context, *Client) error {
	type call = func(context.Context, *Client) error
	return map[string]call{
		"token": func(ctx context.Context, c *Client) error { _, err := c.Token(ctx, "wx1", secret); return err },
		"stable token": func(ctx context.Context, c *Client) error {
			_, err := c.StableToken(ctx, "wx1", secret, false)
			return err
		},
		"clear":        func(ctx context.Context, c *Client) error { return c.ClearQuota(ctx, "wx1") },
		"clear v2":     func(ctx context.Context, c *Client) error { return c.ClearQuotaV2(ctx, "wx1", secret) },
		"quota":        func(ctx context.Context, c *Client) error { _, err := c.Quota(ctx, EndpointTemplateSend); return err },
		"clear one":    func(ctx context.Context, c *Client) error { return c.ClearAPIQuota(ctx, EndpointTemplateSend) },
		"rid":          func(ctx context.Context, c *Client) error { _, err := c.LookupRID(ctx, "1-2-3"); return err },
		"addresses":    func(ctx context.Context, c *Client) error { _, err := c.APIDomainIP(ctx); return err },
		"push sources": func(ctx context.Context, c *Client) error { _, err := c.CallbackIP(ctx); return err },
		"server check": func(ctx context.Context, c *Client) error {
			_, err := c.CheckCallback(ctx, CheckAll, OperatorDefault)
			return err
		},
		"set industry": func(ctx context.Context, c *Client) error { return c.SetIndustry(ctx, SetIndustryRequest{"1", "4"}) },
		"industries":   func(ctx context.Context, c *Client) error { _, err := c.Industries(ctx); return err },
		"templates":    func(ctx context.Context, c *Client) error { _, err := c.ListTemplates(ctx); return err },
		"add": func(ctx context.Context, c *Client) error {
			_, err := c.AddTemplate(ctx, AddTemplateRequest{})
			return err
		},
		"delete": func(ctx context.Context, c *Client) error { return c.DeleteTemplate(ctx, "T") },
		"blocked": func(ctx context.Context, c *Client) error {
			_, err := c.BlockedMessages(ctx, BlockedMessagesRequest{})
			return err
		},
		"send": func(ctx context.Context, c *Client) error {
			_, err := c.SendTemplateMessage(ctx, &TemplateMessage{})
			return err
		},
		"one-time": func(ctx context.Context, c *Client) error { return c.SendOneTimeMessage(ctx, &OneTimeMessage{}) },
		"mini send": func(ctx context.Context, c *Client) error {
			_, err := c.SendMiniTemplateMessage(ctx, &MiniTemplateMessage{})
			return err
		},
		"mini library": func(ctx context.Context, c *Client) error { _, err := c.MiniLibrary(ctx, 0, 20); return err },
		"mini entry":   func(ctx context.Context, c *Client) error { _, err := c.MiniLibraryTemplate(ctx, "AT9001"); return err },
		"mini add": func(ctx context.Context, c *Client) error {
			_, err := c.AddMiniTemplate(ctx, AddMiniTemplateRequest{"AT9001", []int{7}})
			return err
		},
		"mini list":   func(ctx context.Context, c *Client) error { _, err := c.ListMiniTemplates(ctx, 0, 20); return err },
		"mini delete": func(ctx context.Context, c *Client) error { return c.DeleteMiniTemplate(ctx, "T") },
		"subscribe": func(ctx context.Context, c *Client) error {
			_, err := c.SendSubscribeMessage(ctx, &SubscribeMessage{})
			return err
		},
		"notice": func(ctx context.Context, c *Client) error {
			_, err := c.SendNoticeMessage(ctx, &NoticeMessage{})
			return err
		},
		"uniform": func(ctx context.Context, c *Client) error {
			_, err := c.SendUniformMessage(ctx, &UniformMessage{})
			return err
		},
		"subscribe add": func(ctx context.Context, c *Client) error {
			_, err := c.AddSubscribeTemplate(ctx, AddSubscribeTemplateRequest{401, []int{1, 2}, ""})
			return err
		},
		"subscribe del": func(ctx context.Context, c *Client) error { return c.DeleteSubscribeTemplate(ctx, "T") },
		"categories":    func(ctx context.Context, c *Client) error { _, err := c.SubscribeCategories(ctx); return err },
		"titles": func(ctx context.Context, c *Client) error {
			_, err := c.SubscribeTitles(ctx, SubscribeTitlesRequest{[]int{2}, 0, 30})
			return err
		},
		"keywords":      func(ctx context.Context, c *Client) error { _, err := c.SubscribeKeywords(ctx, 99); return err },
		"subscribe all": func(ctx context.Context, c *Client) error { _, err := c.ListSubscribeTemplates(ctx); return err },
	}
}

// TestSuccessWithoutTheResultIsNoAnswer: JSON that lacks what was asked for did
// not come from the platform.
func TestSuccessWithoutTheResultIsNoAnswer(t *testing.T) {
	const elsewhere = `{"status":"up"}`
	const wrongTypes = `{"access_token":"","expires_in":0,"ip_list":"x","template_list":{},"template_id":7,"primary_industry":[],` +
		`"quota":7,"request":"x","dns":{},"msginfo":7,"list":"x","keyword_list":{},"data":{},"priTmplId":[]}`
	for name, call := range everyCall("s3cret-value") {
		for _, body := range []string{elsewhere, wrongTypes} {
			server := newRecorder(t, body)
			err := call(t.Context(), &Client{BaseURL: server.URL, Tokens: StaticToken("t")})
			if got := ClassOfError(err); got != ClassNoAnswer {
				t.Errorf("%s answered %s: class %v of %v, want no_answer", name, body, got, err)
			}
		}
	}
}

// countingTokens hands out t1, then t2 after Invalidate, and so on.
type countingTokens struct {
	current     int
	invalidated []string
	err         error // of Invalidate
}

func (s *countingTokens) AccessToken(context.Context) (string, error) {
	return fmt.Sprintf("t%d", s.current+1), nil
}

func (s *countingTokens) Invalidate(_ context.Context, failed string) error {
	s.invalidated = append(s.invalidated, failed)
	s.current++
	return s.err
}

func TestDeadTokenIsReplacedOnce(t *testing.T) {
	const dead, accepted = `{"errcode":42001,"errmsg":"access_token expired"}`, `{"errcode":0,"errmsg":"ok","msgid":7}`
	tests := []struct {
		name    string
		answers []string
		class   Class
		queries []string
	}{
		{"good token", []string{accepted}, ClassSuccess, []string{"access_token=t1"}},
		{"dead token", []string{dead, accepted}, ClassSuccess, []string{"access_token=t1", "access_token=t2"}},
		{"dead again", []string{dead}, ClassToken, []string{"access_token=t1", "access_token=t2"}},
		{"another error", []string{`{"errcode":40003,"errmsg":"invalid openid"}`}, ClassRecipient, []string{"access_token=t1"}},
		{"busy", []string{`{"errcode":-1,"errmsg":"system error"}`}, ClassTransient, []string{"access_token=t1"}},
		{"other error after a dead token", []string{dead, `{"errcode":45009}`}, ClassQuota, []string{"access_token=t1", "access_token=t2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newRecorder(t, tt.answers...)
			tokens := &countingTokens{}
			c := &Client{BaseURL: server.URL, Tokens: tokens}
			_, err := c.SendTemplateMessage(t.Context(), &TemplateMessage{})
			if got := ClassOfError(err); got != tt.class {
				t.Errorf("class %v of %v, want %v", got, err, tt.class)
			}
			var queries []string
			for _, r := range server.seen {
				queries = append(queries, r.Query)
			}
			if diff := cmp.Diff(tt.queries, queries); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if len(tt.queries) > 1 && !cmp.Equal(tokens.invalidated, []string{"t1"}) {
				t.Errorf("invalidated %q, want t1 once", tokens.invalidated)
			}
		})
	}
}

func TestCallWithoutTokenIsNotSent(t *testing.T) {
	server := newRecorder(t, `{"errcode":40001,"errmsg":"invalid credential"}`)
	wrongSecret := &Error{Op: EndpointToken, Code: CodeInvalidAppSecret, Msg: "invalid appsecret"}
	lost := &TransportError{Op: EndpointToken, Sent: true, Err: errors.New("gone")}
	tests := []struct {
		name   string
		tokens TokenSource
		class  Class
	}{
		{"no source", nil, ClassNotSent},
		{"source is told the secret is wrong", &countingTokens{err: wrongSecret}, ClassAccount},
		{"source got no answer", &countingTokens{err: lost}, ClassNotSent},
		{"source was refused by the front end", &countingTokens{err: &StatusError{EndpointToken, 412}}, ClassNotSent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Client{BaseURL: server.URL, Tokens: tt.tokens}
			_, err := c.SendTemplateMessage(t.Context(), &TemplateMessage{})
			if _, ok := errors.AsType[*TokenError](err); !ok || OutcomeOf(err) != OutcomeNotSent || ClassOfError(err) != tt.class {
				t.Errorf("got %v, outcome %v, class %v; want a TokenError, not sent, class %v", err, OutcomeOf(err), ClassOfError(err), tt.class)
			}
		})
	}
}

func TestDoTellsBusinessErrors(t *testing.T) {
	server := newRecorder(t, `{"errcode":40003,"errmsg":"invalid openid rid: 6aac005a-01bfdbee-79769285"}`)
	c := &Client{BaseURL: server.URL}
	ans, err := c.Do(t.Context(), Call{Endpoint: EndpointTemplateSend, AccessToken: "t", Body: []byte("{}")})
	wantErr := &Error{Op: EndpointTemplateSend, Code: CodeInvalidOpenID, Msg: "invalid openid", RID: "6aac005a-01bfdbee-79769285"}
	got, _ := errors.AsType[*Error](err)
	if diff := cmp.Diff(wantErr, got); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	want := Answer{HTTPStatus: 200, Code: CodeInvalidOpenID, Msg: "invalid openid", RID: "6aac005a-01bfdbee-79769285",
		Body: []byte(`{"errcode":40003,"errmsg":"invalid openid rid: 6aac005a-01bfdbee-79769285"}`)}
	if diff := cmp.Diff(want, ans); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	text := "wechat: /cgi-bin/message/template/send: errcode 40003: invalid openid (rid 6aac005a-01bfdbee-79769285)"
	if err.Error() != text || OutcomeOf(err) != OutcomeAnswered {
		t.Errorf("got %q, %v; want %q, answered", err, OutcomeOf(err), text)
	}
}

func TestDoWithoutTokenSendsNone(t *testing.T) {
	server := newRecorder(t, `{"errcode":41001,"errmsg":"access_token missing"}`)
	_, err := (&Client{BaseURL: server.URL}).Do(t.Context(), Call{Endpoint: "/cgi-bin/any"})
	if ClassOfError(err) != ClassToken {
		t.Errorf("got %v, want class token", err)
	}
	if diff := cmp.Diff([]recorded{{Method: "GET", Path: "/cgi-bin/any"}}, server.seen); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

// TestConnectionsAreReused counts connections over every kind of answer whose
// end can be read.
func TestConnectionsAreReused(t *testing.T) {
	var connections atomic.Int32
	var n int
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		n++
		switch n % 5 {
		case 0:
			io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`)
		case 1:
			io.WriteString(w, `{"errcode":40003,"errmsg":"invalid openid"}`)
		case 2:
			http.Error(w, strings.Repeat("precondition failed ", 1000), http.StatusPreconditionFailed)
		case 3:
			http.Error(w, strings.Repeat("<html>", 10000), http.StatusBadGateway)
		case 4:
			io.WriteString(w, "<html>"+strings.Repeat(" ", 70000))
		}
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := &Client{BaseURL: server.URL}
	for range 50 {
		c.Do(t.Context(), Call{Endpoint: EndpointTemplateSend, AccessToken: "t", Body: []byte("{}")})
	}
	if got := connections.Load(); got != 1 || n != 50 {
		t.Errorf("50 calls arrived as %d on %d connections, want 50 on 1", n, got)
	}
}

func TestClientServesManyAtOnce(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, `{"errcode":0,"errmsg":"ok","msgid":%s}`, body)
	}))
	defer server.Close()
	c := &Client{BaseURL: server.URL}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ans, err := c.Do(t.Context(), Call{Endpoint: EndpointTemplateSend, AccessToken: "t", Body: fmt.Append(nil, i)})
			if err != nil || ans.MsgID != int64(i) {
				t.Errorf("call %d got msgid %d, %v", i, ans.MsgID, err)
			}
		})
	}
	wg.Wait()
}

func TestTokenPrintsNoSecret(t *testing.T) {
	token := Token{"99_marker", 7200}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("got", "token", token)
	for _, s := range []string{fmt.Sprint(token), fmt.Sprintf("%+v", token), fmt.Sprintf("%#v", token), fmt.Sprintf("%v", &token), log.String()} {
		if strings.Contains(s, "marker") {
			t.Errorf("a token is printed in %q", s)
		}
	}
}

// BenchmarkDo measures what Do itself costs, over a transport that answers at once.
func BenchmarkDo(b *testing.B) {
	c := &Client{BaseURL: "http://127.0.0.1:1", HTTPClient: &http.Client{Transport: instant{}}}
	call := Call{Endpoint: EndpointTemplateSend, AccessToken: strings.Repeat("t", 140), Body: []byte(`{"touser":"o1"}`)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Do(b.Context(), call); err != nil {
			b.Fatal(err)
		}
	}
}

type instant struct{}

func (instant) RoundTrip(r *http.Request) (*http.Response, error) {
	const body = `{"errcode":0,"errmsg":"ok","msgid":4123456789012345678}`
	return &http.Response{StatusCode: 200, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}
