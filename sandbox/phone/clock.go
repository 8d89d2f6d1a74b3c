package phone

import (
	"net/http"
	"time"

	"hongyan/sandbox"
)

// clockFace is the sandbox's time as the page shows it; a script makes it tick.
type clockFace struct {
	Now   int64 // Unix milliseconds
	Tag   string
	Text  string // Beijing time
	Ahead string // of the real time; "" = not at all
}

func (s *site) clockFace(v view) clockFace {
	now := s.box.Now()
	face := clockFace{Now: now.UnixMilli(), Tag: v.lang.tag(), Text: now.In(beijing).Format("2006-01-02 15:04:05")}
	if ahead := time.Until(now).Round(time.Second); ahead > 0 {
		face.Ahead = ahead.String()
	}
	return face
}

func (s *site) clock(w http.ResponseWriter, _ *http.Request, v view) error {
	return s.render(w, v, part{"clock-now", s.clockFace(v)})
}

// clockPage is the panel's page about time.
type clockPage struct {
	clockFace
	Jumps  []string
	Jumped string // how far the last jump went; "" = none on this page yet
	Fired  []firing
}

// firing is one thing that a jump brought about, so many times.
type firing struct {
	Key   string
	Count int
}

// jumps are the distances that make something happen: the next minute's quota, ten
// minutes of client_msg_id, a token's life, a day's quota, a form_id's life.
var jumps = []string{"10s", "1m", "10m", "2h", "24h", "168h"}

func (s *site) clockPage(v view) *clockPage {
	return &clockPage{clockFace: s.clockFace(v), Jumps: jumps}
}

func (s *site) advance(w http.ResponseWriter, r *http.Request, v view) error {
	text := r.PostForm.Get("advance")
	d, err := time.ParseDuration(text)
	if err != nil {
		return &sandbox.ControlError{Field: "advance", Rule: `must be a duration such as "90s" or "2h"`, Value: text}
	}
	fired, err := s.box.Jump(d)
	if err != nil {
		return err
	}
	p := s.clockPage(v)
	p.Jumped, p.Fired = d.String(), firings(fired)
	v.Panel = panelClock
	return s.done(w, r, v, "", part{"fired-oob", p}, part{"clock-oob", p.clockFace})
}

func firings(f sandbox.Fired) []firing {
	var list []firing
	for _, one := range []firing{
		{"fired.delivered", f.Delivered}, {"fired.undelivered", f.Undelivered}, {"fired.redelivered", f.Redelivered},
		{"fired.tokens", f.TokensExpired}, {"fired.payments", f.PaymentsActive}, {"fired.forms", f.FormsExpired}, {"fired.days", f.Days},
	} {
		if one.Count > 0 {
			list = append(list, one)
		}
	}
	return list
}
