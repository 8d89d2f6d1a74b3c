package prove

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"hongyan/sandbox"
)

// platform is the sandbox's control API over HTTP: it is a process of its own,
// which no test kills, and so the outside ledger.
type platform struct {
	base string
	http *http.Client
}

func newPlatform(url string) *platform {
	return &platform{base: url, http: &http.Client{Timeout: 60 * time.Second}}
}

// post sends body as JSON; get reads; both decode the answer unless result is nil.
func (p *platform) post(ctx context.Context, path string, body, result any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return p.do(ctx, http.MethodPost, path, raw, result)
}

func (p *platform) get(ctx context.Context, path string, result any) error {
	return p.do(ctx, http.MethodGet, path, nil, result)
}

func (p *platform) do(ctx context.Context, method, path string, body []byte, result any) error {
	req, err := http.NewRequestWithContext(ctx, method, p.base+"/sandbox/v1"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("sandbox %s %s: %s: %s", method, path, res.Status, bytes.TrimSpace(answer))
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer, result)
}

// ledgerPage is the most the sandbox gives at once.
const ledgerPage = 10_000

// ledger reads every call the platform received, in order.
func (p *platform) ledger(ctx context.Context) ([]sandbox.LedgerEntry, error) {
	return p.ledgerOf(ctx, "")
}

// ledgerOf is ledger for what matches a filter such as "path=…&appid=…".
func (p *platform) ledgerOf(ctx context.Context, filter string) ([]sandbox.LedgerEntry, error) {
	var all []sandbox.LedgerEntry
	for after := int64(0); ; {
		var page struct {
			Items []sandbox.LedgerEntry `json:"items"`
			Next  int64                 `json:"next_after"`
		}
		if err := p.get(ctx, fmt.Sprintf("/ledger?after=%d&limit=%d&%s", after, ledgerPage, filter), &page); err != nil {
			return nil, fmt.Errorf("read the sandbox's ledger: %w", err)
		}
		all = append(all, page.Items...)
		if len(page.Items) == 0 || page.Next <= after {
			return all, nil
		}
		after = page.Next
	}
}

// mischief is a fault rule in the words of docs/sandbox.md.
type mischief map[string]any

// fault adds a rule of mischief.
func (p *platform) fault(ctx context.Context, m mischief) error {
	return p.post(ctx, "/faults", m, nil)
}

func (p *platform) clearFaults(ctx context.Context) error {
	return p.do(ctx, http.MethodDelete, "/faults", nil, nil)
}

// account adds one to the platform, or changes it.
func (p *platform) account(ctx context.Context, spec sandbox.AccountSpec) error {
	return p.post(ctx, "/accounts", spec, nil)
}

func (p *platform) change(ctx context.Context, appID string, spec sandbox.AccountSpec) error {
	return p.post(ctx, "/accounts/"+appID, spec, nil)
}

func (p *platform) stats(ctx context.Context) (s sandbox.Stats, err error) {
	err = p.get(ctx, "/stats", &s)
	return s, err
}

// formID has a user submit a form, which allows one message of kind mini_template.
func (p *platform) formID(ctx context.Context, openID string) (string, error) {
	var form struct {
		FormID string `json:"form_id"`
	}
	err := p.post(ctx, "/users/"+openID+"/forms", struct{}{}, &form)
	return form.FormID, err
}

// sends reports whether a path is one that messages leave by.
func sends(path string) bool {
	return strings.HasPrefix(path, "/cgi-bin/message/") && strings.HasSuffix(path, "send") ||
		path == "/cgi-bin/message/template/subscribe"
}
