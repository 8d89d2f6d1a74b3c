package sqlite

import (
	"context"
	"time"

	"hongyan/store"
)

// Watch waits for ctx: nobody else changes this database; see store.Cluster.
func (s *Store) Watch(ctx context.Context, _ func(store.Notice)) error {
	<-ctx.Done()
	return nil
}

// Lead says yes: there is one process; see store.Cluster.
func (s *Store) Lead(ctx context.Context, _ string, _ int64, _ time.Duration) (bool, error) {
	return true, ctx.Err()
}
