package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Event is one thing that happened: to a message, an account, a template … It is what a
// webhook is sent, byte for byte.
type Event struct {
	ID        string          `json:"id" example:"evt_0199f2f1c0d0000000000042" doc:"The same in every delivery and every stream."`
	Type      string          `json:"type" example:"message.delivered"`
	Timestamp Time            `json:"timestamp" doc:"When it happened."`
	Data      json.RawMessage `json:"data" doc:"An object. Of a message.* event: message_id, appid, kind, touser, template_id, client_msg_id, metadata, created_at, and what the message was after the change: state, reason, final, errcode, errmsg, rid, msgid, attempts, due_at, hold, receipt. cut names what was left out or shortened because the event would be longer than 20 kB."`
}

// EventList is a part of the log of events.
type EventList struct {
	Items      []Event   `json:"items" nullable:"false"`
	NextCursor *string   `json:"next_cursor" doc:"Give it as cursor to get the next page. null at the end."`
	Gap        *EventGap `json:"gap,omitempty" doc:"Only with after: events between that one and the first item may be missing."`
}

// EventGap says that events are missing from a log or stream.
type EventGap struct {
	After  string `json:"after" doc:"The event after which they may be missing."`
	Reason string `json:"reason" enum:"removed,not_written,unknown" doc:"removed: the log keeps 7 days. not_written: nobody listened for an hour, so that nothing was kept. unknown: the log never had that event."`
}

// EventFilter selects events.
type EventFilter struct {
	AppID  string   // "" = every account the key covers
	Types  []string // such as message.delivered or message.*; empty = all
	After  string   // the id of an event: those behind it, oldest first. Of a stream, what Last-Event-ID is
	Since  Time     // at or after this; of a stream, where it begins
	Until  Time     // before this; not of a stream
	Cursor string   // not of a stream
	Limit  int      // 1..1000; 0 = 50; not of a stream
}

func (f *EventFilter) query() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("appid", f.AppID)
	set("type", strings.Join(f.Types, ","))
	set("after", f.After)
	if !f.Since.Time.IsZero() {
		set("since", f.Since.String())
	}
	if !f.Until.Time.IsZero() {
		set("until", f.Until.String())
	}
	set("cursor", f.Cursor)
	if f.Limit != 0 {
		set("limit", strconv.Itoa(f.Limit))
	}
	return q
}

// Events reads one page of the log of events: newest first, or with After oldest first.
func (c *Client) Events(ctx context.Context, f EventFilter) (EventList, error) {
	return one[EventList](ctx, c, call{method: http.MethodGet, path: "/v1/events", query: f.query()})
}

// EventStream is a stream of events under way. It is for one goroutine.
type EventStream struct {
	body io.ReadCloser
	r    *bufio.Reader
	last string
}

// StreamEvents begins to listen. Without After or Since it brings what happens from now
// on. The caller closes it; it also ends with ctx, and when the gateway stops. Go on
// behind the last event with After: s.LastID().
func (c *Client) StreamEvents(ctx context.Context, f EventFilter) (*EventStream, error) {
	q := f.query()
	q.Del("after")
	what := call{method: http.MethodGet, path: "/v1/events", query: q, header: http.Header{"Accept": {"text/event-stream"}}}
	if f.After != "" {
		what.header.Set("Last-Event-ID", f.After)
	}
	req, err := c.request(ctx, what)
	if err != nil {
		return nil, fmt.Errorf("GET /v1/events: %w", err)
	}
	res, err := c.patient().httpClient().Do(req) // without a time limit: a stream lasts
	if err != nil {
		return nil, fmt.Errorf("GET /v1/events: %w", unanswered{err})
	}
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		defer res.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		if res.StatusCode >= http.StatusMultipleChoices {
			return nil, newProblem(res, body)
		}
		return nil, notAGateway(res)
	}
	return &EventStream{body: res.Body, r: bufio.NewReader(res.Body), last: f.After}, nil
}

// Error makes the gap what EventStream.Next says of missing events.
func (g *EventGap) Error() string {
	return "events are missing from the stream: " + g.Reason
}

// Next waits for the next event. After an *EventGap the stream goes on, after every other
// error it has ended; io.EOF when the gateway ended it.
func (s *EventStream) Next() (Event, error) {
	var name string
	var data bytes.Buffer
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return Event{}, err
		}
		field, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			name = value
		case "id":
			s.last = value
		case "data":
			data.WriteString(value)
		}
		if strings.TrimRight(line, "\r\n") != "" || data.Len() == 0 {
			continue
		}
		return readEvent(name, data.Bytes())
	}
}

func readEvent(name string, data []byte) (Event, error) {
	if name == "gap" {
		gap := new(EventGap)
		if err := json.Unmarshal(data, gap); err != nil {
			return Event{}, fmt.Errorf("read a gap: %w", err)
		}
		return Event{}, gap
	}
	var e Event
	if err := json.Unmarshal(data, &e); err != nil {
		return Event{}, fmt.Errorf("read an event: %w", err)
	}
	return e, nil
}

// LastID is the id of the last event that came, to go on behind it.
func (s *EventStream) LastID() string { return s.last }

// Close ends the stream.
func (s *EventStream) Close() error {
	err := s.body.Close()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
