package postgres

import (
	"context"
	"slices"

	"hongyan"
	"hongyan/store"
)

// newsGap is what is known of numbers missing in the log. Transactions take their
// numbers before they commit, so that one with a smaller number may be seen later than
// one with a larger: where a number is missing the log is not read on until every
// transaction that ran when the gap was seen has ended. What is missing then was undone.
type newsGap struct {
	below int64 // gaps below this were seen …
	ended int64 // … and are for good once no transaction before this one runs
}

// settled returns how many of fresh, which follow head in their order, may be read on,
// given the oldest transaction that ran before they were looked at (oldest), and the
// next to begin after that.
func (g *newsGap) settled(head int64, fresh []hongyan.News, oldest, next int64) int {
	for i := range fresh {
		if fresh[i].ID != head+1 && !(fresh[i].ID <= g.below && oldest >= g.ended) {
			if last := fresh[len(fresh)-1].ID; oldest >= g.ended && g.below < last {
				g.below, g.ended = last, next
			}
			return i
		}
		head = fresh[i].ID
	}
	return len(fresh)
}

// SpreadNews begins the deliveries of news; see store.News. One node at a time does.
func (s *Store) SpreadNews(ctx context.Context, limit int) (n int, err error) {
	fresh := false
	err = s.read(ctx, func(c conn) error {
		fresh, err = c.queryOne(ctx, func(*row) error { return nil }, "SELECT 1 FROM news WHERE id > (SELECT head FROM news_state WHERE one) LIMIT 1")
		return err
	})
	if err != nil || !fresh {
		return 0, err
	}
	err = s.write(ctx, func(t *tx) error {
		n, err = t.spreadNews(limit)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func (t *tx) spreadNews(limit int) (int, error) {
	var head, oldest, next int64
	var fresh []hongyan.News
	_, err := t.queryOne(func(r *row) error { head = r.int64(); return nil }, "SELECT head FROM news_state WHERE one FOR UPDATE")
	if err != nil {
		return 0, err
	}
	var b batch // statements that each see what was committed before it
	b.query(func(r *row) error { oldest = r.int64(); return nil }, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
	b.query(func(r *row) error { fresh = append(fresh, scanNewsPlain(r)); return nil },
		"SELECT id, at, type, appid, seq FROM news WHERE id > $1 ORDER BY id LIMIT $2", head, limit)
	b.query(func(r *row) error { next = r.int64(); return nil }, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
	if err := t.run(&b); err != nil {
		return 0, err
	}
	t.s.newsGapMu.Lock()
	n := t.s.newsGap.settled(head, fresh, oldest, next)
	t.s.newsGapMu.Unlock()
	if n == 0 {
		return 0, nil
	}
	if err := t.beginNews(fresh[:n]); err != nil {
		return 0, err
	}
	t.notices.add(store.NoticeNews, "") // for those who read the log at other nodes
	return n, t.execAll(1, "UPDATE news_state SET head = $1 WHERE one", fresh[n-1].ID)
}

// beginNews begins the deliveries of news to those who want them.
func (t *tx) beginNews(fresh []hongyan.News) error {
	var begun newsArrays
	for i := range fresh {
		for j := range t.hooks {
			if w := &t.hooks[j]; w.Wants(fresh[i].Type, fresh[i].AppID) {
				begun.add(w.ID, &fresh[i])
			}
		}
	}
	if len(begun.ids) == 0 {
		return nil
	}
	_, err := t.exec(beginNewsSQL, append(begun.args(), t.now)...)
	return err
}

// newsArrays are deliveries to begin, each column an array.
type newsArrays struct {
	hooks, types, appIDs []string
	ids, seqs            []int64
}

func (a *newsArrays) add(webhook string, n *hongyan.News) {
	a.hooks, a.types, a.appIDs = append(a.hooks, webhook), append(a.types, n.Type), append(a.appIDs, n.AppID)
	a.ids, a.seqs = append(a.ids, n.ID), append(a.seqs, n.MessageSeq)
}

func (a *newsArrays) args() []any { return []any{a.hooks, a.ids, a.types, a.appIDs, a.seqs} }

const (
	newDeliveriesSQL = `INSERT INTO webhook_deliveries (webhook, news, type, appid, seq, state, due_at, created_at)
		SELECT webhook, news, type, appid, seq, 0, $6::bigint, $6::bigint
		FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[]) WITH ORDINALITY AS new (webhook, news, type, appid, seq, place) ORDER BY place `
	beginNewsSQL = newDeliveriesSQL + "ON CONFLICT (news, webhook) DO NOTHING"
	// againNewsSQL begins deliveries anew, or hurries those that wait for their next try, or
	// will should the one under way fail.
	againNewsSQL = newDeliveriesSQL + `ON CONFLICT (news, webhook) DO UPDATE SET
		attempts = CASE webhook_deliveries.state WHEN 0 THEN webhook_deliveries.attempts ELSE 0 END,
		created_at = CASE webhook_deliveries.state WHEN 0 THEN webhook_deliveries.created_at ELSE excluded.created_at END,
		state = 0, ended_at = 0, again = webhook_deliveries.claimed_at > 0,
		due_at = CASE WHEN webhook_deliveries.state <> 0 THEN excluded.due_at WHEN webhook_deliveries.claimed_at > 0 THEN webhook_deliveries.due_at
			ELSE least(webhook_deliveries.due_at, excluded.due_at) END`
)

// RedeliverNews begins deliveries of news once more; see store.News.
func (s *Store) RedeliverNews(ctx context.Context, r store.Redelivery) (n int, last int64, err error) {
	err = s.write(ctx, func(t *tx) error {
		n, last, err = t.redeliver(r)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	return n, last, nil
}

func (t *tx) redeliver(r store.Redelivery) (n int, last int64, err error) {
	i := slices.IndexFunc(t.hooks, func(w hongyan.Webhook) bool { return w.ID == r.WebhookID })
	if i < 0 {
		return 0, 0, store.UnknownWebhook(r.WebhookID)
	}
	until := millis(r.Until)
	if until == 0 {
		until = t.now + 1
	}
	var again newsArrays
	looked := 0
	err = t.query(func(row *row) error {
		news := scanNewsPlain(row)
		state, known := hongyan.DeliveryState(row.int()), row.bool()
		looked, last = looked+1, news.ID
		if at := millis(news.At); at >= millis(r.From) && at < until && r.Wants(&t.hooks[i], &news, state, known) {
			again.add(r.WebhookID, &news)
		}
		return nil
	}, `SELECT news.id, news.at, news.type, news.appid, news.seq, d.state, d.id IS NOT NULL
		FROM (SELECT * FROM news WHERE id > $2 AND id <= (SELECT head FROM news_state WHERE one) ORDER BY id LIMIT $3) AS news
		LEFT JOIN LATERAL (SELECT id, state FROM webhook_deliveries WHERE news = news.id AND webhook = $1 OFFSET 0) AS d ON true
		ORDER BY news.id`, r.WebhookID, r.After, r.Limit)
	if err != nil {
		return 0, 0, err
	}
	if looked < r.Limit {
		last = 0
	}
	if len(again.ids) > 0 {
		n, err = t.exec(againNewsSQL, append(again.args(), t.now)...)
		t.notices.add(store.NoticeNews, "")
	}
	return n, last, err
}
