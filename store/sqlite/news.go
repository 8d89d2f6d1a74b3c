package sqlite

import (
	"context"
	"time"

	"hongyan"
	"hongyan/store"
)

// newsMemory is who wants which news. What is reachable from one is never changed, but
// replaced.
type newsMemory struct {
	next      int64             // the ID of the next news
	listening int64             // until then everything is wanted
	hooks     []hongyan.Webhook // without their secrets
}

func loadNewsMemory(ctx context.Context, c *conn) (m newsMemory, err error) {
	_, err = c.queryOne(ctx, func(r *row) error {
		m.next, m.listening = r.int64()+1, r.int64()
		return nil
	}, "SELECT max(head, coalesce((SELECT max(id) FROM news), 0)), listen_until FROM news_state WHERE one = 1")
	if err != nil {
		return m, err
	}
	err = c.query(ctx, func(r *row) error {
		w, err := scanWebhookFilter(r)
		m.hooks = append(m.hooks, w)
		return err
	}, "SELECT "+webhookFilterColumns+" FROM webhooks")
	return m, err
}

// wanted reports whether anybody wants news of a type about an account.
func (t *tx) wanted(newsType, appID string) bool {
	if newsType == "" {
		return false
	}
	if t.now < t.news.listening {
		return true
	}
	for i := range t.news.hooks {
		if t.news.hooks[i].Wants(newsType, appID) {
			return true
		}
	}
	return false
}

// tell writes news if anybody wants them. Data is encoded only then; nil is none.
func (t *tx) tell(newsType, appID string, seq int64, data func() any) error {
	if !t.wanted(newsType, appID) {
		return nil
	}
	return t.writeNews(t.now, newsType, appID, seq, mustJSON(data()))
}

func (t *tx) writeNews(at int64, newsType, appID string, seq int64, data string) error {
	id := t.news.next
	t.news.next++
	t.told = true
	return t.execAll(1, "INSERT INTO news (id, at, type, appid, seq, data) VALUES (?, ?, ?, ?, ?, ?)", id, at, newsType, appID, seq, data)
}

// tellResult tells what an applied result made of its message.
func (t *tx) tellResult(r *store.Result, kind hongyan.MessageKind) error {
	return t.tell(hongyan.MessageNews(r.State, len(r.Attempts) > 0), r.AppID, r.Seq, func() any { return store.ChangeOfResult(r, kind) })
}

// tellMessage tells that a message is in another state now.
func (t *tx) tellMessage(m *hongyan.Message, newsType string) error {
	return t.tell(newsType, m.AppID, m.Seq, func() any { return store.ChangeOfMessage(m) })
}

// tellExpired tells that messages are too late.
func (t *tx) tellExpired(late []tally) error {
	for _, m := range late {
		change := hongyan.MessageChange{State: hongyan.Expired.String(), Reason: m.reason, Final: true}
		if err := t.tell(hongyan.NewsExpired, m.appID, m.seq, func() any { return change }); err != nil {
			return err
		}
	}
	return nil
}

// tellSwitched tells of messages to which the same happened.
func (t *tx) tellSwitched(s store.Switched, moved []tally) error {
	for _, m := range moved {
		if err := t.tell(s.Type, m.appID, m.seq, func() any { return s.Change }); err != nil {
			return err
		}
	}
	return nil
}

// tellHold tells that a hold on an account begins, or ends.
func (t *tx) tellHold(newsType string, h *hongyan.Hold) error {
	return t.tell(newsType, h.AppID, 0, func() any { return hongyan.NewHoldChange(h) })
}

// PutNews writes news that belong to no other change; see store.News.
func (s *Store) PutNews(ctx context.Context, news []hongyan.News) error {
	return s.submit(ctx, &op{weight: len(news), run: func(t *tx) error {
		for i := range news {
			if err := t.putNews(&news[i]); err != nil {
				return err
			}
		}
		return nil
	}})
}

func (t *tx) putNews(n *hongyan.News) error {
	if !t.wanted(n.Type, n.AppID) {
		return nil
	}
	if n.Once != "" {
		fresh, err := t.exec("INSERT INTO news_once (key, at) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", n.Once, t.now)
		if err != nil || fresh == 0 {
			return err
		}
	}
	seq, at := n.MessageSeq, millis(n.At)
	if at == 0 {
		at = t.now
	}
	if seq == 0 && n.MessageID != "" {
		_, err := t.queryOne(func(r *row) error { seq = r.int64(); return nil }, "SELECT seq FROM messages WHERE id = ?", n.MessageID)
		if err != nil {
			return err
		}
	}
	data := string(n.Data)
	if data == "" {
		data = "{}"
	}
	return t.writeNews(at, n.Type, n.AppID, seq, data)
}

// ListenNews says that somebody reads the log; see store.News.
func (s *Store) ListenNews(ctx context.Context, until time.Time) error {
	return s.write(ctx, func(t *tx) error {
		// After a break what was written is not the whole any more.
		_, err := t.exec(`UPDATE news_state SET listen_since = CASE WHEN listen_until < ? THEN ? ELSE listen_since END,
			listen_until = max(listen_until, ?) WHERE one = 1`, t.now, t.now, millis(until))
		if err == nil {
			t.news.listening = max(t.news.listening, millis(until))
		}
		return err
	})
}

// sweepNews removes the oldest news that have been kept long enough, and their
// deliveries. The log is in order of time but for moments.
func (t *tx) sweepNews() (int, error) {
	last := int64(0)
	_, err := t.queryOne(func(r *row) error { last = r.int64(); return nil },
		`SELECT max(id) FROM (SELECT id, at FROM news WHERE id > 0 AND id <= (SELECT head FROM news_state WHERE one = 1) ORDER BY id LIMIT ? + 0)
		WHERE at <= ?`, sweepBatch, t.before(store.NewsKept))
	if err != nil || last == 0 {
		return 0, err
	}
	if _, err := t.exec("DELETE FROM webhook_deliveries WHERE news <= ?", last); err != nil {
		return 0, err
	}
	if _, err := t.exec("UPDATE news_state SET gone = max(gone, ?) WHERE one = 1", last); err != nil {
		return 0, err
	}
	return t.exec("DELETE FROM news WHERE id <= ?", last)
}

func (t *tx) sweepOnce() (int, error) {
	return t.exec("DELETE FROM news_once WHERE key IN (SELECT key FROM news_once WHERE at <= ? LIMIT ? + 0)", t.before(store.OnceKept), sweepBatch)
}
