package sandbox

import (
	"slices"
	"strconv"
	"time"
)

// Directions of an exchange.
const (
	DirectionCall = "call" // somebody called the platform
	DirectionPush = "push" // the platform pushed an event to an account's server
)

const (
	// trafficLimit and trafficBytes bound what the feed remembers; the oldest go first.
	trafficLimit = 1000
	trafficBytes = 16 << 20
)

// sighting is one exchange as it was seen: references to what the call or push
// consists of, so that noting it down costs next to nothing. Nothing in it may
// change afterwards, and it holds secrets: only exchange.go turns it into
// something to show.
type sighting struct {
	seq            int64
	at             time.Time
	push           bool
	appID, touser  string
	method, target string // target: the path of a call, the URL of a push
	query          string // of a call, raw
	remote         string // the caller's address
	request        []byte
	status         int // HTTP; 0 = no answer
	answer         []byte
	code           int
	msgID          int64
	duplicateOf    int64
	took           time.Duration
	fault          *Fault // the rule that spoiled it; nil = none
	delivery       *pushDelivery
	rival          bool // the other process of the preset token-war
}

// pushDelivery is what only pushes have.
type pushDelivery struct {
	event            string // its name
	plain            []byte // what was encrypted; nil in plain mode
	token            string // signs, never shown
	timestamp, nonce string
	encrypt          string
	try, tries       int // this delivery and how many there are at most
	next             time.Time
}

func (s *sighting) size() int { return len(s.request) + len(s.answer) + len(s.query) }

// traffic keeps the last sightings in a ring.
type traffic struct {
	ring  queue[sighting]
	last  int64 // seq of the newest
	bytes int
}

func (t *traffic) add(s *sighting) {
	t.last++
	s.seq = t.last
	t.bytes += s.size()
	t.ring.push(*s)
	for t.ring.len() > trafficLimit || t.bytes > trafficBytes && t.ring.len() > 1 {
		oldest, _ := t.ring.pop()
		t.bytes -= oldest.size()
	}
}

// TrafficFilter chooses exchanges; zero fields choose all.
type TrafficFilter struct {
	AppID, OpenID string
	After         int64 // only exchanges with a larger Seq
	Limit         int   // only the newest so many; 0 = no limit
}

func (f *TrafficFilter) matches(s *sighting) bool {
	return (f.AppID == "" || f.AppID == s.appID) && (f.OpenID == "" || f.OpenID == s.touser)
}

// Traffic returns the last API calls and pushes, newest last, and the Seq of the
// newest there is, which goes into the next filter's After. A thousand are
// remembered, fewer when they are large; Seq goes on rising over a reset.
func (s *Sandbox) Traffic(f TrafficFilter) (items []Exchange, last int64) {
	p := s.lock()
	chosen, last := p.traffic.list(f)
	s.unlock()
	items = make([]Exchange, len(chosen))
	for i := range chosen {
		items[i] = chosen[i].exchange() // sightings do not change: this needs no mutex
	}
	return items, last
}

func (t *traffic) list(f TrafficFilter) (chosen []sighting, last int64) {
	first := t.last - int64(t.ring.len()) + 1
	for seq := t.last; seq >= max(first, f.After+1); seq-- {
		if s := t.ring.at(int(seq - first)); f.matches(s) {
			chosen = append(chosen, *s)
		}
		if f.Limit > 0 && len(chosen) == f.Limit {
			break
		}
	}
	slices.Reverse(chosen)
	return chosen, t.last
}

// witness notes down a call and what it was answered.
func (p *platform) witness(c *call, a answer, answered bool) {
	seen := sighting{
		at: c.now, appID: c.appID(), touser: c.touser, method: c.req.Method, target: c.path, query: c.req.URL.RawQuery,
		remote: c.req.RemoteAddr, request: c.body, code: a.code, msgID: a.msgID, duplicateOf: a.duplicateOf,
		took: time.Since(c.begin), fault: c.fault,
	}
	if answered {
		seen.status, seen.answer = max(a.status, 200), a.body
	}
	p.traffic.add(&seen)
	p.rids.remember(a, &seen)
	p.feed.mark(changedTraffic)
}

// witnessPush notes down a delivery of an event; next is when the following one
// is, zero if there is none.
func (p *platform) witnessPush(job *push, d *attempt, next time.Time) {
	seen := sighting{
		at: d.start, push: true, appID: job.account.appID, touser: job.openid, method: "POST", target: d.url,
		request: job.event.body, status: d.status, answer: d.answer, took: d.took,
		delivery: &pushDelivery{
			event: job.name, plain: job.event.plain, token: d.token, timestamp: d.timestamp, nonce: d.nonce,
			encrypt: job.event.encrypt, try: job.tries, tries: job.account.pushDeliveries, next: next,
		},
	}
	if job.row != nil {
		seen.msgID, _ = strconv.ParseInt(job.row.MsgID, 10, 64) // idText wrote it; 0 for none
	}
	p.traffic.add(&seen)
	p.feed.mark(changedTraffic)
}
