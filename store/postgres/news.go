package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"hongyan"
	"hongyan/store"
)

// wants is who wants which news, as far as the endpoints of a version go. It is never
// changed, but replaced.
type wants struct {
	version int64
	hooks   []hongyan.Webhook // without their secrets
}

// learnWants makes t know who wants which news: the transaction's first round trip has
// told the version of that, and nearly always it is known.
func (t *tx) learnWants() error {
	if w := t.s.wants.Load(); w != nil && w.version == t.wantsVersion {
		t.hooks = w.hooks
		return nil
	}
	hooks, err := t.readHooks()
	if err == nil {
		t.hooks = hooks
		t.s.wants.Store(&wants{t.wantsVersion, hooks})
	}
	return err
}

func (t *tx) readHooks() (hooks []hongyan.Webhook, err error) {
	err = t.query(func(r *row) error {
		w, err := scanWebhookFilter(r)
		hooks = append(hooks, w)
		return err
	}, "SELECT "+webhookFilterColumns+" FROM webhooks ORDER BY id")
	return hooks, err
}

// wanted reports whether anybody wants news of a type about an account.
func (t *tx) wanted(newsType, appID string) bool {
	if newsType == "" {
		return false
	}
	if t.now < t.listening {
		return true
	}
	for i := range t.hooks {
		if t.hooks[i].Wants(newsType, appID) {
			return true
		}
	}
	return false
}

// tell notes news, to be written at the end of the transaction, if anybody wants them.
// Data is encoded only then; nil is none.
func (t *tx) tell(newsType, appID string, seq int64, data func() any) {
	if !t.wanted(newsType, appID) {
		return
	}
	text, err := json.Marshal(data())
	if err != nil {
		panic(fmt.Sprintf("encode news: %v", err)) // structs of ours always encode
	}
	t.noteNews(t.now, newsType, appID, seq, string(text))
}

func (t *tx) noteNews(at int64, newsType, appID string, seq int64, data string) {
	t.told = append(t.told, toldNews{at, newsType, appID, seq, data})
	t.notices.add(store.NoticeNews, "")
}

// toldNews is a row of the log to be written.
type toldNews struct {
	at              int64
	newsType, appID string
	seq             int64
	data            string
}

// flushNews writes what was told, in its order.
func (t *tx) flushNews() error {
	n := len(t.told)
	if n == 0 {
		return nil
	}
	ats, seqs := make([]int64, n), make([]int64, n)
	types, appIDs, datas := make([]string, n), make([]string, n), make([]string, n)
	for i, x := range t.told {
		ats[i], types[i], appIDs[i], seqs[i], datas[i] = x.at, x.newsType, x.appID, x.seq, x.data
	}
	t.told = nil
	_, err := t.exec(`INSERT INTO news (at, type, appid, seq, data) SELECT at, type, appid, seq, data
		FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[]) WITH ORDINALITY AS new (at, type, appid, seq, data, place) ORDER BY place`,
		ats, types, appIDs, seqs, datas)
	return err
}

// tellResult tells what an applied result made of its message.
func (t *tx) tellResult(r *store.Result, kind hongyan.MessageKind) {
	t.tell(hongyan.MessageNews(r.State, len(r.Attempts) > 0), r.AppID, r.Seq, func() any { return store.ChangeOfResult(r, kind) })
}

// tellMessage tells that a message is in another state now.
func (t *tx) tellMessage(m *hongyan.Message, newsType string) {
	t.tell(newsType, m.AppID, m.Seq, func() any { return store.ChangeOfMessage(m) })
}

// tellHold tells that a hold on an account begins, or ends.
func (t *tx) tellHold(newsType string, h *hongyan.Hold) {
	t.tell(newsType, h.AppID, 0, func() any { return hongyan.NewHoldChange(h) })
}

// PutNews writes news that belong to no other change; see store.News.
func (s *Store) PutNews(ctx context.Context, news []hongyan.News) error {
	return s.write(ctx, func(t *tx) error {
		for i := range news {
			if err := t.putNews(&news[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) putNews(n *hongyan.News) error {
	if !t.wanted(n.Type, n.AppID) {
		return nil
	}
	if n.Once != "" {
		fresh, err := t.exec("INSERT INTO news_once (key, at) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING", n.Once, t.now)
		if err != nil || fresh == 0 {
			return err
		}
	}
	seq, at, data := n.MessageSeq, millis(n.At), string(n.Data)
	if at == 0 {
		at = t.now
	}
	if seq == 0 && n.MessageID != "" {
		_, err := t.queryOne(func(r *row) error { seq = r.int64(); return nil }, "SELECT seq FROM messages WHERE id = $1", n.MessageID)
		if err != nil {
			return err
		}
	}
	if data == "" {
		data = "{}"
	}
	t.noteNews(at, n.Type, n.AppID, seq, data)
	return nil
}

// ListenNews says that somebody reads the log; see store.News. After a break what was
// written is not the whole any more.
func (s *Store) ListenNews(ctx context.Context, until time.Time) error {
	return s.write(ctx, func(t *tx) error {
		return t.execAll(1, `UPDATE news_wants SET listen_since = CASE WHEN listen_until < $1 THEN $1 ELSE listen_since END,
			listen_until = greatest(listen_until, $2) WHERE one`, t.now, millis(until))
	})
}

// sweepNews removes the oldest news that have been kept long enough, and their
// deliveries. The log is in order of time but for moments.
func (t *tx) sweepNews() (int, error) {
	last := int64(0)
	_, err := t.queryOne(func(r *row) error { last = r.int64(); return nil },
		`SELECT coalesce(max(id), 0) FROM (SELECT id, at FROM news WHERE id <= (SELECT head FROM news_state WHERE one) ORDER BY id LIMIT $1) AS oldest
		WHERE at <= $2`, sweepBatch, t.now-store.NewsKept.Milliseconds())
	if err != nil || last == 0 {
		return 0, err
	}
	var b batch
	n := 0
	b.exec(nil, "DELETE FROM webhook_deliveries WHERE news <= $1", last)
	b.exec(nil, "UPDATE news_state SET gone = greatest(gone, $1) WHERE one", last)
	b.exec(&n, "DELETE FROM news WHERE id <= $1", last)
	return n, t.run(&b)
}
