package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"hongyan"
	"hongyan/access"
	"hongyan/client"
	"hongyan/store"
)

const (
	// heartbeatEvery keeps what stands between from closing a quiet stream.
	heartbeatEvery = 15 * time.Second
	// streamWrite bounds one write to a stream: who does not read is dropped.
	streamWrite = 30 * time.Second
	// maxStreams is how many streams there may be at once.
	maxStreams = 200
	// listenFor is how long the log is written after somebody read it, and listenAgain
	// when that is said once more.
	listenFor   = time.Hour
	listenAgain = 10 * time.Minute
	// streamPage is how many events are read at once for a stream.
	streamPage = 200
)

// streams are those under way.
type streams struct {
	stopping chan struct{} // closed when they are to end
	stop     sync.Once
	slots    chan struct{}

	mu        sync.Mutex
	listening time.Time // until then the log is written, as far as this process said so
}

func newStreams() *streams {
	return &streams{stopping: make(chan struct{}), slots: make(chan struct{}, maxStreams)}
}

// EndStreams ends the streams of events, so that a stop need not wait for them.
func (a *API) EndStreams() { a.streams.stop.Do(func() { close(a.streams.stopping) }) }

// eventQuery is what a request for events asks.
type eventQuery struct {
	store.NewsFilter
	after   string // the event to go on behind, as it was given
	afterAt time.Time
}

// serveEvents is GET /v1/events: a list, or a stream for who accepts text/event-stream.
func (a *API) serveEvents(w http.ResponseWriter, r *http.Request) {
	caller, err := a.authenticate(r, reader)
	if err != nil {
		a.writeError(w, r, err)
		return
	}
	info := &requestInfo{id: w.Header().Get(requestIDHeader), caller: caller, remote: access.RemoteOf(r)}
	ctx := context.WithValue(r.Context(), infoKey{}, info)
	stream := acceptsStream(r.Header)
	q, err := a.eventQuery(ctx, r, stream)
	if err == nil {
		err = a.keepListening(ctx)
	}
	switch {
	case err != nil:
		a.writeError(w, r, err)
	case stream:
		a.streamEvents(w, r.WithContext(ctx), q)
	default:
		a.listEvents(w, r.WithContext(ctx), q)
	}
}

func acceptsStream(h http.Header) bool {
	return slices.ContainsFunc(h.Values("Accept"), func(v string) bool { return strings.Contains(v, "text/event-stream") })
}

// eventParameters are the names a query may have.
var eventParameters = []string{"appid", "type", "after", "since", "until", "cursor", "limit"}

func (a *API) eventQuery(ctx context.Context, r *http.Request, stream bool) (q eventQuery, err error) {
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, badField("bad_parameter", "/query", "the query cannot be read")
	}
	for name, values := range given {
		if !slices.Contains(eventParameters, name) {
			return q, badField("bad_parameter", "/query/"+clip(name), "unknown parameter; there are %s", strings.Join(eventParameters, ", "))
		}
		if len(values) > 1 {
			return q, badField("bad_parameter", "/query/"+name, "given %d times", len(values))
		}
	}
	if q.AppIDs, err = a.filterAccounts(ctx, given.Get("appid")); err != nil {
		return q, err
	}
	if len(q.AppIDs) == 0 {
		q.AppIDs = nil
	}
	q.Types = splitWords(given.Get("type"))
	var broken faults
	checkNewsTypes("/query/type", q.Types, &broken)
	if err := broken.err("bad_parameter"); err != nil {
		return q, err
	}
	if q.Since, err = parseTime("/query/since", given.Get("since")); err != nil {
		return q, err
	}
	if q.Until, err = parseTime("/query/until", given.Get("until")); err != nil {
		return q, err
	}
	if q.Limit, err = eventLimit(given.Get("limit")); err != nil {
		return q, err
	}
	q.after = given.Get("after")
	if last := r.Header.Get("Last-Event-ID"); stream && last != "" {
		q.after = last
	}
	return q, q.position(given.Get("cursor"))
}

func eventLimit(text string) (int, error) {
	if text == "" {
		return 50, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1000 {
		return 0, badField("bad_parameter", "/query/limit", "%q is not a number from 1 to 1000", clip(text))
	}
	return n, nil
}

// position says where to begin. A cursor knows its direction by its letter.
func (q *eventQuery) position(cursor string) (err error) {
	q.Newest = q.after == ""
	if q.after != "" {
		var ok bool
		if q.After, q.afterAt, ok = hongyan.ParseEventID(q.after); !ok {
			return badField("bad_parameter", "/query/after", "%q is not the id of an event", clip(q.after))
		}
	}
	switch {
	case cursor == "":
	case q.Newest:
		q.Before, err = readCursor("n", cursor)
	default:
		q.After, err = readCursor("o", cursor)
		q.afterAt = time.Time{} // the first page has told of a gap
	}
	return err
}

// keepListening says that the log is read, so that it is written for the next hour: once
// in a while.
func (a *API) keepListening(ctx context.Context) error {
	now := a.cfg.Store.Now()
	s := a.streams
	s.mu.Lock()
	known := s.listening
	s.mu.Unlock()
	if known.Sub(now) > listenFor-listenAgain {
		return nil
	}
	until := now.Add(listenFor)
	if err := a.cfg.Store.ListenNews(ctx, until); err != nil {
		return err
	}
	s.mu.Lock()
	s.listening = until
	s.mu.Unlock()
	return nil
}

// gap tells whether events behind the one that was named may be missing, nil when none are.
func (q *eventQuery) gap(page *store.NewsPage) *client.EventGap {
	reason := ""
	switch {
	case q.afterAt.IsZero():
	case q.After > page.Head:
		reason = "unknown"
	case q.After < page.Gone:
		reason = "removed"
	case page.Since.IsZero() || q.afterAt.Before(page.Since):
		reason = "not_written"
	}
	if reason == "" {
		return nil
	}
	return &client.EventGap{After: q.after, Reason: reason}
}

// listEvents answers one page.
func (a *API) listEvents(w http.ResponseWriter, r *http.Request, q eventQuery) {
	page, err := a.cfg.Store.ReadNews(r.Context(), q.NewsFilter)
	if err != nil {
		a.writeError(w, r, err)
		return
	}
	list := struct { // client.EventList, with events as they are
		Items      []json.RawMessage `json:"items"`
		NextCursor *string           `json:"next_cursor"`
		Gap        *client.EventGap  `json:"gap,omitempty"`
	}{Items: make([]json.RawMessage, len(page.Items)), Gap: q.gap(&page)}
	hide := masks(r.Context())
	for i := range page.Items {
		if hide {
			maskNews(&page.Items[i])
		}
		list.Items[i] = page.Items[i].Body()
	}
	letter := "o"
	if q.Newest {
		letter = "n"
	}
	list.NextCursor = cursorFor(letter, page.Last)
	w.Header().Set("Content-Type", "application/json")
	_ = encode(w, list)
}

// streamEvents writes events as they happen, until the caller goes or the gateway stops.
func (a *API) streamEvents(w http.ResponseWriter, r *http.Request, q eventQuery) {
	select {
	case a.streams.slots <- struct{}{}:
		defer func() { <-a.streams.slots }()
	default:
		a.writeError(w, r, hongyan.Errorf(hongyan.Unavailable, "too_many_streams", "there are %d streams already", maxStreams))
		return
	}
	told, end := a.listenNews()
	defer end()
	s := stream{w: w, rc: http.NewResponseController(w), q: q, a: a}
	if err := s.begin(r.Context()); err != nil {
		a.writeError(w, r, err)
		return
	}
	beat := time.NewTicker(heartbeatEvery)
	defer beat.Stop()
	for s.copy(r.Context()) == nil {
		select {
		case <-told:
		case <-beat.C:
			if s.write(": heartbeat\n\n") != nil || a.keepListening(r.Context()) != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-a.streams.stopping:
			return
		}
	}
}

// listenNews is Herald.Listen, and nothing where there is none.
func (a *API) listenNews() (<-chan struct{}, func()) {
	if a.cfg.Herald == nil {
		return nil, func() {}
	}
	return a.cfg.Herald.Listen()
}

// stream is one stream under way.
type stream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
	q  eventQuery
	a  *API
}

// begin finds where to start and writes the head.
func (s *stream) begin(ctx context.Context) error {
	if !s.q.Until.IsZero() || s.q.Before != 0 {
		return badField("bad_parameter", "/query", "a stream has no until and no cursor")
	}
	behind := !s.q.Newest
	s.q.Newest, s.q.Limit = false, streamPage
	page, err := s.a.cfg.Store.ReadNews(ctx, store.NewsFilter{After: s.q.After, Limit: 1})
	if err != nil {
		return err
	}
	gap := s.q.gap(&page)
	switch {
	case behind && s.q.After > page.Head, !behind && s.q.Since.IsZero():
		s.q.After = page.Head
	case !behind:
		s.q.After = 0
	}
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	head := "retry: 2000\n\n"
	if gap != nil {
		text, err := json.Marshal(gap)
		if err != nil {
			return err
		}
		head += "event: gap\ndata: " + string(text) + "\n\n"
	}
	return s.write(head)
}

// copy writes what is new.
func (s *stream) copy(ctx context.Context) error {
	for {
		page, err := s.a.cfg.Store.ReadNews(ctx, s.q.NewsFilter)
		if err != nil {
			if ctx.Err() == nil {
				s.a.log.WarnContext(ctx, "a stream of events ends", "err", err)
			}
			return err
		}
		var b strings.Builder
		for i := range page.Items {
			n := &page.Items[i]
			if masks(ctx) {
				maskNews(n)
			}
			b.WriteString("id: " + n.EventID() + "\nevent: " + n.Type + "\ndata: ")
			b.Write(n.Body())
			b.WriteString("\n\n")
		}
		if b.Len() > 0 {
			if err := s.write(b.String()); err != nil {
				return err
			}
		}
		if page.Last == 0 {
			s.q.After = max(s.q.After, page.Head)
			return nil
		}
		s.q.After = page.Last
	}
}

// write sends text at once. The connection's own limit is for ordinary answers.
func (s *stream) write(text string) error {
	_ = s.rc.SetWriteDeadline(time.Now().Add(streamWrite)) // what cannot be limited is written anyhow
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.rc.Flush()
}
