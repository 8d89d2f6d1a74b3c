package server

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOddPathsOfWeChatAreNotRedirected: a redirect would repeat the query, and the
// secret in it, in a page.
func TestOddPathsOfWeChatAreNotRedirected(t *testing.T) {
	g := startGateway(t, testConfig(t))
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, path := range []string{"//cgi-bin/token", "/cgi-bin//token", "/x/../cgi-bin/token", "/cgi-bin/../cgi-bin/token", "/cgi-bin/./token", "/cgi-bin", "/sns"} {
		resp, err := client.Get(g.url + path + "?appid=wx0f1e2d3c4b5a6978&secret=hys_SEKRET&grant_type=client_credential")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(string(body), `{"errcode":40066,`) || strings.Contains(string(body), "SEKRET") {
			t.Errorf("%s: got %d %s, want errcode 40066 without the secret", path, resp.StatusCode, body)
		}
	}
}

func TestEnvironmentProxiesMayBeDialled(t *testing.T) {
	set := map[string]string{"HTTPS_PROXY": "http://user:pw@10.0.0.9:3128", "http_proxy": "proxy.corp", "HTTP_PROXY": "socks5://10.0.0.8"}
	got := environmentProxies(func(name string) string { return set[name] })
	want := map[string]bool{"10.0.0.9:3128": true, "proxy.corp:80": true, "10.0.0.8:1080": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("proxies (-want +got):\n%s", diff)
	}
}
