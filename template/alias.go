package template

import (
	"context"
	"fmt"
	"strings"

	"hongyan"
)

// PutAlias makes a word stand for a template of the account, whatever it stood for
// before. The template must be known here.
func (s *Shelf) PutAlias(ctx context.Context, appID, alias, templateID string) (hongyan.TemplateAlias, error) {
	a, err := s.cfg.Store.Account(ctx, appID)
	if err != nil {
		return hongyan.TemplateAlias{}, err
	}
	if err := hongyan.CheckTemplateAlias("/path/alias", alias); err != nil {
		return hongyan.TemplateAlias{}, err
	}
	put := hongyan.TemplateAlias{AppID: a.AppID, Alias: alias, TemplateID: templateID, UpdatedAt: s.now()}
	if err := s.checkTarget(ctx, &put); err != nil {
		return put, err
	}
	if err := s.cfg.Store.PutTemplateAlias(ctx, put); err != nil {
		return put, fmt.Errorf("store template alias %s of %s: %w", alias, a.AppID, err)
	}
	s.cfg.Changed(a.AppID)
	return put, nil
}

// checkTarget refuses an alias of nothing, and one that would hide a template of that name.
func (s *Shelf) checkTarget(ctx context.Context, put *hongyan.TemplateAlias) error {
	if _, err := s.cfg.Store.Template(ctx, put.AppID, put.TemplateID); err != nil {
		if !hongyan.IsKind(err, hongyan.NotFound) {
			return err
		}
		p := hongyan.InvalidField("unknown_template", "/template_id", "%s holds no template %q", put.AppID, put.TemplateID)
		p.Hint = "list the account's templates, or sync them if it was added just now"
		return p
	}
	_, err := s.cfg.Store.Template(ctx, put.AppID, put.Alias)
	if err == nil {
		return hongyan.InvalidField("invalid_alias", "/path/alias", "%q is the template_id of a template that was registered by hand", put.Alias)
	}
	if !hongyan.IsKind(err, hongyan.NotFound) {
		return err
	}
	return nil
}

// DeleteAlias removes a word; NotFound when there is none.
func (s *Shelf) DeleteAlias(ctx context.Context, appID, alias string) error {
	a, err := s.cfg.Store.Account(ctx, appID)
	if err != nil {
		return err
	}
	if err := s.cfg.Store.DeleteTemplateAlias(ctx, a.AppID, alias); err != nil {
		return err
	}
	s.cfg.Changed(a.AppID)
	return nil
}

// SetPolicy says what becomes of values that are too long for the template; "" leaves it
// to the account.
func (s *Shelf) SetPolicy(ctx context.Context, appID, templateID string, policy hongyan.LengthPolicy) (hongyan.Template, error) {
	a, err := s.cfg.Store.Account(ctx, appID)
	if err != nil {
		return hongyan.Template{}, err
	}
	if err := s.cfg.Store.SetTemplatePolicy(ctx, a.AppID, templateID, policy); err != nil {
		return hongyan.Template{}, err
	}
	s.cfg.Changed(a.AppID)
	return s.cfg.Store.Template(ctx, a.AppID, templateID)
}

// checkUnused refuses to take away a template that words stand for.
func (s *Shelf) checkUnused(ctx context.Context, t *hongyan.Template) error {
	all, err := s.cfg.Store.TemplateAliases(ctx, t.AppID)
	if err != nil {
		return fmt.Errorf("load template aliases of %s: %w", t.AppID, err)
	}
	if words := aliasesOf(all, t.TemplateID); len(words) > 0 {
		return &hongyan.Error{Kind: hongyan.Conflict, Code: "template_has_aliases",
			Message: fmt.Sprintf("template %s is what the alias %s stands for", t.TemplateID, strings.Join(words, ", ")),
			Hint:    "let the alias stand for another template first, or delete it"}
	}
	return nil
}

// aliasesOf returns the words that stand for a template.
func aliasesOf(all []hongyan.TemplateAlias, templateID string) []string {
	var words []string
	for _, a := range all {
		if a.TemplateID == templateID {
			words = append(words, a.Alias)
		}
	}
	return words
}
