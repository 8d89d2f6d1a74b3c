package sqlite

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
func (s *Store) CreateBatch(ctx context.Context, b hongyan.Batch, once store.Once) (hongyan.Batch, error) {
	key, formerly := once.StoredKeys()
	err := s.write(ctx, func(t *tx) (err error) {
		if !t.accounts[b.AppID] {
			return hongyan.InvalidField("unknown_account", "/appid", "no account has the appid or alias %q", b.AppID)
		}
		if once.Key != "" {
			taken, err := t.queryOne(func(*row) error { return nil }, batchKeySQL, b.CallerID, key, formerly, t.now)
			if err != nil {
				return err
			}
			if taken {
				return store.KeyTaken()
			}
		}
		b.Next, b.CreatedAt, b.UpdatedAt = 1, fromMillis(t.now), fromMillis(t.now)
		b.SendAt = hongyan.Millis(b.SendAt)
		b.Seq, _, err = t.insert(`INSERT INTO batches (id, appid, name, kind, template_id, priority, caller_id, retry_of,
			state, reason, detail, rate, quiet_hours, expires_after, send_at, skip_bad, version,
			row_count, good, next_row, fed, late, speed, fed_at, created_at, started_at, updated_at, ended_at, metadata, spec)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 1, 0, 0, 0, 0, ?, 0, ?, 0, ?, coalesce(?, x''))`,
			b.ID, b.AppID, b.Name, string(b.Kind), b.TemplateID, int64(b.Priority), b.CallerID, b.RetryOf,
			int64(b.State), b.Reason, b.Detail, b.RatePerSecond, b.QuietHours, b.ExpiresAfter.Milliseconds(), millis(b.SendAt), b.SkipBad,
			t.now, t.now, b.Metadata, b.Spec)
		if err != nil || once.Key == "" {
			return err
		}
		// REPLACE: a key past its life, or of a batch that is gone, may still have its row.
		_, err = t.exec("INSERT OR REPLACE INTO idempotency (caller_id, key, body_hash, seq, expires_at) VALUES (?, ?, ?, ?, ?)",
			b.CallerID, key, once.BodyHash[:], b.Seq, t.now+store.IdempotencyTTL.Milliseconds())
		return err
	})
	return b, err
}

// batchKeySQL finds the batch that a key has made.
const batchKeySQL = "SELECT body_hash, " + batchColumns + ` FROM
	(SELECT body_hash, seq FROM idempotency WHERE caller_id = ? AND key IN (?, ?) AND expires_at > ?) AS known CROSS JOIN batches USING (seq)`

// ReplayBatch answers a known idempotency key; see store.Batches.
func (s *Store) ReplayBatch(ctx context.Context, callerID string, once store.Once) (b hongyan.Batch, out store.InsertOutcome, err error) {
	key, formerly := once.StoredKeys()
	err = s.read(ctx, func(c *conn) error {
		_, err := c.queryOne(ctx, func(r *row) error {
			out = store.InsertedMismatch
			if string(r.bytes()) == string(once.BodyHash[:]) {
				out = store.InsertedReplay
			}
			b = scanBatch(r)
			return nil
		}, batchKeySQL, callerID, key, formerly, millis(s.Now()))
		return err
	})
	return b, out, err
}

// Batch finds a batch by its id.
func (s *Store) Batch(ctx context.Context, id string) (b hongyan.Batch, err error) {
	err = s.read(ctx, func(c *conn) error {
		found, err := c.queryOne(ctx, func(r *row) error { b = scanBatch(r); return nil },
			"SELECT "+batchColumns+" FROM batches WHERE id = ?", id)
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
		q.and("appid IN (SELECT value FROM json_each(?))", mustJSON(f.AppIDs))
	}
	if len(f.States) > 0 {
		var mask int64
		for _, s := range f.States {
			mask |= 1 << s
		}
		q.and("(? >> state) & 1", mask)
	}
	if f.RetryOf != "" {
		q.and("retry_of = ?", f.RetryOf)
	}
	if f.NoVoid {
		q.and("NOT (state = ? AND row_count = 0)", int64(hongyan.BatchCancelled))
	}
	var all []hongyan.Batch
	err := s.read(ctx, func(c *conn) error {
		return c.query(ctx, collectBatches(&all), q.sql(batchColumns), append(q.args, beforeOrNewest(f.Before), pageSize(f.Limit))...)
	})
	return all, err
}

// BatchIDs returns the ids of batches by their numbers.
func (s *Store) BatchIDs(ctx context.Context, seqs []int64) (map[int64]string, error) {
	ids := make(map[int64]string, len(seqs))
	err := s.read(ctx, func(c *conn) error {
		return c.query(ctx, func(r *row) error {
			ids[r.int64()] = r.text()
			return nil
		}, "SELECT seq, id FROM batches WHERE seq IN (SELECT value FROM json_each(?))", mustJSON(seqs))
	})
	return ids, err
}

// LiveBatches lists the batches somebody has to look after.
func (s *Store) LiveBatches(ctx context.Context) (all []hongyan.Batch, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, collectBatches(&all), "SELECT "+batchColumns+` FROM batches INDEXED BY batches_live
			WHERE ended_at = 0 AND state > 0 ORDER BY seq`)
	})
	return all, err
}

// BatchStates counts the accounts' batches by state; see store.Batches.
func (s *Store) BatchStates(ctx context.Context) (map[string]map[hongyan.BatchState]int64, error) {
	counts := map[string]map[hongyan.BatchState]int64{}
	err := s.read(ctx, func(c *conn) error {
		return c.query(ctx, func(r *row) error {
			appID, state, n := r.text(), hongyan.BatchState(r.int()), r.int64()
			if counts[appID] == nil {
				counts[appID] = map[hongyan.BatchState]int64{}
			}
			counts[appID][state] = n
			return nil
		}, "SELECT appid, state, count(*) FROM batches INDEXED BY batches_appid GROUP BY appid, state")
	})
	return counts, err
}

// UpdateBatch replaces what an operator may change; see store.Batches.
func (s *Store) UpdateBatch(ctx context.Context, b hongyan.Batch) (changed hongyan.Batch, err error) {
	err = s.write(ctx, func(t *tx) error {
		found := false
		err := t.change(func(r *row) error {
			found, changed = true, scanBatch(r)
			return nil
		}, `UPDATE batches SET name = ?, state = ?, reason = ?, detail = ?, rate = ?, quiet_hours = ?, expires_after = ?, send_at = ?, skip_bad = ?,
			started_at = ?, ended_at = ?, updated_at = ?, version = version + 1 WHERE id = ? AND version = ? RETURNING `+batchColumns,
			b.Name, int64(b.State), b.Reason, b.Detail, b.RatePerSecond, b.QuietHours, b.ExpiresAfter.Milliseconds(), millis(b.SendAt), b.SkipBad,
			millis(b.StartedAt), millis(b.EndedAt), t.now, b.ID, b.Version)
		if err == nil && !found {
			err = hongyan.Errorf(hongyan.Conflict, "batch_changed", "batch %s was changed meanwhile, or is gone", b.ID)
		}
		return err
	})
	return changed, err
}

// StageRows adds a chunk to an open batch; see store.Batches.
func (s *Store) StageRows(ctx context.Context, c store.Chunk) (b hongyan.Batch, err error) {
	err = s.write(ctx, func(t *tx) error {
		found, err := t.queryOne(func(r *row) error { b = scanBatch(r); return nil },
			"SELECT "+batchColumns+" FROM batches WHERE seq = ?", c.Batch)
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
		if err := t.execAll(1, "UPDATE batches SET row_count = ?, good = ?, updated_at = ? WHERE seq = ?", b.Rows, b.Good, t.now, b.Seq); err != nil {
			return err
		}
		return t.execAll(1, "INSERT INTO batch_chunks (batch, first, n, bad, hashes, data) VALUES (?, ?, ?, ?, coalesce(?, x''), coalesce(?, x''))",
			c.Batch, c.First, c.N, c.Bad, c.Hashes, c.Data)
	})
	return b, err
}

const chunkSQL = `SELECT batch_chunks.batch, batch_chunks.first, n, bad, hashes, data, coalesce(first_seq, 0), coalesce(last_seq, 0)
	FROM batch_chunks LEFT JOIN batch_spans ON batch_spans.batch = batch_chunks.batch AND batch_spans.first = batch_chunks.first
	WHERE batch_chunks.batch = ?`

func scanChunk(r *row) store.Chunk {
	return store.Chunk{Batch: r.int64(), First: r.int64(), N: r.int(), Bad: r.int(), Hashes: r.bytes(), Data: r.bytes(), FirstSeq: r.int64(), LastSeq: r.int64()}
}

// Chunk returns the chunk a row is in; see store.Batches.
func (s *Store) Chunk(ctx context.Context, batch, row int64) (k store.Chunk, err error) {
	err = s.snapshot(ctx, func(c *conn) error {
		found, err := c.queryOne(ctx, chunkInto(&k), chunkSQL+" AND batch_chunks.first <= ? ORDER BY batch_chunks.first DESC LIMIT 1", batch, row)
		if err == nil && (!found || row > k.Last()) {
			err = unknownRows(row)
		}
		return err
	})
	return k, err
}

func chunkInto(k *store.Chunk) func(*row) error {
	return func(r *row) error {
		*k = scanChunk(r)
		return nil
	}
}

// ChunkHashes returns what tells the recipients of chunks apart; see store.Batches.
func (s *Store) ChunkHashes(ctx context.Context, batch, after int64, limit int) (all []store.Chunk, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, func(r *row) error {
			all = append(all, store.Chunk{Batch: batch, First: r.int64(), N: r.int(), Hashes: r.bytes()})
			return nil
		}, "SELECT first, n, hashes FROM batch_chunks WHERE batch = ? AND first > ? ORDER BY first LIMIT ? + 0", batch, after, limit)
	})
	return all, err
}

// BadChunks returns chunks with bad rows; see store.Batches.
func (s *Store) BadChunks(ctx context.Context, batch, after int64, limit int) (all []store.Chunk, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, func(r *row) error {
			all = append(all, scanChunk(r))
			return nil
		}, chunkSQL+" AND bad > 0 AND batch_chunks.first + n > ? + 1 ORDER BY batch_chunks.first LIMIT ? + 0", batch, after, limit)
	})
	return all, err
}

// RewriteChunk replaces what a chunk says; see store.Batches.
func (s *Store) RewriteChunk(ctx context.Context, c store.Chunk, next int64, lost int) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE batches SET good = good - ?, version = version + 1 WHERE seq = ? AND ? IN (0, next_row)", lost, c.Batch, next)
		if err != nil {
			return err
		}
		if n == 0 {
			return hongyan.Errorf(hongyan.Conflict, "batch_moved", "row %d of the batch is not the next one any more", next)
		}
		n, err = t.exec("UPDATE batch_chunks SET bad = ?, hashes = coalesce(?, x''), data = coalesce(?, x'') WHERE batch = ? AND first = ?",
			c.Bad, c.Hashes, c.Data, c.Batch, c.First)
		if err == nil && n == 0 {
			err = unknownRows(c.First)
		}
		return err
	})
}

func unknownRows(row int64) error {
	return hongyan.Errorf(hongyan.NotFound, "unknown_rows", "row %d of the batch is not stored here, or not any more", row)
}

// ownerOfSQL finds the account of the latest message to a user that WeChat accepted,
// ownUserSQL whether it accepted one of an account.
const (
	ownerOfSQL = `SELECT appid FROM messages INDEXED BY messages_touser
		WHERE touser = ? AND state IN (4, 8, 9) ORDER BY seq DESC LIMIT 1`
	ownUserSQL = `SELECT appid FROM messages INDEXED BY messages_touser
		WHERE touser = ? AND appid = ? AND state IN (4, 8, 9) ORDER BY seq DESC LIMIT 1`
)

// OwnersOf returns the accounts that users belong to, as far as they are known.
func (s *Store) OwnersOf(ctx context.Context, appID string, openIDs []string) (map[string]string, error) {
	owners := make(map[string]string)
	err := s.read(ctx, func(c *conn) error {
		for _, id := range openIDs {
			note := func(r *row) error {
				owners[strings.Clone(id)] = r.text()
				return nil
			}
			found, err := c.queryOne(ctx, note, ownerOfSQL, id)
			if found && err == nil && owners[id] != appID {
				_, err = c.queryOne(ctx, note, ownUserSQL, id, appID)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return owners, err
}
