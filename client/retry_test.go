package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox/sandboxtest"
)

// moody is a gateway that answers each call as the next of its moods says, and the
// last of them from then on. It notes what it is asked, and when.
type moody struct {
	moods []mood
	mu    sync.Mutex
	asked []string
	at    []time.Time
}

type mood func(w http.ResponseWriter)

func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m.mu.Lock()
	next := m.moods[min(len(m.asked), len(m.moods)-1)]
	m.asked = append(m.asked, fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("Idempotency-Key"), body))
	m.at = append(m.at, time.Now())
	m.mu.Unlock()
	w.Header().Set("X-Request-Id", "req_1")
	next(w)
}

// pauses are the times between calls.
func (m *moody) pauses() (all []time.Duration) {
	for i := 1; i < len(m.at); i++ {
		all = append(all, m.at[i].Sub(m.at[i-1]))
	}
	return all
}

// dropped is a connection that ends without an answer.
func dropped(http.ResponseWriter) { panic(http.ErrAbortHandler) }

// broken is an answer that ends in its middle.
func broken(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, `{"id":`)
	panic(http.ErrAbortHandler)
}

func says(status int, body string, header ...string) mood {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

var (
	notReady = says(503, `{"status":503,"code":"unavailable","detail":"not now","errors":[],"retryable":true}`)
	stored   = says(202, `{"id":"msg_1","state":"queued"}`)
	read     = says(200, `{"id":"msg_1","state":"delivered","final":true}`)
	refused  = says(422, `{"status":422,"code":"unknown_template","detail":"no","errors":[],"retryable":false}`)
)

// inBubble tells a story about a gateway of those moods, with a clock of its own.
func inBubble(t *testing.T, moods []mood, story func(t *testing.T, c *Client, m *moody)) {
	synctest.Test(t, func(t *testing.T) {
		box, m := sandboxtest.NewInMemory(t), &moody{moods: moods}
		box.RegisterHost("gateway.test", m)
		c := New("http://gateway.test", "hyk_secret")
		c.HTTPClient = box.Client
		story(t, c, m)
	})
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	tests := []struct {
		name  string
		moods []mood
	}{
		{"no answer", []mood{dropped, stored}},
		{"half an answer", []mood{broken, broken, stored}},
		{"not ready", []mood{notReady, dropped, notReady, stored}},
		{"something in front of it that is not ready", []mood{says(502, "<html>"), stored}},
		{"too many calls", []mood{says(429, ""), stored}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, tt.moods, func(t *testing.T, c *Client, m *moody) {
				sent, err := c.Send(t.Context(), NewMessage("shop", "o1", "t", Values{"b": "2", "a": "1"}))
				if err != nil || sent.ID != "msg_1" {
					t.Fatalf("sent %+v, %v", sent, err)
				}
				if len(m.asked) != len(tt.moods) {
					t.Errorf("%d calls, want %d", len(m.asked), len(tt.moods))
				}
				for _, asked := range m.asked {
					if asked != m.asked[0] || !strings.HasPrefix(asked, "POST /v1/messages client-") {
						t.Errorf("asked %q, want the same each time, with a key: %q", asked, m.asked[0])
					}
				}
			})
		})
	}
}

func TestWhatWouldNotPassIsNot(t *testing.T) {
	tests := []struct {
		name string
		mood mood
		code Code
	}{
		{"a refusal", refused, CodeUnknownTemplate},
		{"a fault of the gateway's own", says(500, `{"status":500,"code":"internal","detail":"x","errors":[],"retryable":false}`), CodeInternal},
		{"a page that is not there", says(404, ""), "http_404"},
		{"success of something else", says(200, `{"errcode":0}`), NotAGateway},
		{"a redirect", says(302, "", "Location", "https://user:secret@elsewhere.test/?key=secret"), "http_302"},
		{"a longer pause than is liked", says(503, `{"status":503,"code":"unavailable","errors":[],"retryable":true}`, "Retry-After", "11"), CodeUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, []mood{tt.mood}, func(t *testing.T, c *Client, m *moody) {
				_, err := c.Send(t.Context(), NewMessage("shop", "o1", "t", nil))
				if CodeOf(err) != tt.code || !errors.Is(err, tt.code) || len(m.asked) != 1 {
					t.Errorf("%d calls, error %v, want one and %s", len(m.asked), err, tt.code)
				}
				if strings.Contains(fmt.Sprint(err), "secret") {
					t.Errorf("the error has a secret in it: %v", err)
				}
			})
		})
	}
}

// TestOnlyWhatIsSafeIsRepeated makes every kind of call to a gateway that never answers.
func TestOnlyWhatIsSafeIsRepeated(t *testing.T) {
	calls := map[string]struct {
		make  func(context.Context, *Client) error
		tries int
	}{
		"read": {func(ctx context.Context, c *Client) error { _, err := c.Message(ctx, "m"); return err }, 4},
		"list": {func(ctx context.Context, c *Client) error { _, err := c.Keys(ctx); return err }, 4},
		"put": {func(ctx context.Context, c *Client) error {
			_, err := c.PushToken(ctx, "shop", TokenPush{})
			return err
		}, 4},
		"delete":     {func(ctx context.Context, c *Client) error { return c.RevokeKey(ctx, "k") }, 4},
		"send":       {func(ctx context.Context, c *Client) error { _, err := c.Send(ctx, MessageRequest{}); return err }, 4},
		"send JSON":  {func(ctx context.Context, c *Client) error { _, err := c.SendJSON(ctx, []byte("{}"), "k"); return err }, 4},
		"cancel":     {func(ctx context.Context, c *Client) error { _, err := c.Cancel(ctx, "m"); return err }, 1},
		"retry":      {func(ctx context.Context, c *Client) error { _, err := c.Retry(ctx, "m"); return err }, 1},
		"make a key": {func(ctx context.Context, c *Client) error { _, err := c.CreateKey(ctx, KeyRequest{}); return err }, 1},
		"change": {func(ctx context.Context, c *Client) error {
			_, err := c.UpdateAccount(ctx, "shop", AccountPatch{})
			return err
		}, 1},
		"fetch tokens": {func(ctx context.Context, c *Client) error { _, err := c.RefreshToken(ctx, "shop", ""); return err }, 1},
	}
	for name, what := range calls {
		t.Run(name, func(t *testing.T) {
			inBubble(t, []mood{dropped}, func(t *testing.T, c *Client, m *moody) {
				err := what.make(t.Context(), c)
				if err == nil || !Retryable(err) || len(m.asked) != what.tries {
					t.Errorf("%d calls, error %v, want %d and one that says to try again", len(m.asked), err, what.tries)
				}
			})
		})
	}
}

func TestPausesGrowAndDiffer(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 3 {
		inBubble(t, []mood{notReady}, func(t *testing.T, c *Client, m *moody) {
			c.Retries = RetryPolicy{Tries: 8, Wait: time.Second, MaxWait: 20 * time.Second}
			_, err := c.Message(t.Context(), "m")
			if CodeOf(err) != CodeUnavailable || len(m.asked) != 8 {
				t.Fatalf("%d calls, error %v", len(m.asked), err)
			}
			for i, longest := range []time.Duration{1, 2, 4, 8, 16, 20, 20} {
				longest *= time.Second
				got := m.pauses()[i]
				if got < longest/2 || got > longest {
					t.Errorf("pause %d is %v, want between %v and %v", i+1, got, longest/2, longest)
				}
				seen[got] = true
			}
		})
	}
	if len(seen) < 15 {
		t.Errorf("%d different pauses of 21, want them to be random", len(seen))
	}
}

func TestTheGatewayIsGivenTheTimeItAsksFor(t *testing.T) {
	at := time.Date(2000, 1, 1, 0, 0, 9, 0, time.UTC) // bubbles begin at midnight
	for name, header := range map[string]string{"seconds": "9", "a time": at.Format(http.TimeFormat)} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, []mood{says(503, "", "Retry-After", header), read}, func(t *testing.T, c *Client, m *moody) {
				if _, err := c.Message(t.Context(), "m"); err != nil {
					t.Fatal(err)
				}
				if got := m.pauses(); got[0] < 9*time.Second || got[0] > 9*time.Second+defaultWait {
					t.Errorf("the pause was %v, want 9 s and a little", got[0])
				}
			})
		})
	}
	for _, text := range []string{"", "soon", "-1", "Sat, 01 Jan 2000 00:00:00 GMT"} {
		if got := retryAfter(text); got != 0 {
			t.Errorf("Retry-After %q gave %v, want none", text, got)
		}
	}
	if got := retryAfter("99999999999999"); got != maxRetryAfter {
		t.Errorf("got %v, want %v", got, maxRetryAfter)
	}
}

func TestTheContextEndsWaiting(t *testing.T) {
	t.Run("a deadline that the pause would pass", func(t *testing.T) {
		inBubble(t, []mood{says(503, "", "Retry-After", "5")}, func(t *testing.T, c *Client, m *moody) {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			began := time.Now()
			_, err := c.Message(ctx, "m")
			if !errors.Is(err, context.DeadlineExceeded) || CodeOf(err) != "http_503" || len(m.asked) != 1 {
				t.Errorf("%d calls, error %v, want one, and an error that has both", len(m.asked), err)
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("took %v to see that there is no time", took)
			}
		})
	})
	t.Run("cancelled while it waits", func(t *testing.T) {
		inBubble(t, []mood{says(503, "", "Retry-After", "5")}, func(t *testing.T, c *Client, m *moody) {
			ctx, cancel := context.WithCancelCause(t.Context())
			closing := errors.New("closing for today")
			time.AfterFunc(3*time.Second, func() { cancel(closing) })
			began := time.Now()
			_, err := c.Message(ctx, "m")
			if !errors.Is(err, closing) || CodeOf(err) != "http_503" || time.Since(began) != 3*time.Second {
				t.Errorf("after %v, error %v", time.Since(began), err)
			}
		})
	})
	t.Run("cancelled before it began", func(t *testing.T) {
		inBubble(t, []mood{read}, func(t *testing.T, c *Client, m *moody) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := c.Message(ctx, "m"); !errors.Is(err, context.Canceled) || len(m.asked) != 0 {
				t.Errorf("%d calls, error %v", len(m.asked), err)
			}
		})
	})
}

func TestOneTryRepeatsNothing(t *testing.T) {
	inBubble(t, []mood{notReady}, func(t *testing.T, c *Client, m *moody) {
		c.Retries = RetryPolicy{Tries: 1}
		_, err := c.Send(t.Context(), MessageRequest{})
		if CodeOf(err) != CodeUnavailable || len(m.asked) != 1 || strings.Contains(m.asked[0], "client-") {
			t.Errorf("asked %q, error %v, want one call without a key", m.asked, err)
		}
	})
}

func TestEverySendHasAKeyOfItsOwn(t *testing.T) {
	inBubble(t, []mood{stored}, func(t *testing.T, c *Client, m *moody) {
		for range 3 {
			if _, err := c.Send(t.Context(), NewMessage("shop", "o1", "t", nil)); err != nil {
				t.Fatal(err)
			}
		}
		if slices.Sort(m.asked); len(slices.Compact(m.asked)) != 3 {
			t.Errorf("asked %q, want three keys", m.asked)
		}
	})
}

// TestADeleteThatWasDoneIsNoError: the first answer is lost, the second finds nothing.
func TestADeleteThatWasDoneIsNoError(t *testing.T) {
	gone := says(404, `{"status":404,"code":"not_found","detail":"x","errors":[],"retryable":false}`)
	inBubble(t, []mood{dropped, gone}, func(t *testing.T, c *Client, _ *moody) {
		if err := c.RevokeKey(t.Context(), "k"); err != nil {
			t.Error(err)
		}
	})
	inBubble(t, []mood{says(504, "<html>"), gone}, func(t *testing.T, c *Client, _ *moody) {
		if err := c.RevokeKey(t.Context(), "k"); err != nil {
			t.Error(err)
		}
	})
	inBubble(t, []mood{notReady, gone}, func(t *testing.T, c *Client, _ *moody) {
		if err := c.RevokeKey(t.Context(), "k"); !errors.Is(err, CodeNotFound) {
			t.Errorf("error %v, want that there is none: nothing was done before", err)
		}
	})
}

func TestNobodyListening(t *testing.T) {
	inBubble(t, []mood{read}, func(t *testing.T, c *Client, _ *moody) {
		c.BaseURL = "http://nobody.test"
		if _, err := c.Message(t.Context(), "m"); err == nil || !Retryable(err) || CodeOf(err) != "" {
			t.Errorf("error %v", err)
		}
	})
}

func TestNoSecretIsInAnError(t *testing.T) {
	for _, base := range []string{"", "gateway.test", "ftp://gateway.test", "http://u:s3cr3t@ x", "http://u:s3cr3t@gateway.test/?key=s3cr3t", "http://u:s3cr3t@127.0.0.1:1"} {
		c := &Client{BaseURL: base, Key: "hyk_s3cr3t\n", Retries: RetryPolicy{Tries: 1}}
		_, err := c.CreateAccount(t.Context(), AccountRequest{Secret: "s3cr3t"})
		if err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q gave %v", base, err)
		}
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if text := fmt.Sprintf(format+format, c, *c); strings.Contains(text, "s3cr3t") {
				t.Errorf("%s prints %s", format, text)
			}
		}
		if text, err := encode(c); err == nil && strings.Contains(string(text), "hyk_") {
			t.Errorf("as JSON: %s", text)
		}
	}
}

func TestWaitEndsWithTheMessage(t *testing.T) {
	onTheWay := says(200, `{"id":"msg_1","state":"sending"}`)
	inBubble(t, []mood{onTheWay, onTheWay, notReady, onTheWay, onTheWay, read}, func(t *testing.T, c *Client, m *moody) {
		got, err := c.Wait(t.Context(), "msg_1")
		if err != nil || got.State != StateDelivered || !got.Arrived() || len(m.asked) != 6 {
			t.Errorf("%d calls, message %+v, %v", len(m.asked), got, err)
		}
	})
	inBubble(t, []mood{says(200, `{"id":"msg_1","state":"held"}`)}, func(t *testing.T, c *Client, m *moody) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		got, err := c.Wait(ctx, "msg_1")
		if !errors.Is(err, context.DeadlineExceeded) || got.State != StateHeld || !strings.Contains(err.Error(), "msg_1, which is held") {
			t.Errorf("message %+v, %v", got, err)
		}
		if n := len(m.asked); n < 1790 || n > 1810 {
			t.Errorf("%d calls in an hour, want one every 2 s", n)
		}
	})
	inBubble(t, []mood{says(404, `{"status":404,"code":"unknown_message","errors":[]}`)}, func(t *testing.T, c *Client, _ *moody) {
		if _, err := c.Wait(t.Context(), "msg_1"); !errors.Is(err, CodeUnknownMessage) {
			t.Errorf("error %v", err)
		}
	})
}

func TestFieldsOfAProblem(t *testing.T) {
	err := fmt.Errorf("order 7: %w", &Problem{Status: 422, Code: "bad_value", Errors: []FieldError{{Pointer: "/data/thing1", Detail: "too long"}}})
	p, ok := errors.AsType[*Problem](err)
	if !ok || p.Field("/data/thing1") != "too long" || p.Field("/data") != "" {
		t.Errorf("problem %+v", p)
	}
	if got := (&Problem{Code: "wechat_40037"}); !errors.Is(got, WeChatCode(40037)) || errors.Is(got, WeChatCode(40036)) {
		t.Errorf("%v is not WeChat's 40037", got)
	}
	if CodeOf(nil) != "" || Retryable(nil) || Retryable(context.Canceled) {
		t.Error("nothing is a problem")
	}
	if diff := cmp.Diff(Values{"a": "1"}, Values{"a": NewMessage("", "", "", Values{"a": "1"}).Data["a"].Value}); diff != "" {
		t.Error(diff)
	}
}
