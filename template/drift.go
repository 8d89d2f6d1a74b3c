package template

import (
	"context"

	"hongyan"
)

// Drift tells what Sync would find, and changes nothing. Like Sync it leaves the list of
// subscription notices alone, which may be read few times a day.
func (s *Shelf) Drift(ctx context.Context, appID string) (Changes, error) {
	a, err := s.cfg.Store.Account(ctx, appID)
	if err != nil {
		return Changes{}, err
	}
	if a.Kind == hongyan.MiniProgram {
		return Changes{}, errByHand
	}
	p, err := s.readTemplates(ctx, &a, false)
	return p.Changes, err
}
