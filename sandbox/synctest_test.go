package sandbox_test

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

// gateway records the pushes it gets and answers them.
type gateway struct {
	mu     sync.Mutex
	list   []pushed
	answer func(n int, w http.ResponseWriter, r *http.Request)
}

type pushed struct {
	at     time.Duration // since the bubble began
	header http.Header
	query  map[string][]string
	body   string
}

func newGateway(s *sandboxtest.Server) *gateway {
	g := &gateway{answer: func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "success") }}
	begin := time.Now()
	s.RegisterHost("gateway.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		g.mu.Lock()
		g.list = append(g.list, pushed{time.Since(begin), r.Header, r.URL.Query(), string(body)})
		n := len(g.list)
		g.mu.Unlock()
		g.answer(n, w, r)
	}))
	return g
}

// got is the pushes so far, in the order they came.
func (g *gateway) got() []pushed {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.list)
}

const callbackURL = "http://gateway.test/callback/a?tenant=7"

func TestSendIsPushedBackInsideABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		g := newGateway(s)
		mustNil(t, s.Sandbox.SetServerURL(sandbox.SeedServiceAppID, callbackURL, "", ""))
		token := plainToken(t, s).AccessToken

		answer := do(t, s, with(pathSend, token), orderBody(user, ""))
		wantBody(t, answer, `{"errcode":0,"errmsg":"ok","msgid":`+lastRow(t, s).MsgID+`}`)
		synctest.Wait()
		if len(g.got()) != 0 {
			t.Fatalf("%d pushes before the delivery delay, want 0", len(g.got()))
		}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()

		if len(g.got()) != 1 {
			t.Fatalf("%d pushes, want 1", len(g.got()))
		}
		want := "<xml>\n<ToUserName><![CDATA[gh_a1a1a1a1a1a1]]></ToUserName>\n" +
			"<FromUserName><![CDATA[" + user + "]]></FromUserName>\n" +
			"<CreateTime>946684801</CreateTime>\n<MsgType><![CDATA[event]]></MsgType>\n" +
			"<Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>\n" +
			"<MsgID>" + lastRow(t, s).MsgID + "</MsgID>\n<Status><![CDATA[success]]></Status>\n</xml>"
		if diff := cmp.Diff(want, g.got()[0].body); diff != "" {
			t.Errorf("push (-want +got):\n%s", diff)
		}
		row := lastRow(t, s)
		wantPushes := []sandbox.LedgerPush{{At: row.Pushes[0].At, HTTPStatus: 200}}
		if diff := cmp.Diff(wantPushes, row.Pushes); diff != "" {
			t.Errorf("pushes in the ledger (-want +got):\n%s", diff)
		}
	})
}

func TestTracesWorkOverTheInMemoryNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		var seen []string
		trace := &httptrace.ClientTrace{
			GotConn:              func(httptrace.GotConnInfo) { seen = append(seen, "connected") },
			WroteRequest:         func(httptrace.WroteRequestInfo) { seen = append(seen, "wrote") },
			GotFirstResponseByte: func() { seen = append(seen, "answered") },
		}
		ctx := httptrace.WithClientTrace(t.Context(), trace)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+pathSend, strings.NewReader("{}"))
		mustNil(t, err)
		resp, err := s.Client.Do(req)
		mustNil(t, err)
		_ = resp.Body.Close()
		synctest.Wait()
		if diff := cmp.Diff([]string{"connected", "wrote", "answered"}, seen); diff != "" {
			t.Errorf("trace (-want +got):\n%s", diff)
		}
	})
}

func TestADayOfTokensPassesInsideABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandboxtest.NewInMemory(t)
		tokens := map[string]bool{}
		for range 24 {
			tokens[stableToken(t, s, false).AccessToken] = true
			time.Sleep(time.Hour)
		}
		if got, want := len(tokens), 12; got != want {
			t.Errorf("%d different tokens in a day, want %d", got, want)
		}
	})
}
