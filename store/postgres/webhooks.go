package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"hongyan"
	"hongyan/store"
)

// webhookFilterColumns are what decides which news an endpoint wants.
const webhookFilterColumns = "id, events, appids, disabled"

func scanWebhookFilter(r *row) (w hongyan.Webhook, err error) {
	w.ID = r.text()
	if w.Events, w.AppIDs, err = decodeWords(r.text(), r.text()); err != nil {
		return w, fmt.Errorf("webhook %s: %w", w.ID, err)
	}
	w.Disabled = r.text()
	return w, nil
}

// decodeWords reads the lists of an endpoint.
func decodeWords(events, appIDs string) (a, b []string, err error) {
	if err = json.Unmarshal([]byte(events), &a); err == nil {
		err = json.Unmarshal([]byte(appIDs), &b)
	}
	return a, b, err
}

// encodeWords returns the JSON of a list, "null" for none.
func encodeWords(words []string) string {
	if len(words) == 0 {
		return "null"
	}
	return mustJSON(words)
}

const webhookColumns = webhookFilterColumns + ", name, kind, url, secrets, language, paused, disabled_at, created_at, updated_at"

// scanWebhook reads one row of webhookColumns and opens its secrets.
func (s *Store) scanWebhook(r *row) (hongyan.Webhook, error) {
	w, err := scanWebhookFilter(r)
	if err != nil {
		return w, err
	}
	w.Name, w.Kind = r.text(), hongyan.WebhookKind(r.text())
	address, secrets := r.bytes(), r.bytes()
	w.Language, w.Paused, w.DisabledAt, w.CreatedAt, w.UpdatedAt = r.text(), r.bool(), r.time(), r.time(), r.time()
	plain, err := s.keys.Open(address, store.WebhookAAD("url", w.ID))
	if err != nil {
		return w, err
	}
	w.URL = hongyan.Secret(plain)
	if plain, err = s.keys.Open(secrets, store.WebhookAAD("secrets", w.ID)); err == nil {
		w.Secrets, err = store.DecodeSecrets(plain)
	}
	return w, err
}

// webhookArgs are the values of webhookColumns.
func (s *Store) webhookArgs(w *hongyan.Webhook) []any {
	return []any{w.ID, encodeWords(w.Events), encodeWords(w.AppIDs), w.Disabled, w.Name, string(w.Kind),
		s.keys.Seal(w.URL.Reveal(), store.WebhookAAD("url", w.ID)), s.keys.Seal(store.EncodeSecrets(w.Secrets), store.WebhookAAD("secrets", w.ID)),
		w.Language, w.Paused, millis(w.DisabledAt), millis(w.CreatedAt), millis(w.UpdatedAt)}
}

// CreateWebhook adds an endpoint; see store.News.
func (s *Store) CreateWebhook(ctx context.Context, w hongyan.Webhook) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.lockHooks(); err != nil {
			return err
		}
		if err := t.checkWebhookName(&w); err != nil {
			return err
		}
		made := w
		if made.CreatedAt.IsZero() {
			made.CreatedAt = fromMillis(t.now)
		}
		if made.UpdatedAt.IsZero() {
			made.UpdatedAt = fromMillis(t.now)
		}
		_, err := t.exec("INSERT INTO webhooks ("+webhookColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)", s.webhookArgs(&made)...)
		if err != nil {
			return err
		}
		return t.hooksChanged()
	})
}

// checkWebhookName refuses an id or name that another endpoint has.
func (t *tx) checkWebhookName(w *hongyan.Webhook) error {
	found, err := t.queryOne(func(*row) error { return nil }, "SELECT 1 FROM webhooks WHERE name = $1 AND id <> $2", w.Name, w.ID)
	if err == nil && found {
		err = store.WebhookNameTaken(w.Name)
	}
	return err
}

// lockHooks keeps other transactions from changing endpoints until this one ends.
func (t *tx) lockHooks() error {
	_, err := t.exec("SELECT 1 FROM news_wants WHERE one FOR UPDATE")
	return err
}

// hooksChanged makes every transaction that begins later learn anew who wants which news.
func (t *tx) hooksChanged() error {
	t.notices.add(store.NoticeNews, "")
	return t.execAll(1, "UPDATE news_wants SET version = version + 1 WHERE one")
}

// UpdateWebhook alters an endpoint; see store.News.
func (s *Store) UpdateWebhook(ctx context.Context, id string, change func(*hongyan.Webhook) error) (w hongyan.Webhook, err error) {
	err = s.write(ctx, func(t *tx) error {
		if err := t.lockHooks(); err != nil {
			return err
		}
		found, err := t.queryOne(func(r *row) (err error) {
			w, err = s.scanWebhook(r)
			return err
		}, webhookSQL, id)
		if err != nil {
			return err
		}
		if !found {
			return store.UnknownWebhook(id)
		}
		created := w.CreatedAt
		if err := change(&w); err != nil {
			return err
		}
		w.ID, w.CreatedAt, w.UpdatedAt = id, created, fromMillis(t.now)
		if err := t.checkWebhookName(&w); err != nil {
			return err
		}
		err = t.execAll(1, "UPDATE webhooks SET ("+webhookColumns+") = ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) WHERE id = $1", s.webhookArgs(&w)...)
		if err != nil {
			return err
		}
		return t.hooksChanged()
	})
	return w, err
}

const webhookSQL = "SELECT " + webhookColumns + " FROM webhooks WHERE id = $1"

// Webhook finds an endpoint; see store.News.
func (s *Store) Webhook(ctx context.Context, id string) (w hongyan.Webhook, err error) {
	err = s.read(ctx, func(c conn) error {
		found, err := c.queryOne(ctx, func(r *row) (err error) {
			w, err = s.scanWebhook(r)
			return err
		}, webhookSQL, id)
		if err == nil && !found {
			err = store.UnknownWebhook(id)
		}
		return err
	})
	return w, err
}

// Webhooks lists endpoints by name.
func (s *Store) Webhooks(ctx context.Context) (all []hongyan.Webhook, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, func(r *row) error {
			w, err := s.scanWebhook(r)
			all = append(all, w)
			return err
		}, "SELECT "+webhookColumns+` FROM webhooks ORDER BY name COLLATE "C"`)
	})
	return all, err
}

// DeleteWebhook removes an endpoint and its deliveries; see store.News. The endpoint
// goes first, its deliveries after it in small batches.
func (s *Store) DeleteWebhook(ctx context.Context, id string) error {
	err := s.write(ctx, func(t *tx) error {
		if err := t.lockHooks(); err != nil {
			return err
		}
		n, err := t.exec("DELETE FROM webhooks WHERE id = $1", id)
		if err == nil && n == 0 {
			err = store.UnknownWebhook(id)
		}
		if err != nil {
			return err
		}
		return t.hooksChanged()
	})
	if err != nil {
		return err
	}
	_, err = s.sweep(ctx, func(t *tx) (int, error) {
		return t.exec("DELETE FROM webhook_deliveries WHERE id = ANY(ARRAY(SELECT id FROM webhook_deliveries WHERE webhook = $1 LIMIT $2))", id, sweepBatch)
	})
	return err
}
