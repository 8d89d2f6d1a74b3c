package phone

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"hongyan/sandbox"
)

// clockFace is the sandbox's time as the page shows it; a script makes it tick.
type clockFace struct {
	Now   int64  // Unix milliseconds
	Date  string // in Beijing
	Time  string
	Ahead string // of the real time; "" = not at all
}

func (s *site) clockFace() clockFace {
	now := s.box.Now()
	face := clockFace{Now: now.UnixMilli(), Date: now.In(beijing).Format("2006-01-02"), Time: now.In(beijing).Format("15:04:05")}
	if ahead := time.Until(now).Round(time.Second); ahead > 0 {
		face.Ahead = distance(ahead)
	}
	return face
}

func (s *site) clock(w http.ResponseWriter, _ *http.Request, v view) error {
	return s.render(w, v, part{"clock-now", s.clockFace()})
}

// clockPage is the panel's page about time.
type clockPage struct {
	clockFace
	Jumps  []jump
	Jumped string // how far the last jump went; "" = none on this page yet
	Fired  []firing
}

// firing is one thing that a jump brought about, so many times.
type firing struct {
	Key   string
	Count int
}

// jump is a button: what it sets and what it says.
type jump struct{ Value, Label string }

// jumps are the distances that make something happen: the next minute's quota, ten
// minutes of client_msg_id, a token's life, a day's quota, a form_id's life.
var jumps = []jump{{"10s", "10s"}, {"1m", "1m"}, {"10m", "10m"}, {"2h", "2h"}, {"24h", "1d"}, {"168h", "7d"}}

func (s *site) clockPage() *clockPage {
	return &clockPage{clockFace: s.clockFace(), Jumps: jumps}
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
	p := s.clockPage()
	p.Jumped, p.Fired = distance(d), firings(fired)
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

// distance writes a duration without what is zero: 7d, 2h30m, 90ms.
func distance(d time.Duration) string {
	days := d / (24 * time.Hour)
	rest := (d - days*24*time.Hour).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if cut, found := strings.CutSuffix(rest, zero); found {
			rest = cut + zero[:1]
		}
	}
	switch {
	case days == 0:
		return rest
	case rest == "0s":
		return fmt.Sprintf("%dd", days)
	}
	return fmt.Sprintf("%dd%s", days, rest)
}
