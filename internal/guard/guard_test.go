package guard

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestOnlyPublicAddressesMayBeDialled(t *testing.T) {
	refused := map[string]string{
		"loopback": "127.0.0.1", "all of loopback": "127.8.9.1", "loopback v6": "::1", "unspecified": "0.0.0.0", "unspecified v6": "::",
		"RFC 1918 /8": "10.1.2.3", "RFC 1918 /12": "172.31.255.255", "RFC 1918 /16": "192.168.0.1", "shared (CGNAT)": "100.64.0.1",
		"metadata": "169.254.169.254", "metadata v6": "fd00:ec2::254", "metadata of another cloud": "100.100.100.200", "link-local": "169.254.0.9", "link-local v6": "fe80::1",
		"unique local": "fc00::1", "multicast": "224.0.0.1", "multicast v6": "ff02::1", "broadcast": "255.255.255.255", "reserved": "240.0.0.1",
		"benchmarks": "198.18.0.1", "documentation": "192.0.2.1", "documentation v6": "2001:db8::1",
		"mapped loopback": "::ffff:127.0.0.1", "mapped private": "::ffff:a00:1", "compatible": "::7f00:1", "NAT64": "64:ff9b::7f00:1", "6to4": "2002:7f00:1::", "Teredo": "2001:0:1::",
		"site-local": "fec0::1", "discard": "100::1",
	}
	g := New(nil)
	for name, ip := range refused {
		t.Run(name, func(t *testing.T) {
			address := net.JoinHostPort(ip, "443")
			err := g.Control(network(ip), address, nil)
			if !errors.Is(err, ErrNotPublic) || !strings.Contains(err.Error(), "allow_private") {
				t.Errorf("Control(%s) = %v, want a refusal that names allow_private", address, err)
			}
			if bare := netip.MustParseAddr(ip).Unmap().String(); err != nil && !strings.Contains(err.Error(), bare) {
				t.Errorf("%v does not name %s", err, bare)
			}
		})
	}
	for _, ip := range []string{"1.1.1.1", "101.32.1.1", "172.32.0.1", "100.128.0.1", "2400:3200::1", "::ffff:1.1.1.1"} {
		if err := g.Control(network(ip), net.JoinHostPort(ip, "8080"), nil); err != nil {
			t.Errorf("%s is public: %v", ip, err)
		}
	}
}

func network(ip string) string {
	if strings.Contains(ip, ":") {
		return "tcp6"
	}
	return "tcp4"
}

func TestListedNetworksMayBeDialled(t *testing.T) {
	allow, err := ParsePrefixes([]string{"10.1.0.0/16", " fd12::/16 ", "192.168.7.7"})
	if err != nil {
		t.Fatal(err)
	}
	g := New(allow)
	for ip, want := range map[string]bool{
		"10.1.255.1": true, "10.2.0.1": false, "::ffff:10.1.0.1": true, "fd12::1": true, "fd13::1": false, "192.168.7.7": true, "192.168.7.8": false, "169.254.169.254": false,
	} {
		if err := g.Control(network(ip), net.JoinHostPort(ip, "80"), nil); (err == nil) != want {
			t.Errorf("%s: %v, want allowed %v", ip, err, want)
		}
	}
}

func TestControlRefusesWhatIsNoTCPAddress(t *testing.T) {
	for network, address := range map[string]string{"udp4": "1.1.1.1:53", "unix": "/run/x.sock", "tcp4": "example.com:80"} {
		if err := New(nil).Control(network, address, nil); err == nil {
			t.Errorf("%s %s is let through", network, address)
		}
	}
}

func TestParsePrefixesNamesTheMistake(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1/8":    `allow_private[1]: "10.0.0.1/8" has bits set behind the length of its prefix; write 10.0.0.0/8`,
		"example.com":   `allow_private[1]: "example.com" is not a network such as 10.0.0.0/8, nor an IP address`,
		"":              `allow_private[1]: "" is not a network such as 10.0.0.0/8, nor an IP address`,
		"10.0.0.0/33":   `allow_private[1]: "10.0.0.0/33" is not a network such as 10.0.0.0/8, nor an IP address`,
		"fe80::1%eth0":  `allow_private[1]: "fe80::1%eth0" is not a network such as 10.0.0.0/8, nor an IP address`,
		"::ffff:0:0/96": `allow_private[1]: "::ffff:0:0/96" is not a network such as 10.0.0.0/8, nor an IP address`,
	} {
		if _, err := ParsePrefixes([]string{"::1", text}); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

// TestANameThatChangesItsAddressGainsNothing asks a name server that answers a
// public address first and loopback afterwards.
func TestANameThatChangesItsAddressGainsNothing(t *testing.T) {
	var hits atomic.Int64
	victim := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer victim.Close()
	_, port, _ := net.SplitHostPort(victim.Listener.Addr().String())
	resolver := rebinding(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()

	first, err := resolver.LookupNetIP(ctx, "ip4", "rebind.test.")
	if err != nil || first[0].String() != "1.1.1.1" || New(nil).Check(first[0]) != nil {
		t.Fatalf("the check of the name: %v, %v; want 1.1.1.1, which is public", first, err)
	}
	dialer := &net.Dialer{Resolver: resolver, Control: New(nil).Control}
	conn, err := dialer.DialContext(ctx, "tcp4", "rebind.test.:"+port)
	if err == nil {
		_ = conn.Close()
	}
	if !errors.Is(err, ErrNotPublic) || !strings.Contains(err.Error(), "127.0.0.1") || hits.Load() > 0 {
		t.Errorf("the call: %v with %d hits, want a refusal of 127.0.0.1", err, hits.Load())
	}
}

// rebinding is a resolver whose server gives another address from the second question on.
func rebinding(t *testing.T) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		addresses := [][4]byte{{1, 1, 1, 1}, {127, 0, 0, 1}}
		for buf := make([]byte, 1500); ; {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			var question dnsmessage.Message
			if question.Unpack(buf[:n]) != nil {
				continue
			}
			answer := dnsmessage.Message{Header: dnsmessage.Header{ID: question.ID, Response: true}, Questions: question.Questions}
			if q := question.Questions[0]; q.Type == dnsmessage.TypeA {
				answer.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
					Body:   &dnsmessage.AResource{A: addresses[0]},
				}}
				addresses = addresses[len(addresses)-1:]
			}
			packed, _ := answer.Pack()
			_, _ = server.WriteTo(packed, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp4", server.LocalAddr().String())
	}}
}

func FuzzControl(f *testing.F) {
	for _, seed := range []string{"127.0.0.1:80", "[::1]:80", "[::ffff:10.0.0.1%eth0]:1", "1.1.1.1:443"} {
		f.Add(seed)
	}
	g := New(nil)
	f.Fuzz(func(t *testing.T, address string) {
		if g.Control("tcp4", address, nil) != nil {
			return
		}
		ip := netip.MustParseAddrPort(address).Addr().Unmap()
		if ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || !ip.IsGlobalUnicast() {
			t.Errorf("%s is let through", address)
		}
	})
}
