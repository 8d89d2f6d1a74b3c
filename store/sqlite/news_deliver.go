package sqlite

import (
	"context"
	"slices"
	"strings"
	"time"

	"hongyan"
	"hongyan/store"
)

// newsDeliveryColumns are the columns scanNewsDelivery reads.
const newsDeliveryColumns = `d.id, d.webhook, d.news, d.type, d.appid, d.seq, d.state, d.due_at, d.attempts,
	CASE d.claimed_at WHEN 0 THEN d.last_at ELSE d.claimed_at END, d.last_status, d.last_error, d.last_answer, d.last_took, d.created_at, d.ended_at`

func scanNewsDelivery(r *row) hongyan.WebhookDelivery {
	return hongyan.WebhookDelivery{
		ID: r.int64(), WebhookID: r.text(), NewsID: r.int64(), Type: r.text(), AppID: r.text(), MessageSeq: r.int64(),
		State: hongyan.DeliveryState(r.int()), DueAt: r.time(), Attempts: r.int(), LastAt: r.time(),
		LastStatus: r.int(), LastError: r.text(), LastAnswer: r.text(), LastTook: time.Duration(r.int64()) * time.Millisecond,
		CreatedAt: r.time(), EndedAt: r.time(),
	}
}

// dueWebhooksSQL looks up the earliest delivery of each endpoint, so it costs in endpoints.
const dueWebhooksSQL = `SELECT id, (SELECT min(due_at) FROM webhook_deliveries INDEXED BY webhook_deliveries_due WHERE webhook = webhooks.id AND state = 0)
	FROM webhooks ORDER BY id`

// DueWebhooks lists the endpoints with pending deliveries; see store.News.
func (s *Store) DueWebhooks(ctx context.Context) (all []store.WebhookDue, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, func(r *row) error {
			if d := (store.WebhookDue{WebhookID: r.text(), DueAt: r.time()}); !d.DueAt.IsZero() {
				all = append(all, d)
			}
			return nil
		}, dueWebhooksSQL)
	})
	return all, err
}

const claimNewsSQL = "SELECT " + newsDeliveryColumns + ", " + newsColumns + ` FROM webhook_deliveries AS d INDEXED BY webhook_deliveries_due
	CROSS JOIN news ON news.id = d.news LEFT JOIN messages AS m ON m.seq = news.seq AND news.seq > 0
	WHERE d.webhook = ? AND d.due_at <= ? AND d.state = 0 ORDER BY d.due_at, d.id LIMIT ? + 0`

// earlierNewsSQL is a delivery's earlier attempts with the one that was the latest so far
// behind them: the newest that there is room for beside the next. It takes that number,
// and how much is kept of an answer.
const earlierNewsSQL = `CASE last_at WHEN 0 THEN earlier ELSE json_insert(
	CASE WHEN json_array_length(earlier) >= ? THEN json_remove(earlier, '$[0]') ELSE earlier END, '$[#]',
	json_object('at', last_at, 'status', last_status, 'error', last_error, 'answer', substr(last_answer, 1, ?), 'took', last_took)) END`

// leaseNewsSQL begins an attempt. One that was under way is lost: its lease is over.
const leaseNewsSQL = "UPDATE webhook_deliveries SET earlier = CASE claimed_at WHEN 0 THEN earlier ELSE " + earlierNewsSQL + ` END,
	last_at = CASE claimed_at WHEN 0 THEN last_at ELSE claimed_at END, last_status = CASE claimed_at WHEN 0 THEN last_status ELSE 0 END,
	last_error = CASE claimed_at WHEN 0 THEN last_error ELSE ? END, last_answer = CASE claimed_at WHEN 0 THEN last_answer ELSE '' END,
	last_took = CASE claimed_at WHEN 0 THEN last_took ELSE 0 END, attempts = attempts + 1, again = 0, claimed_at = ?, due_at = ? WHERE id IN `

// ClaimNews takes due deliveries of an endpoint; see store.News.
func (s *Store) ClaimNews(ctx context.Context, c store.NewsClaim) ([]store.ClaimedNews, error) {
	var all []store.ClaimedNews
	if c.Max <= 0 {
		return nil, nil
	}
	err := s.submit(ctx, &op{weight: c.Max, run: func(t *tx) error {
		all = nil
		err := t.query(func(r *row) error {
			all = append(all, store.ClaimedNews{WebhookDelivery: scanNewsDelivery(r), News: scanNews(r)})
			return nil
		}, claimNewsSQL, c.WebhookID, t.now, c.Max)
		if err != nil {
			return err
		}
		return t.leaseNews(all, c.Lease)
	}})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// leaseNews begins attempts, in the database and in all.
func (t *tx) leaseNews(all []store.ClaimedNews, lease time.Duration) error {
	until := t.now + lease.Milliseconds()
	rows := make([]int64, len(all))
	for i := range all {
		rows[i] = all[i].ID
		all[i].Attempts++
		all[i].LastAt, all[i].DueAt = fromMillis(t.now), fromMillis(until)
	}
	return t.execSeqs(leaseNewsSQL, rows, hongyan.MaxWebhookHistory-1, store.EarlierAnswer, store.LostAttempt, t.now, until)
}

// finishNewsSQL ends an attempt. One that failed while its delivery was asked for once
// more is followed by another at once.
const finishNewsSQL = "UPDATE webhook_deliveries SET earlier = " + earlierNewsSQL + `, state = CASE WHEN again AND ? THEN 0 ELSE ? END,
	due_at = CASE WHEN again AND ? THEN ? ELSE ? END, ended_at = CASE WHEN again AND ? THEN 0 ELSE ? END, again = 0, last_at = claimed_at, claimed_at = 0, last_status = ?, last_error = ?, last_answer = CASE erased WHEN 0 THEN ? ELSE '' END, last_took = ?
	WHERE id = ? AND attempts = ? AND claimed_at > 0 AND state = 0`

const untriedNewsSQL = `UPDATE webhook_deliveries SET state = ?, due_at = ?, ended_at = ?, attempts = attempts - 1, again = 0, claimed_at = 0
	WHERE id = ? AND attempts = ? AND claimed_at > 0 AND state = 0`

// FinishNews writes what came of claimed deliveries; see store.News.
func (s *Store) FinishNews(ctx context.Context, rs []store.NewsResult) error {
	if len(rs) == 0 {
		return nil
	}
	return s.submit(ctx, &op{weight: len(rs), run: func(t *tx) error {
		for i := range rs {
			if err := t.finishNews(&rs[i]); err != nil {
				return err
			}
		}
		return nil
	}})
}

func (t *tx) finishNews(r *store.NewsResult) (err error) {
	due, ended := int64(0), t.now
	if r.State == hongyan.DeliveryPending {
		if due, ended = millis(r.DueAt), 0; due == 0 {
			due = t.now
		}
	}
	if r.Untried {
		_, err = t.exec(untriedNewsSQL, int64(r.State), due, ended, r.ID, r.Attempts)
	} else {
		failed := r.State != hongyan.DeliveryDone
		_, err = t.exec(finishNewsSQL, hongyan.MaxWebhookHistory-1, store.EarlierAnswer,
			failed, int64(r.State), failed, t.now, due, failed, ended, r.Status, r.Error, r.Answer, r.Took.Milliseconds(), r.ID, r.Attempts)
	}
	return err
}

// WebhookDeliveries lists deliveries with their news; see store.News.
func (s *Store) WebhookDeliveries(ctx context.Context, f store.WebhookDeliveryFilter) (all []store.ClaimedNews, err error) {
	f.Limit = pageSize(f.Limit)
	q := listQuery{from: "webhook_deliveries AS d"}
	switch {
	case f.ID != 0:
		q.and("d.id = ?", f.ID)
		q.andIfSet("d.webhook = ?", f.WebhookID)
	case f.MessageSeq != 0:
		q.from += " INDEXED BY webhook_deliveries_seq"
		q.and("d.seq > 0 AND d.seq = ?", f.MessageSeq)
		q.andIfSet("d.webhook = ?", f.WebhookID)
	case f.WebhookID != "":
		q.byState(f)
	}
	if len(f.States) > 0 {
		q.and("(? >> d.state) & 1", deliveryMask(f.States))
	}
	if len(f.Types) > 0 {
		q.and("d.type IN (SELECT value FROM json_each(?))", mustJSON(store.TypesOf(f.Types)))
	}
	earlier := "'[]', 0" // long, and wanted of one alone
	if f.ID != 0 {
		earlier = "d.earlier, d.last_at"
	}
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, func(r *row) error {
			all = append(all, store.ClaimedNews{WebhookDelivery: scanNewsDelivery(r), News: scanNews(r)})
			return store.DecodeHistory(r.text(), r.time(), &all[len(all)-1].WebhookDelivery)
		}, "SELECT "+newsDeliveryColumns+", "+newsColumns+", "+earlier+" FROM "+q.from+` CROSS JOIN news ON news.id = d.news
			LEFT JOIN messages AS m ON m.seq = news.seq AND news.seq > 0
			WHERE `+q.where+"d.id < ? ORDER BY d.id DESC LIMIT ? + 0", append(q.args, beforeOrNewest(f.Before), f.Limit)...)
	})
	return all, err
}

// byState takes of each state the newest deliveries of an endpoint: no index has them in
// order of age across states.
func (q *listQuery) byState(f store.WebhookDeliveryFilter) {
	types := mustJSON(store.TypesOf(f.Types))
	var roads []string
	for state := hongyan.DeliveryPending; state <= hongyan.DeliveryGaveUp; state++ {
		if len(f.States) > 0 && !slices.Contains(f.States, state) {
			continue
		}
		roads = append(roads, `SELECT id FROM (SELECT id FROM webhook_deliveries INDEXED BY webhook_deliveries_webhook
			WHERE webhook = ? AND state = ? AND id < ? AND type IN (SELECT value FROM json_each(?)) ORDER BY id DESC LIMIT ? + 0)`)
		q.args = append(q.args, f.WebhookID, int64(state), beforeOrNewest(f.Before), types, f.Limit)
	}
	q.where += "d.id IN (" + strings.Join(roads, " UNION ALL ") + ") AND "
}

// WebhookCounts counts deliveries by endpoint; see store.News. It reads an index.
func (s *Store) WebhookCounts(ctx context.Context) (map[string]store.DeliveryCount, error) {
	counts := make(map[string]store.DeliveryCount)
	err := s.snapshot(ctx, func(c *conn) error {
		err := c.query(ctx, func(r *row) error {
			id, state, many := r.text(), hongyan.DeliveryState(r.int()), r.int64()
			counts[id] = counts[id].With(state, many)
			return nil
		}, "SELECT webhook, state, count(*) FROM webhook_deliveries INDEXED BY webhook_deliveries_webhook GROUP BY webhook, state")
		if err != nil {
			return err
		}
		for id, n := range counts {
			if n.Pending == 0 {
				continue
			}
			_, err := c.queryOne(ctx, func(r *row) error {
				n.Oldest, n.Error = r.time(), r.text()
				return nil
			}, `SELECT created_at, last_error FROM webhook_deliveries WHERE id = (SELECT min(id)
				FROM webhook_deliveries INDEXED BY webhook_deliveries_webhook WHERE webhook = ? AND state = 0)`, id)
			if err != nil {
				return err
			}
			counts[id] = n
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}
