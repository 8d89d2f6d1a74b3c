package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"hongyan"
	"hongyan/store"
)

const templateColumns = "appid, template_id, title, primary_industry, deputy_industry, content, example, kind, status, status_reason, synced_at, enums, subscribe_type, policy"

func collectTemplates(all *[]hongyan.Template) func(*row) error {
	return func(r *row) error {
		t := hongyan.Template{
			AppID: r.text(), TemplateID: r.text(), Title: r.text(), PrimaryIndustry: r.text(), DeputyIndustry: r.text(),
			Content: r.text(), Example: r.text(), Kind: hongyan.MessageKind(r.text()),
			Status: r.text(), StatusReason: r.text(), SyncedAt: r.time(),
		}
		enums := r.text()
		t.SubscribeType, t.Policy = r.int(), hongyan.LengthPolicy(r.text())
		if enums != "" {
			if err := json.Unmarshal([]byte(enums), &t.Enums); err != nil {
				return fmt.Errorf("read the enums of template %s: %w", t.TemplateID, err)
			}
		}
		*all = append(*all, t)
		return nil
	}
}

func encodeEnums(enums map[string][]string) string {
	if len(enums) == 0 {
		return ""
	}
	return mustJSON(enums)
}

const putTemplateSQL = "INSERT INTO templates (" + templateColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
	ON CONFLICT (appid, template_id) DO UPDATE SET title = excluded.title, primary_industry = excluded.primary_industry,
		deputy_industry = excluded.deputy_industry, content = excluded.content, example = excluded.example, kind = excluded.kind,
		status = excluded.status, status_reason = excluded.status_reason, synced_at = excluded.synced_at,
		enums = excluded.enums, subscribe_type = excluded.subscribe_type`

// PutTemplates inserts or updates templates; see store.Templates.
func (s *Store) PutTemplates(ctx context.Context, ts []hongyan.Template) error {
	return s.write(ctx, func(t *tx) error {
		var b batch
		for i := range ts {
			v := &ts[i]
			t.notices.add(store.NoticeAccount, v.AppID)
			b.exec(nil, putTemplateSQL,
				v.AppID, v.TemplateID, v.Title, v.PrimaryIndustry, v.DeputyIndustry, v.Content, v.Example,
				string(v.Kind), v.Status, v.StatusReason, millis(v.SyncedAt), encodeEnums(v.Enums), v.SubscribeType, string(v.Policy))
		}
		return t.run(&b)
	})
}

// Template finds one template of an account.
func (s *Store) Template(ctx context.Context, appID, templateID string) (hongyan.Template, error) {
	var all []hongyan.Template
	err := s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, collectTemplates(&all), "SELECT "+templateColumns+" FROM templates WHERE appid = $1 AND template_id = $2", appID, templateID)
	})
	if err == nil && len(all) == 0 {
		err = unknownTemplate(appID, templateID)
	}
	if err != nil {
		return hongyan.Template{}, err
	}
	return all[0], nil
}

func unknownTemplate(appID, templateID string) error {
	return &hongyan.Error{Kind: hongyan.NotFound, Code: "unknown_template",
		Message: "account " + appID + " has no template " + templateID,
		Hint:    "Read its templates again: hongyan template sync " + appID + "."}
}

// Templates lists an account's templates, by title then id.
func (s *Store) Templates(ctx context.Context, appID string) (all []hongyan.Template, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, collectTemplates(&all), "SELECT "+templateColumns+` FROM templates WHERE appid = $1 ORDER BY title COLLATE "C", template_id COLLATE "C"`, appID)
	})
	return all, err
}

// DeleteTemplate removes one template.
func (s *Store) DeleteTemplate(ctx context.Context, appID, templateID string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("DELETE FROM templates WHERE appid = $1 AND template_id = $2", appID, templateID)
		t.notices.add(store.NoticeAccount, appID)
		if err == nil && n == 0 {
			err = unknownTemplate(appID, templateID)
		}
		return err
	})
}

// SetTemplateStatus marks one template; NotFound when there is none.
func (s *Store) SetTemplateStatus(ctx context.Context, appID, templateID, status, reason string) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.tellTemplate(appID, templateID, status, reason); err != nil {
			return err
		}
		n, err := t.exec("UPDATE templates SET status = $1, status_reason = $2 WHERE appid = $3 AND template_id = $4", status, reason, appID, templateID)
		t.notices.add(store.NoticeAccount, appID)
		if err == nil && n == 0 {
			err = unknownTemplate(appID, templateID)
		}
		return err
	})
}

// tellTemplate tells that a template gets another status, when that is news. It comes
// before the change.
func (t *tx) tellTemplate(appID, templateID, status, reason string) error {
	news := hongyan.TemplateNews(status)
	if !t.wanted(news, appID) {
		return nil
	}
	var was, title string
	found, err := t.queryOne(func(r *row) error {
		was, title = r.text(), r.text()
		return nil
	}, "SELECT status, title FROM templates WHERE appid = $1 AND template_id = $2 FOR UPDATE", appID, templateID)
	if err != nil || !found || was == status {
		return err
	}
	t.tell(news, appID, 0, func() any {
		return hongyan.TemplateChange{TemplateID: templateID, Title: title, Status: status, Reason: reason}
	})
	return nil
}

// SetTemplatePolicy says what becomes of values that are too long; NotFound when there is none.
func (s *Store) SetTemplatePolicy(ctx context.Context, appID, templateID string, policy hongyan.LengthPolicy) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE templates SET policy = $1 WHERE appid = $2 AND template_id = $3", string(policy), appID, templateID)
		t.notices.add(store.NoticeAccount, appID)
		if err == nil && n == 0 {
			err = unknownTemplate(appID, templateID)
		}
		return err
	})
}

// TemplateCounts counts the accounts' templates by status.
func (s *Store) TemplateCounts(ctx context.Context) (map[string]map[string]int, error) {
	counts := map[string]map[string]int{}
	err := s.read(ctx, func(c conn) error {
		counts = map[string]map[string]int{}
		return c.query(ctx, func(r *row) error {
			appID, status, n := r.text(), r.text(), r.int()
			if counts[appID] == nil {
				counts[appID] = map[string]int{}
			}
			counts[appID][status] = n
			return nil
		}, "SELECT appid, status, count(*) FROM templates GROUP BY appid, status")
	})
	return counts, err
}

const heldForTemplatesSQL = `SELECT template_id, count(*) FROM (SELECT template_id FROM messages
	WHERE stream IN (SELECT stream FROM streams WHERE appid = $1) AND state = 1 AND ` + rareSQL + ` AND reason = $2 LIMIT $3) AS held
	GROUP BY template_id`

// HeldForTemplates counts the messages that wait for their template; see store.Templates.
func (s *Store) HeldForTemplates(ctx context.Context, appID string, limit int) (map[string]int, error) {
	held := map[string]int{}
	err := s.read(ctx, func(c conn) error {
		held = map[string]int{}
		return c.query(ctx, func(r *row) error {
			id := r.text()
			held[id] = r.int()
			return nil
		}, heldForTemplatesSQL, appID, hongyan.HoldTemplate, limit)
	})
	return held, err
}
