package sqlite

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

// streamTable is the streams the writer knows, which is all of them. One that
// is reachable from a memory is never changed, but replaced.
type streamTable struct {
	numbers map[streamKey]int64
	// kinds is the kind of each account's messages, or severalKinds.
	kinds map[string]hongyan.MessageKind
}

// severalKinds stands for the kind of an account with more than one.
const severalKinds hongyan.MessageKind = "*"

func (st *streamTable) add(k streamKey, number int64) {
	st.numbers[k] = number
	if known, ok := st.kinds[k.appID]; ok && known != k.kind {
		st.kinds[k.appID] = severalKinds
	} else {
		st.kinds[k.appID] = k.kind
	}
}

// loadStreams reads all streams.
func loadStreams(ctx context.Context, c *conn) (streamTable, error) {
	st := streamTable{make(map[streamKey]int64), make(map[string]hongyan.MessageKind)}
	err := c.query(ctx, func(r *row) error {
		number := r.int64()
		st.add(streamKey{r.text(), hongyan.MessageKind(r.text())}, number)
		return nil
	}, "SELECT stream, appid, kind FROM streams")
	return st, err
}

// streamOf returns the number of a stream, giving it one at its first message.
func (t *tx) streamOf(appID string, kind hongyan.MessageKind) (int64, error) {
	k := streamKey{appID, kind}
	if number, ok := t.streams.numbers[k]; ok {
		return number, nil
	}
	number := int64(len(t.streams.numbers) + 1)
	if err := t.execAll(1, "INSERT INTO streams (stream, appid, kind) VALUES (?, ?, ?)", number, appID, string(kind)); err != nil {
		return 0, err
	}
	// A copy, for the transaction may be undone. It happens once per account.
	t.streams = streamTable{maps.Clone(t.streams.numbers), maps.Clone(t.streams.kinds)}
	t.streams.add(k, number)
	return number, nil
}

// kindOf returns the kind of a message. Nearly every account has messages of
// one kind only; then nothing needs to be read.
func (t *tx) kindOf(appID string, seq int64) (kind hongyan.MessageKind, err error) {
	if kind, ok := t.streams.kinds[appID]; ok && kind != severalKinds {
		return kind, nil
	}
	_, err = t.queryOne(func(r *row) error {
		kind = hongyan.MessageKind(r.text())
		return nil
	}, "SELECT kind FROM messages WHERE seq = ?", seq)
	return kind, err
}

// streamsSQL hops through the index from one stream to the next and looks up
// the earliest row of each lane, so it costs in streams.
const streamsSQL = `WITH RECURSIVE waiting (stream) AS (
		SELECT min(stream) FROM messages INDEXED BY messages_queue WHERE state < 2 AND due_at > 0
		UNION ALL
		SELECT (SELECT min(stream) FROM messages INDEXED BY messages_queue
			WHERE state < 2 AND due_at > 0 AND stream > waiting.stream)
		FROM waiting WHERE waiting.stream IS NOT NULL
	)
	SELECT streams.appid, streams.kind,
		(SELECT min(due_at) FROM messages INDEXED BY messages_queue
			WHERE state < 2 AND due_at > 0 AND stream = waiting.stream AND priority = 0),
		(SELECT min(due_at) FROM messages INDEXED BY messages_queue
			WHERE state < 2 AND due_at > 0 AND stream = waiting.stream AND priority = 1),
		(SELECT min(due_at) FROM messages INDEXED BY messages_queue
			WHERE state < 2 AND due_at > 0 AND stream = waiting.stream AND priority = 2)
	FROM waiting CROSS JOIN streams ON streams.stream = waiting.stream`

// Streams lists every (account, kind) with waiting messages; see store.Messages.
func (s *Store) Streams(ctx context.Context) ([]store.Stream, error) {
	var all []store.Stream
	err := s.read(ctx, func(c *conn) error {
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
