package server

import (
	"context"
	"log/slog"
	"time"

	"hongyan/store"
)

const (
	// retainEvery is how often the store is asked to remove what is old, by one of the
	// processes that share a database.
	retainEvery = time.Minute
	// retainLead is how long that one is the only one: a few turns.
	retainLead = 3 * retainEvery
	// retainFirst is how long a start is left in peace.
	retainFirst = 10 * time.Second
)

// retentionPart removes what has been kept long enough, now and then.
func retentionPart(st store.Store, c RetentionConfig, leads func(context.Context, string, time.Duration) (bool, error), log *slog.Logger) part {
	keep := store.Retention{Payload: c.Payload, Messages: c.Messages, Events: c.Events}
	return part{"retention", func(ctx context.Context) error {
		for pause := retainFirst; ; pause = retainEvery {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return nil
			}
			var done store.Retained
			mine, err := leads(ctx, "retention", retainLead)
			if mine && err == nil {
				done, err = st.Retain(ctx, keep)
			}
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				log.Warn("retention", "err", err)
			case done != store.Retained{}:
				log.Info("retention", "payloads", done.Payloads, "messages", done.Messages, "events", done.Events, "chunks", done.Chunks, "batches", done.Batches)
			}
		}
	}}
}
