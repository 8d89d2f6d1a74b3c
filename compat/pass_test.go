package compat

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/dispatch"
	"hongyan/sandbox"
	"hongyan/template"
	"hongyan/wechat"
)

// media stands for the paths of WeChat's that the sandbox has not. It keeps what is
// uploaded and gives it back; tokens are the sandbox's.
type media struct {
	r        *rig
	kept     []byte
	requests []*http.Request
	lengths  []int64
}

func (m *media) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !strings.HasPrefix(req.URL.Path, "/cgi-bin/media/") {
		m.r.box.Sandbox.Handler().ServeHTTP(w, req)
		return
	}
	m.requests = append(m.requests, req)
	body, err := io.ReadAll(req.Body)
	m.lengths = append(m.lengths, int64(len(body)))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	check := httptest.NewRecorder()
	look := httptest.NewRequest(http.MethodGet, "/cgi-bin/get_api_domain_ip?access_token="+req.URL.Query().Get("access_token"), nil)
	m.r.box.Sandbox.Handler().ServeHTTP(check, look)
	if strings.Contains(check.Body.String(), "errcode") {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(check.Body.Bytes())
		return
	}
	if req.URL.Path == "/cgi-bin/media/upload" {
		m.kept = body
		_, _ = io.WriteString(w, `{"type":"image","media_id":"<&>","created_at":1}`)
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Content-Disposition", `attachment; filename="a.jpg"`)
	_, _ = w.Write(m.kept)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func TestMediaPassByteForByte(t *testing.T) {
	for _, size := range []int{0, 1, maxHeld - 1, maxHeld, maxHeld + 1, 5 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			inBubble(t, nil, func(r *rig) {
				m := &media{r: r}
				r.put(m.ServeHTTP)
				tok, want := r.serviceToken(), randomBytes(size)
				a := r.do(http.MethodPost, "/cgi-bin/media/upload?type=image&access_token="+tok+"&x=%E9%B8%BF+%2f", bytes.NewReader(want),
					"Content-Type: multipart/form-data; boundary=x", "Authorization: Bearer hyk_secret", "Cookie: a=b", "X-Hop: 1", "Connection: X-Hop")
				if a.body != `{"type":"image","media_id":"<&>","created_at":1}` || !bytes.Equal(m.kept, want) {
					t.Errorf("upload: %s; %d bytes arrived, want %d", a.body, len(m.kept), size)
				}
				req := m.requests[0]
				if req.URL.RawQuery != "type=image&access_token="+tok+"&x=%E9%B8%BF+%2f" || req.Host != "wechat.test" || req.ContentLength != int64(size) {
					t.Errorf("WeChat got ?%s at %s with length %d", req.URL.RawQuery, req.Host, req.ContentLength)
				}
				for _, name := range []string{"Authorization", "Cookie", "X-Hop", "Accept-Encoding"} {
					if v := req.Header.Get(name); v != "" {
						t.Errorf("WeChat got %s: %s", name, v)
					}
				}
				if got := req.Header.Get("Content-Type"); got != "multipart/form-data; boundary=x" {
					t.Errorf("WeChat got Content-Type %q", got)
				}
				down := r.get("/cgi-bin/media/get?access_token=" + tok + "&media_id=1")
				if down.body != string(want) || down.header.Get("Content-Type") != "image/jpeg" || down.header.Get("Content-Disposition") == "" {
					t.Errorf("download: %d bytes, %v; want %d", len(down.body), down.header, size)
				}
			})
		})
	}
}

// TestAnUploadWithADeadToken: the body is there a second time, however long it is.
func TestAnUploadWithADeadToken(t *testing.T) {
	for name, chunked := range map[string]bool{"of known length": false, "without a length": true} {
		for _, size := range []int{10, 3 << 20} {
			t.Run(fmt.Sprintf("%d bytes %s", size, name), func(t *testing.T) {
				inBubble(t, nil, func(r *rig) {
					m := &media{r: r}
					r.put(m.ServeHTTP)
					tok, want := r.serviceToken(), randomBytes(size)
					r.must(r.box.Sandbox.RevokeToken(serviceID))
					var body io.Reader = bytes.NewReader(want)
					if chunked {
						body = io.MultiReader(body) // net/http does not know its length
					}
					a := r.do(http.MethodPost, "/cgi-bin/media/upload?access_token="+tok, body)
					if !strings.Contains(a.body, "media_id") || !bytes.Equal(m.kept, want) {
						t.Errorf("upload: %s; %d bytes kept, want %d", a.body, len(m.kept), size)
					}
					if diff := cmp.Diff([]int64{int64(size), int64(size)}, m.lengths); diff != "" {
						t.Errorf("lengths at WeChat (-want +got):\n%s", diff)
					}
					if r.tokenCalls() != 2 {
						t.Errorf("calls for tokens: %d, want 2", r.tokenCalls())
					}
				})
			})
		}
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "hongyan-body-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("temporary files are left: %v %v", left, err)
	}
}

// TestACallRefusedForItsToken: WeChat answers 40001 to a call that wants a token of
// another kind, too. The account's is not replaced unless it is dead, so that one
// mistaken caller does not use up everybody's. Whatever becomes of it, the caller
// sees what WeChat says, but never 40014.
func TestACallRefusedForItsToken(t *testing.T) {
	for name, c := range map[string]struct {
		dead  bool
		calls int
	}{"live": {false, 1}, "dead, and so is the next": {true, 2}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(r *rig) {
				tok, calls := r.serviceToken(), 0
				if c.dead {
					r.must(r.box.Sandbox.RevokeToken(serviceID))
				}
				r.put(func(w http.ResponseWriter, req *http.Request) {
					if req.URL.Path != "/cgi-bin/menu/get" {
						r.box.Sandbox.Handler().ServeHTTP(w, req)
						return
					}
					calls++
					_, _ = io.WriteString(w, `{"errcode":40014,"errmsg":"invalid access_token rid: 6aac005a-01bfdbee-79769285"}`)
				})
				a := r.get("/cgi-bin/menu/get?access_token=" + tok)
				if want := `{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest rid: 6aac005a-01bfdbee-79769285"}`; a.body != want || calls != c.calls {
					t.Errorf("%s after %d calls, want %s after %d", a.body, calls, want, c.calls)
				}
				if got := r.tokenCalls(); got != int64(c.calls) {
					t.Errorf("calls for tokens: %d, want %d", got, c.calls)
				}
				if now := r.serviceToken(); (now == tok) == c.dead {
					t.Errorf("the token is the same as before: %v", now == tok)
				}
			})
		})
	}
}

func TestBodiesThatAreTooLong(t *testing.T) {
	inBubble(t, func(c *Config) { c.MaxBody = 2 << 20 }, func(r *rig) {
		m := &media{r: r}
		r.put(m.ServeHTTP)
		tok := r.serviceToken()
		const want = `{"errcode":45002,"errmsg":"content size out of limit: the body may have 2097152 bytes rid: *"}`
		r.want(r.do(http.MethodPost, "/cgi-bin/media/upload?access_token="+tok, bytes.NewReader(randomBytes(8<<20))), want)
		r.want(r.do(http.MethodPost, "/cgi-bin/media/upload?access_token="+tok, io.MultiReader(bytes.NewReader(randomBytes(8<<20)))), want)
		if len(m.requests) != 0 {
			t.Errorf("WeChat got %d requests, want none", len(m.requests))
		}
		r.do(http.MethodPost, "/cgi-bin/media/upload?access_token="+tok, bytes.NewReader(randomBytes(2<<20)))
		if len(m.kept) != 2<<20 {
			t.Errorf("a body of just the limit: %d bytes arrived", len(m.kept))
		}
	})
}

func TestAnswersPassAsTheyCame(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, `{"user_list":["<>&"]}`)
	_ = z.Close()
	long := `{"list":["` + strings.Repeat("长", maxPeek) + `"]}`
	tests := map[string]struct {
		status         int
		kind, encoding string
		body           string
	}{
		"JSON with a newline":    {200, "application/json", "", "{\"errcode\":0,\"a\":\"<>&\"}\n"},
		"an errcode":             {200, "text/plain", "", `{"errcode":40007,"errmsg":"invalid media_id rid: 6aac005a-01bfdbee-79769285"}`},
		"no JSON":                {200, "text/html", "", "<html>"},
		"nothing":                {204, "", "", ""},
		"HTTP 502":               {502, "text/html", "", "<html>bad gateway</html>"},
		"HTTP 302":               {302, "", "", ""},
		"packed":                 {200, "application/json", "gzip", packed.String()},
		"packed, and a lie":      {200, "application/json", "gzip", "{not packed"},
		"long JSON":              {200, "application/json", "", long},
		"JSON just at the limit": {200, "application/json", "", `{"a":"` + strings.Repeat("x", maxPeek-8) + `"}`},
		"an array":               {200, "application/json", "", `[{"errcode":40001}]`},
		"errcode of no number":   {200, "application/json", "", `{"errcode":"x"}`},
	}
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		for name, tt := range tests {
			r.put(func(w http.ResponseWriter, _ *http.Request) {
				h := w.Header()
				h.Set("X-Wechat", "1")
				h.Set("Keep-Alive", "timeout=5")
				if h["Content-Type"] = nil; tt.kind != "" {
					h.Set("Content-Type", tt.kind)
				}
				if tt.encoding != "" {
					h.Set("Content-Encoding", tt.encoding)
				}
				if tt.status == 302 {
					h.Set("Location", "http://elsewhere.test/?access_token=1")
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			r.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			a := r.do(http.MethodGet, "/cgi-bin/user/get?access_token="+tok, nil, "Accept-Encoding: gzip")
			if a.status != tt.status || a.body != tt.body || a.header.Get("X-Wechat") != "1" ||
				a.header.Get("Content-Encoding") != tt.encoding || tt.kind != "" && a.header.Get("Content-Type") != tt.kind {
				t.Errorf("%s: HTTP %d %v, %d bytes; want HTTP %d %s, %d bytes", name, a.status, a.header, len(a.body), tt.status, tt.kind, len(tt.body))
			}
		}
	})
}

// TestAPackedRefusal: callers who take gzip get their retry, too.
func TestAPackedRefusal(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		tok, calls := r.serviceToken(), 0
		r.must(r.box.Sandbox.RevokeToken(serviceID))
		r.put(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path != "/cgi-bin/user/get" {
				r.box.Sandbox.Handler().ServeHTTP(w, req)
				return
			}
			text := `{"total":1}`
			if calls++; calls == 1 {
				text = `{"errcode":42001,"errmsg":"access_token expired"}`
			}
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, text)
			_ = z.Close()
		})
		a := r.do(http.MethodGet, "/cgi-bin/user/get?access_token="+tok, nil, "Accept-Encoding: gzip")
		z, err := gzip.NewReader(strings.NewReader(a.body))
		r.must(err)
		text, err := io.ReadAll(z)
		if string(text) != `{"total":1}` || err != nil || calls != 2 {
			t.Errorf("%s (%v) after %d calls", text, err, calls)
		}
	})
}

// TestAnAnswerIsStreamed: what WeChat has sent is with the caller at once.
func TestAnAnswerIsStreamed(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		r.put(func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				_, _ = io.WriteString(w, "part")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(50 * time.Second)
			}
		})
		begun := time.Now()
		resp, err := r.client.Get(gateURL + "/cgi-bin/media/get?access_token=" + tok)
		r.must(err)
		defer resp.Body.Close()
		buf := make([]byte, 4)
		for i := range 3 {
			if _, err := io.ReadFull(resp.Body, buf); err != nil || time.Since(begun) != time.Duration(i)*50*time.Second {
				t.Errorf("part %d after %v: %q %v", i, time.Since(begun), buf, err)
			}
		}
		rest, err := io.ReadAll(resp.Body)
		if len(rest) != 0 || err != nil {
			t.Errorf("then %q, %v", rest, err)
		}
	})
}

func TestWeChatDoesNotAnswer(t *testing.T) {
	const maybe = `{"errcode":-1,"errmsg":"system error: WeChat did not answer, the call may have been carried out rid: *"}`
	tests := map[string]struct {
		wechat http.HandlerFunc
		took   time.Duration
		want   string
	}{
		"cut off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, maybe},
		"silent": {func(_ http.ResponseWriter, req *http.Request) {
			_, _ = io.Copy(io.Discard, req.Body)
			<-req.Context().Done()
		}, idleTime, maybe},
		"cut off in the answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"errcode":0`)
		}, 0, `{"errcode":-1,"errmsg":"system error: WeChat's answer broke off, the call may have been carried out rid: *"}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(r *rig) {
				tok := r.serviceToken()
				r.put(tt.wechat)
				begun := time.Now()
				r.want(r.post("/cgi-bin/menu/create?access_token="+tok, "{}"), tt.want)
				if took := time.Since(begun); took != tt.took {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
			})
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		inBubble(t, nil, func(r *rig) {
			tok := r.serviceToken()
			a, err := r.store.Account(r.t.Context(), serviceID)
			r.must(err)
			a.BaseURL = "http://nowhere.test"
			r.must(r.store.UpdateAccount(r.t.Context(), a))
			r.gate.AccountChanged(serviceID)
			r.want(r.post("/cgi-bin/menu/create?access_token="+tok, "{}"),
				`{"errcode":-1,"errmsg":"system error: WeChat could not be reached, nothing was sent rid: *"}`)
		})
	})
	t.Run("in the middle of a download", func(t *testing.T) {
		inBubble(t, nil, func(r *rig) {
			tok := r.serviceToken()
			r.put(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100000")
				_, _ = w.Write(randomBytes(50_000))
			})
			if a, err := r.try(http.MethodGet, "/cgi-bin/media/get?access_token="+tok, nil); err == nil {
				t.Errorf("the caller took %d of 100000 bytes for the whole", len(a.body))
			}
		})
	})
}

// TestASilentCaller: one who stops in the middle of an upload holds nothing for long.
func TestASilentCaller(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		r.put((&media{r: r}).ServeHTTP)
		tok := r.serviceToken()
		in, out := io.Pipe()
		req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, gateURL+"/cgi-bin/media/upload?access_token="+tok, in)
		r.must(err)
		req.ContentLength = 3 << 20
		failed := make(chan error, 1)
		go func() {
			_, err := r.client.Do(req)
			failed <- err
		}()
		_, err = out.Write(randomBytes(2 << 20))
		r.must(err)
		time.Sleep(idleTime)
		synctest.Wait()
		if got := len(r.observed); got != 2 {
			t.Errorf("calls that have ended: %d, want the one for the token and the upload", got)
		}
		_ = out.Close()
		if err := <-failed; err == nil {
			t.Error("the caller was answered, want the connection closed")
		}
	})
}

func TestPathsThatAreNone(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		const want = `{"errcode":40066,"errmsg":"invalid url rid: *"}`
		for _, path := range []string{
			"/", "/v1/messages", "/cgi-bin", "/cgi-bin/../v1/x", "/cgi-bin/%2e%2e/sandbox/v1/stats", "/cgi-bin/..%2fsandbox/v1/stats",
			"/cgi-bin/a%2Fb", "/cgi-bin//menu", "/cgi-bin/./menu", "/cgi-bin/menu%00", "/cgi-bin/menu%0d%0aX:1", `/cgi-bin/..\x`,
			"/cgi-bin/menu%3faccess_token=1", "/cgi-bin/%25%32%65", "/sandbox/v1/stats", "/wxa/中", "//evil.example/cgi-bin/x",
		} {
			w := httptest.NewRecorder()
			req := httptest.NewRequest(http.MethodGet, "http://gateway.test/", nil)
			u, err := req.URL.Parse("http://gateway.test" + path)
			r.must(err)
			req.URL = u
			req.URL.RawQuery = "access_token=" + tok
			r.gate.ServeHTTP(w, req)
			if got := anyRID.ReplaceAllString(w.Body.String(), "rid: *"); got != want {
				t.Errorf("%s: %s", path, got)
			}
		}
		if n := r.calls("(other)") + r.calls("/sandbox/v1/stats"); n != 0 {
			t.Errorf("%d calls went through", n)
		}
	})
}

// TestDetoursToOurOwnPaths: another spelling of a path that is served here must not
// lead past the engine, or to a token of its own.
func TestDetoursToOurOwnPaths(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		for _, path := range []string{"/cgi-bin/message/template/send/", "/cgi-bin/message/Template/SEND", "/cgi-bin/%6dessage/template/send"} {
			r.msgIDOf(r.post(path+"?access_token="+tok, order(ordinary, "")))
		}
		if len(r.stored()) != 3 {
			t.Errorf("%d messages were stored, want 3", len(r.stored()))
		}
		for _, path := range []string{"/cgi-bin/token/", "/cgi-bin/Token"} {
			if a := r.get(path + "?grant_type=client_credential&appid=" + serviceID + "&secret=" + sandbox.SeedServiceSecret); !strings.Contains(a.body, tok) {
				t.Errorf("%s: %s", path, a.body)
			}
		}
		if r.tokenCalls() != 1 {
			t.Errorf("calls for tokens: %d, want 1", r.tokenCalls())
		}
	})
}

func TestPathRules(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		ask := func(path string) string {
			return anyRID.ReplaceAllString(r.post(path+"?access_token="+tok, "{}").body, "rid: *")
		}
		passed := `{"errcode":40066,"errmsg":"invalid url rid: *"}` // the sandbox has no menus
		denied := `{"errcode":48001,"errmsg":"api unauthorized: this gateway refuses /cgi-bin/menu/delete for ` + serviceID + ` (deny \"/cgi-bin/menu/*\") rid: *"}`
		other := `{"errcode":48001,"errmsg":"api unauthorized: this gateway refuses /cgi-bin/tags/create for ` + serviceID + ` (not among the paths of allow) rid: *"}`
		if got := ask("/cgi-bin/menu/delete"); got != passed {
			t.Errorf("without rules: %s", got)
		}
		r.changeAccount(serviceID, func(a *hongyan.Account) {
			a.Paths = hongyan.PathRules{Allow: []string{"/cgi-bin/menu/*", "/cgi-bin/user/get"}, Deny: []string{"/cgi-bin/menu/*"}}
		})
		for path, want := range map[string]string{
			"/cgi-bin/menu/delete": denied, "/cgi-bin/Menu/delete/": denied, "/cgi-bin/m%65nu/delete": denied,
			"/cgi-bin/tags/create": other, "/cgi-bin/user/get": passed, "/cgi-bin/user/get/": passed,
		} {
			if got := ask(path); got != want {
				t.Errorf("%s: %s\nwant %s", path, got, want)
			}
		}
		r.msgIDOf(r.post(sendPathOf+tok, order(ordinary, ""))) // sends are not subject to them
	})
}

func TestLoginsOfUsers(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		var seen []string
		r.put(func(w http.ResponseWriter, req *http.Request) {
			if !strings.HasPrefix(req.URL.Path, "/sns/") {
				r.box.Sandbox.Handler().ServeHTTP(w, req)
				return
			}
			seen = append(seen, req.URL.Path+"?"+req.URL.RawQuery)
			_, _ = io.WriteString(w, `{"openid":"o1"}`)
		})
		good, narrow := r.gatewaySecret("key_1", "orders", serviceID), r.gatewaySecret("key_2", "mini only", miniID)
		const path = "/sns/oauth2/access_token"
		login := func(secret string) answered {
			return r.get(path + "?appid=" + serviceID + "&secret=" + secret + "&code=c%2b1&grant_type=authorization_code")
		}
		const fine = `{"openid":"o1"}`
		r.want(login(good), fine)
		r.want(login(sandbox.SeedServiceSecret), fine)
		r.want(login("nonsense"), `{"errcode":40125,"errmsg":"invalid appsecret rid: *"}`)
		r.want(login(narrow), `{"errcode":48001,"errmsg":"api unauthorized: the gateway secret key_2 (mini only) does not cover `+serviceID+` rid: *"}`)
		r.want(r.get(path+"?appid=wx0000000000000000&secret="+good), `{"errcode":40013,"errmsg":"invalid appid rid: *"}`)
		r.want(r.get("/sns/jscode2session?appid="+miniID+"&secret="+narrow+"&js_code=1"), fine)
		r.want(r.get("/sns/oauth2/refresh_token?appid="+serviceID+"&refresh_token=r"), fine)
		r.want(r.get("/sns/userinfo?access_token=86_users&openid=o1"), fine)
		r.want(r.get("/sns/auth?access_token=86_users&openid=o1"), fine)
		r.want(r.get("/sns/other?access_token=86_users"), `{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest rid: *"}`)
		r.changeAccount(serviceID, func(a *hongyan.Account) { a.Paths.Deny = []string{"/sns/*"} })
		r.changeAccount(miniID, func(a *hongyan.Account) { a.Paths.Deny = []string{"/sns/*"} })
		r.want(r.get("/sns/userinfo?access_token=86_users&openid=o2"), fine) // it may be a third account's
		r.want(r.get("/sns/other"), `{"errcode":41001,"errmsg":"access_token missing rid: *"}`)
		real := path + "?appid=" + serviceID + "&secret=" + sandbox.SeedServiceSecret + "&code=c%2b1&grant_type=authorization_code"
		want := []string{
			real, real, "/sns/jscode2session?appid=" + miniID + "&secret=" + sandbox.SeedMiniSecret + "&js_code=1",
			"/sns/oauth2/refresh_token?appid=" + serviceID + "&refresh_token=r",
			"/sns/userinfo?access_token=86_users&openid=o1", "/sns/auth?access_token=86_users&openid=o1",
			"/sns/userinfo?access_token=86_users&openid=o2",
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("WeChat got (-want +got):\n%s", diff)
		}
	})
}

func TestClearQuota(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		tok := r.serviceToken()
		r.msgIDOf(r.post(sendPathOf+tok, order(ordinary, "")))
		r.must(r.box.Sandbox.UpdateAccount(serviceID, sandbox.AccountSpec{DailyQuota: new(1)}))
		held := r.msgIDOf(r.post(sendPathOf+tok, order(ordinary, ""))) // 45009
		if m := r.stored()[0]; m.State != hongyan.Held || m.OwnMsgID != held {
			t.Fatalf("the message is %s, want held by the quota", m.State)
		}
		r.must(r.box.Sandbox.UpdateAccount(serviceID, sandbox.AccountSpec{DailyQuota: new(100)}))

		path, body := "/cgi-bin/clear_quota?access_token="+tok, `{"appid":"`+serviceID+`"}`
		r.want(r.post(path, body), `{"errcode":48001,"errmsg":"api unauthorized: WeChat takes this call 10 times a month only; if it is meant, `+
			`add hongyan_confirm=clear_quota to the query or send the header X-Hongyan-Confirm: clear_quota rid: *"}`)
		r.want(r.get(path), `{"errcode":43002,"errmsg":"require POST method rid: *"}`)
		if n := r.calls("/cgi-bin/clear_quota"); n != 0 {
			t.Errorf("%d calls without confirmation reached WeChat", n)
		}
		const ok = `{"errcode":0,"errmsg":"ok"}`
		r.want(r.post(path+"&hongyan_confirm=clear_quota", body), ok)
		time.Sleep(time.Minute)
		synctest.Wait()
		if m := r.stored()[0]; m.State != hongyan.Accepted && m.State != hongyan.Delivered {
			t.Errorf("the message is %s afterwards, want it sent", m.State)
		}
		if diff := cmp.Diff([]string{serviceID}, r.changed); diff != "" {
			t.Errorf("told of a change (-want +got):\n%s", diff)
		}
		v2 := "/cgi-bin/clear_quota/v2?hongyan_confirm=clear_quota"
		clear2 := func(secret string) string { return `{"appid":"` + serviceID + `","appsecret":"` + secret + `"}` }
		r.want(r.post(v2, clear2("nonsense")), `{"errcode":40125,"errmsg":"invalid appsecret rid: *"}`)
		r.want(r.post(v2, `{}`), `{"errcode":41002,"errmsg":"appid missing rid: *"}`)
		r.want(r.post(v2, clear2(r.gatewaySecret("key_1", "ops"))), ok)
		for range 8 {
			r.want(r.do(http.MethodPost, "/cgi-bin/clear_quota/v2", strings.NewReader(clear2(sandbox.SeedServiceSecret)), "X-Hongyan-Confirm: clear_quota"), ok)
		}
		r.want(r.post(v2, clear2(sandbox.SeedServiceSecret)), `{"errcode":48006,"errmsg":"forbid to clear quota because of reaching the limit: 10 of 10 this month rid: *"}`)
		r.want(r.post("/cgi-bin/openapi/quota/clear?hongyan_confirm=clear_quota&access_token="+tok, `{"cgi_path":"/cgi-bin/message/template/send"}`), ok)
	})
}

// TestATemplateIsUsableOnceItIsAdded: an SDK adds it and sends it in one breath.
func TestATemplateIsUsableOnceItIsAdded(t *testing.T) {
	var shelf *template.Shelf
	bend := func(c *Config) {
		shelf = template.New(template.Config{Store: c.Store, Tokens: c.Tokens, HTTPClient: c.HTTPClient, Changed: c.Changed})
		c.TemplatesChanged = func(ctx context.Context, appID string) { _, _ = shelf.Sync(ctx, appID) }
	}
	inBubble(t, bend, func(r *rig) {
		tok := r.serviceToken()
		r.msgIDOf(r.post(sendPathOf+tok, order(ordinary, ""))) // the list was read just now
		added := r.post("/cgi-bin/template/api_add_template?access_token="+tok, `{"template_id_short":"43217","keyword_name_list":["订单编号"]}`)
		_, rest, _ := strings.Cut(added.body, `"template_id":"`)
		id, _, _ := strings.Cut(rest, `"`)
		if len(id) != 43 {
			t.Fatalf("add: %s", added.body)
		}
		stored, err := r.store.Template(r.t.Context(), serviceID, id)
		r.must(err)
		data := dispatch.Data{}
		for _, key := range wechat.ParseContent(stored.Content).Params() {
			data[key] = wechat.Field{Value: "1"}
		}
		body, err := wechat.MarshalBody(wechat.TemplateMessage{ToUser: ordinary, TemplateID: id, Data: data})
		r.must(err)
		r.msgIDOf(r.post(sendPathOf+tok, string(body)))
	})
}
