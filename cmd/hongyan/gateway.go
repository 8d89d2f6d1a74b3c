package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"hongyan/client"
)

// defaultURL is where serve listens when nothing else is said.
const defaultURL = client.DefaultBaseURL

// gatewayFlags are those of every command that speaks to a gateway. The key
// has no flag: command lines are visible to every user of the machine.
type gatewayFlags struct {
	URL  string `name:"url" placeholder:"URL" help:"The gateway ($$HONGYAN_URL, default http://127.0.0.1:7800). The key is in $$HONGYAN_KEY."`
	JSON bool   `name:"json" help:"Print JSON, for programs."`
}

// client returns the API client. Without HONGYAN_KEY a gateway on this machine
// is shown the administrator's key its first start wrote, if we may read it.
func (f *gatewayFlags) client(w *surroundings) (*client.Client, error) {
	w.warn()
	base, from := f.URL, "--url"
	if base == "" {
		base, from = w.getenv("HONGYAN_URL"), "HONGYAN_URL"
	}
	if base == "" {
		base = defaultURL
	}
	if u, err := url.Parse(base); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, wrongUse("write it like "+defaultURL, "%s is not the URL of a gateway%s", from, quotedURL(u))
	}
	key := w.getenv("HONGYAN_KEY")
	if key == "" && onThisMachine(base) {
		key = localAdminKey(w)
	}
	c := client.New(base, key)
	c.Retries.Tries = 1 // who types a command sees at once that it failed
	return c, nil
}

// quotedURL shows what was given, without a password in it; "" when it is no URL at
// all, or one of a form in which a password may stand anywhere.
func quotedURL(u *url.URL) string {
	if u == nil || u.Opaque != "" || u.RawQuery != "" || u.User == nil && strings.Contains(u.String(), "@") {
		return ""
	}
	return fmt.Sprintf(": %q", u.Redacted())
}

func onThisMachine(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// localAdminKey reads DATA/admin.key; "" when there is none for us.
func localAdminKey(w *surroundings) string {
	dir := w.getenv("HONGYAN_DATA")
	if dir == "" {
		dir = "./data"
	}
	content, err := os.ReadFile(filepath.Join(dir, "admin.key"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}
