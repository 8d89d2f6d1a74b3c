package prove

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

// ledgers is what three parties know of the same messages, once all is quiet:
// the callers (their 202s), the store (as GET /v1/messages shows it), and the
// platform (the sandbox's ledger, which no kill touches). Every message of a
// load has a recipient of its own, so that what a user saw belongs to one
// message, whatever ids were or were not recorded.
type ledgers struct {
	promises []*promise
	rows     []client.Message
	calls    []sandbox.LedgerEntry // sends only
	counts   map[string]int64      // of the store: messages by appid + " " + state
	usage    map[string]int64      // of the store: calls counted today, by appid; nil = there is no one day
	seen     map[string][]int      // different bodies the business's server got, for each event of a user
	falls    []string              // states whose rank fell while the load ran
	limits   []limit
	restarts []time.Time

	byID     map[string]*client.Message
	byOpenID map[string][]*client.Message
	callsTo  map[string][]*sandbox.LedgerEntry
}

// limit is what one account may send.
type limit struct {
	appID     string
	perDay    int64   // 0 = no limit
	perSecond float64 // 0 = no limit
}

// index makes what the invariants look things up in.
func (l *ledgers) index() *ledgers {
	l.byID, l.byOpenID, l.callsTo = map[string]*client.Message{}, map[string][]*client.Message{}, map[string][]*sandbox.LedgerEntry{}
	for i := range l.rows {
		m := &l.rows[i]
		l.byID[m.ID] = m
		l.byOpenID[m.ToUser] = append(l.byOpenID[m.ToUser], m)
	}
	for i := range l.calls {
		e := &l.calls[i]
		l.callsTo[e.ToUser] = append(l.callsTo[e.ToUser], e)
	}
	return l
}

// read asks all parties.
func (r *rig) read(ctx context.Context, promises []*promise) (*ledgers, error) {
	l := &ledgers{promises: promises, limits: r.limits()}
	for m, err := range r.api().AllMessages(ctx, client.MessageFilter{Limit: 1000}) {
		if err != nil {
			return nil, err
		}
		l.rows = append(l.rows, m)
	}
	all, err := r.wx.ledger(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if sends(e.Path) {
			l.calls = append(l.calls, e)
		}
	}
	if err := r.readCounts(ctx, l); err != nil {
		return nil, err
	}
	l.seen = r.hooks.all()
	return l.index(), nil
}

func (r *rig) limits() []limit {
	return []limit{{appID: quota, perDay: r.who.dailyQuota}, {appID: paced, perSecond: pacedPerSecond}}
}

var byState = regexp.MustCompile(`(?m)^hongyan_messages_by_state\{appid="(\w+)",state="(\w+)"\} (\S+)$`)

// readCounts reads the store's own counters: messages by state from /metrics,
// calls from the quota's look-up.
func (r *rig) readCounts(ctx context.Context, l *ledgers) error {
	page, err := r.page(ctx, "/metrics")
	if err != nil {
		return err
	}
	l.counts, l.usage = map[string]int64{}, map[string]int64{}
	for _, m := range byState.FindAllStringSubmatch(page, -1) {
		n, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return fmt.Errorf("counter %s: %w", m[0], err)
		}
		l.counts[m[1]+" "+m[2]] = int64(n)
	}
	if r.noDay {
		l.usage = nil
		return nil
	}
	for _, appID := range r.who.accounts {
		rules, err := r.api().Quota(ctx, appID)
		if err != nil {
			return err
		}
		for _, q := range rules.Items {
			if q.Scope == "account" && q.Period == "day" {
				l.usage[appID] = q.Used
			}
		}
	}
	return nil
}

// page reads a page of the first gateway.
func (r *rig) page(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.nodes[0].url()+path, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+r.key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", path, res.Status)
	}
	return string(body), err
}

// all returns how many different bodies came for each event of a user.
func (s *sink) all() map[string][]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string][]int, len(s.bodies))
	for user, events := range s.bodies {
		for _, bodies := range events {
			out[user] = append(out[user], len(bodies))
		}
	}
	return out
}

// taken reports whether a call made the platform take a message, for the first
// time: it will reach the user, whether or not anybody heard the answer.
func taken(e *sandbox.LedgerEntry) bool {
	return e.ErrCode == 0 && e.MsgID != "" && e.DuplicateOf == ""
}

// told reports whether we answered one delivery of a message's event with success.
func told(e *sandbox.LedgerEntry) bool {
	for _, p := range e.Pushes {
		if p.HTTPStatus/100 == 2 {
			return true
		}
	}
	return false
}

// underWay reports whether the platform will do more by itself: deliver, or push.
func underWay(e *sandbox.LedgerEntry, now time.Time) bool {
	if e.Fate == "pending" {
		return true
	}
	n := len(e.Pushes)
	return n > 0 && n < pushDeliveries && !told(e) && now.Sub(e.Pushes[n-1].At.Time) < pushGap*2
}

// The platform delivers an event three times, five seconds apart (spec §5.2).
const (
	pushDeliveries = 3
	pushGap        = 5 * time.Second
)

// settle waits until nobody has anything under way, reads the ledgers, and reads
// them again for a while if something in them may still come right: a receipt
// without an owner is joined only after some seconds.
func (r *rig) settle(ctx context.Context, promises []*promise, say func(string)) (*ledgers, error) {
	deadline := time.Now().Add(settleWithin)
	for {
		waiting, err := r.waiting(ctx)
		if err != nil {
			return nil, err
		}
		if waiting == 0 || time.Now().After(deadline) {
			break
		}
		say(fmt.Sprintf("%d messages still wait for their next try", waiting))
		if err := pause(ctx, time.Second); err != nil {
			return nil, err
		}
	}
	least, joined := math.MaxInt, time.Now().Add(joinWithin)
	for {
		l, err := r.read(ctx, promises)
		if err != nil {
			return nil, err
		}
		n := l.unsettled(time.Now())
		if n < least { // a slow machine is no violation
			least, joined = n, time.Now().Add(joinWithin)
		}
		if n == 0 || time.Now().After(joined) {
			return l, nil
		}
		say(fmt.Sprintf("%d events still on their way", n))
		if err := pause(ctx, 3*time.Second); err != nil {
			return nil, err
		}
	}
}

// joinWithin is how long the events still on their way may stay as many: three
// deliveries, and twice orphanAfter.
const joinWithin = 40 * time.Second

// waiting counts the messages that will move by themselves: queued, sending, or
// held by something else than a day's quota. It counts to a page.
func (r *rig) waiting(ctx context.Context) (int, error) {
	list, err := r.api().Messages(ctx, client.MessageFilter{States: []string{"queued", "sending"}, Limit: 1000})
	if err != nil {
		return 0, err
	}
	n := len(list.Items)
	for m, err := range r.api().AllMessages(ctx, client.MessageFilter{States: []string{"held"}, Limit: 1000}) {
		if err != nil {
			return 0, err
		}
		if m.Reason != "quota" {
			n++
		}
	}
	return n, nil
}

// unsettled counts what may still change by itself.
func (l *ledgers) unsettled(now time.Time) (n int) {
	for i := range l.calls {
		e := &l.calls[i]
		if underWay(e, now) {
			n++
		}
	}
	// A quota counts what is under way: a call for a message that has ended by its
	// receipt meanwhile.
	return n + len(unreceived(l)) + len(unhanded(l)) + len(i6(l))
}

// hasEvent reports whether a kind's event is what its end depends on.
func hasEvent(kind string) bool { return kind == "template" || kind == "subscribe" }

// promiseOf returns the promise a recipient belongs to, nil when there is none.
func (l *ledgers) promiseOf(openID string) *promise {
	for _, p := range l.promises {
		if p.openID == openID {
			return p
		}
	}
	return nil
}
