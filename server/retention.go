package server

import (
	"context"
	"log/slog"
	"time"

	"hongyan/store"
)

const (
	// retainEvery is how often the store is asked to remove what is old. Processes
	// that share a database may ask at the same time; that only costs.
	retainEvery = time.Minute
	// retainFirst is how long a start is left in peace.
	retainFirst = 10 * time.Second
)

// retentionPart removes what has been kept long enough, now and then.
func retentionPart(st store.Store, c RetentionConfig, log *slog.Logger) part {
	keep := store.Retention{Payload: c.Payload, Messages: c.Messages, Events: c.Events}
	return part{"retention", func(ctx context.Context) error {
		for pause := retainFirst; ; pause = retainEvery {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return nil
			}
			done, err := st.Retain(ctx, keep)
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
