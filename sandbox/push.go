package sandbox

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"hongyan/wechat"
)

const (
	// pushersPerAccount bounds the pushes to one server at a time, so that a slow
	// one does not hold up the others. Unverified: the platform publishes no figure.
	pushersPerAccount = 64
	// maxPushAnswer bounds how much of the server's answer is read.
	maxPushAnswer = 64 << 10
	// pushUserAgent is what captures of real pushes show (spec §5.6).
	pushUserAgent = "Mozilla/4.0"
)

// push is one event on its way to the account's server. Its body is the same at
// every delivery; only the signature is made anew (spec §5.3).
type push struct {
	account *account
	openid  string
	row     *LedgerEntry // of the send it reports on; nil for follows
	name    string       // of the event
	event   sealed
	nonce   uint32 // of the first delivery; drawn beforehand, for deliveries happen side by side
	tries   int
	offset  time.Duration // of the clock that its deliveries keep to, however far that is moved meanwhile
	late    bool          // the next delivery was due before it was planned, because the clock was moved
	told    chan struct{} // closed after the first delivery; nil = nobody waits
}

// tell lets go whoever waits for the first delivery.
func (job *push) tell() {
	if job.told != nil {
		close(job.told)
		job.told = nil
	}
}

// pushQueue is the waiting pushes of an account.
type pushQueue struct {
	waiting      queue[*push]
	underWay     map[*push]struct{} // being delivered
	workers      int
	listed       bool // in platform.ready
	failedInRow  int  // events given up since the last that arrived
	blockedUntil time.Time
}

// nextPush takes the account's first push out, nil if there is none or nobody goes on.
// An account that has no server any more loses those that still wait.
func (p *platform) nextPush(a *account, goOn bool) *push {
	q := &a.pushes
	for goOn {
		job, ok := q.waiting.pop()
		switch {
		case !ok:
			return nil
		case a.serverURL == "":
			p.lose(job)
		default:
			if q.underWay == nil {
				q.underWay = map[*push]struct{}{}
			}
			q.underWay[job] = struct{}{}
			return job
		}
	}
	return nil
}

// relist sees to it that what a worker leaves behind is started on again.
func (p *platform) relist(a *account) {
	if q := &a.pushes; q.waiting.len() > 0 && !q.listed {
		q.listed = true
		p.ready = append(p.ready, a)
	}
}

// emit queues an event, if the account has a server and pushes are not blocked.
func (p *platform) emit(a *account, row *LedgerEntry, ev event) {
	if job := p.newPush(a, row, ev); job != nil {
		p.enqueue(job)
	}
}

// newPush makes the push of an event, nil if the account has no server.
func (p *platform) newPush(a *account, row *LedgerEntry, ev event) *push {
	if a.serverURL == "" {
		return nil
	}
	return &push{
		account: a, openid: ev.openid, row: row, name: ev.name(), nonce: p.dice.rand.Uint32(), event: p.seal(a, ev),
		offset: p.clock.offset - p.timers.behind,
	}
}

// enqueue loses the push while MarkFail blocks the account (spec §5.3).
func (p *platform) enqueue(job *push) {
	q := &job.account.pushes
	if p.clock.now().Before(q.blockedUntil) {
		p.lose(job)
		return
	}
	q.waiting.push(job)
	if !q.listed {
		q.listed = true
		p.ready = append(p.ready, job.account)
	}
}

func (p *platform) lose(job *push) {
	p.stats.lost++
	job.tell()
}

// fire is a delivery after a failed one, or the first of an event that comes late.
func (job *push) fire(p *platform, at time.Time) {
	behind := p.timers.behind
	if job.late {
		behind = p.clock.now().Sub(at)
	}
	job.offset, job.late = p.clock.offset-behind, false
	p.enqueue(job)
}

// startPushers starts workers for the accounts that have pushes waiting. The
// caller holds the mutex.
func (s *Sandbox) startPushers(ctx context.Context, p *platform, workers *sync.WaitGroup) {
	for _, a := range p.ready {
		q := &a.pushes
		q.listed = false
		for n := min(q.waiting.len(), pushersPerAccount-q.workers); n > 0; n-- {
			q.workers++
			workers.Go(func() { s.pushLoop(ctx, p, a) })
		}
	}
	p.ready = nil
}

// pushLoop pushes until the account's queue is empty. p is the platform it was
// started for: after a reset it finishes what it holds and leaves the new one alone.
func (s *Sandbox) pushLoop(ctx context.Context, p *platform, a *account) {
	for {
		s.lock()
		job := p.nextPush(a, ctx.Err() == nil && p == s.p)
		if job == nil {
			a.pushes.workers--
			p.relist(a)
			s.mu.Unlock()
			return
		}
		d := job.sign(p.clock)
		timeout := a.pushTimeout
		s.mu.Unlock()

		s.deliver(ctx, job, d, timeout)

		s.lock()
		delete(a.pushes.underWay, job)
		switch {
		case p != s.p:
		case ctx.Err() == nil || d.status != 0:
			p.settle(job, d)
		default:
			a.pushes.waiting.push(job) // cut off by the end of Run: the next one delivers it
		}
		s.unlock()
	}
}

// attempt is one delivery of a push: what is sent, then what came back.
type attempt struct {
	start            time.Time     // by the sandbox's clock
	offset           time.Duration // of that clock
	url              string
	token            string // the callback token that signs
	timestamp, nonce string
	status           int // HTTP; 0 = no answer in time
	answer           []byte
	took             time.Duration
}

// nonceStep is odd, so that the nonces of one push are all different.
const nonceStep = 0x9e3779b1

// sign makes the signed query (spec §5.2, §5.4).
func (job *push) sign(c clock) *attempt {
	a, now := job.account, c.now()
	d := &attempt{
		start: now, offset: c.offset, url: a.serverURL, token: a.callbackToken, timestamp: strconv.FormatInt(now.Unix(), 10),
		nonce: strconv.FormatUint(uint64(job.nonce+uint32(job.tries)*nonceStep), 10),
	}
	q := url.Values{}
	q.Set("signature", wechat.Signature(d.token, d.timestamp, d.nonce))
	q.Set("timestamp", d.timestamp)
	q.Set("nonce", d.nonce)
	q.Set("openid", job.openid)
	if job.event.encrypt != "" {
		q.Set("encrypt_type", "aes")
		q.Set("msg_signature", wechat.MsgSignature(d.token, d.timestamp, d.nonce, job.event.encrypt))
	}
	u, err := url.Parse(a.serverURL)
	if err != nil {
		return d // checked when it was set; the request will fail and be recorded
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += q.Encode()
	d.url = u.String()
	return d
}

// deliver makes one request and notes what came back.
func (s *Sandbox) deliver(ctx context.Context, job *push, d *attempt, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	start := time.Now()
	status, answer, err := s.post(ctx, job, d.url)
	d.took = time.Since(start)
	if err != nil {
		s.opts.Logger.Warn("push failed", "appid", job.account.appID, "openid", job.openid, "error", redact(err))
		return
	}
	d.status, d.answer = status, answer
}

func (s *Sandbox) post(ctx context.Context, job *push, target string) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(job.event.body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", job.event.contentType)
	req.Header.Set("User-Agent", pushUserAgent)
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	// An answer counts when it is whole: a server that stalls in the middle has
	// not answered in time.
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxPushAnswer))
	if err != nil {
		return 0, nil, err
	}
	return resp.StatusCode, answer, nil
}

// settle writes down one delivery and decides what comes next. Any 2xx is an
// answer, whatever its text (design §9.10).
func (p *platform) settle(job *push, d *attempt) {
	if job.row != nil {
		job.row.Pushes = append(job.row.Pushes, LedgerPush{At: stamp(d.start), HTTPStatus: d.status, MS: d.took.Milliseconds()})
	}
	job.tries++
	job.tell()
	p.stats.pushes++
	next := p.followUp(job, d)
	p.witnessPush(job, d, next)
}

// followUp decides what comes after a delivery and returns when the next one is,
// zero if there is none.
func (p *platform) followUp(job *push, d *attempt) (next time.Time) {
	q := &job.account.pushes
	if d.status/100 == 2 {
		q.failedInRow = 0
		return next
	}
	p.stats.failed++
	if job.tries < job.account.pushDeliveries {
		next = d.start.Add(job.account.pushTimeout - (d.offset - job.offset))
		job.late = p.clock.offset != job.offset && next.Before(p.clock.now())
		p.timers.add(next, job)
		return next
	}
	p.stats.lost++
	q.failedInRow++
	if after := job.account.markFailAfter; after > 0 && q.failedInRow >= after {
		q.failedInRow = 0
		q.blockedUntil = p.clock.now().Add(job.account.markFailBlock)
	}
	return next
}

// newPushClient follows no redirects, as the platform is not known to, and uses
// no proxy: what it calls is next door.
func newPushClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			MaxIdleConnsPerHost: pushersPerAccount,
			IdleConnTimeout:     30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// redact drops the URL of a request error: its query carries signatures.
func redact(err error) error {
	if e, ok := err.(*url.Error); ok {
		return e.Err
	}
	return err
}
