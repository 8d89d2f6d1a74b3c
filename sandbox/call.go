package sandbox

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"hongyan/wechat"
)

// maxBody bounds what a call may send; the platform's own limit is unpublished.
const maxBody = 1 << 20

// call is one request to a path of WeChat's, from arrival to answer.
type call struct {
	req     *http.Request
	path    string
	body    []byte
	tooLong bool
	broken  bool      // the body could not be read to its end
	send    *sendBody // parsed body of the send endpoints
	badBody wechat.Code
	// data is that of send, parsed; it is not kept with the message, being large.
	data         wechat.Data
	dataIsObject bool
	login        tokenRequest // parsed request of the token endpoints
	oneTime      *oneTimeAsk  // of the one-time endpoints
	official     string       // of uniform_send: the appid of mp_template_msg, if that counts
	touser       string       // for fault rules and the ledger
	begin        time.Time    // by the real clock
	tokenText    string
	fault        *Fault // the rule that spoils it

	// Filled with the mutex held.
	now     time.Time
	token   *token
	account *account
}

// answer is what a call is answered with.
type answer struct {
	status      int // HTTP; 0 = 200
	code        int // for ledger and stats
	body        []byte
	html        bool
	location    string // of a redirect
	msgID       int64
	duplicateOf int64
	accepted    *message
}

func newCall(r *http.Request) *call {
	c := &call{req: r, path: r.URL.Path, begin: time.Now()}
	c.readToken()
	c.readBody()
	return c
}

// readToken finds the token in the query. Nearly always it is alone there and plain,
// which needs no parsing.
func (c *call) readToken() {
	query := c.req.URL.RawQuery
	if text, alone := strings.CutPrefix(query, "access_token="); alone && looksLikeToken(text) {
		c.tokenText = text
	} else if query != "" {
		c.tokenText = c.req.URL.Query().Get("access_token")
	}
}

func (c *call) readBody() {
	r := c.req
	if r.Body == nil || r.ContentLength == 0 {
		return
	}
	if r.ContentLength > maxBody {
		c.tooLong = true
		return
	}
	var err error
	if r.ContentLength > 0 {
		c.body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, c.body)
	} else {
		c.body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		c.tooLong = len(c.body) > maxBody
	}
	c.broken = err != nil
}

// clientIP is the caller's address as the whitelist and 40164 see it.
func (c *call) clientIP() netip.Addr { return addressOf(c.req.RemoteAddr) }

// addressOf is the address of a remote host and port.
func addressOf(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, _ := netip.ParseAddr(host)
	return addr.Unmap()
}

// serveWeChat answers one call of the platform's API.
func (s *Sandbox) serveWeChat(w http.ResponseWriter, r *http.Request) {
	c := newCall(r)
	if c.broken {
		panic(http.ErrAbortHandler) // the caller went away while sending: no call was received
	}
	ep := endpoints[c.path]
	if ep.parse != nil {
		ep.parse(c)
	}
	p := s.lock()
	p.identify(c)
	if late := c.latency(); late > 0 {
		s.unlock()
		if !c.wait(late) {
			s.refuse(c, answer{code: cutShort}, false)
			panic(http.ErrAbortHandler) // the caller has left
		}
		p = s.lock()
		p.identify(c)
	}
	if f := p.strike(ep, c); f != nil {
		p.feed.mark(changedFaults)
		s.unlock()
		s.spoil(w, c, ep, f)
		return
	}
	a := p.answer(ep, c)
	row := p.record(c, a, true)
	s.unlock()
	s.write(w, a, row)
}

// identify finds whose call it is, however dead its token.
func (p *platform) identify(c *call) {
	c.now = p.clock.now()
	if c.login.given {
		c.account = p.accounts[c.login.AppID.string()]
		return
	}
	if c.token = p.tokens[c.tokenText]; c.token != nil {
		c.account = c.token.account
	}
}

// latency is how many milliseconds the account's calls wait before anything is done.
func (c *call) latency() int {
	if c.account == nil {
		return 0
	}
	return int(c.account.latency.Milliseconds())
}

// appID is what the ledger and the fault rules know the caller by.
func (c *call) appID() string {
	switch {
	case c.account != nil:
		return c.account.appID
	case c.login.given:
		return c.login.AppID.string()
	}
	return ""
}

// answer applies the first steps of the order of checks (spec §2.9), which all
// endpoints share, and then asks the endpoint.
func (p *platform) answer(ep endpoint, c *call) answer {
	status, code := p.frontEnd(ep, c)
	switch {
	case status != 0:
		return httpAnswer(status)
	case code != wechat.CodeOK:
		return p.fail(c, code)
	case ep.serve == nil:
		return p.fail(c, wechat.CodeInvalidURL)
	}
	if ep.needsToken {
		if code := p.checkToken(c); code != wechat.CodeOK {
			return p.fail(c, code)
		}
		if code := p.admit(c, &ep.api); code != wechat.CodeOK {
			return p.fail(c, code)
		}
	}
	return ep.serve(p, c)
}

// refusedEarly reports whether the call fails in steps 1 to 4, before anything is
// known of its account's day.
func (p *platform) refusedEarly(ep endpoint, c *call) bool {
	status, code := p.frontEnd(ep, c)
	return status != 0 || code != wechat.CodeOK || ep.needsToken && p.checkToken(c) != wechat.CodeOK
}

// admit is steps 5 and 6: may the account use this API, is the platform up to it, and
// has the account calls left?
func (p *platform) admit(c *call, api *api) wechat.Code {
	switch {
	case c.account.bodyFirst && c.badBody != wechat.CodeOK:
		return c.badBody
	case api.may != nil && !api.may(c.account):
		return wechat.CodeAPIUnauthorized
	case len(c.account.forbiddenAPIs) > 0 && c.account.forbids(c.path):
		return wechat.CodeAPIForbidden
	case api.sends && p.busy(c):
		return wechat.CodeSystemError
	}
	if api.limit == nil || api.serves {
		return wechat.CodeOK
	}
	limits := api.limit(c.account)
	return c.account.charge(c.path, c.now, limits.minute, limits.daily)
}

// frontEnd is steps 1 and 2: what is refused before anybody looks at the token, by an
// HTTP status or an errcode.
func (p *platform) frontEnd(ep endpoint, c *call) (status int, code wechat.Code) {
	post := c.req.Method == http.MethodPost
	switch {
	case post && c.req.ContentLength < 0 && *p.rules.Chunked412:
		return http.StatusPreconditionFailed, wechat.CodeOK
	case ep.form && *p.rules.JSONForm415 && strings.HasPrefix(c.req.Header.Get("Content-Type"), "application/json"):
		return http.StatusUnsupportedMediaType, wechat.CodeOK
	case c.tooLong:
		return http.StatusRequestEntityTooLarge, wechat.CodeOK
	case *p.rules.RequireHTTPS && c.req.TLS == nil:
		return 0, wechat.CodeRequireHTTPS
	case ep.post && !post:
		return 0, wechat.CodeRequirePOST
	}
	return 0, wechat.CodeOK
}

// httpAnswer is a refusal by the front end, with a page instead of an errcode.
// The ledger and the stats show its status in place of the errcode.
func httpAnswer(status int) answer {
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	page := "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" +
		title + "</h1></center>\r\n</body>\r\n</html>\r\n"
	return answer{status: status, code: status, body: []byte(page), html: true}
}

var (
	jsonType = []string{"application/json; encoding=utf-8"} // "encoding", not "charset": spec §2.6
	htmlType = []string{"text/html"}
	// pagePolicy allows a page its style sheet. Forms may go anywhere: the way back from
	// the one-time page is a redirect, which browsers count as a form's target.
	pagePolicy = []string{"default-src 'none'; style-src 'unsafe-inline'"}
)

// head writes the headers and the status.
func (a *answer) head(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"] = jsonType
	if a.html {
		h["Content-Type"] = htmlType
		h["Content-Security-Policy"] = pagePolicy
	}
	if a.location != "" {
		h["Location"] = []string{a.location}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
}

// write sends the answer. The ledger's row already says "answered", so that a
// caller who has read the answer finds it there; that is taken back when the
// bytes could not be written.
func (s *Sandbox) write(w http.ResponseWriter, a answer, row *LedgerEntry) {
	a.head(w)
	_, err := w.Write(a.body)
	if err == nil {
		err = http.NewResponseController(w).Flush()
	}
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.unanswered(row)
	}
}

func (s *Sandbox) unanswered(row *LedgerEntry) {
	s.mu.Lock()
	row.Answered = false
	s.mu.Unlock()
}
