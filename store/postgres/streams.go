package postgres

import (
	"context"
	"maps"

	"hongyan"
	"hongyan/store"
)

// streamKey is what a stream's number stands for.
type streamKey struct {
	appID string
	kind  hongyan.MessageKind
}

// streamTable is the streams this process knows. Streams are never removed and keep
// their numbers, so what is known stays true. A table is never changed, but replaced.
type streamTable struct{ numbers map[streamKey]int64 }

func newStreamTable() *streamTable { return &streamTable{make(map[streamKey]int64)} }

// loadStreams learns all streams there are.
func (s *Store) loadStreams(ctx context.Context) error {
	return s.read(ctx, func(c conn) error {
		st, err := readStreams(ctx, c)
		if err == nil {
			s.learnStreams(st)
		}
		return err
	})
}

func readStreams(ctx context.Context, c conn) (*streamTable, error) {
	st := newStreamTable()
	err := c.query(ctx, st.add, "SELECT stream, appid, kind FROM streams")
	return st, err
}

func (st *streamTable) add(r *row) error {
	number := r.int64()
	st.numbers[streamKey{r.text(), hongyan.MessageKind(r.text())}] = number
	return nil
}

func (s *Store) learnStreams(more *streamTable) {
	for {
		old := s.streams.Load()
		st := &streamTable{maps.Clone(old.numbers)}
		maps.Copy(st.numbers, more.numbers)
		if s.streams.CompareAndSwap(old, st) {
			return
		}
	}
}

// numbersOf returns a table with all of keys, giving numbers to those that have none
// yet. That is durable by itself: a number without messages does no harm.
func (s *Store) numbersOf(ctx context.Context, keys map[streamKey]bool) (*streamTable, error) {
	st := s.streams.Load()
	var appIDs, kinds []string
	for k := range keys {
		if _, ok := st.numbers[k]; !ok {
			appIDs, kinds = append(appIDs, k.appID), append(kinds, string(k.kind))
		}
	}
	if len(appIDs) == 0 {
		return st, nil
	}
	more := newStreamTable()
	err := s.write(ctx, func(t *tx) error {
		var b batch
		b.exec(nil, `INSERT INTO streams (appid, kind) SELECT appid, kind FROM unnest($1::text[], $2::text[]) AS wanted (appid, kind)
			ORDER BY appid, kind ON CONFLICT (appid, kind) DO NOTHING`, appIDs, kinds)
		b.query(more.add, `SELECT stream, streams.appid, streams.kind FROM unnest($1::text[], $2::text[]) AS wanted (appid, kind)
			JOIN streams ON streams.appid = wanted.appid AND streams.kind = wanted.kind`, appIDs, kinds)
		return t.run(&b)
	})
	if err != nil {
		return nil, err
	}
	s.learnStreams(more)
	return s.streams.Load(), nil
}

// streamsSQL hops through the index from one stream to the next and looks up
// the earliest row of each lane, so it costs in streams.
const streamsSQL = `WITH RECURSIVE waiting (stream) AS (
		(SELECT stream FROM messages WHERE state < 2 AND due_at > 0 ORDER BY stream LIMIT 1)
		UNION ALL
		SELECT (SELECT stream FROM messages WHERE state < 2 AND due_at > 0 AND stream > waiting.stream ORDER BY stream LIMIT 1)
		FROM waiting WHERE waiting.stream IS NOT NULL
	)
	SELECT streams.appid, streams.kind,
		(SELECT due_at FROM messages WHERE state < 2 AND due_at > 0 AND stream = waiting.stream AND priority = 0 ORDER BY due_at LIMIT 1),
		(SELECT due_at FROM messages WHERE state < 2 AND due_at > 0 AND stream = waiting.stream AND priority = 1 ORDER BY due_at LIMIT 1),
		(SELECT due_at FROM messages WHERE state < 2 AND due_at > 0 AND stream = waiting.stream AND priority = 2 ORDER BY due_at LIMIT 1)
	FROM waiting JOIN streams ON streams.stream = waiting.stream`

// Streams lists every (account, kind) with waiting messages; see store.Messages.
func (s *Store) Streams(ctx context.Context) ([]store.Stream, error) {
	var all []store.Stream
	err := s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, func(r *row) error {
			st := store.Stream{AppID: r.text(), Kind: hongyan.MessageKind(r.text())}
			for range hongyan.Bulk + 1 {
				if due := r.time(); !due.IsZero() && (st.DueAt.IsZero() || due.Before(st.DueAt)) {
					st.DueAt = due
				}
			}
			all = append(all, st)
			return nil
		}, streamsSQL)
	})
	return all, err
}
