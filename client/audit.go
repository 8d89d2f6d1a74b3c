package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// AuditEntry is one change somebody made, or one login that was refused.
type AuditEntry struct {
	ID        string `json:"id"`
	At        Time   `json:"at"`
	Actor     string `json:"actor" doc:"A key's id, admin for the administrator's key, config for the configuration file, empty for a stranger."`
	ActorName string `json:"actor_name" doc:"The key's name; empty when the actor is no key."`
	Remote    string `json:"remote" doc:"The address it came from, without port."`
	Action    string `json:"action" doc:"noun.verb, e.g. account.update, key.revoke, login.refused."`
	Target    string `json:"target" doc:"What it was done to: an appid, a key's or message's id."`
	Outcome   string `json:"outcome" enum:"ok,refused,failed"`
	Detail    string `json:"detail" doc:"What changed or why it was refused, for people."`
	Count     int    `json:"count" doc:"How many equal ones it stands for."`
}

// AuditFilter selects entries. Zero fields do not filter.
type AuditFilter struct {
	Actor  string
	Action string // exact, or a noun with a dot at the end: "account."
	Target string
	Since  time.Time // at or after
	Cursor string
	Limit  int // 1..1000; 0 = 50
}

// Audit reads one page of the audit log, newest first.
func (c *Client) Audit(ctx context.Context, f AuditFilter) (List[AuditEntry], error) {
	q := url.Values{}
	for name, value := range map[string]string{"actor": f.Actor, "action": f.Action, "target": f.Target, "cursor": f.Cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if !f.Since.IsZero() {
		q.Set("since", f.Since.UTC().Format(time.RFC3339Nano))
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return one[List[AuditEntry]](ctx, c, call{method: http.MethodGet, path: "/v1/audit", query: q})
}

// AllAudit walks through every page of the audit log, newest first. It ends after an error.
func (c *Client) AllAudit(ctx context.Context, f AuditFilter) iter.Seq2[AuditEntry, error] {
	return pages("read audit log", f.Cursor, func(cursor string) (List[AuditEntry], error) {
		f.Cursor = cursor
		return c.Audit(ctx, f)
	})
}
