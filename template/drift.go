package template

import (
	"context"
	"fmt"

	"hongyan"
)

// Drift tells what Sync would find, and changes nothing.
func (s *Shelf) Drift(ctx context.Context, appID string) (Changes, error) {
	a, err := s.cfg.Store.Account(ctx, appID)
	if err != nil {
		return Changes{}, err
	}
	if a.Kind == hongyan.MiniProgram {
		return Changes{}, errByHand
	}
	theirs, err := s.client(&a).ListTemplates(ctx)
	if err != nil {
		return Changes{}, fmt.Errorf("list templates of %s: %w", a.AppID, err)
	}
	ours, err := s.cfg.Store.Templates(ctx, a.AppID)
	if err != nil {
		return Changes{}, err
	}
	return compare(&a, ours, theirs, hongyan.Millis(s.cfg.Store.Now()), false).Changes, nil
}
