package postgres

import (
	"context"
	"strings"

	"hongyan"
	"hongyan/store"
)

const auditColumns = "id, at, actor, remote, action, target, outcome, detail, n"

// AppendAudit adds entries; see store.Audit.
func (s *Store) AppendAudit(ctx context.Context, entries []hongyan.AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	return s.write(ctx, func(t *tx) error {
		var b batch
		for _, e := range entries {
			at := millis(e.At)
			if at == 0 {
				at = t.now
			}
			b.execAll(1, "INSERT INTO audit (at, actor, remote, action, target, outcome, detail, n) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
				at, e.Actor, e.Remote, e.Action, e.Target, e.Outcome, e.Detail, max(e.Count, 1))
		}
		return t.run(&b)
	})
}

// AuditLog lists entries newest first; see store.Audit. It walks back through
// the log: a year of changes and gathered refusals is not much to read.
func (s *Store) AuditLog(ctx context.Context, f store.AuditFilter) ([]hongyan.AuditEntry, error) {
	q := listQuery{from: "audit"}
	q.andIfSet("actor", f.Actor)
	q.andIfSet("target", f.Target)
	if strings.HasSuffix(f.Action, ".") {
		q.and("starts_with(action, " + q.arg(f.Action) + ")")
	} else {
		q.andIfSet("action", f.Action)
	}
	if !f.Since.IsZero() {
		q.and("at >= " + q.arg(f.Since.UnixMilli()))
	}
	var all []hongyan.AuditEntry
	err := s.read(ctx, func(c conn) error {
		all = nil
		text, args := q.by("id", auditColumns, beforeOrNewest(f.Before), pageSize(f.Limit))
		return c.query(ctx, func(r *row) error {
			all = append(all, hongyan.AuditEntry{
				ID: r.int64(), At: r.time(), Actor: r.text(), Remote: r.text(), Action: r.text(),
				Target: r.text(), Outcome: r.text(), Detail: r.text(), Count: r.int(),
			})
			return nil
		}, text, args...)
	})
	return all, err
}
