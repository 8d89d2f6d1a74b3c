package phone

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"hongyan/sandbox"
	"hongyan/wechat"
)

// onlyWords are the filters of the traffic; the first shows everything.
var onlyWords = []string{"all", "user", "failed", "pushes"}

const (
	// shownExchanges bounds the list; phone.js drops what is pushed below it.
	shownExchanges = 100
	// searched bounds what a filter looks through.
	searched = 1000
)

// trafficPage is the panel's page about calls and pushes, newest first.
type trafficPage struct {
	Filters []filter
	Rows    []exchange
	Last    int64 // where the next look begins
	Late    []lateNote
	Try     string // a command that makes the first rows; "" once there are some
}

type filter struct {
	Name, Key string
	Current   bool
	View      view
}

// exchange is one call or push as the template draws it.
type exchange struct {
	sandbox.Exchange
	AtShort, AtLong string
	DirectionKey    string
	Push, Failed    bool
	What            string // path of a call, name of an event
	Who             string // the user it is about, or whose call it was
	Status          string // of an event: as on the wire
	Result          string // errcode or HTTP status
	Tone            string // ok, bad or quiet
	Note            string // why nothing came on the phone; "" = something did, or nothing was to come
	Why             string
	Request, Answer string
	Decrypted       string
}

func (s *site) traffic(w http.ResponseWriter, r *http.Request, v view) error {
	after, err := strconv.ParseInt(r.Form.Get("after"), 10, 64)
	if err != nil || after < 0 {
		return &sandbox.ControlError{Field: "after", Rule: "must be a seq, 0 or more", Value: r.Form.Get("after")}
	}
	p := s.trafficPage(v, after)
	if p.Last < after { // another sandbox has taken this one's place: nothing on the page is true any more
		w.Header().Set("HX-Refresh", "true")
	}
	return s.render(w, v, part{"traffic-more", p})
}

func (s *site) trafficPage(v view, after int64) *trafficPage {
	f := sandbox.TrafficFilter{After: after, Limit: shownExchanges}
	if v.Only != onlyWords[0] {
		f.Limit = searched
	}
	items, last := s.box.Traffic(f)
	p := &trafficPage{Last: last}
	for _, word := range onlyWords {
		p.Filters = append(p.Filters, filter{word, "only." + word, word == v.Only, v.WithOnly(word)})
	}
	who, fates := directoryOf(s.box.Accounts()), s.fatesOf(items)
	for _, item := range slices.Backward(items) {
		x := newExchange(item, v)
		switch {
		case validOpenID(item.ToUser):
			x.Who = nameOf(s.box.User(item.ToUser), item.ToUser)
		case item.AppID != "":
			x.Who = who.sender(item.AppID).Name
		}
		if fate := fates[item.MsgID]; fate != "" && !x.Push {
			x.Note = v.lang.fateNote(fate)
		}
		if v.wants(x) && len(p.Rows) < shownExchanges {
			p.Rows = append(p.Rows, x)
		}
	}
	if last == 0 {
		p.Try = v.tryIt()
	}
	if after > 0 {
		p.Late = s.lateNotes(v, after)
	}
	return p
}

// lateNote is a note for a row that is on the page already.
type lateNote struct {
	Seq  int64
	Note string
}

// lately is how many rows back a delivery may still be under way.
const lately = 50

// lateNotes tells of messages that were accepted before the last look and have
// ended badly since.
func (s *site) lateNotes(v view, after int64) []lateNote {
	items, _ := s.box.Traffic(sandbox.TrafficFilter{After: max(0, after-lately), Limit: searched})
	fates := s.fatesOf(items)
	var notes []lateNote
	for _, item := range items {
		if note := v.lang.fateNote(fates[item.MsgID]); note != "" && item.Seq <= after && item.Direction == sandbox.DirectionCall {
			notes = append(notes, lateNote{item.Seq, note})
		}
	}
	return notes
}

// fatesOf looks up what became of the messages that the calls sent.
func (s *site) fatesOf(items []sandbox.Exchange) map[string]string {
	var msgids []string
	for _, item := range items {
		if item.MsgID != "" && item.Direction == sandbox.DirectionCall {
			msgids = append(msgids, item.MsgID)
		}
	}
	if len(msgids) == 0 {
		return nil
	}
	return s.box.Fates(msgids...)
}

// fateNote says why an accepted message is not on the phone; "" when it is, or
// may come yet.
func (l language) fateNote(fate string) string {
	switch fate {
	case "user_block", "system_failed", "freq_limit":
		return l.text("note." + fate)
	}
	return ""
}

// wants applies the filter.
func (v view) wants(x exchange) bool {
	switch v.Only {
	case "user":
		return x.ToUser == v.User
	case "failed":
		return x.Failed
	case "pushes":
		return x.Push
	}
	return true
}

func newExchange(e sandbox.Exchange, v view) exchange {
	l := v.lang
	at := e.At.In(beijing)
	x := exchange{
		Exchange: e, AtShort: at.Format("15:04:05"), AtLong: at.Format("2006-01-02 15:04:05.000"),
		Push: e.Direction == sandbox.DirectionPush, DirectionKey: "direction." + e.Direction,
		Why: e.Why, Decrypted: pretty(e.Decrypted),
	}
	if l == chinese {
		x.Why = e.WhyZH
	}
	x.What = strings.TrimPrefix(e.Path, "/cgi-bin/")
	x.Result, x.Tone = strconv.Itoa(e.ErrCode), "ok"
	switch {
	case x.Push:
		x.What, x.Status = e.Event, statusOf(e)
		x.Result, x.Failed = strings.TrimPrefix(httpResult(e.Status, l), "HTTP "), e.Status/100 != 2 // a push has no errcode to mistake it for
	case e.Status == 0:
		x.Result, x.Failed = l.text("exchange.no-answer"), true
	case e.Status >= 400:
		x.Result, x.Failed = httpResult(e.Status, l), true
	default:
		x.Failed = e.ErrCode != 0
	}
	if x.Failed {
		x.Tone = "bad"
	}
	if x.Failed && !x.Push && e.ToUser != "" && e.ErrCode != 0 {
		x.Note = l.text("note.nothing-shown", errText(e), x.Why)
	}
	if e.Curl != "" {
		x.Curl = v.shell(e)
	}
	x.Request = requestText(e)
	x.Answer = answerText(e, l)
	return x
}

// statusOf is the Status of a push as its receiver reads it.
func statusOf(e sandbox.Exchange) string {
	body := e.Decrypted
	if body == "" {
		body = e.RequestBody
	}
	event, err := wechat.ParseEvent([]byte(body))
	if err != nil {
		return "" // a push that a fault has spoiled
	}
	return event.Status
}

func httpResult(status int, l language) string {
	if status == 0 {
		return l.text("exchange.no-answer")
	}
	return "HTTP " + strconv.Itoa(status)
}

// errText is "43004 require subscribe": code and text as they went over the wire.
func errText(e sandbox.Exchange) string {
	var body struct {
		ErrMsg string `json:"errmsg"`
	}
	if json.Unmarshal([]byte(e.AnswerBody), &body) != nil {
		return strconv.Itoa(e.ErrCode)
	}
	text, _, _ := strings.Cut(body.ErrMsg, " rid: ")
	text, _, _ = strings.Cut(text, " hint: ")
	return strings.TrimSpace(strconv.Itoa(e.ErrCode) + " " + text)
}

func requestText(e sandbox.Exchange) string {
	target := e.Path
	if e.Query != "" {
		target += "?" + e.Query
	}
	text := e.Method + " " + target
	if e.RequestBody != "" {
		text += "\n\n" + pretty(e.RequestBody)
	}
	return text
}

func answerText(e sandbox.Exchange, l language) string {
	if e.Status == 0 {
		return l.text("exchange.no-answer")
	}
	text := fmt.Sprintf("HTTP %d %s  ·  %d ms", e.Status, http.StatusText(e.Status), e.TookMS)
	if e.AnswerBody != "" {
		text += "\n\n" + pretty(e.AnswerBody)
	}
	return text
}

// pretty indents JSON and leaves anything else as it is.
func pretty(body string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(body), "", "  ") != nil {
		return body
	}
	return b.String()
}
