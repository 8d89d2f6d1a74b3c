package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"hongyan"
	"hongyan/wechat"
)

// patient is one account under examination. Its checks share one access_token and
// one harmless call.
type patient struct {
	*Doctor
	account *hongyan.Account
	tokens  func() tokenState
	asked   func() probe
}

func (d *Doctor) patient(ctx context.Context, a *hongyan.Account) *patient {
	p := &patient{Doctor: d, account: a}
	p.tokens = shared(func() tokenState { return p.haveToken(ctx) })
	p.asked = shared(func() probe { return p.ask(ctx) })
	return p
}

// shared makes the first caller's call everybody's. They wait on a channel, not, as with
// sync.OnceValue, on a mutex that is held while a call is under way.
func shared[T any](call func() T) func() T {
	var once sync.Once
	var value T
	var fault any
	done := make(chan struct{})
	return func() T {
		once.Do(func() {
			go func() {
				defer close(done)
				defer func() { fault = recover() }()
				value = call()
			}()
		})
		<-done
		if fault != nil {
			panic(fault) // in each check that needs it, which reports it
		}
		return value
	}
}

// tokenState is an account's token, or why it has none.
type tokenState struct {
	Token
	secret string // "" = none was to be had
	err    error  // why, when it was asked for
	looked error  // the state itself could not be read
}

// haveToken gets the account's token as a send would. Where that could only be done
// by killing a token that others may be using, or by asking what was refused already,
// nothing is asked.
func (p *patient) haveToken(ctx context.Context) (s tokenState) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	if s.Token, s.looked = p.cfg.Token(ctx, p.account.AppID); s.looked != nil {
		return s
	}
	if s.Remaining <= 0 && (s.Stopped != nil || p.fetchKills() || p.isPushed()) {
		return s
	}
	s.secret, s.err = p.cfg.AccessToken(ctx, p.account.AppID)
	if s.err == nil && s.Remaining <= 0 { // it was fetched just now
		if fresh, err := p.cfg.Token(ctx, p.account.AppID); err == nil {
			s.Token = fresh
		}
	}
	return s
}

// fetchKills reports whether fetching a token ends the one that another program
// may have fetched.
func (p *patient) fetchKills() bool { return p.account.TokenSource == hongyan.TokenPlain }

// isPushed reports whether the token is brought to us, so that none can be asked for.
func (p *patient) isPushed() bool {
	return p.account.TokenSource == hongyan.TokenExternal && p.account.TokenURL == ""
}

// callLimit bounds one call to WeChat, so that a check of two still ends in time.
const callLimit = 4 * time.Second

// probe is one call of get_api_domain_ip: it costs nothing and needs a live token.
type probe struct {
	made     bool // false: there was no token to make it with
	err      error
	hosts    []netip.Prefix // addresses of WeChat's API
	sent     time.Time      // by the store's clock
	answered time.Time
	date     time.Time // the answer's Date header; zero = it had none
}

func (p *patient) ask(ctx context.Context) (got probe) {
	token := p.tokens()
	if token.secret == "" {
		return got
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	var dates dateKeeper
	client := p.wechat(token.secret, &dates)
	got.made, got.sent = true, p.cfg.Store.Now()
	answer, err := client.Do(ctx, wechat.Call{Endpoint: wechat.EndpointAPIDomainIP, AccessToken: token.secret})
	got.answered, got.err, got.date = p.cfg.Store.Now(), err, dates.date()
	var listed struct {
		IPList []string `json:"ip_list"`
	}
	if err == nil && json.Unmarshal(answer.Body, &listed) == nil {
		got.hosts = prefixes(listed.IPList)
	}
	return got
}

// wechat speaks to WeChat as the account, with a token that is not replaced when
// WeChat refuses it: that is the engine's business. dates, if not nil, keeps the
// answer's Date header.
func (p *patient) wechat(token string, dates *dateKeeper) *wechat.Client {
	client := *p.cfg.ClientFor(p.account)
	if dates != nil {
		dates.next = client.Transport
		client.Transport = dates
	}
	return &wechat.Client{BaseURL: p.account.BaseURL, HTTPClient: &client, Tokens: wechat.StaticToken(token)}
}

// dateKeeper is a transport that remembers when the last answer says it was sent.
type dateKeeper struct {
	next http.RoundTripper

	mu   sync.Mutex
	last string
}

func (k *dateKeeper) RoundTrip(r *http.Request) (*http.Response, error) {
	next := k.next
	if next == nil {
		next = http.DefaultTransport
	}
	res, err := next.RoundTrip(r)
	if err == nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.last = res.Header.Get("Date")
	}
	return res, err
}

// date returns zero when there was no Date header, or none that can be read.
func (k *dateKeeper) date() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	at, err := http.ParseTime(k.last)
	if err != nil {
		return time.Time{}
	}
	return at
}

// prefixes reads addresses and networks; what is neither is left out.
func prefixes(texts []string) (list []netip.Prefix) {
	for _, text := range texts {
		if at, err := netip.ParsePrefix(text); err == nil {
			list = append(list, at)
		} else if at, err := netip.ParseAddr(text); err == nil {
			list = append(list, netip.PrefixFrom(at, at.BitLen()))
		}
	}
	return list
}

func systemResolver(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// host is the name or address the account's base_url leads to.
func (p *patient) host() string {
	base := p.account.BaseURL
	if base == "" {
		base = wechat.DefaultBaseURL
	}
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	return u.Hostname()
}

// dns looks the name of base_url up, and whether WeChat knows the addresses.
func (p *patient) dns(ctx context.Context, r *report) error {
	host := p.host()
	if _, err := netip.ParseAddr(host); err == nil {
		r.ok(say("base_url names the address %s itself", "base_url 直接写明地址 %s", host))
		return nil
	}
	if p.account.EgressProxy != "" {
		r.ok(say("the proxy %s looks %s up", "由代理 %s 解析 %s", p.account.EgressProxyShown(), host))
		return nil
	}
	found, err := p.cfg.Resolve(ctx, host)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil || len(found) == 0 {
		r.add(Problem, "dns_failed", say("%s cannot be looked up: %s", "无法解析 %s：%s", host, plainDNS(err)),
			say("see /etc/resolv.conf and whether this machine reaches its DNS server; or set an egress_proxy", "检查 /etc/resolv.conf 以及本机能否访问 DNS 服务器；或设置 egress_proxy"))
		return nil
	}
	if got := p.asked(); ofWeChat(host) && got.err == nil && len(got.hosts) > 0 && !anyInside(found, got.hosts) {
		r.add(Warning, "dns_foreign_address", say("%s is %s here, which is none of the addresses WeChat names", "此处 %s 解析为 %s，不在微信公布的地址之中", host, join(found)),
			say("see the DNS server and /etc/hosts for an entry of somebody else's; a new address of WeChat's is possible too", "检查 DNS 服务器与 /etc/hosts 是否被改写；也可能是微信新增的地址"))
		return nil
	}
	r.ok(say("%s is %s", "%s 解析为 %s", host, join(found)))
	return nil
}

// ofWeChat reports whether WeChat's own list of addresses is about this host.
func ofWeChat(host string) bool { return strings.HasSuffix(host, ".weixin.qq.com") }

func anyInside(addrs []netip.Addr, networks []netip.Prefix) bool {
	for _, a := range addrs {
		for _, n := range networks {
			if n.Contains(a.Unmap()) {
				return true
			}
		}
	}
	return false
}

// join writes up to three addresses.
func join(addrs []netip.Addr) string {
	words := make([]string, 0, 3)
	for _, a := range addrs[:min(3, len(addrs))] {
		words = append(words, a.Unmap().String())
	}
	if len(addrs) > 3 {
		words = append(words, "…")
	}
	return strings.Join(words, ", ")
}

// plainDNS is the cause without the name, which is shown already.
func plainDNS(err error) string {
	if err == nil {
		return "it has no address"
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e.Err
	}
	return err.Error()
}

// clock compares the store's clock with the Date header of WeChat's answer, which has
// whole seconds.
func (p *patient) clock(_ context.Context, r *report) error {
	got := p.asked()
	if got.date.IsZero() {
		return nil // no answer: other checks say why
	}
	// The answer was written between sent and answered, and says so to the second: what
	// is left of the difference is the clocks'.
	off := max(0, got.sent.Sub(got.date.Add(time.Second)))
	if behind := got.answered.Sub(got.date); behind < 0 {
		off = behind
	}
	if off.Abs() < clockWarning {
		r.ok(say("the gateway's clock and WeChat's agree", "网关时钟与微信时钟一致"))
		return nil
	}
	level := Warning
	if off.Abs() >= clockProblem {
		level = Problem
	}
	what := say("the gateway's clock is %s ahead of WeChat's", "网关时钟比微信快 %s", round(off.Abs()))
	if off < 0 {
		what = say("the gateway's clock is %s behind WeChat's", "网关时钟比微信慢 %s", round(off.Abs()))
	}
	r.add(level, "clock_off_wechat", what, setTheClock)
	return nil
}
