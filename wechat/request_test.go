package wechat

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPublishedLimits goes to each limit and one step past it. Lengths are
// counted in characters: one of these is three bytes.
func TestPublishedLimits(t *testing.T) {
	han := func(n int) string { return strings.Repeat("字", n) }
	oneTime := func(scene Scene, title, content string) checker {
		return &OneTimeMessage{Scene: scene, Title: title, Data: OneTimeData{Field{Value: content}}}
	}
	kids := func(n int) []int { return make([]int, n) }
	tests := []struct {
		name    string
		request checker
		want    string // the problem's field, rule and value; "" for none
	}{
		{"one-time at its limits", oneTime(10000, han(15), han(200)), ""},
		{"title of 16", oneTime(0, han(16), ""), `title|title:max15|title: at most 15 characters, has 16, got "` + han(16) + `" (rule title:max15)`},
		{"content of 201", oneTime(0, "", han(201)), `data.content.value|data.content.value:max200|` +
			`data.content.value: at most 200 characters, has 201, got "` + han(60) + `…" (rule data.content.value:max200)`},
		{"scene past its end", oneTime(10001, "", ""), `scene|scene:0..10000|scene: a number from 0 to 10000, got "10001" (rule scene:0..10000)`},
		{"scene below 0", oneTime(-1, "", ""), `scene|scene:0..10000|scene: a number from 0 to 10000, got "-1" (rule scene:0..10000)`},

		{"subscribe with defaults", &SubscribeMessage{}, ""},
		{"subscribe with all it knows", &SubscribeMessage{State: StateDeveloper, Lang: "zh_HK"}, ""},
		{"state of another word", &SubscribeMessage{State: "release"}, `miniprogram_state|miniprogram_state:oneof|` +
			`miniprogram_state: one of developer, trial, formal, got "release" (rule miniprogram_state:oneof)`},
		{"lang of another word", &SubscribeMessage{Lang: "zh-CN"}, `lang|lang:oneof|lang: one of zh_CN, en_US, zh_HK, zh_TW, got "zh-CN" (rule lang:oneof)`},

		{"two keywords and 15 characters", AddSubscribeTemplateRequest{401, kids(2), han(15)}, ""},
		{"five keywords", AddSubscribeTemplateRequest{401, kids(5), ""}, ""},
		{"one keyword", AddSubscribeTemplateRequest{401, []int{7}, ""}, `kidList|kidList:len2..5|kidList: a list of 2 to 5 numbers, has 1, got "[7]" (rule kidList:len2..5)`},
		{"six keywords", AddSubscribeTemplateRequest{401, []int{1, 2, 3, 4, 5, 6}, ""}, `kidList|kidList:len2..5|` +
			`kidList: a list of 2 to 5 numbers, has 6, got "[1 2 3 4 5 6]" (rule kidList:len2..5)`},
		{"sceneDesc of 16", AddSubscribeTemplateRequest{401, kids(2), han(16)}, `sceneDesc|sceneDesc:max15|` +
			`sceneDesc: at most 15 characters, has 16, got "` + han(16) + `" (rule sceneDesc:max15)`},
		{"the first made for one account has no keywords", AddSubscribeTemplateRequest{10000001, nil, ""}, ""},
		{"the last made for one account has no keywords", AddSubscribeTemplateRequest{19999999, nil, ""}, ""},
		{"before them keywords are needed", AddSubscribeTemplateRequest{10000000, nil, ""}, `kidList|kidList:len2..5|` +
			`kidList: a list of 2 to 5 numbers, has 0, got "[]" (rule kidList:len2..5)`},
		{"behind them keywords are needed", AddSubscribeTemplateRequest{20000000, nil, ""}, `kidList|kidList:len2..5|` +
			`kidList: a list of 2 to 5 numbers, has 0, got "[]" (rule kidList:len2..5)`},
		{"one made for the account with keywords", AddSubscribeTemplateRequest{10000001, []int{1, 2}, ""}, `kidList|kidList:empty|` +
			`kidList: must be empty here, has 2, got "[1 2]" (rule kidList:empty)`},

		{"30 titles", SubscribeTitlesRequest{[]int{2}, 0, 30}, ""},
		{"31 titles", SubscribeTitlesRequest{[]int{2}, 0, 31}, `limit|limit:0..30|limit: a number from 0 to 30, got "31" (rule limit:0..30)`},
		{"titles of no category", SubscribeTitlesRequest{nil, 0, 30}, `ids|ids:required|ids: must be given, got "" (rule ids:required)`},
		{"titles from before the first", SubscribeTitlesRequest{[]int{2}, -1, 30}, `start|start:min0|start: a number not below 0, got "-1" (rule start:min0)`},

		{"20 of the library", pageRequest{0, 20}, ""},
		{"21 of the library", pageRequest{0, 21}, `count|count:0..20|count: a number from 0 to 20, got "21" (rule count:0..20)`},
		{"the library from before its start", pageRequest{-1, 20}, `offset|offset:min0|offset: a number not below 0, got "-1" (rule offset:min0)`},
		{"ten keywords of the library", AddMiniTemplateRequest{"AT9001", kids(10)}, ""},
		{"eleven keywords of the library", AddMiniTemplateRequest{"AT9001", kids(11)}, `keyword_id_list|keyword_id_list:len1..10|` +
			`keyword_id_list: a list of 1 to 10 numbers, has 11, got "[0 0 0 0 0 0 0 0 0 0 0]" (rule keyword_id_list:len1..10)`},
		{"no keyword of the library", AddMiniTemplateRequest{"AT9001", nil}, `keyword_id_list|keyword_id_list:len1..10|` +
			`keyword_id_list: a list of 1 to 10 numbers, has 0, got "[]" (rule keyword_id_list:len1..10)`},

		{"100 blocked messages", BlockedMessagesRequest{"T", 0, 100}, ""},
		{"101 blocked messages", BlockedMessagesRequest{"T", 0, 101}, `limit|limit:0..100|limit: a number from 0 to 100, got "101" (rule limit:0..100)`},
		{"both industries", SetIndustryRequest{"1", "4"}, ""},
		{"one industry", SetIndustryRequest{"1", ""}, `industry_id2|industry_id2:required|industry_id2: must be given, got "" (rule industry_id2:required)`},
		{"check of everything", callbackCheckRequest{CheckDNS, OperatorUnicom}, ""},
		{"check of another kind", callbackCheckRequest{"tcp", OperatorDefault}, `action|action:oneof|action: one of dns, ping, all, got "tcp" (rule action:oneof)`},
		{"check from elsewhere", callbackCheckRequest{CheckAll, "CMCC"}, `check_operator|check_operator:oneof|` +
			`check_operator: one of CHINANET, UNICOM, CAP, DEFAULT, got "CMCC" (rule check_operator:oneof)`},

		{"path", pathRequest{"/cgi-bin/message/template/send"}, ""},
		{"path without slash", pathRequest{"cgi-bin/token"}, `cgi_path|cgi_path:path|` +
			`cgi_path: a path that begins with a slash, without host or query, got "cgi-bin/token" (rule cgi_path:path)`},
		{"path with host", pathRequest{"https://api.weixin.qq.com/cgi-bin/token"}, `cgi_path|cgi_path:path|` +
			`cgi_path: a path that begins with a slash, without host or query, got "https://api.weixin.qq.com/cgi-bin/token" (rule cgi_path:path)`},
		{"path with a token", pathRequest{"/cgi-bin/clear_quota?access_token=99_marker"}, `cgi_path|cgi_path:path|` +
			`cgi_path: a path that begins with a slash, without host or query, got "/cgi-bin/clear_quota?access_token=[redacted]" (rule cgi_path:path)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, p := range tt.request.Check() {
				got = append(got, p.Field+"|"+p.Rule+"|"+p.Detail)
				if strings.Contains(p.Value, "marker") || !strings.HasPrefix(p.DetailZH, p.Field+"：") || !strings.HasSuffix(p.DetailZH, "（规则 "+p.Rule+"）") {
					t.Errorf("value %q, Chinese text %q", p.Value, p.DetailZH)
				}
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestBadRequestIsNotSent: every problem is told at once, nothing leaves and no
// token is asked for.
func TestBadRequestIsNotSent(t *testing.T) {
	server := newRecorder(t, answerOK)
	calls := map[string]func(context.Context, *Client) error{
		"one-time": func(ctx context.Context, c *Client) error {
			return c.SendOneTimeMessage(ctx, &OneTimeMessage{Scene: 10001, Title: strings.Repeat("x", 16)})
		},
		"subscribe": func(ctx context.Context, c *Client) error {
			_, err := c.SendSubscribeMessage(ctx, &SubscribeMessage{Lang: "fr", State: "x"})
			return err
		},
		"form": func(ctx context.Context, c *Client) error {
			_, err := c.AddSubscribeTemplate(ctx, AddSubscribeTemplateRequest{SceneDesc: strings.Repeat("x", 16)})
			return err
		},
		"query": func(ctx context.Context, c *Client) error {
			_, err := c.SubscribeTitles(ctx, SubscribeTitlesRequest{Start: -1})
			return err
		},
		"library": func(ctx context.Context, c *Client) error { _, err := c.MiniLibrary(ctx, -1, 21); return err },
		"list":    func(ctx context.Context, c *Client) error { _, err := c.ListMiniTemplates(ctx, -1, -1); return err },
		"industry": func(ctx context.Context, c *Client) error {
			return c.SetIndustry(ctx, SetIndustryRequest{})
		},
		"check": func(ctx context.Context, c *Client) error { _, err := c.CheckCallback(ctx, "", ""); return err },
	}
	for name, call := range calls {
		err := call(t.Context(), &Client{BaseURL: server.URL})
		bad, ok := errors.AsType[*RequestError](err)
		if !ok || len(bad.Problems) != 2 || OutcomeOf(err) != OutcomeNotSent || ClassOfError(err) != ClassRequest {
			t.Errorf("%s: got %v, outcome %v, class %v; want two problems, not sent, request", name, err, OutcomeOf(err), ClassOfError(err))
			continue
		}
		want := "wechat: " + string(bad.Op) + ": not sent: " + bad.Problems[0].Error() + "; " + bad.Problems[1].Error()
		if err.Error() != want {
			t.Errorf("%s: got %q, want %q", name, err, want)
		}
	}
	if len(server.seen) != 0 {
		t.Errorf("%d requests arrived: %+v", len(server.seen), server.seen)
	}
}

// TestRefusalsOfNewEndpoints has errors as they look on the wire (spec §2.7, §7).
func TestRefusalsOfNewEndpoints(t *testing.T) {
	const rid = "6aac005a-01bfdbee-79769285"
	tests := []struct {
		call, answer string
		want         Error
		class        Class
	}{
		{"subscribe add", `{"success":false,"errmsg":"missing parameter tid rid: ` + rid + `","errcode":200014}`,
			Error{EndpointNewTmplAdd, 200014, "missing parameter tid", rid}, ClassRequest},
		{"subscribe all", `{"errmsg":"reach max api daily quota limit rid: ` + rid + `","errcode":45009}`,
			Error{EndpointNewTmplList, 45009, "reach max api daily quota limit", rid}, ClassQuota},
		{"subscribe", `{"errcode":43101,"errmsg":"user refuse to accept the msg rid: ` + rid + `"}`,
			Error{EndpointSubscribeSend, 43101, "user refuse to accept the msg", rid}, ClassRecipient},
		{"notice", `{"errcode":48001,"errmsg":"api unauthorized hint: [abcDEF0123gh45]"}`,
			Error{EndpointNoticeSend, 48001, "api unauthorized", "abcDEF0123gh45"}, ClassAccount},
		{"one-time", `{"errcode":40062,"errmsg":"invalid title size"}`,
			Error{EndpointOneTimeSend, 40062, "invalid title size", ""}, ClassRequest},
		{"mini library", `{"errcode":48001,"errmsg":"api unauthorized rid: ` + rid + `"}`,
			Error{EndpointMiniLibraryList, 48001, "api unauthorized", rid}, ClassAccount},
		{"clear v2", `{"errcode":48006,"errmsg":"forbid to clear quota because of reaching the limit rid: ` + rid + `"}`,
			Error{EndpointClearQuotaV2, 48006, "forbid to clear quota because of reaching the limit", rid}, ClassQuota},
		{"clear", `{"errcode":40013,"errmsg":"invalid appid rid: ` + rid + `"}`,
			Error{EndpointClearQuota, 40013, "invalid appid", rid}, ClassRequest},
		{"quota", `{"errcode":76022,"errmsg":"could not use this cgi_path，no permission rid: ` + rid + `"}`,
			Error{EndpointQuotaGet, 76022, "could not use this cgi_path，no permission", rid}, ClassAccount},
		{"rid", `{"errcode":76001,"errmsg":"rid not found rid: ` + rid + `"}`,
			Error{EndpointRIDGet, 76001, "rid not found", rid}, ClassRequest},
		{"server check", `{"errcode":40201,"errmsg":"no url rid: ` + rid + `"}`,
			Error{EndpointCallbackCheck, 40201, "no url", rid}, ClassAccount},
		{"set industry", `{"errcode":43100,"errmsg":"change template too frequently rid: ` + rid + `"}`,
			Error{EndpointIndustrySet, 43100, "change template too frequently", rid}, ClassQuota},
	}
	calls := everyCall("s3cret-value")
	for _, tt := range tests {
		t.Run(tt.call, func(t *testing.T) {
			server := newRecorder(t, tt.answer)
			err := calls[tt.call](t.Context(), &Client{BaseURL: server.URL, Tokens: StaticToken("t")})
			got, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("got %v, want an Error", err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" || got.Class() != tt.class {
				t.Errorf("class %v, want %v; error (-want +got):\n%s", got.Class(), tt.class, diff)
			}
		})
	}
}

// TestSendsNeedAnErrcode: an object of somebody in between is not an acceptance.
func TestSendsNeedAnErrcode(t *testing.T) {
	calls := everyCall("s3cret-value")
	for _, name := range []string{"send", "mini send", "subscribe", "notice", "one-time", "uniform", "set industry",
		"delete", "mini delete", "subscribe del", "clear", "clear v2", "clear one"} {
		server := newRecorder(t, `{"status":"ok"}`)
		err := calls[name](t.Context(), &Client{BaseURL: server.URL, Tokens: StaticToken("t")})
		if ClassOfError(err) != ClassNoAnswer {
			t.Errorf("%s: class %v of %v, want no_answer", name, ClassOfError(err), err)
		}
	}
}

// TestFormRefusedAsJSON has the 415 with which newtmpl answers JSON (spec §2.5).
func TestFormRefusedAsJSON(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			w.WriteHeader(http.StatusUnsupportedMediaType)
			return
		}
		w.Write([]byte(`{"errmsg":"ok","errcode":0,"priTmplId":"` + r.FormValue("tid") + r.FormValue("kidList[1]") + r.FormValue("sceneDesc") + `"}`))
	}))
	defer server.Close()
	c := &Client{BaseURL: server.URL, Tokens: StaticToken("t")}
	if got, err := c.AddSubscribeTemplate(t.Context(), AddSubscribeTemplateRequest{401, []int{1, 2}, "a+b &中"}); got != "4012a+b &中" || err != nil {
		t.Errorf("the form reads as %q, %v", got, err)
	}
	_, err := c.Do(t.Context(), Call{Endpoint: EndpointNewTmplAdd, AccessToken: "t", Body: []byte(`{"tid":401}`)})
	if status, ok := errors.AsType[*StatusError](err); !ok || status.HTTPStatus != 415 || ClassOfError(err) != ClassRequest {
		t.Errorf("JSON gives %v, want HTTP 415, class request", err)
	}
}
