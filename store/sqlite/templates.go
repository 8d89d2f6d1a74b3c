package sqlite

import (
	"context"

	"hongyan"
)

const templateColumns = "appid, template_id, title, primary_industry, deputy_industry, content, example, kind, status, status_reason, synced_at"

func collectTemplates(all *[]hongyan.Template) func(*row) error {
	return func(r *row) error {
		*all = append(*all, hongyan.Template{
			AppID: r.text(), TemplateID: r.text(), Title: r.text(), PrimaryIndustry: r.text(), DeputyIndustry: r.text(),
			Content: r.text(), Example: r.text(), Kind: hongyan.MessageKind(r.text()),
			Status: r.text(), StatusReason: r.text(), SyncedAt: r.time(),
		})
		return nil
	}
}

// PutTemplates inserts or updates templates.
func (s *Store) PutTemplates(ctx context.Context, ts []hongyan.Template) error {
	return s.write(ctx, func(t *tx) error {
		for i := range ts {
			v := &ts[i]
			_, err := t.exec("REPLACE INTO templates ("+templateColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
				v.AppID, v.TemplateID, v.Title, v.PrimaryIndustry, v.DeputyIndustry, v.Content, v.Example,
				string(v.Kind), v.Status, v.StatusReason, millis(v.SyncedAt))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Template finds one template of an account.
func (s *Store) Template(ctx context.Context, appID, templateID string) (hongyan.Template, error) {
	var all []hongyan.Template
	err := s.read(ctx, func(c *conn) error {
		return c.query(ctx, collectTemplates(&all), "SELECT "+templateColumns+" FROM templates WHERE appid = ? AND template_id = ?", appID, templateID)
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
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, collectTemplates(&all), "SELECT "+templateColumns+" FROM templates WHERE appid = ? ORDER BY title, template_id", appID)
	})
	return all, err
}

// DeleteTemplate removes one template.
func (s *Store) DeleteTemplate(ctx context.Context, appID, templateID string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("DELETE FROM templates WHERE appid = ? AND template_id = ?", appID, templateID)
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
		n, err := t.exec("UPDATE templates SET status = ?, status_reason = ? WHERE appid = ? AND template_id = ?", status, reason, appID, templateID)
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
	}, "SELECT status, title FROM templates WHERE appid = ? AND template_id = ?", appID, templateID)
	if err != nil || !found || was == status {
		return err
	}
	return t.tell(news, appID, 0, func() any {
		return hongyan.TemplateChange{TemplateID: templateID, Title: title, Status: status, Reason: reason}
	})
}
