package mini_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"hongyan"
	"hongyan/access"
	"hongyan/api"
	"hongyan/sandbox"
)

const recipeKey = "hyk_recipe-key-00000000000000000000000000000000"

// recipe returns a request of a page of docs, as the page has it but for the key.
func recipe(t *testing.T, page, name string) *http.Request {
	t.Helper()
	text, err := os.ReadFile("../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "<!-- recipe: "+name+" -->\n```http\n")
	raw, _, closed := strings.Cut(rest, "\n```")
	if !found || !closed {
		t.Fatalf("%s has no recipe %q", page, name)
	}
	head, body, _ := strings.Cut(strings.Replace(raw, "hyk_…", recipeKey, 1), "\n\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n") + "\r\nHost: gateway.test\r\n\r\n")))
	if err != nil {
		t.Fatalf("%s, recipe %q: %v", page, name, err)
	}
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	return r
}

// with puts the payment of this run in the place of the page's.
func with(t *testing.T, r *http.Request, prepayID string) *http.Request {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil || !bytes.Contains(body, []byte(pagePrepay)) {
		t.Fatalf("no prepay_id in %s (%v)", body, err)
	}
	body = bytes.ReplaceAll(body, []byte(pagePrepay), []byte(prepayID))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return r
}

const pagePrepay = "wx201126101500abcdef0123456789abcd"

// call answers a request and decodes the answer.
func call[T any](t *testing.T, h http.Handler, r *http.Request, status int) (v T) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != status {
		t.Fatalf("%s: status %d, want %d: %s", r.URL.Path, w.Code, status, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestTheRecipeForPayments runs what both pages say, word for word, against a
// payment that the message service knows only after 12 s.
func TestTheRecipeForPayments(t *testing.T) {
	for _, page := range []string{"mini-programs.md", "mini-programs.zh-CN.md"} {
		t.Run(page, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				desk := access.New(access.Config{Store: w.store, AdminKeyHash: sha256.Sum256([]byte(recipeKey))})
				edge := api.New(api.Config{Store: w.store, Engine: w.engine, Access: desk, Mini: w.keeper}).Handler()
				user := sandbox.OpenID("", 1)
				type message struct{ ID, State, Reason string }

				prepay := w.box.Sandbox.GivePaymentTo(miniID, user, 12*time.Second)
				paid := call[message](t, edge, with(t, recipe(t, page, "pay"), prepay), 202)
				w.sleep(time.Second)
				if m := w.message(paid.ID); m.State != hongyan.Queued || m.Reason != "prepay_not_ready" {
					t.Errorf("a second later: %s (%s)", m.State, m.Reason)
				}
				again := call[message](t, edge, with(t, recipe(t, page, "pay"), prepay), 200) // the notification comes twice
				w.sleep(20 * time.Second)
				if m := w.message(paid.ID); again.ID != paid.ID || m.State != hongyan.Accepted {
					t.Errorf("%s (%s), and %s for the second notification", m.State, m.Reason, again.ID)
				}
				w.wantCalls(user, []int{41028, 41028, 41028, 0}, 5*time.Second)

				type stored struct{ Stored int }
				left := w.box.Sandbox.GivePaymentTo(miniID, user, 0)
				if s := call[stored](t, edge, with(t, recipe(t, page, "store"), left), 200); s.Stored != 1 {
					t.Errorf("stored %+v", s)
				}
				w.sleep(10 * time.Minute)
				shipped := call[message](t, edge, recipe(t, page, "shipped"), 202)
				w.sleep(time.Second)
				if m := w.message(shipped.ID); m.State != hongyan.Accepted {
					t.Errorf("shipped: %s (%s)", m.State, m.Reason)
				}
				if shown := w.box.Sandbox.Inbox(user); len(shown) != 2 {
					t.Errorf("the user saw %d messages, want 2", len(shown))
				}
			})
		})
	}
}

func (w *world) message(id string) hongyan.Message {
	w.t.Helper()
	m, err := w.store.Message(w.t.Context(), id)
	w.must(err)
	return m
}

// wantCalls fails unless the sends to a user were answered so, each so long after the
// one before.
func (w *world) wantCalls(openID string, want []int, pause time.Duration) {
	w.t.Helper()
	var got []int
	var before time.Time
	for _, c := range w.box.Sandbox.Ledger(sandbox.LedgerFilter{ToUser: openID}) {
		at := c.Time.Time
		if len(got) > 0 && at.Sub(before) != pause {
			w.t.Errorf("call %d came %s after the one before", len(got)+1, at.Sub(before))
		}
		got, before = append(got, c.ErrCode), at
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("calls %v, want %v", got, want)
	}
}
