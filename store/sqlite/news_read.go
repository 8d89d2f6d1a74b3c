package sqlite

import (
	"context"
	"slices"

	"hongyan"
	"hongyan/store"
)

// newsColumns are the columns scanNews reads: news, and what does not change of the
// message they are about, if it is still there.
const newsColumns = `news.id, news.at, news.type, news.appid, news.seq, news.data,
	m.id, m.kind, m.touser, m.template_id, coalesce(m.client_msg_id, m.id), m.metadata, m.created_at`

const newsFromSQL = " FROM news LEFT JOIN messages AS m ON m.seq = news.seq AND news.seq > 0"

func scanNews(r *row) hongyan.News {
	n := hongyan.News{ID: r.int64(), At: r.time(), Type: r.text(), AppID: r.text(), MessageSeq: r.int64(), Data: []byte(r.text())}
	n.MessageID = r.text()
	m := hongyan.NewsMessage{Kind: hongyan.MessageKind(r.text()), ToUser: r.text(), TemplateID: r.text(), ClientMsgID: r.text(), Metadata: r.bytes(), CreatedAt: r.time()}
	if n.MessageID != "" {
		n.Message = &m
	}
	return n
}

// scanNewsPlain reads the first columns: what decides who wants news.
func scanNewsPlain(r *row) hongyan.News {
	return hongyan.News{ID: r.int64(), At: r.time(), Type: r.text(), AppID: r.text(), MessageSeq: r.int64()}
}

// newsLook is how many rows of the log one page looks at, at most, in search of what
// is wanted.
const newsLook = 5000

// ReadNews lists what was spread; see store.News.
func (s *Store) ReadNews(ctx context.Context, f store.NewsFilter) (page store.NewsPage, err error) {
	f.Limit = pageSize(f.Limit)
	err = s.snapshot(ctx, func(c *conn) error {
		page = store.NewsPage{}
		var since, until int64
		_, err := c.queryOne(ctx, func(r *row) error {
			page.Head, page.Gone, since, until = r.int64(), r.int64(), r.int64(), r.int64()
			return nil
		}, "SELECT head, gone, listen_since, listen_until FROM news_state WHERE one = 1")
		if err != nil {
			return err
		}
		if millis(s.Now()) < until {
			page.Since = fromMillis(since)
		}
		wanted, err := findNews(ctx, c, f, &page)
		if err != nil {
			return err
		}
		return c.inOrder(ctx, wanted, func(r *row) { page.Items = append(page.Items, scanNews(r)) })
	})
	return page, err
}

// inOrder reads news by their IDs.
func (c *conn) inOrder(ctx context.Context, ids []int64, each func(*row)) error {
	for _, id := range ids {
		if _, err := c.queryOne(ctx, func(r *row) error { each(r); return nil }, "SELECT "+newsColumns+newsFromSQL+" WHERE news.id = ?", id); err != nil {
			return err
		}
	}
	return nil
}

// findNews returns the IDs of a page, and sets its Last.
func findNews(ctx context.Context, c *conn, f store.NewsFilter, page *store.NewsPage) (wanted []int64, err error) {
	query, args := "SELECT id, at, type, appid, seq FROM news WHERE id > ? AND id <= ? ORDER BY id LIMIT ? + 0", []any{f.After, page.Head, newsLook}
	if f.Newest {
		query, args = "SELECT id, at, type, appid, seq FROM news WHERE id < ? AND id <= ? ORDER BY id DESC LIMIT ? + 0", []any{beforeOrNewest(f.Before), page.Head, newsLook}
	}
	looked := 0
	err = c.query(ctx, func(r *row) error {
		if len(wanted) == f.Limit {
			return nil
		}
		n := scanNewsPlain(r)
		looked++
		page.Last = n.ID
		if f.Wants(&n) {
			wanted = append(wanted, n.ID)
		}
		return nil
	}, query, args...)
	if len(wanted) < f.Limit && looked < newsLook {
		page.Last = 0
	}
	return wanted, err
}

// SpreadNews begins the deliveries of news; see store.News.
func (s *Store) SpreadNews(ctx context.Context, limit int) (n int, err error) {
	fresh := false
	err = s.read(ctx, func(c *conn) error {
		fresh, err = c.queryOne(ctx, func(*row) error { return nil }, "SELECT 1 FROM news WHERE id > (SELECT head FROM news_state WHERE one = 1) LIMIT 1")
		return err
	})
	if err != nil || !fresh {
		return 0, err
	}
	err = s.submit(ctx, &op{weight: limit, run: func(t *tx) (err error) {
		n, err = t.spreadNews(limit)
		return err
	}})
	return n, err
}

const beginNewsSQL = `INSERT INTO webhook_deliveries (webhook, news, type, appid, seq, state, due_at, created_at) VALUES (?, ?, ?, ?, ?, 0, ?, ?)
	ON CONFLICT (news, webhook) DO NOTHING`

func (t *tx) spreadNews(limit int) (int, error) {
	var fresh []hongyan.News
	err := t.query(func(r *row) error {
		fresh = append(fresh, scanNewsPlain(r))
		return nil
	}, "SELECT id, at, type, appid, seq FROM news WHERE id > (SELECT head FROM news_state WHERE one = 1) ORDER BY id LIMIT ? + 0", limit)
	if err != nil || len(fresh) == 0 {
		return 0, err
	}
	for i := range fresh {
		n := &fresh[i]
		for j := range t.news.hooks {
			if w := &t.news.hooks[j]; w.Wants(n.Type, n.AppID) {
				if _, err := t.exec(beginNewsSQL, w.ID, n.ID, n.Type, n.AppID, n.MessageSeq, t.now, t.now); err != nil {
					return 0, err
				}
			}
		}
	}
	return len(fresh), t.execAll(1, "UPDATE news_state SET head = ? WHERE one = 1", fresh[len(fresh)-1].ID)
}

// RedeliverNews begins deliveries of news once more; see store.News.
func (s *Store) RedeliverNews(ctx context.Context, r store.Redelivery) (n int, last int64, err error) {
	err = s.submit(ctx, &op{weight: r.Limit, run: func(t *tx) (err error) {
		n, last, err = t.redeliver(r)
		return err
	}})
	return n, last, err
}

func (t *tx) redeliver(r store.Redelivery) (n int, last int64, err error) {
	i := slices.IndexFunc(t.news.hooks, func(w hongyan.Webhook) bool { return w.ID == r.WebhookID })
	if i < 0 {
		return 0, 0, store.UnknownWebhook(r.WebhookID)
	}
	until := millis(r.Until)
	if until == 0 {
		until = t.now + 1
	}
	var again []hongyan.News
	looked := 0
	err = t.query(func(row *row) error {
		news := scanNewsPlain(row)
		state, known := hongyan.DeliveryState(row.int()), row.bool()
		looked, last = looked+1, news.ID
		if at := millis(news.At); at >= millis(r.From) && at < until && r.Wants(&t.news.hooks[i], &news, state, known) {
			again = append(again, news)
		}
		return nil
	}, `SELECT news.id, news.at, news.type, news.appid, news.seq, d.state, d.id IS NOT NULL FROM news
		LEFT JOIN webhook_deliveries AS d ON d.news = news.id AND d.webhook = ?
		WHERE news.id > ? AND news.id <= (SELECT head FROM news_state WHERE one = 1) ORDER BY news.id LIMIT ? + 0`, r.WebhookID, r.After, r.Limit)
	if err != nil {
		return 0, 0, err
	}
	if looked < r.Limit {
		last = 0
	}
	for i := range again {
		began, err := t.exec(againNewsSQL, r.WebhookID, again[i].ID, again[i].Type, again[i].AppID, again[i].MessageSeq, t.now, t.now)
		if err != nil {
			return 0, 0, err
		}
		n += began
	}
	t.told = t.told || n > 0
	return n, last, nil
}

// againNewsSQL begins a delivery anew, or hurries one that waits for its next try, or will
// should the one under way fail.
const againNewsSQL = `INSERT INTO webhook_deliveries (webhook, news, type, appid, seq, state, due_at, created_at) VALUES (?, ?, ?, ?, ?, 0, ?, ?)
	ON CONFLICT (news, webhook) DO UPDATE SET attempts = CASE state WHEN 0 THEN attempts ELSE 0 END,
		created_at = CASE state WHEN 0 THEN created_at ELSE excluded.created_at END, state = 0, ended_at = 0, again = claimed_at > 0,
		due_at = CASE WHEN state <> 0 THEN excluded.due_at WHEN claimed_at > 0 THEN due_at ELSE min(due_at, excluded.due_at) END`
