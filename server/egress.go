package server

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"hongyan"
	"hongyan/deliver"
	"hongyan/internal/guard"
	"hongyan/wechat"
)

// dialTimeout bounds connecting to anybody; DNS included.
const dialTimeout = 5 * time.Second

// egress makes the HTTP clients with which the gateway calls others. None of
// them reaches an address that is not public unless the operator listed it
// (allow_private), whatever a name resolves to: what is called comes from
// settings, and settings come over the network too.
type egress struct {
	listed   *guard.Guard // what the operator listed
	loopback *guard.Guard // … and this machine: for accounts whose base_url names it
	// proxies are the host:port of the proxies in the environment: whoever starts
	// the program has named them.
	proxies map[string]bool

	mu      sync.Mutex
	clients map[route]*http.Client
}

// route is what decides which client an account's calls take.
type route struct {
	proxy    hongyan.Secret
	loopback bool
}

var loopbacks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// newEgress takes what the operator listed, and where the gateway listens: one
// that listens on loopback serves this machine alone, and may call it.
func newEgress(allowed []netip.Prefix, listen net.Addr) *egress {
	here := append(append([]netip.Prefix{}, allowed...), loopbacks...)
	if tcp, ok := listen.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		allowed = here
	}
	return &egress{
		listed: guard.New(allowed), loopback: guard.New(here),
		proxies: environmentProxies(os.Getenv), clients: map[route]*http.Client{},
	}
}

// environmentProxies returns the addresses net/http's ProxyFromEnvironment may lead to.
func environmentProxies(getenv func(string) string) map[string]bool {
	found := map[string]bool{}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		text := getenv(name)
		if text != "" && !strings.Contains(text, "://") {
			text = "http://" + text
		}
		if u, err := url.Parse(text); err == nil && u.Host != "" {
			found[hostPort(u)] = true
		}
	}
	return found
}

// hostPort is the address a proxy's URL is dialled at.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// clientFor returns the client with which WeChat is called for an account: one
// for all accounts with the same proxy, so that they share connections.
func (e *egress) clientFor(a *hongyan.Account) *http.Client {
	r := route{proxy: a.EgressProxy, loopback: namesLoopback(a.BaseURL)}
	e.mu.Lock()
	defer e.mu.Unlock()
	if known := e.clients[r]; known != nil {
		return known
	}
	client := wechat.NewHTTPClient(e.transport(r))
	e.clients[r] = client
	return client
}

func (e *egress) transport(r route) *http.Transport {
	t := wechat.NewTransport()
	wall := e.listed
	if r.loopback {
		wall = e.loopback
	}
	t.DialContext = e.dialer(wall.Control)
	if r.proxy != "" {
		// Check has seen to it that it parses.
		if u, err := url.Parse(r.proxy.Reveal()); err == nil {
			t.Proxy = http.ProxyURL(u)
		}
	}
	return t
}

// dialer returns a DialContext whose connections pass control, but for the
// environment's proxies.
func (e *egress) dialer(control controlFunc) dialFunc {
	guarded, plain := guardedDialer(control), guardedDialer(nil)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if e.proxies[address] {
			return plain.DialContext(ctx, network, address)
		}
		return guarded.DialContext(ctx, network, address)
	}
}

type (
	dialFunc    = func(ctx context.Context, network, address string) (net.Conn, error)
	controlFunc = func(network, address string, c syscall.RawConn) error
)

func guardedDialer(control controlFunc) *net.Dialer {
	return &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second, Control: control}
}

// namesLoopback reports whether a base URL names this machine itself.
func namesLoopback(baseURL string) bool {
	u, err := url.Parse(baseURL)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// downstreams returns the client for servers of the business. It uses no proxy:
// behind one, addresses could not be checked.
func (e *egress) downstreams() *http.Client {
	return &http.Client{Transport: deliver.NewTransport(e.listed.Control)}
}
