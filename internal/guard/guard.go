// Package guard keeps connections inside bounds: it refuses every address that is
// not public unless an operator listed it, so that a URL somebody configured
// cannot reach the machine's own services or a cloud's metadata.
//
// Start with New; its Control goes into net.Dialer. It is asked after the name was
// resolved, for each address that is about to be dialled, so that a name which
// changes its address between two look-ups gains nothing. What redirects do and
// how many connections there are is left to others.
package guard

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"
)

// ErrNotPublic is wrapped by every refusal of an address.
var ErrNotPublic = errors.New("not a public address")

// Guard decides which addresses may be dialled. Its methods are safe for concurrent use.
type Guard struct {
	allowed []netip.Prefix
	public  *ssrf.Guardian
}

// New returns a Guard that lets through public addresses, and those inside allow.
func New(allow []netip.Prefix) *Guard {
	return &Guard{allowed: allow, public: ssrf.New(ssrf.WithAnyPort())}
}

// Control is for net.Dialer.Control: address is an IP address and a port. Loopback,
// private, shared (CGNAT), link-local, unique local, multicast, unspecified,
// documentation and transition addresses are refused, and every network but TCP.
// The error names the address and the setting that would allow it.
func (g *Guard) Control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("connection to %s refused: network %s is not TCP", address, network)
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("connection to %q refused: it is not an IP address and a port", address)
	}
	return g.Check(at.Addr())
}

// Check reports whether ip may be called, as Control does.
func (g *Guard) Check(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("") // ::ffff:127.0.0.1 is 127.0.0.1
	for _, prefix := range g.allowed {
		if prefix.Contains(ip) {
			return nil
		}
	}
	if g.public.SafeAddr(ip) != nil {
		return fmt.Errorf("connection to %s refused: it is %w; list its network under allow_private if it is to be called", ip, ErrNotPublic)
	}
	return nil
}

// ParsePrefixes reads networks such as 10.0.0.0/8 or fd00::/8; an address alone is
// a network of one. The error names the first that cannot be read, by its place
// in the list.
func ParsePrefixes(networks []string) ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, len(networks))
	for i, text := range networks {
		p, err := parsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("allow_private[%d]: %q %w", i, text, err)
		}
		prefixes[i] = p
	}
	return prefixes, nil
}

var (
	errNoNetwork = errors.New("is not a network such as 10.0.0.0/8, nor an IP address")
	errHostBits  = errors.New("has bits set behind the length of its prefix")
)

func parsePrefix(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, errNoNetwork
	}
	if p.Masked() != p {
		return netip.Prefix{}, fmt.Errorf("%w; write %s", errHostBits, p.Masked())
	}
	return p, nil
}
