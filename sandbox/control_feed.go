package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	defaultTrafficPage = 200
	// keepAliveEvery is less than the minute after which proxies drop a silent connection.
	keepAliveEvery = 15 * time.Second
	// noticeGap gathers a burst of changes into one event.
	noticeGap = 50 * time.Millisecond
)

// trafficPage is the newest exchanges; next_after goes into the next request's after.
type trafficPage struct {
	Items     []Exchange `json:"items"`
	NextAfter int64      `json:"next_after"`
}

func (s *Sandbox) controlTraffic(r *http.Request) (any, error) {
	f := TrafficFilter{Limit: defaultTrafficPage}
	if err := eachParameter(r.URL.Query(), f.set); err != nil {
		return nil, err
	}
	items, last := s.Traffic(f)
	return trafficPage{items, last}, nil
}

// eachParameter hands every query parameter, none given twice, to set.
func eachParameter(q url.Values, set func(name, value string) error) error {
	for name, values := range q {
		if len(values) > 1 {
			return &ControlError{Field: name, Rule: "must not be given twice"}
		}
		if err := set(name, values[0]); err != nil {
			return err
		}
	}
	return nil
}

func (f *TrafficFilter) set(name, value string) (err error) {
	switch name {
	case "appid":
		f.AppID = value
	case "openid":
		f.OpenID = value
	case "after":
		err = parseSeq(&f.After, name, value)
	case "limit":
		err = parseLimit(&f.Limit, name, value, trafficLimit)
	default:
		return &ControlError{Field: name, Rule: "is unknown here"}
	}
	return err
}

// parseSeq and parseLimit leave what is there when the value is empty.
func parseSeq(dst *int64, name, value string) error {
	if value == "" {
		return nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		return &ControlError{Field: name, Rule: "must be a seq, 0 or more", Value: value}
	}
	*dst = n
	return nil
}

func parseLimit(dst *int, name, value string, highest int) error {
	if value == "" {
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > highest {
		return &ControlError{Field: name, Rule: fmt.Sprintf("must be from 1 to %d", highest), Value: value}
	}
	*dst = n
	return nil
}

// serveEvents is GET /sandbox/v1/events: the notices of Watch as server-sent
// events named "notice". Ids say up to where the reader is informed; a reader who
// comes back with the last one, and has missed something or is new, is told first
// that everything may have changed.
func (s *Sandbox) serveEvents(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Time{}) // the stream outlives any limit meant for answers
	// The version is read after joining: a change between the two is told twice, not never.
	notices := s.Watch(r.Context())
	first := s.feed.id(s.feed.now())
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy before us must not gather events
	if r.Header.Get("Last-Event-ID") != first {
		writeNotice(w, first, everything)
	} else {
		fmt.Fprintf(w, "id: %s\n: nothing was missed\n\n", first)
	}
	for out.Flush() == nil {
		keepAlive := time.NewTimer(keepAliveEvery)
		select {
		case n, open := <-notices:
			keepAlive.Stop()
			if !open {
				return
			}
			writeNotice(w, s.feed.id(n.version), n)
			if out.Flush() != nil || !pause(r, noticeGap) {
				return
			}
		case <-keepAlive.C:
			fmt.Fprint(w, ": still here\n\n")
		}
	}
}

// everything is the notice for those who do not know what they missed.
var everything = Notice{Inbox: []string{}, All: true, Traffic: true, Users: true, Clock: true, Accounts: true, Faults: true}

func writeNotice(w http.ResponseWriter, id string, n Notice) {
	body, _ := json.Marshal(n) // openids were checked: it always marshals
	fmt.Fprintf(w, "id: %s\nevent: notice\ndata: %s\n\n", id, body)
}

// id names a version of this sandbox, and of no other one.
func (f *feed) id(version int64) string { return fmt.Sprintf("%x-%d", f.born, version) }

// pause waits and reports false when the reader left before.
func pause(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
