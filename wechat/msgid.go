package wechat

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// MsgIDs returns the msgids of sends that the event reports on: one of a
// TEMPLATESENDJOBFINISH, one for each item of a subscribe_msg_sent_event, none of others.
func (e Event) MsgIDs() []int64 {
	if e.Is(EventTemplateSendJobFinish) {
		return []int64{e.MsgID}
	}
	if !e.Is(EventSubscribeMsgSent) {
		return nil
	}
	ids := make([]int64, len(e.Items))
	for i, item := range e.Items {
		ids[i] = item.MsgID
	}
	return ids
}

// ReplaceMsgIDs returns a plain push with the msgids of sends (see Event.MsgIDs)
// that are keys of to replaced by their values. Every other byte stays as it is,
// so that what a server reads is what WeChat wrote. body itself is not changed.
func ReplaceMsgIDs(body []byte, to map[int64]int64) ([]byte, error) {
	find := findXML
	if isJSON(body) {
		find = findJSON
	}
	start := len(body) - len(bytes.TrimPrefix(body, byteOrderMark))
	spans, err := find(body[start:])
	if err != nil {
		return nil, fmt.Errorf("wechat: replace msgids: %w", err)
	}
	out, from := make([]byte, 0, len(body)+len(spans)*4), 0
	for _, s := range spans {
		id, err := strconv.ParseInt(strings.TrimSpace(s.text), 10, 64)
		now, known := to[id]
		if err != nil || !known || now == id {
			continue
		}
		out = append(append(out, body[from:start+s.start]...), s.write(body[start+s.start:start+s.end], now)...)
		from = start + s.end
	}
	return append(out, body[from:]...), nil
}

// span is where the content of a MsgID stands: between its tags, or its JSON value.
type span struct {
	start, end int
	text       string // what it says
	quoted     bool   // a JSON string
}

// write returns raw, the bytes of the span, saying id instead.
func (s span) write(raw []byte, id int64) []byte {
	digits := strconv.AppendInt(nil, id, 10)
	if old := []byte(strings.TrimSpace(s.text)); bytes.Count(raw, old) == 1 {
		return bytes.Replace(raw, old, digits, 1)
	}
	if s.quoted {
		return strconv.AppendQuote(nil, string(digits))
	}
	return digits // it was written with escapes
}

// isMsgIDPath tells whether the names from the root lead to the msgid of a send.
// Items come in a wrapper or without one, as Event.Items does (spec §7.4).
func isMsgIDPath(path []string) bool {
	switch len(path) {
	case 1:
		return path[0] == "MsgID"
	case 2:
		return path[0] == "List" && strings.EqualFold(path[1], "MsgID")
	case 3:
		return path[0] == "SubscribeMsgSentEvent" && path[1] == "List" && strings.EqualFold(path[2], "MsgID")
	}
	return false
}

// findXML lists the msgids of an XML push.
func findXML(body []byte) ([]span, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	tokens := strictTokens{d}
	var spans []span
	var path []string // from the root on, which is <xml>
	var open *span    // the MsgID being read
	for {
		before := int(d.InputOffset())
		token, err := tokens.Token()
		if errors.Is(err, io.EOF) {
			return spans, nil
		}
		if err != nil {
			return nil, errors.New("XML that cannot be read")
		}
		switch t := token.(type) {
		case xml.StartElement:
			path = append(path, t.Name.Local)
			open = nil
			if len(path) > 1 && isMsgIDPath(path[1:]) {
				open = &span{start: int(d.InputOffset())}
			}
		case xml.CharData:
			if open != nil {
				open.text += string(t)
			}
		case xml.EndElement:
			path = path[:len(path)-1]
			if open != nil && before > open.start { // not <MsgID/>
				open.end = before
				spans = append(spans, *open)
			}
			open = nil
		}
	}
}

// jsonFrame is an object or array that is being read.
type jsonFrame struct {
	object bool
	name   string // of the member whose value comes next or is being read
	named  bool   // the name has been read
}

// findJSON lists the msgids of a JSON push.
func findJSON(body []byte) ([]span, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var spans []span
	var frames []jsonFrame
	for {
		before := int(d.InputOffset())
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(frames) == 0 {
			return spans, nil
		}
		if err != nil {
			return nil, errors.New("JSON that cannot be read")
		}
		if delim, ok := token.(json.Delim); ok {
			frames = nest(frames, delim)
			continue
		}
		if top := len(frames) - 1; top >= 0 && frames[top].object && !frames[top].named {
			frames[top].name, _ = token.(string)
			frames[top].named = true
			continue
		}
		if isMsgIDPath(names(frames)) {
			spans = appendScalar(spans, body, before, int(d.InputOffset()), token)
		}
		valueRead(frames)
	}
}

// nest enters or leaves an object or array.
func nest(frames []jsonFrame, delim json.Delim) []jsonFrame {
	switch delim {
	case '{', '[':
		return append(frames, jsonFrame{object: delim == '{'})
	}
	frames = frames[:len(frames)-1]
	valueRead(frames)
	return frames
}

// valueRead: in an object a name comes next.
func valueRead(frames []jsonFrame) {
	if len(frames) > 0 {
		frames[len(frames)-1].named = false
	}
}

// names are the members that lead to the value being read; arrays have none. It
// looks no deeper than a msgid can be.
func names(frames []jsonFrame) []string {
	var path []string
	for _, f := range frames {
		if f.object {
			if path = append(path, f.name); len(path) > 3 {
				return path
			}
		}
	}
	return path
}

// appendScalar adds the span of a number or text that was read between before and
// end; before it stand a colon and white space.
func appendScalar(spans []span, body []byte, before, end int, token json.Token) []span {
	s := span{end: end}
	switch t := token.(type) {
	case json.Number:
		s.text = t.String()
	case string:
		s.text, s.quoted = t, true
	default:
		return spans
	}
	skipped := len(body[before:end]) - len(bytes.TrimLeft(body[before:end], ":, \t\r\n"))
	s.start = before + skipped
	return append(spans, s)
}
