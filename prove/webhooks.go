package prove

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"hongyan/client"
)

const (
	hookKills    = 6
	hookMessages = 800
	// hookBusy is how often the busy endpoint says 429 before it takes anything.
	hookBusy = 15
	// hookWithin is how long the last events may take: a claimed delivery of a process that
	// died comes back after half a minute.
	hookWithin = 2 * time.Minute
	hookKey    = "prove-prove-prove-prove-prove-32"
)

// runWebhooks is test 17: endpoints that hang, drip, send endless bodies, redirect, say
// 410 or 429, beside good ones, while gateways are killed under load. Every event reaches
// every endpoint that takes events, with the same id and body each time.
func runWebhooks(ctx context.Context, t *trial) error {
	r, err := t.rig(ctx, rigOptions{latency: killLatency, env: []string{orphanAfter}})
	if err != nil {
		return err
	}
	var e ears
	if err := e.listen(ctx); err != nil {
		return err
	}
	defer e.close()
	gone, err := e.furnish(ctx, r)
	if err != nil {
		return err
	}
	l := &load{r: r, messages: hookMessages, over: hookKills * gapMost}
	k := &killer{t: t, r: r, l: l}
	l.begin(ctx)
	if err := k.strike(ctx, schedule(t.cfg.Seed, hookKills, len(r.nodes))); err != nil {
		return fmt.Errorf("kill %d: %w", k.done+1, err)
	}
	l.stopAfter(ctx, loadTail)
	for _, n := range r.nodes { // none may die by itself any more
		n.kill()
		n.faults = nil
		if err := n.start(ctx); err != nil {
			return err
		}
	}
	t.figure("kills", float64(k.done))
	if err := t.judge(ctx, r, []*load{l}, nil); err != nil {
		return err
	}
	t.say("waiting until every event is there")
	for _, name := range []string{"good", "busy"} {
		missing := func() []string { return e.missing(name, t.books) }
		err := await(ctx, hookWithin, time.Second, func() (bool, error) { return len(missing()) == 0, nil }, func() string { return "" })
		if ctx.Err() != nil {
			return err
		}
		for _, what := range missing() {
			t.result.Violations = append(t.result.Violations, Violation{Invariant: "I7", Detail: "webhook " + name + ": " + what})
		}
	}
	return e.judge(ctx, t, r, gone)
}

// ears are endpoints of every kind, each a path of one server.
type ears struct {
	server *http.Server
	url    string

	mu      sync.Mutex
	got     map[string]map[string]*heard // by endpoint, then event id
	calls   map[string]int
	delays  []time.Duration // of the good one's events, from what happened to the first arrival
	trapped int
	wrong   []string
}

// heard is one event at one endpoint.
type heard struct {
	kind, message string
	bodies        map[string]bool
	times         int
}

func (e *ears) listen(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	e.url, e.got, e.calls = "http://"+l.Addr().String(), map[string]map[string]*heard{}, map[string]int{}
	e.server = &http.Server{Handler: e, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = e.server.Serve(l) }() // ends with close
	return nil
}

func (e *ears) close() { _ = e.server.Close() }

// furnish adds a webhook for each endpoint and returns the id of the one that will be gone.
func (e *ears) furnish(ctx context.Context, r *rig) (gone string, err error) {
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte(hookKey))
	for _, name := range []string{"good", "busy", "hang", "drip", "huge", "redirect", "gone"} {
		made, err := r.api().CreateWebhook(ctx, client.WebhookRequest{Name: name, URL: e.url + "/" + name, Secret: secret})
		if err != nil {
			return "", err
		}
		gone = made.Webhook.ID
	}
	return gone, nil
}

// ServeHTTP is every endpoint.
func (e *ears) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return // cut off by a kill
	}
	nth := e.count(name)
	switch name {
	case "hang":
		<-r.Context().Done()
	case "drip":
		e.drip(w, r)
	case "huge":
		_, _ = io.CopyN(w, zeros{}, 1<<30)
	case "redirect":
		target := e.url + "/trap"
		if nth%2 == 0 {
			target = "http://169.254.169.254/latest/meta-data/"
		}
		http.Redirect(w, r, target, http.StatusTemporaryRedirect)
	case "gone":
		w.WriteHeader(http.StatusGone)
	case "busy":
		if nth <= hookBusy {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		e.keep(name, r.Header, body)
	case "good":
		e.keep(name, r.Header, body)
	default:
		e.mu.Lock()
		e.trapped++
		e.mu.Unlock()
	}
}

func (e *ears) count(name string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls[name]++
	return e.calls[name]
}

// drip answers a byte at a time, for longer than anybody waits.
func (e *ears) drip(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, "x"); err != nil || http.NewResponseController(w).Flush() != nil {
			return
		}
		_ = pause(r.Context(), 200*time.Millisecond)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// keep verifies a request as Standard Webhooks says, with code of its own, and files it.
func (e *ears) keep(name string, h http.Header, body []byte) {
	id := h.Get("webhook-id")
	mac := hmac.New(sha256.New, []byte(hookKey))
	fmt.Fprintf(mac, "%s.%s.%s", id, h.Get("webhook-timestamp"), body)
	signed := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	var event struct {
		ID, Type  string
		Timestamp time.Time
		Data      struct {
			MessageID string `json:"message_id"`
		}
	}
	err := json.Unmarshal(body, &event)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil || event.ID != id || !slices.Contains(strings.Fields(h.Get("webhook-signature")), signed) {
		e.wrong = append(e.wrong, fmt.Sprintf("a request to %s is not signed as it should be, or no event: %s", name, body))
		return
	}
	if e.got[name] == nil {
		e.got[name] = map[string]*heard{}
	}
	was := e.got[name][id]
	if was == nil {
		was = &heard{kind: event.Type, message: event.Data.MessageID, bodies: map[string]bool{}}
		e.got[name][id] = was
		if name == "good" {
			e.delays = append(e.delays, time.Since(event.Timestamp))
		}
	}
	was.times++
	was.bodies[string(body)] = true
}

// missing says which ends of messages an endpoint has not heard of.
func (e *ears) missing(name string, books *ledgers) (all []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ends := map[string]int{} // by message and type: how many events
	for _, h := range e.got[name] {
		ends[h.message+" "+h.kind]++
	}
	for i := range books.rows {
		m := &books.rows[i]
		if !m.Final && m.State != "uncertain" {
			continue
		}
		if n := ends[m.ID+" message."+m.State]; n != 1 {
			all = append(all, fmt.Sprintf("%s is %s, of which there are %d events instead of one", m.ID, m.State, n))
		}
	}
	return all
}

// judge looks at what else must be so.
func (e *ears) judge(ctx context.Context, t *trial, r *rig, gone string) error {
	hook, err := r.api().Webhook(ctx, gone)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, what := range e.wrong[:min(len(e.wrong), 5)] {
		t.wrong("%s", what)
	}
	again := 0
	for _, name := range []string{"good", "busy"} {
		for id, h := range e.got[name] {
			if len(h.bodies) != 1 {
				t.result.Violations = append(t.result.Violations, Violation{Invariant: "I7", Message: h.message, Detail: fmt.Sprintf("event %s came to %s with %d different bodies", id, name, len(h.bodies))})
			}
			again += h.times - 1
		}
	}
	told := slices.ContainsFunc(slices.Collect(maps.Values(e.got["good"])), func(h *heard) bool { return h.kind == "webhook.disabled" })
	t.want(hook.Disabled && told, "the endpoint that said 410 is disabled: %v; the good one was told: %v", hook.Disabled, told)
	t.want(e.trapped == 0, "%d redirects were followed", e.trapped)
	t.want(e.calls["hang"] < 40*hookKills, "the endpoint that hangs was called %d times", e.calls["hang"])
	slices.Sort(e.delays)
	if n := len(e.delays); n > 0 {
		t.figure("event_p50_ms", ms(e.delays[n/2]))
		t.want(e.delays[n/2] < time.Second, "half of the good endpoint's events took %v and more", e.delays[n/2])
	}
	t.figure("events", float64(len(e.got["good"])))
	t.figure("came_again", float64(again))
	return nil
}
