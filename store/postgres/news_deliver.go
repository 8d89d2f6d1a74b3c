package postgres

import (
	"cmp"
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
const dueWebhooksSQL = `SELECT id, (SELECT due_at FROM webhook_deliveries WHERE webhook = webhooks.id AND state = 0 ORDER BY due_at LIMIT 1)
	FROM webhooks ORDER BY id`

// DueWebhooks lists the endpoints with pending deliveries; see store.News.
func (s *Store) DueWebhooks(ctx context.Context) (all []store.WebhookDue, err error) {
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, func(r *row) error {
			if d := (store.WebhookDue{WebhookID: r.text(), DueAt: r.time()}); !d.DueAt.IsZero() {
				all = append(all, d)
			}
			return nil
		}, dueWebhooksSQL)
	})
	return all, err
}

// earlierNewsSQL is a delivery's earlier attempts with the one that was the latest so far
// behind them: the newest that there is room for beside the next, which is $1; $2 is
// how much is kept of an answer.
const earlierNewsSQL = `CASE d.last_at WHEN 0 THEN d.earlier ELSE
	CASE WHEN jsonb_array_length(d.earlier) >= $1::integer THEN d.earlier - 0 ELSE d.earlier END ||
	jsonb_build_object('at', d.last_at, 'status', d.last_status, 'error', d.last_error, 'answer', left(d.last_answer, $2::integer), 'took', d.last_took) END`

// claimNewsSQL begins attempts of an endpoint. One that was under way is lost: its lease
// is over. Rows that another node is claiming are passed over.
const claimNewsSQL = `WITH due AS (
		SELECT id AS due_id, due_at AS was_due FROM webhook_deliveries
		WHERE webhook = $3 AND due_at <= (SELECT hongyan_now()) AND state = 0
		ORDER BY due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED
	), claimed AS (
		UPDATE webhook_deliveries AS d SET attempts = d.attempts + 1, again = false, earlier = CASE d.claimed_at WHEN 0 THEN d.earlier ELSE ` + earlierNewsSQL + ` END,
			last_at = CASE d.claimed_at WHEN 0 THEN d.last_at ELSE d.claimed_at END, last_status = CASE d.claimed_at WHEN 0 THEN d.last_status ELSE 0 END,
			last_error = CASE d.claimed_at WHEN 0 THEN d.last_error ELSE $6::text END, last_answer = CASE d.claimed_at WHEN 0 THEN d.last_answer ELSE '' END,
			last_took = CASE d.claimed_at WHEN 0 THEN d.last_took ELSE 0 END,
			claimed_at = (SELECT hongyan_now()), due_at = (SELECT hongyan_now()) + $5::bigint
		FROM due WHERE id BETWEEN due_id AND due_id RETURNING d.*, was_due
	)
	SELECT was_due, ` + newsDeliveryColumns + ", " + newsColumns + ` FROM claimed AS d
		CROSS JOIN LATERAL (SELECT * FROM news WHERE id = d.news OFFSET 0) AS news` + withMessageSQL

// ClaimNews takes due deliveries of an endpoint; see store.News.
func (s *Store) ClaimNews(ctx context.Context, c store.NewsClaim) ([]store.ClaimedNews, error) {
	if c.Max <= 0 {
		return nil, nil
	}
	type claimed struct {
		store.ClaimedNews
		due int64
	}
	var all []claimed
	claim := func(b *batch) {
		all = nil
		b.query(func(r *row) error {
			due := r.int64()
			all = append(all, claimed{store.ClaimedNews{WebhookDelivery: scanNewsDelivery(r), News: scanNews(r)}, due})
			return nil
		}, claimNewsSQL, hongyan.MaxWebhookHistory-1, store.EarlierAnswer, c.WebhookID, c.Max, c.Lease.Milliseconds(), store.LostAttempt)
	}
	if err := s.transact(ctx, claim, func(*tx) error { return nil }); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b claimed) int { return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.ID, b.ID)) })
	out := make([]store.ClaimedNews, len(all))
	for i := range all {
		out[i] = all[i].ClaimedNews
	}
	return out, nil
}

// finishNewsSQL writes what came of claimed deliveries, if nobody claimed them since. An
// attempt that failed while its delivery was asked for once more is followed by another
// at once.
const finishNewsSQL = `UPDATE webhook_deliveries AS d SET state = CASE WHEN d.again AND done.state <> 1 THEN 0 ELSE done.state END,
	due_at = CASE WHEN d.again AND done.state <> 1 THEN (SELECT hongyan_now()) ELSE done.due_at END,
	ended_at = CASE WHEN done.state = 0 OR d.again AND done.state <> 1 THEN 0 ELSE (SELECT hongyan_now()) END, again = false,
	attempts = d.attempts - CASE WHEN untried THEN 1 ELSE 0 END, claimed_at = 0,
	earlier = CASE WHEN untried THEN d.earlier ELSE ` + earlierNewsSQL + ` END,
	last_at = CASE WHEN untried THEN d.last_at ELSE d.claimed_at END, last_status = CASE WHEN untried THEN d.last_status ELSE done.status END,
	last_error = CASE WHEN untried THEN d.last_error ELSE done.error END,
	last_answer = CASE WHEN untried THEN d.last_answer WHEN d.erased THEN '' ELSE done.answer END,
	last_took = CASE WHEN untried THEN d.last_took ELSE done.took END
	FROM unnest($3::bigint[], $4::integer[], $5::smallint[], $6::bigint[], $7::integer[], $8::text[], $9::text[], $10::bigint[], $11::boolean[])
		AS done (id, attempts, state, due_at, status, error, answer, took, untried)
	WHERE d.id BETWEEN done.id AND done.id AND d.attempts = done.attempts AND d.claimed_at > 0 AND d.state + 0 = 0`

// FinishNews writes what came of claimed deliveries; see store.News.
func (s *Store) FinishNews(ctx context.Context, rs []store.NewsResult) error {
	if len(rs) == 0 {
		return nil
	}
	return s.tidings.submit(ctx, s, rs, len(rs))
}

// flushNewsResults writes the results of several calls together.
func (s *Store) flushNewsResults(ctx context.Context, ops []*op[[]store.NewsResult]) error {
	var all []store.NewsResult
	for _, o := range ops {
		all = append(all, o.in...)
	}
	return s.transact(ctx, func(*batch) {}, func(t *tx) error {
		_, err := t.exec(finishNewsSQL, newsResultArgs(all, t.now)...)
		return err
	})
}

func newsResultArgs(all []store.NewsResult, now int64) []any {
	n := len(all)
	ids, dues, tooks := make([]int64, n), make([]int64, n), make([]int64, n)
	attempts, statuses := make([]int32, n), make([]int32, n)
	states := make([]int16, n)
	errs, answers := make([]string, n), make([]string, n)
	untried := make([]bool, n)
	for i := range all {
		r := &all[i]
		if r.State == hongyan.DeliveryPending {
			dues[i] = cmp.Or(millis(r.DueAt), now)
		}
		ids[i], attempts[i], states[i], statuses[i] = r.ID, int32(r.Attempts), int16(r.State), int32(r.Status)
		errs[i], answers[i], tooks[i], untried[i] = r.Error, r.Answer, r.Took.Milliseconds(), r.Untried
	}
	return []any{hongyan.MaxWebhookHistory - 1, store.EarlierAnswer, ids, attempts, states, dues, statuses, errs, answers, tooks, untried}
}

// WebhookDeliveries lists deliveries with their news; see store.News.
func (s *Store) WebhookDeliveries(ctx context.Context, f store.WebhookDeliveryFilter) (all []store.ClaimedNews, err error) {
	f.Limit = pageSize(f.Limit)
	q := listQuery{}
	switch {
	case f.ID != 0:
		q.and("d.id = " + q.arg(f.ID))
		q.andIfSet("d.webhook", f.WebhookID)
	case f.MessageSeq != 0:
		q.and("d.seq > 0 AND d.seq = " + q.arg(f.MessageSeq))
		q.andIfSet("d.webhook", f.WebhookID)
	case f.WebhookID != "":
		q.byState(f)
	}
	if len(f.States) > 0 {
		q.and("d.state = ANY(" + q.arg(stateArray(f.States)) + ")")
	}
	if len(f.Types) > 0 {
		q.and("d.type = ANY(" + q.arg(store.TypesOf(f.Types)) + ")")
	}
	q.from = "webhook_deliveries AS d CROSS JOIN LATERAL (SELECT * FROM news WHERE id = d.news OFFSET 0) AS news" + withMessageSQL
	earlier := "'[]', 0::bigint" // long, and wanted of one alone
	if f.ID != 0 {
		earlier = "d.earlier::text, d.last_at"
	}
	text, args := q.by("d.id", newsDeliveryColumns+", "+newsColumns+", "+earlier, beforeOrNewest(f.Before), f.Limit)
	err = s.read(ctx, func(c conn) error {
		all = nil
		return c.query(ctx, func(r *row) error {
			all = append(all, store.ClaimedNews{WebhookDelivery: scanNewsDelivery(r), News: scanNews(r)})
			return store.DecodeHistory(r.text(), r.time(), &all[len(all)-1].WebhookDelivery)
		}, text, args...)
	})
	return all, err
}

// byState takes of each state the newest deliveries of an endpoint: no index has them in
// order of age across states.
func (q *listQuery) byState(f store.WebhookDeliveryFilter) {
	hook, types, before, limit := q.arg(f.WebhookID), q.arg(store.TypesOf(f.Types)), q.arg(beforeOrNewest(f.Before)), q.arg(f.Limit)
	var roads []string
	for state := hongyan.DeliveryPending; state <= hongyan.DeliveryGaveUp; state++ {
		if len(f.States) > 0 && !slices.Contains(f.States, state) {
			continue
		}
		roads = append(roads, "(SELECT id FROM webhook_deliveries WHERE webhook = "+hook+" AND state = "+q.arg(int16(state))+
			" AND id < "+before+" AND type = ANY("+types+") ORDER BY id DESC LIMIT "+limit+")")
	}
	q.and("d.id = ANY(ARRAY(" + strings.Join(roads, " UNION ALL ") + "))")
}

// WebhookCounts counts deliveries by endpoint; see store.News. It reads an index.
func (s *Store) WebhookCounts(ctx context.Context) (map[string]store.DeliveryCount, error) {
	var counts map[string]store.DeliveryCount
	err := s.snapshot(ctx, func(c conn) error {
		counts = make(map[string]store.DeliveryCount)
		err := c.query(ctx, func(r *row) error {
			id, state, many := r.text(), hongyan.DeliveryState(r.int()), r.int64()
			counts[id] = counts[id].With(state, many)
			return nil
		}, `SELECT webhooks.id, state, many FROM webhooks CROSS JOIN LATERAL (SELECT state, count(*) AS many
			FROM webhook_deliveries WHERE webhook = webhooks.id GROUP BY state) AS counted`)
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
			}, "SELECT created_at, last_error FROM webhook_deliveries WHERE webhook = $1 AND state = 0 ORDER BY id LIMIT 1", id)
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
