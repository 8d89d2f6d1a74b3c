package postgres

import (
	"context"
	"strings"
	"time"

	"hongyan"
	"hongyan/store"
)

// batchColumns are all columns of batches in the order scanBatch reads them.
const batchColumns = `seq, id, appid, name, kind, template_id, priority, caller_id, retry_of,
	state, reason, detail, rate, quiet_hours, expires_after, send_at, skip_bad, version,
	row_count, good, next_row, fed, late, speed, fed_at, created_at, started_at, updated_at, ended_at, metadata, spec`

func scanBatch(r *row) hongyan.Batch {
	return hongyan.Batch{
		Seq: r.int64(), ID: r.text(), AppID: r.text(), Name: r.text(), Kind: hongyan.MessageKind(r.text()), TemplateID: r.text(),
		Priority: hongyan.Priority(r.int()), CallerID: r.text(), RetryOf: r.text(),
		State: hongyan.BatchState(r.int()), Reason: r.text(), Detail: r.text(), RatePerSecond: r.float(), QuietHours: r.text(),
		ExpiresAfter: time.Duration(r.int64()) * time.Millisecond, SendAt: r.time(), SkipBad: r.bool(), Version: r.int64(),
		Rows: r.int64(), Good: r.int64(), Next: r.int64(), Fed: r.int64(), Late: r.int64(), Speed: r.float(), FedAt: r.time(),
		CreatedAt: r.time(), StartedAt: r.time(), UpdatedAt: r.time(), EndedAt: r.time(), Metadata: r.bytes(), Spec: r.bytes(),
	}
}

func batchInto(b *hongyan.Batch) func(*row) error {
	return func(r *row) error {
		*b = scanBatch(r)
		return nil
	}
}

func collectBatches(all *[]hongyan.Batch) func(*row) error {
	return func(r *row) error {
		*all = append(*all, scanBatch(r))
		return nil
	}
}

func unknownBatch(id string) error {
	return hongyan.Errorf(hongyan.NotFound, "unknown_batch", "there is no batch %q", id)
}

// CreateBatch adds a batch; see store.Batches.
func (s *Store) CreateBatch(ctx context.Context, b hongyan.Batch, once store.Once) (made hongyan.Batch, err error) {
	err = s.write(ctx, func(t *tx) error {
		if _, err := t.exec("SELECT pg_advisory_xact_lock_shared($1, 0)", lockAccounts); err != nil {
			return err
		}
		accounts, err := t.accounts([]string{b.AppID})
		if err != nil {
			return err
		}
		if !accounts[b.AppID] {
			return hongyan.InvalidField("unknown_account", "/appid", "no account has the appid or alias %q", b.AppID)
		}
		err = t.query(batchInto(&made), `INSERT INTO batches (id, appid, name, kind, template_id, priority, caller_id, retry_of,
			state, reason, detail, rate, quiet_hours, expires_after, send_at, skip_bad, version,
			row_count, good, next_row, fed, late, speed, fed_at, created_at, started_at, updated_at, ended_at, metadata, spec)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, 0, 0, 1, 0, 0, 0, 0, $17, 0, $17, 0, $18, coalesce($19, ''::bytea))
			RETURNING `+batchColumns,
			b.ID, b.AppID, b.Name, string(b.Kind), b.TemplateID, int16(b.Priority), b.CallerID, b.RetryOf,
			int16(b.State), b.Reason, b.Detail, b.RatePerSecond, b.QuietHours, b.ExpiresAfter.Milliseconds(), millis(b.SendAt), b.SkipBad,
			t.now, b.Metadata, b.Spec)
		if err != nil || once.Key == "" {
			return err
		}
		key, _ := once.StoredKeys()
		if _, err := t.exec(staleBatchKeySQL, b.CallerID, key, t.now); err != nil {
			return err
		}
		n, err := t.exec(batchKeySQL, b.CallerID, key, once.BodyHash[:], made.Seq, t.now+store.IdempotencyTTL.Milliseconds())
		if err == nil && n == 0 {
			err = store.KeyTaken()
		}
		return err
	})
	return made, err
}

const (
	// staleBatchKeySQL removes a key that is past its life, or whose batch is gone.
	staleBatchKeySQL = `DELETE FROM idempotency WHERE caller_id = $1 AND key = $2
		AND (expires_at <= $3 OR NOT EXISTS (SELECT 1 FROM batches WHERE batches.seq = idempotency.seq))`
	// batchKeySQL stores a key, and changes nothing where another transaction was faster.
	// It looks at nothing else: this statement would not see that transaction's batch.
	batchKeySQL = `INSERT INTO idempotency (caller_id, key, body_hash, seq, expires_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (caller_id, key) DO NOTHING`
)

// ReplayBatch answers a known idempotency key; see store.Batches.
func (s *Store) ReplayBatch(ctx context.Context, callerID string, once store.Once) (b hongyan.Batch, out store.InsertOutcome, err error) {
	key, formerly := once.StoredKeys()
	err = s.read(ctx, func(c conn) error {
		b, out = hongyan.Batch{}, store.InsertedNew
		_, err := c.queryOne(ctx, func(r *row) error {
			out = store.InsertedMismatch
			if string(r.bytes()) == string(once.BodyHash[:]) {
				out = store.InsertedReplay
			}
			b = scanBatch(r)
			return nil
		}, "SELECT body_hash, "+batchColumns+` FROM (SELECT body_hash, seq FROM idempotency
			WHERE caller_id = $1 AND key IN ($2, $3) AND expires_at > (SELECT hongyan_now())) AS known JOIN batches USING (seq)`, callerID, key, formerly)
		return err
	})
	return b, out, err
}

// Batch finds a batch by its id.
func (s *Store) Batch(ctx context.Context, id string) (b hongyan.Batch, err error) {
	err = s.read(ctx, func(c conn) error {
		found, err := c.queryOne(ctx, batchInto(&b), "SELECT "+batchColumns+" FROM batches WHERE id = $1", id)
		if err == nil && !found {
			err = unknownBatch(id)
		}
		return err
	})
	return b, err
}

// Batches lists batches newest first.
func (s *Store) Batches(ctx context.Context, f store.BatchFilter) ([]hongyan.Batch, error) {
	q := listQuery{from: "batches"}
	if len(f.AppIDs) > 0 {
		q.and("appid = ANY(" + q.arg(f.AppIDs) + ")")
	}
	if len(f.States) > 0 {
		states := make([]int16, len(f.States))
		for i, s := range f.States {
			states[i] = int16(s)
		}
		q.and("state = ANY(" + q.arg(states) + ")")
	}
	if f.RetryOf != "" {
		q.and("retry_of = " + q.arg(f.RetryOf))
	}
	if f.NoVoid {
		q.and("NOT (state = " + q.arg(int16(hongyan.BatchCancelled)) + " AND row_count = 0)")
	}
	text, args := q.by("seq", batchColumns, beforeOrNewest(f.Before), pageSize(f.Limit))
	var all []hongyan.Batch
	err := s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, collectBatches(&all), text, args...)
	})
	return all, err
}

// BatchIDs returns the ids of batches by their numbers.
func (s *Store) BatchIDs(ctx context.Context, seqs []int64) (map[int64]string, error) {
	ids := make(map[int64]string, len(seqs))
	err := s.read(ctx, func(c conn) error {
		return c.query(ctx, func(r *row) error {
			ids[r.int64()] = r.text()
			return nil
		}, "SELECT seq, id FROM batches WHERE seq = ANY($1)", seqs)
	})
	return ids, err
}

// LiveBatches lists the batches somebody has to look after.
func (s *Store) LiveBatches(ctx context.Context) (all []hongyan.Batch, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, collectBatches(&all), "SELECT "+batchColumns+" FROM batches WHERE ended_at = 0 AND state > 0 ORDER BY seq")
	})
	return all, err
}

// BatchStates counts the accounts' batches by state; see store.Batches.
func (s *Store) BatchStates(ctx context.Context) (map[string]map[hongyan.BatchState]int64, error) {
	counts := map[string]map[hongyan.BatchState]int64{}
	err := s.read(ctx, func(c conn) error {
		counts = map[string]map[hongyan.BatchState]int64{}
		return c.query(ctx, func(r *row) error {
			appID, state, n := r.text(), hongyan.BatchState(r.int()), r.int64()
			if counts[appID] == nil {
				counts[appID] = map[hongyan.BatchState]int64{}
			}
			counts[appID][state] = n
			return nil
		}, "SELECT appid, state, count(*) FROM batches GROUP BY appid, state")
	})
	return counts, err
}

// UpdateBatch replaces what an operator may change; see store.Batches.
func (s *Store) UpdateBatch(ctx context.Context, b hongyan.Batch) (changed hongyan.Batch, err error) {
	err = s.write(ctx, func(t *tx) error {
		found, err := t.queryOne(batchInto(&changed), `UPDATE batches SET name = $1, state = $2, reason = $3, detail = $4, rate = $5, quiet_hours = $6,
			expires_after = $7, send_at = $8, skip_bad = $9, started_at = $10, ended_at = $11, updated_at = $12, version = version + 1
			WHERE id = $13 AND version = $14 RETURNING `+batchColumns,
			b.Name, int16(b.State), b.Reason, b.Detail, b.RatePerSecond, b.QuietHours, b.ExpiresAfter.Milliseconds(), millis(b.SendAt), b.SkipBad,
			millis(b.StartedAt), millis(b.EndedAt), t.now, b.ID, b.Version)
		if err == nil && !found {
			err = hongyan.Errorf(hongyan.Conflict, "batch_changed", "batch %s was changed meanwhile, or is gone", b.ID)
		}
		t.notices.add(store.NoticeBatches, changed.AppID)
		return err
	})
	return changed, err
}

// StageRows adds a chunk to an open batch; see store.Batches.
func (s *Store) StageRows(ctx context.Context, c store.Chunk) (b hongyan.Batch, err error) {
	err = s.write(ctx, func(t *tx) error {
		found, err := t.queryOne(batchInto(&b), "SELECT "+batchColumns+" FROM batches WHERE seq = $1 FOR UPDATE", c.Batch)
		switch {
		case err != nil:
			return err
		case !found:
			return unknownBatch("")
		case b.State != hongyan.BatchOpen:
			return hongyan.Errorf(hongyan.Conflict, "batch_not_open", "batch %s is %s and takes no more recipients", b.ID, b.State)
		case c.First != b.Rows+1:
			return hongyan.Errorf(hongyan.Conflict, "rows_gap", "batch %s has %d rows: the next is row %d, not %d", b.ID, b.Rows, b.Rows+1, c.First)
		}
		b.Rows, b.Good, b.UpdatedAt = b.Rows+int64(c.N), b.Good+int64(c.N-c.Bad), fromMillis(t.now)
		var q batch
		q.execAll(1, "UPDATE batches SET row_count = $1, good = $2, updated_at = $3 WHERE seq = $4", b.Rows, b.Good, t.now, b.Seq)
		q.execAll(1, "INSERT INTO batch_chunks (batch, first, n, bad, hashes, data) VALUES ($1, $2, $3, $4, coalesce($5, ''::bytea), coalesce($6, ''::bytea))",
			c.Batch, c.First, int32(c.N), int32(c.Bad), c.Hashes, c.Data)
		return t.run(&q)
	})
	return b, err
}

const chunkSQL = `SELECT batch_chunks.batch, batch_chunks.first, n, bad, hashes, data, coalesce(first_seq, 0), coalesce(last_seq, 0)
	FROM batch_chunks LEFT JOIN batch_spans ON batch_spans.batch = batch_chunks.batch AND batch_spans.first = batch_chunks.first
	WHERE batch_chunks.batch = $1`

func scanChunk(r *row) store.Chunk {
	return store.Chunk{Batch: r.int64(), First: r.int64(), N: r.int(), Bad: r.int(), Hashes: r.bytes(), Data: r.bytes(), FirstSeq: r.int64(), LastSeq: r.int64()}
}

// Chunk returns the chunk a row is in; see store.Batches.
func (s *Store) Chunk(ctx context.Context, batch, number int64) (k store.Chunk, err error) {
	err = s.read(ctx, func(c conn) error {
		found, err := c.queryOne(ctx, func(r *row) error {
			k = scanChunk(r)
			return nil
		}, chunkSQL+" AND batch_chunks.first <= $2 ORDER BY batch_chunks.first DESC LIMIT 1", batch, number)
		if err == nil && (!found || number > k.Last()) {
			err = unknownRows(number)
		}
		return err
	})
	return k, err
}

// ChunkHashes returns what tells the recipients of chunks apart; see store.Batches.
func (s *Store) ChunkHashes(ctx context.Context, batch, after int64, limit int) (all []store.Chunk, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, func(r *row) error {
			all = append(all, store.Chunk{Batch: batch, First: r.int64(), N: r.int(), Hashes: r.bytes()})
			return nil
		}, "SELECT first, n, hashes FROM batch_chunks WHERE batch = $1 AND first > $2 ORDER BY first LIMIT $3", batch, after, limit)
	})
	return all, err
}

// BadChunks returns chunks with bad rows; see store.Batches.
func (s *Store) BadChunks(ctx context.Context, batch, after int64, limit int) (all []store.Chunk, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, func(r *row) error {
			all = append(all, scanChunk(r))
			return nil
		}, chunkSQL+" AND bad > 0 AND batch_chunks.first + n > $2 + 1 ORDER BY batch_chunks.first LIMIT $3", batch, after, limit)
	})
	return all, err
}

// RewriteChunk replaces what a chunk says; see store.Batches.
func (s *Store) RewriteChunk(ctx context.Context, c store.Chunk, next int64, lost int) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE batches SET good = good - $1, version = version + 1 WHERE seq = $2 AND ($3::bigint = 0 OR next_row = $3::bigint)", lost, c.Batch, next)
		if err != nil {
			return err
		}
		if n == 0 {
			return hongyan.Errorf(hongyan.Conflict, "batch_moved", "row %d of the batch is not the next one any more", next)
		}
		n, err = t.exec("UPDATE batch_chunks SET bad = $1, hashes = coalesce($2, ''::bytea), data = coalesce($3, ''::bytea) WHERE batch = $4 AND first = $5",
			int32(c.Bad), c.Hashes, c.Data, c.Batch, c.First)
		if err == nil && n == 0 {
			err = unknownRows(c.First)
		}
		return err
	})
}

func unknownRows(row int64) error {
	return hongyan.Errorf(hongyan.NotFound, "unknown_rows", "row %d of the batch is not stored here, or not any more", row)
}

// ownersOfSQL finds the accounts of the latest messages to users that WeChat accepted,
// and puts an account before the others where it accepted one of its own.
const ownersOfSQL = `SELECT wanted, CASE WHEN appid <> $2 AND EXISTS (
		SELECT FROM messages WHERE touser = wanted AND messages.appid = $2 AND state IN (4, 8, 9)) THEN $2 ELSE appid END
	FROM unnest($1::text[]) AS users (wanted)
	CROSS JOIN LATERAL (SELECT appid FROM messages WHERE touser = wanted AND state IN (4, 8, 9) ORDER BY seq DESC LIMIT 1) AS latest`

// OwnersOf returns the accounts that users belong to, as far as they are known.
func (s *Store) OwnersOf(ctx context.Context, appID string, openIDs []string) (map[string]string, error) {
	owners := make(map[string]string)
	err := s.read(ctx, func(c conn) error {
		return c.query(ctx, func(r *row) error {
			owners[strings.Clone(r.text())] = r.text()
			return nil
		}, ownersOfSQL, openIDs, appID)
	})
	return owners, err
}
