package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// control is the sandbox's control API, over HTTP as anybody would use it.
type control struct {
	base string
	http *http.Client
}

func newControl(sandboxURL string) *control {
	return &control{base: sandboxURL, http: &http.Client{Timeout: controlTimeout}}
}

// controlTimeout bounds one call. It never leaves the machine.
const controlTimeout = 5 * time.Second

// maxControlAnswer bounds what is read of an answer, in bytes.
const maxControlAnswer = 1 << 20

// post sends body as JSON and decodes the answer into result unless it is nil.
func (c *control) post(ctx context.Context, path string, body, result any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, path, raw, result)
}

func (c *control) get(ctx context.Context, path string, result any) error {
	return c.do(ctx, http.MethodGet, path, nil, result)
}

func (c *control) do(ctx context.Context, method, path string, body []byte, result any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+"/sandbox/v1"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxControlAnswer))
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

// fault is one act of mischief on calls for one openid.
type fault struct {
	Path       string `json:"path"`
	OpenID     string `json:"openid"`
	Errcode    int    `json:"errcode,omitempty"`
	DropAnswer bool   `json:"drop_answer,omitempty"`
	Times      int    `json:"times"`
}

// sendPath is where service accounts send.
const sendPath = "/cgi-bin/message/template/send"

// spoilOnce makes the platform answer code to the next message to openid.
func (c *control) spoilOnce(ctx context.Context, openid string, code int) error {
	return c.post(ctx, "/faults", fault{Path: sendPath, OpenID: openid, Errcode: code, Times: 1}, nil)
}

// loseAnswerOnce makes the platform take the next message to openid and answer nothing.
func (c *control) loseAnswerOnce(ctx context.Context, openid string) error {
	return c.post(ctx, "/faults", fault{Path: sendPath, OpenID: openid, DropAnswer: true, Times: 1}, nil)
}

// seen returns how many messages the user really saw, once the platform has
// nothing more for them under way. A message without an event is final for the
// gateway when WeChat takes it, which is before the user sees it.
func (c *control) seen(ctx context.Context, openid string) (int, error) {
	for {
		waiting, err := c.underWay(ctx, openid)
		if err != nil {
			return 0, err
		}
		if !waiting {
			break
		}
		if err := pause(ctx); err != nil {
			return 0, fmt.Errorf("a message to %s is still under way: %w", openid, err)
		}
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	err := c.get(ctx, "/inbox/"+openid, &list)
	return len(list.Items), err
}

// underWay reports whether the platform has accepted a message to openid and
// not delivered it yet.
func (c *control) underWay(ctx context.Context, openid string) (bool, error) {
	var ledger struct {
		Items []struct {
			Fate string `json:"fate"`
		} `json:"items"`
	}
	if err := c.get(ctx, "/ledger?touser="+url.QueryEscape(openid), &ledger); err != nil {
		return false, err
	}
	for _, row := range ledger.Items {
		if row.Fate == "pending" {
			return true, nil
		}
	}
	return false, nil
}

// deleteTemplate deletes a template the way WeChat's console does, behind the
// gateway's back.
func (c *control) deleteTemplate(ctx context.Context, accessToken, templateID string) error {
	body, err := json.Marshal(map[string]string{"template_id": templateID})
	if err != nil {
		return err
	}
	target := c.base + "/cgi-bin/template/del_private_template?access_token=" + url.QueryEscape(accessToken)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return errors.New("delete a template: the token does not fit into a URL") // err would show it
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return errors.New("delete a template: no answer from the sandbox") // err would show the token
	}
	defer res.Body.Close()
	var answer struct {
		Errcode int    `json:"errcode"`
		Errmsg  string `json:"errmsg"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxControlAnswer)).Decode(&answer); err != nil {
		return fmt.Errorf("delete a template: %w", err)
	}
	if answer.Errcode != 0 {
		return fmt.Errorf("delete a template: errcode %d %s", answer.Errcode, answer.Errmsg)
	}
	return nil
}
