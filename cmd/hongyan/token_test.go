package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"hongyan/client"
)

// TestCallersWithTheRealAppSecretAreToldApart: they are the ones who can still
// fetch tokens past the gateway.
func TestCallersWithTheRealAppSecretAreToldApart(t *testing.T) {
	at := client.Time{Time: time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC)}
	own := client.TokenCaller{CallerID: "key_1", Name: "web-shop", Endpoint: "token", FirstAt: at, LastAt: at, Requests: 7, Forced: 1, Remote: "10.0.0.7"}
	real := client.TokenCaller{CallerID: client.CallerAppSecret, Name: "AppSecret", Endpoint: "stable_token", FirstAt: at, LastAt: at, Requests: 3, Remote: "10.0.0.9"}
	for name, tt := range map[string]struct {
		callers  []client.TokenCaller
		want     []string
		unwanted string
	}{
		"secrets of their own": {[]client.TokenCaller{own}, []string{"web-shop", "key_1", "10.0.0.7", "next: hongyan key list"}, "AppSecret"},
		"one with the AppSecret": {[]client.TokenCaller{own, real}, []string{"web-shop", "the real AppSecret", "stable_token", "10.0.0.9",
			"give each program a secret of its own", "next: hongyan key create NAME --kind gateway"}, "key list"},
	} {
		var b bytes.Buffer
		shownCallers(&printer{w: &b}, tt.callers)
		for _, want := range tt.want {
			// "next:" names the program as the test was called.
			_, words, _ := strings.Cut(want, "next: hongyan ")
			if !strings.Contains(b.String(), want) && (words == "" || !strings.Contains(b.String(), words)) {
				t.Errorf("%s: %q is not in\n%s", name, want, b.String())
			}
		}
		if strings.Contains(b.String(), tt.unwanted) {
			t.Errorf("%s: %q is in\n%s", name, tt.unwanted, b.String())
		}
	}
}
