package main

import (
	"errors"
	"net"
	"net/http"
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
func (f *gatewayFlags) client(w *surroundings) *client.Client {
	base := f.URL
	if base == "" {
		base = w.getenv("HONGYAN_URL")
	}
	if base == "" {
		base = defaultURL
	}
	key := w.getenv("HONGYAN_KEY")
	if key == "" && onThisMachine(base) {
		key = localAdminKey(w)
	}
	return client.New(base, key)
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

// apiError turns what the client reports into what, where and cure.
func apiError(c *client.Client, err error) error {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return &commandError{what: problemWords(p), cure: problemCure(p)}
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return &commandError{what: "no answer from " + c.BaseURL + ": " + u.Err.Error(),
			cure: "start a gateway with hongyan serve, or set HONGYAN_URL to where it is"}
	}
	return err
}

// problemWords says what the gateway refused, field by field, on one line.
func problemWords(p *client.Problem) string {
	said := p.Detail
	for _, f := range p.Errors {
		if !strings.Contains(said, f.Detail) {
			said += "; " + f.Pointer + ": " + f.Detail
		}
	}
	return said
}

func problemCure(p *client.Problem) string {
	switch p.Status {
	case http.StatusUnauthorized:
		return "set HONGYAN_KEY to a key of this gateway; its first start wrote the administrator's to DATA/admin.key"
	case http.StatusForbidden:
		return "use a key with the role and the accounts this needs: hongyan key list"
	case http.StatusInternalServerError:
		return "the gateway's log has it under " + p.RequestID
	}
	if p.Retryable {
		return "try again later"
	}
	return ""
}
