package postgres

import (
	"context"

	"hongyan"
	"hongyan/store"
)

// PutTemplateAlias makes a word stand for a template; see store.Templates.
func (s *Store) PutTemplateAlias(ctx context.Context, a hongyan.TemplateAlias) error {
	return s.write(ctx, func(t *tx) error {
		t.notices.add(store.NoticeAccount, a.AppID)
		_, err := t.exec(`INSERT INTO template_aliases (appid, alias, template_id, updated_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (appid, alias) DO UPDATE SET template_id = excluded.template_id, updated_at = excluded.updated_at`,
			a.AppID, a.Alias, a.TemplateID, millis(a.UpdatedAt))
		return err
	})
}

// DeleteTemplateAlias removes a word; NotFound when there is none.
func (s *Store) DeleteTemplateAlias(ctx context.Context, appID, alias string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("DELETE FROM template_aliases WHERE appid = $1 AND alias = $2", appID, alias)
		t.notices.add(store.NoticeAccount, appID)
		if err == nil && n == 0 {
			err = hongyan.Errorf(hongyan.NotFound, "unknown_alias", "account %s has no template alias %q", appID, alias)
		}
		return err
	})
}

// TemplateAliases lists an account's, by alias.
func (s *Store) TemplateAliases(ctx context.Context, appID string) (all []hongyan.TemplateAlias, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, func(r *row) error {
			all = append(all, hongyan.TemplateAlias{AppID: r.text(), Alias: r.text(), TemplateID: r.text(), UpdatedAt: r.time()})
			return nil
		}, "SELECT appid, alias, template_id, updated_at FROM template_aliases WHERE appid = $1 ORDER BY alias COLLATE \"C\"", appID)
	})
	return all, err
}
