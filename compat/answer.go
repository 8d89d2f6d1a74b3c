package compat

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"hongyan/wechat"
)

// jsonType is what WeChat says of its answers, "encoding" and not "charset" (spec
// §2.6). Real clients know it; one of them reads any type but application/json and
// text/plain as bytes (design §9.4).
var jsonType = []string{"application/json; encoding=utf-8"}

// write answers with a body of ours: HTTP 200 whatever it says.
func (x *exchange) write(body []byte) {
	x.drain()
	x.begun = true
	h := x.w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	_, _ = x.w.Write(body) // a caller who has left needs no answer
}

// errcodeBody is WeChat's form of a refusal; rid "" = none.
func errcodeBody(code wechat.Code, text, rid string) []byte {
	if rid != "" {
		text += " rid: " + rid
	}
	body := strconv.AppendInt([]byte(`{"errcode":`), int64(code), 10)
	return append(appendText(append(body, `,"errmsg":`...), text), '}')
}

// appendText appends a JSON string in raw UTF-8, with nothing escaped that need not be.
func appendText(b []byte, s string) []byte {
	quoted, _ := jsontext.AppendQuote(b, s) // bytes that are no UTF-8 are replaced, which is an answer all the same
	return quoted
}

// newRID makes a request id in WeChat's form: the second, and two random groups of
// eight hexadecimal digits (spec §1). It is in our log, and unknown to WeChat.
func newRID(now time.Time) string {
	return fmt.Sprintf("%08x-%08x-%08x", uint32(now.Unix()), rand.Uint32(), rand.Uint32())
}

// readAll reads a body of at most limit bytes. Errors: a refusal 45002, or the
// connection's.
func (x *exchange) readAll(limit int64) ([]byte, error) {
	if x.r.ContentLength > limit {
		return nil, tooLong(limit)
	}
	body := make([]byte, 0, max(512, x.r.ContentLength+1))
	for {
		n, err := x.r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return nil, tooLong(limit)
		case err == io.EOF:
			x.empty = true
			return body, nil
		case err != nil:
			return nil, errGone
		case len(body) == cap(body):
			body = append(body, 0)[:len(body)]
		}
	}
}

// errGone says that the caller's body did not come to its end.
var errGone = errors.New("the caller went away while sending")

func tooLong(limit int64) error {
	return refuseWith(wechat.CodeContentTooLong, "%s: the body may have %d bytes", textOf(wechat.CodeContentTooLong), limit)
}

const (
	// drainTime bounds how long a caller may take to send what nobody wants.
	drainTime = 30 * time.Second
	// leastDrain is how much of a body that nobody wants is read in any case, in bytes.
	leastDrain = 32 << 20
)

// drain reads what is left of the caller's body, within bounds, before the answer
// is written: a caller who is cut off in the middle of writing never sees it. One
// who asked whether to send its body (Expect) has not begun and need not.
func (x *exchange) drain() {
	r := x.r
	if x.empty || r.Body == nil || r.Body == http.NoBody || r.Header.Get("Expect") != "" {
		return
	}
	limit := max(leastDrain, r.ContentLength)
	limit = min(limit, maxDrain)
	timed := r.ContentLength > leastDrain || r.ContentLength < 0
	if timed {
		timed = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(drainTime)) == nil
	}
	_, _ = io.CopyN(io.Discard, r.Body, limit)
	if timed {
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Time{})
	}
}

// maxDrain is how much is read at most, in bytes; longer bodies are cut off.
const maxDrain = 1 << 30
