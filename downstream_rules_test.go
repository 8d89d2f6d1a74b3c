package hongyan

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testAESKey = "hongyanSandboxEncodingAESKey0123456789abcdE"

// handedOn is an account with one good downstream, changed.
func handedOn(change func(*Account, *Downstream)) Account {
	a := good()
	d := Downstream{Name: "crm", URL: "http://10.0.0.8:8080/wechat?shop=1"}
	change(&a, &d)
	a.Downstreams = append(a.Downstreams, d)
	return a
}

func TestCheckNamesWhatIsWrongWithADownstream(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Account, *Downstream)
		want   []string // "pointer: a part of the detail"
	}{
		{"nothing wrong", func(*Account, *Downstream) {}, nil},
		{"https, a filter, secrets of its own", func(_ *Account, d *Downstream) {
			d.URL, d.Events, d.Mode, d.Token, d.AESKey = "https://crm.example.com", []string{"text", "templatesendjobfinish"}, "safe", "crmtoken", testAESKey
		}, nil},
		{"the account's mode and key", func(a *Account, _ *Downstream) {
			a.Callback = Callback{Mode: "safe", Token: "token1", AESKey: testAESKey}
		}, nil},
		{"plain where the account is safe", func(a *Account, d *Downstream) {
			a.Callback, d.Mode = Callback{Mode: "safe", Token: "token1", AESKey: testAESKey}, "plain"
		}, nil},
		{"no name", func(_ *Account, d *Downstream) { d.Name = "" }, []string{`/downstreams/0/name: "" is not a small letter`}},
		{"a name with a slash", func(_ *Account, d *Downstream) { d.Name = "a/b" }, []string{`/downstreams/0/name: "a/b" is not`}},
		{"a name twice, and two that answer", func(a *Account, d *Downstream) {
			a.Downstreams, d.Sync = []Downstream{{Name: "crm", URL: "http://10.0.0.9", Sync: true}}, true
		}, []string{`/downstreams/1/name: "crm" is the name of downstream 0`, "/downstreams/1/sync: downstream 0 is synchronous already"}},
		{"no URL", func(_ *Account, d *Downstream) { d.URL = "" }, []string{"/downstreams/0/url: required"}},
		{"a URL without a scheme", func(_ *Account, d *Downstream) { d.URL = "10.0.0.8:8080/wechat" }, []string{"/downstreams/0/url: not an absolute URL"}},
		{"another scheme", func(_ *Account, d *Downstream) { d.URL = "ftp://10.0.0.8/x" }, []string{`/downstreams/0/url: the URL of host "10.0.0.8" is not an absolute`}},
		{"a user in the URL", func(_ *Account, d *Downstream) { d.URL = "http://crm@10.0.0.8/x" }, []string{`/downstreams/0/url: the URL of host "10.0.0.8" must have no user`}},
		{"a fragment", func(_ *Account, d *Downstream) { d.URL = "http://10.0.0.8/x#" }, []string{"/downstreams/0/url: "}},
		{"port 0", func(_ *Account, d *Downstream) { d.URL = "http://10.0.0.8:0/x" }, []string{`/downstreams/0/url: the port of "10.0.0.8:0"`}},
		{"a URL without end", func(_ *Account, d *Downstream) { d.URL += strings.Repeat("x", maxURLLen) }, []string{"/downstreams/0/url: is longer than 2048 bytes"}},
		{"WeChat's word in capitals", func(_ *Account, d *Downstream) { d.Events = []string{"TEMPLATESENDJOBFINISH"} },
			[]string{`/downstreams/0/events/0: "TEMPLATESENDJOBFINISH" is not a type of message or event in lower case, such as templatesendjobfinish or text; did you mean "templatesendjobfinish"?`}},
		{"a mistyped event", func(_ *Account, d *Downstream) { d.Events = []string{"text", "templatesendjobfinsh"} },
			[]string{`/downstreams/0/events/1: "templatesendjobfinsh" is no type of message or event that is known here; did you mean "templatesendjobfinish"?`}},
		{"an event of next year", func(_ *Account, d *Downstream) { d.Events = []string{"goose_arrived"} }, nil},
		{"no mode", func(_ *Account, d *Downstream) { d.Mode = "aes" }, []string{`/downstreams/0/mode: "aes" is not one of plain, compatible, safe`}},
		{"safe without secrets anywhere", func(_ *Account, d *Downstream) { d.Mode = "safe" },
			[]string{"/downstreams/0/aes_key: required in mode safe", "/downstreams/0/token: required in mode safe"}},
		{"a short token and key", func(_ *Account, d *Downstream) { d.Token, d.AESKey = "ab", Secret(testAESKey[1:]) },
			[]string{"/downstreams/0/aes_key: must be an EncodingAESKey", "/downstreams/0/token: must be 3 to 32"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := handedOn(tt.change)
			wantFaults(t, a.Check(), tt.want)
		})
	}
}

func TestCheckLimitsHowManyDownstreamsThereAre(t *testing.T) {
	a := good()
	for i := range maxDownstreams + 1 {
		a.Downstreams = append(a.Downstreams, Downstream{Name: "d" + strconv.Itoa(i), URL: "http://10.0.0.8"})
	}
	wantFaults(t, a.Check(), []string{"/downstreams: has 21 downstreams; at most 20"})
	a.Downstreams = a.Downstreams[1:]
	wantFaults(t, a.Check(), nil)
}

func TestCheckNamesWhatIsWrongWithTheWayToWeChat(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Account)
		want   []string
	}{
		{"a token that is pushed to us", func(a *Account) { a.TokenSource = TokenExternal }, nil},
		{"a token that is fetched", func(a *Account) {
			a.TokenSource, a.TokenURL = TokenExternal, "https://token.example.com/cgi-bin/token?key=1"
		}, nil},
		{"fetched over http on this machine", func(a *Account) { a.TokenSource, a.TokenURL = TokenExternal, "http://127.0.0.1:9000/token" }, nil},
		{"fetched over http elsewhere", func(a *Account) { a.TokenSource, a.TokenURL = TokenExternal, "http://10.0.0.5/token" }, []string{"/token_url: must be https"}},
		{"no URL", func(a *Account) { a.TokenSource, a.TokenURL = TokenExternal, "token.example.com" }, []string{"/token_url: not an absolute URL"}},
		{"a fragment", func(a *Account) { a.TokenSource, a.TokenURL = TokenExternal, "https://token.example.com/#x" }, []string{"/token_url: must have no fragment"}},
		{"a URL that nobody asks for", func(a *Account) { a.TokenURL = "https://token.example.com/" }, []string{"/token_url: only an account with token_source external"}},
		{"every kind of proxy", func(a *Account) { a.EgressProxy = "http://proxy:3128" }, nil},
		{"a proxy with a password", func(a *Account) { a.EgressProxy = "socks5h://user:pass@proxy:1080/" }, nil},
		{"a proxy without a port", func(a *Account) { a.EgressProxy = "http://proxy" }, []string{"/egress_proxy: needs a host and a port"}},
		{"a proxy without a host", func(a *Account) { a.EgressProxy = "http://:3128" }, []string{"/egress_proxy: needs a host and a port"}},
		{"a proxy without a scheme", func(a *Account) { a.EgressProxy = "proxy:3128" }, []string{"/egress_proxy: is not the URL of a proxy"}},
		{"a proxy of another kind", func(a *Account) { a.EgressProxy = "socks4://proxy:1080" }, []string{"/egress_proxy: is not the URL of a proxy"}},
		{"a proxy with a path", func(a *Account) { a.EgressProxy = "http://proxy:3128/x" }, []string{"/egress_proxy: must have nothing behind its port"}},
		{"paths", func(a *Account) {
			a.Paths = PathRules{Allow: []string{"/cgi-bin/*", "/wxa/business/getuserphonenumber"}, Deny: []string{"/cgi-bin/clear_quota", "/*"}}
		}, nil},
		{"paths that are none", func(a *Account) {
			a.Paths = PathRules{Allow: []string{"cgi-bin/*", "/cgi*bin/x", "/cgi-bin/../wxa"}, Deny: []string{"", "/cgi-bin/%2e", "/a b", "/x?y=1", "//x"}}
		}, []string{
			`/paths/allow/0: "cgi-bin/*" does not begin with /`, `/paths/allow/1: "/cgi*bin/x" has a *`, `/paths/allow/2: "/cgi-bin/../wxa" has ..`,
			`/paths/deny/0: "" does not begin with /`, `/paths/deny/1: "/cgi-bin/%2e" is not a path`, `/paths/deny/2: "/a b" is not a path`, `/paths/deny/3: "/x?y=1" is not a path`, `/paths/deny/4: "//x" has`,
		}},
		{"too many paths", func(a *Account) { a.Paths.Deny = slices.Repeat([]string{"/x"}, maxPaths+1) }, []string{"/paths/deny: has 101 patterns; at most 100"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := good()
			tt.change(&a)
			wantFaults(t, a.Check(), tt.want)
		})
	}
}

// wantFaults compares faults with "pointer: the beginning of the detail".
func wantFaults(t *testing.T, broken []FieldError, want []string) {
	t.Helper()
	var got []string
	for i, f := range broken {
		line := f.Pointer + ": " + f.Detail
		if i < len(want) && strings.HasPrefix(line, want[i]) {
			line = want[i]
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestCheckRepeatsNoSecretOfTheWayOut(t *testing.T) {
	const secret = "hunter2!"
	for _, proxy := range []string{
		"http://user:" + secret + "@proxy", "socks4://user:" + secret + "@proxy:1080", secret, secret + "://proxy:1",
		"http://user:pa/" + secret + "@proxy:1080", "http://proxy:1080/?" + secret, "user:" + secret + "@proxy:1080",
	} {
		a := handedOn(func(_ *Account, d *Downstream) {
			d.URL, d.Token, d.AESKey = "https://user:"+secret+"@crm.example.com", secret, secret
		})
		a.EgressProxy, a.TokenSource, a.TokenURL = Secret(proxy), TokenExternal, Secret("http://user:"+secret+"@10.0.0.5/?key="+secret)
		broken := a.Check()
		if len(broken) != 5 {
			t.Errorf("%s: got %v, want 5 broken rules", proxy, broken)
		}
		for _, f := range broken {
			if strings.Contains(f.Detail, secret) {
				t.Errorf("%s: %s repeats the secret: %s", proxy, f.Pointer, f.Detail)
			}
		}
	}
}

func TestAProxyIsShownWithoutItsUser(t *testing.T) {
	for proxy, want := range map[Secret]string{
		"":                                     "",
		"socks5://user:hunter2@10.0.0.1:1080":  "socks5://10.0.0.1:1080",
		"http://hunter2@proxy.internal:3128/":  "http://proxy.internal:3128",
		"https://proxy.internal:443":           "https://proxy.internal:443",
		"http://user:hunter2@[2001:db8::1]:80": "http://[2001:db8::1]:80",
	} {
		if got := (&Account{EgressProxy: proxy}).EgressProxyShown(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
