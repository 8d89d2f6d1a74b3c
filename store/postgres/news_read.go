package postgres

import (
	"context"

	"hongyan"
	"hongyan/store"
)

// newsColumns are the columns scanNews reads: news, and what does not change of the
// message they are about, if it is still there.
const newsColumns = `news.id, news.at, news.type, news.appid, news.seq, news.data,
	m.id, m.kind, m.touser, m.template_id, coalesce(m.client_msg_id, m.id), m.metadata, m.created_at`

// withMessageSQL joins the message that news are about.
const withMessageSQL = ` LEFT JOIN LATERAL (SELECT id, kind, touser, template_id, client_msg_id, metadata, created_at
	FROM messages WHERE messages.seq = news.seq AND news.seq > 0 OFFSET 0) AS m ON true`

func scanNews(r *row) hongyan.News {
	n := hongyan.News{ID: r.int64(), At: r.time(), Type: r.text(), AppID: r.text(), MessageSeq: r.int64(), Data: r.bytes()}
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
	err = s.snapshot(ctx, func(c conn) error {
		page = store.NewsPage{}
		var since, until int64
		_, err := c.queryOne(ctx, func(r *row) error {
			page.Head, page.Gone, since, until = r.int64(), r.int64(), r.int64(), r.int64()
			return nil
		}, "SELECT head, gone, listen_since, listen_until FROM news_state CROSS JOIN news_wants WHERE news_state.one AND news_wants.one")
		if err != nil {
			return err
		}
		if millis(s.Now()) < until {
			page.Since = fromMillis(since)
		}
		wanted, err := findNews(ctx, c, f, &page)
		if err != nil || len(wanted) == 0 {
			return err
		}
		order := "ASC"
		if f.Newest {
			order = "DESC"
		}
		return c.query(ctx, func(r *row) error {
			page.Items = append(page.Items, scanNews(r))
			return nil
		}, "SELECT "+newsColumns+" FROM news"+withMessageSQL+" WHERE news.id = ANY($1) ORDER BY news.id "+order, wanted)
	})
	return page, err
}

// findNews returns the IDs of a page, and sets its Last.
func findNews(ctx context.Context, c conn, f store.NewsFilter, page *store.NewsPage) (wanted []int64, err error) {
	query, args := "SELECT id, at, type, appid, seq FROM news WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3", []any{f.After, page.Head, newsLook}
	if f.Newest {
		query, args = "SELECT id, at, type, appid, seq FROM news WHERE id < $1 AND id <= $2 ORDER BY id DESC LIMIT $3", []any{beforeOrNewest(f.Before), page.Head, newsLook}
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
