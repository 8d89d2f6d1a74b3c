package deliver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hongyan"
	"hongyan/store"
)

// The headers of Standard Webhooks (https://www.standardwebhooks.com). net/http would
// write them in capitals; receivers compare without regard to case.
const (
	headerID        = "webhook-id"
	headerTimestamp = "webhook-timestamp"
	headerSignature = "webhook-signature"
)

// SignWebhook returns the value of webhook-signature: one signature for each secret,
// separated by spaces, so that a receiver may know either while one replaces the other.
func SignWebhook(secrets []hongyan.Secret, id string, at time.Time, body []byte) (string, error) {
	signatures := make([]string, len(secrets))
	for i, s := range secrets {
		key, err := hongyan.WebhookKey(s)
		if err != nil {
			return "", err
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " "), nil
}

// standardRequest makes the signed request for one news.
func standardRequest(w *hongyan.Webhook, n *hongyan.News, now time.Time) (*http.Request, error) {
	body := n.Body()
	signature, err := SignWebhook(w.Live(now), n.EventID(), now, body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return nil, withoutURL(err)
	}
	setStandardHeaders(req.Header, n, now)
	req.Header.Set(headerSignature, signature)
	// Named and not sent: see Sender.request.
	req.Header["X-Idempotency-Key"] = nil
	return req, nil
}

func setStandardHeaders(header http.Header, n *hongyan.News, at time.Time) {
	header.Set("Content-Type", "application/json")
	header.Set("User-Agent", hookUserAgent)
	header.Set(headerID, n.EventID())
	header.Set(headerTimestamp, strconv.FormatInt(at.Unix(), 10))
}

// HookRequest is a request to an endpoint as people are shown it: without signature, and
// without what is a secret in a robot's.
type HookRequest struct {
	Method  string
	URL     string
	Headers map[string]string // names in small letters
	Body    string
}

// ShowRequest tells what the latest attempt of a delivery sent, or what the first will.
// A robot that was told several news at once was told them in one message.
func ShowRequest(w *hongyan.Webhook, c *store.ClaimedNews) HookRequest {
	r := HookRequest{Method: http.MethodPost, URL: w.ShownURL(), Headers: map[string]string{}}
	at := c.LastAt
	if at.IsZero() {
		at = c.CreatedAt
	}
	header := http.Header{}
	if w.Kind.Robot() {
		r.Body = string(robotBody(w, []hongyan.News{c.News}))
		header.Set("Content-Type", "application/json")
		header.Set("User-Agent", hookUserAgent)
	} else {
		r.Body = string(c.News.Body())
		setStandardHeaders(header, &c.News, at)
		header.Set(headerSignature, "v1,…")
	}
	for name := range header {
		r.Headers[strings.ToLower(name)] = header.Get(name)
	}
	return r
}

// HookTrial is what a trial call came to.
type HookTrial struct {
	EventID string
	Request HookRequest
	Status  int // HTTP; 0 = there was no answer
	Answer  string
	Error   string // "" = taken
	Took    time.Duration
}

// Try makes one call to an endpoint at once, with an event of type webhook.test, and
// returns what it came to. It is not kept.
func (h *Herald) Try(ctx context.Context, w *hongyan.Webhook) HookTrial {
	now := hongyan.Millis(h.store.Now())
	n := hongyan.News{ID: testID(), At: now, Type: hongyan.NewsWebhookTest, Data: jsonOf(map[string]any{
		"webhook_id": w.ID, "name": w.Name, "text": "This is a test. 这是一条测试消息。",
	})}
	a := h.call(ctx, w, &n)
	t := HookTrial{EventID: n.EventID(), Status: a.status, Answer: a.text, Took: a.took,
		Request: ShowRequest(w, &store.ClaimedNews{WebhookDelivery: hongyan.WebhookDelivery{LastAt: now}, News: n})}
	if a.err != nil {
		t.Error = shorten(a.err.Error())
	}
	return t
}

// testID is a number for an event that is not in the log, far from those that are.
func testID() int64 {
	var b [8]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	return int64(binary.BigEndian.Uint64(b[:])&(1<<51-1) | 1<<51)
}

// Redeliver begins deliveries to an endpoint once more, which need not wait for the end
// of its rest, and returns how many; also beside an error, those stay begun.
func (h *Herald) Redeliver(ctx context.Context, r store.Redelivery) (int, error) {
	if r.Until.IsZero() {
		r.Until = hongyan.Millis(h.store.Now())
	}
	r.Limit = replayBatch
	defer h.Wake()
	defer h.endRest(r.WebhookID)
	for total := 0; ; {
		n, last, err := h.store.RedeliverNews(ctx, r)
		if total += n; err != nil || last == 0 {
			return total, err
		}
		r.After = last
	}
}

// jsonOf encodes plain values, which cannot fail.
func jsonOf(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
