package callback

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"hongyan"
	"hongyan/wechat"
)

// unreadable is the type of an event whose body could not be parsed.
const unreadable = "unreadable"

// receive takes one push: read, open, store, answer.
func (c *Callback) receive(w http.ResponseWriter, r *http.Request, rec *receiver) {
	body, err := readBody(w, r)
	if err != nil {
		c.refuseBody(w, rec, err)
		return
	}
	push, err := rec.Open(r.URL.Query(), r.Header.Get("Content-Type"), body)
	if err != nil {
		event, keep := keepUnreadable(r, body, push, err)
		if !keep {
			c.refusePush(w, r, rec, err)
			return
		}
		if c.record(w, r, rec, &event) {
			answer(w, "success")
		}
		return
	}
	event := readable(push)
	if c.record(w, r, rec, &event) {
		c.answerPush(w, r, rec, push, &event)
	}
}

// readBody reads at most MaxPushBytes, and not a byte of a body that announces
// more. A sender that drips is cut off when the answer would be too late anyway.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > wechat.MaxPushBytes {
		return nil, &http.MaxBytesError{Limit: wechat.MaxPushBytes}
	}
	// Not every ResponseWriter has deadlines; net/http's own does.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(answerWithin))
	return io.ReadAll(http.MaxBytesReader(w, r.Body, wechat.MaxPushBytes))
}

func (c *Callback) refuseBody(w http.ResponseWriter, rec *receiver, err error) {
	w.Header().Set("Connection", "close") // the rest of the body is not wanted
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		c.observe(rec.appID, "", "too_large")
		refuse(w, http.StatusRequestEntityTooLarge, "too_large")
		return
	}
	c.observe(rec.appID, "", "read_failed")
	refuse(w, http.StatusBadRequest, "read_failed")
}

// refusePush answers a request that is not from WeChat, or not for this account
// as it is set up. The word says which check failed, nothing else.
func (c *Callback) refusePush(w http.ResponseWriter, r *http.Request, rec *receiver, err error) {
	word, status := wechat.BadBody.String(), http.StatusBadRequest
	if refusal, ok := errors.AsType[*wechat.CallbackError](err); ok && refusal.Kind != wechat.BadBody {
		word, status = refusal.Kind.String(), http.StatusForbidden
	}
	c.observe(rec.appID, "", word)
	c.tell(r.Context(), slog.LevelInfo, rec.appID+" "+word, "callback refused", "appid", rec.appID, "reason", word, "err", err)
	refuse(w, status, word)
}

// keepUnreadable makes an event of a body that is signed but cannot be parsed.
// WeChat would only push the same bytes again and then alarm the account's
// owner, so it is better kept and answered. Encrypted envelopes are not kept
// unless they opened: up to there nothing binds them to their signature. Nor are
// bodies with a document type: WeChat sends none, only attacks on parsers do.
func keepUnreadable(r *http.Request, body []byte, push wechat.Push, err error) (hongyan.Event, bool) {
	refusal, ok := errors.AsType[*wechat.CallbackError](err)
	if !ok || refusal.Kind != wechat.BadBody {
		return hongyan.Event{}, false
	}
	if push.Plain != nil {
		body = push.Plain
	} else if r.URL.Query().Get("encrypt_type") == "aes" {
		return hongyan.Event{}, false
	}
	if len(bytes.TrimSpace(body)) == 0 || bytes.Contains(bytes.ToUpper(body), []byte("<!DOCTYPE")) {
		return hongyan.Event{}, false
	}
	return hongyan.Event{DedupeKey: "raw:" + digest(body), Type: unreadable, Body: body}, true
}

// record stores the event and gives it its ID. When that fails it answers and
// returns false.
func (c *Callback) record(w http.ResponseWriter, r *http.Request, rec *receiver, event *hongyan.Event) bool {
	event.AppID, event.ReceivedAt = rec.appID, hongyan.Millis(c.store.Now())
	id, isNew, err := c.store.InsertEvent(r.Context(), *event)
	if err != nil {
		c.observe(rec.appID, event.Type, "store_failed")
		c.log.ErrorContext(r.Context(), "a push could not be stored; WeChat will push again", "appid", rec.appID, "type", event.Type, "err", err)
		refuse(w, http.StatusServiceUnavailable, "try_again")
		return false
	}
	event.ID = id
	result := "duplicate"
	if isNew {
		result = "stored"
		c.wakeRun()
	}
	if event.Type == unreadable {
		result = unreadable
	}
	c.observe(rec.appID, event.Type, result)
	return true
}

// readable makes the event of an opened push.
func readable(push wechat.Push) hongyan.Event {
	e := push.Event
	event := hongyan.Event{
		DedupeKey: dedupeKey(e, push.Plain), Type: eventType(e), OpenID: e.FromUserName,
		CreateTime: createTime(e), MsgID: e.MsgID, Body: push.Plain,
	}
	return event
}

// eventType is the event's name, or the kind of a user's own message.
func eventType(e wechat.Event) string {
	if e.Event != "" {
		return strings.ToLower(e.Event)
	}
	return strings.ToLower(e.MsgType)
}

// lastTime is the first second of the year 10000; later ones cannot be written as RFC 3339.
const lastTime = 253402300800

// createTime is zero when the push has none or a senseless one.
func createTime(e wechat.Event) time.Time {
	if e.CreateTime <= 0 || e.CreateTime >= lastTime {
		return time.Time{}
	}
	return time.Unix(e.CreateTime, 0).UTC()
}

// maxKey bounds a key; the platform's own parts are far shorter.
const maxKey = 200

// dedupeKey is equal for two deliveries of one push. A user's message has an id
// of its own. An event has none: FromUserName and CreateTime are what WeChat
// names (spec §5.1), but two messages to one user may end in the same second, so
// that Event, MsgID and EventKey count too. JSON and XML of one push are equal.
func dedupeKey(e wechat.Event, body []byte) string {
	var key string
	switch {
	case e.Event != "":
		key = fmt.Sprintf("e:%s:%d:%s:%d:%s", e.FromUserName, e.CreateTime, strings.ToLower(e.Event), e.MsgID, e.EventKey)
	case e.MessageID != 0:
		return fmt.Sprintf("m:%d", e.MessageID)
	default:
		key = fmt.Sprintf("x:%s:%d:%s:%s", e.FromUserName, e.CreateTime, e.MsgType, digest(body))
	}
	if len(key) > maxKey {
		return "h:" + digest([]byte(key))
	}
	return key
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (c *Callback) wakeRun() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
