package postgres

import (
	"context"

	"hongyan"
	"hongyan/store"
)

const consentColumns = `id, appid, openid, template_id, by_events, by_reports, sent, exact, since, always,
	accepted_at, declined_at, refused_at, sent_at, low_told, updated_at`

func scanConsent(r *row) hongyan.Consent {
	return hongyan.Consent{
		ID: r.int64(), AppID: r.text(), OpenID: r.text(), TemplateID: r.text(),
		ByEvents: r.int64(), ByReports: r.int64(), Sent: r.int64(), Exact: r.bool(), Since: r.time(), Always: r.text(),
		AcceptedAt: r.time(), DeclinedAt: r.time(), RefusedAt: r.time(), SentAt: r.time(), LowTold: r.bool(), UpdatedAt: r.time(),
	}
}

// consentValues are those of consentColumns but the first.
func consentValues(c *hongyan.Consent, now int64) []any {
	return []any{c.AppID, c.OpenID, c.TemplateID, c.ByEvents, c.ByReports, c.Sent, c.Exact, millis(c.Since), c.Always,
		millis(c.AcceptedAt), millis(c.DeclinedAt), millis(c.RefusedAt), millis(c.SentAt), c.LowTold, now}
}

const (
	consentSQL    = "SELECT " + consentColumns + " FROM consents WHERE appid = $1 AND openid = $2 AND template_id = $3"
	putConsentSQL = `INSERT INTO consents (appid, openid, template_id, by_events, by_reports, sent, exact, since, always,
		accepted_at, declined_at, refused_at, sent_at, low_told, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (appid, openid, template_id) DO UPDATE SET by_events = excluded.by_events, by_reports = excluded.by_reports,
		sent = excluded.sent, exact = excluded.exact, since = excluded.since, always = excluded.always,
		accepted_at = excluded.accepted_at, declined_at = excluded.declined_at, refused_at = excluded.refused_at,
		sent_at = excluded.sent_at, low_told = excluded.low_told, updated_at = excluded.updated_at`
)

// ApplyConsents writes changes in their order; see store.Consents.
func (s *Store) ApplyConsents(ctx context.Context, changes []hongyan.ConsentChange) error {
	if len(changes) == 0 {
		return nil
	}
	first := func(b *batch) { b.exec(nil, "SELECT pg_advisory_xact_lock_shared($1, 0)", lockAccounts) }
	return s.transact(ctx, first, func(t *tx) error {
		accounts, err := t.accounts(appIDsOf(changes))
		if err != nil {
			return err
		}
		return t.applyConsents(changes, accounts)
	})
}

func appIDsOf(changes []hongyan.ConsentChange) (all []string) {
	for i := range changes {
		all = append(all, changes[i].AppID)
	}
	return all
}

// applyConsents passes over accounts that are gone. A message that was sent says
// nothing of a pair of which nothing is known.
func (t *tx) applyConsents(changes []hongyan.ConsentChange, accounts map[string]bool) error {
	if len(changes) == 0 {
		return nil
	}
	keys := make([]string, len(changes))
	for i := range changes {
		keys[i] = formKey(changes[i].AppID, changes[i].OpenID)
	}
	var b batch
	b.lockAll(lockConsents, keys) // a pair that is new has no row to lock
	if err := t.run(&b); err != nil {
		return err
	}
	for i := range changes {
		ch := changes[i]
		if !accounts[ch.AppID] {
			continue
		}
		ch.At = hongyan.Millis(ch.At)
		ch.OpenID, ch.TemplateID = clean(ch.OpenID), clean(ch.TemplateID)
		var c hongyan.Consent
		known, err := t.queryOne(func(r *row) error {
			c = scanConsent(r)
			return nil
		}, consentSQL, ch.AppID, ch.OpenID, ch.TemplateID)
		if err != nil {
			return err
		}
		if !known && ch.Act == hongyan.ConsentSent {
			continue
		}
		c = c.Apply(&ch)
		if err := t.execAll(1, putConsentSQL, consentValues(&c, t.now)...); err != nil {
			return err
		}
	}
	return nil
}

// Consent returns what is known of one pair; see store.Consents.
func (s *Store) Consent(ctx context.Context, appID, openID, templateID string) (c hongyan.Consent, ok bool, err error) {
	err = s.read(ctx, func(cn conn) (err error) {
		ok, err = cn.queryOne(ctx, func(r *row) error {
			c = scanConsent(r)
			return nil
		}, consentSQL, appID, openID, templateID)
		return err
	})
	return c, ok, err
}

// Consents lists newest first; see store.Consents.
func (s *Store) Consents(ctx context.Context, f store.ConsentFilter) (all []hongyan.Consent, err error) {
	q := listQuery{from: "consents"}
	q.and("appid = " + q.arg(f.AppID))
	q.andIfSet("openid", f.OpenID)
	q.andIfSet("template_id", f.TemplateID)
	text, args := q.by("id", consentColumns, beforeOrNewest(f.Before), f.Limit)
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, func(r *row) error {
			all = append(all, scanConsent(r))
			return nil
		}, text, args...)
	})
	return all, err
}

// MarkConsentLow notes that it was told that few are left; see store.Consents.
func (s *Store) MarkConsentLow(ctx context.Context, id int64) (marked bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE consents SET low_told = true WHERE id = $1 AND NOT low_told", id)
		marked = n > 0
		return err
	})
	return marked, err
}
