package postgres

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"hongyan/store"
)

const (
	// channel is where processes tell one another what changed.
	channel = "hongyan"
	// noticeRest is how long notices gather after some were sent.
	noticeRest = 5 * time.Millisecond
	// backstop is after how long without a lost connection all is looked at anyhow.
	backstop = 30 * time.Second
	// watchRetry is how long Watch rests before it connects again.
	watchRetry = time.Second
)

// notices are what a transaction changed that other processes want to know, each once.
type notices map[store.Notice]bool

func (all *notices) add(kind store.NoticeKind, appID string) {
	if *all == nil {
		*all = make(notices)
	}
	(*all)[store.Notice{Kind: kind, AppID: appID}] = true
}

// noticeQueue is what is to be told. NOTIFY takes a lock of the whole database until
// its transaction has ended: inside a flush it would make all commits of all nodes wait
// for one another's disk. So it goes out after the commit, in a transaction that writes
// nothing, and carries what gathered meanwhile. One that is lost in a crash is made up
// for by the others' slow polls.
type noticeQueue struct {
	mu      sync.Mutex
	all     notices
	sending bool
	done    sync.WaitGroup
}

// notify tells the other processes, soon.
func (s *Store) notify(all notices) {
	if len(all) == 0 {
		return
	}
	q := &s.notices
	q.mu.Lock()
	defer q.mu.Unlock()
	for n := range all {
		q.all.add(n.Kind, n.AppID)
	}
	if !q.sending {
		q.sending = true
		q.done.Add(1)
		go s.sendNotices()
	}
}

// take returns what is to be told, and ends the sending when that is nothing.
func (q *noticeQueue) take() notices {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.all
	q.all = nil
	if len(all) == 0 {
		q.sending = false
	}
	return all
}

// wait waits until everything is told.
func (q *noticeQueue) wait() { q.done.Wait() }

// sendNotices sends what gathers until nothing is left.
func (s *Store) sendNotices() {
	defer s.notices.done.Done()
	for all := s.notices.take(); len(all) > 0; all = s.notices.take() {
		var texts []string
		for n := range all {
			texts = append(texts, s.encodeNotice(n))
		}
		ctx, cancel := context.WithTimeout(context.Background(), s.patience)
		_, err := s.pool.Exec(ctx, "SELECT pg_notify($1, text) FROM unnest($2::text[]) AS told (text)", channel, texts)
		cancel()
		if err != nil {
			s.log.Debug("notices were lost; other nodes see the changes when they look", "err", err)
		}
		time.Sleep(noticeRest)
	}
}

// encodeNotice writes a notice: sender, kind and account, separated by spaces.
func (s *Store) encodeNotice(n store.Notice) string {
	return s.id + " " + strconv.Itoa(int(n.Kind)) + " " + clean(n.AppID)
}

// decodeNotice reads a notice of another process; of news also one of this.
func (s *Store) decodeNotice(text string) (n store.Notice, ok bool) {
	sender, rest, _ := strings.Cut(text, " ")
	kind, appID, found := strings.Cut(rest, " ")
	number, err := strconv.ParseUint(kind, 10, 8)
	return store.Notice{Kind: store.NoticeKind(number), AppID: appID}, found && err == nil && (sender != s.id || store.NoticeKind(number) == store.NoticeNews)
}

// Watch tells what other processes change, of this one's own the news; see
// store.Cluster.
func (s *Store) Watch(ctx context.Context, each func(store.Notice)) error {
	for {
		err := s.listenOnce(ctx, each)
		if ctx.Err() != nil {
			return nil
		}
		s.log.Warn("not told of other nodes' changes at the moment", "err", err)
		select {
		case <-time.After(watchRetry):
		case <-ctx.Done():
			return nil
		}
	}
}

// listenOnce listens on a connection of its own until that is lost. First of all it
// says that anything may have changed: nobody told while nobody listened.
func (s *Store) listenOnce(ctx context.Context, each func(store.Notice)) error {
	c, err := pgx.ConnectConfig(ctx, s.listen)
	if err != nil {
		return unreachable(err, s.listen)
	}
	defer c.Close(context.WithoutCancel(ctx))
	if _, err := c.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	for {
		for _, kind := range store.NoticeKinds() {
			each(store.Notice{Kind: kind})
		}
		if err := s.hear(ctx, c, each); err != nil {
			return err
		}
		// A connection that is dead without saying so shows it here.
		ping, cancel := context.WithTimeout(ctx, connectTimeout)
		err := c.Ping(ping)
		cancel()
		if err != nil {
			return err
		}
	}
}

// hear hands on notices for the time of a backstop.
func (s *Store) hear(ctx context.Context, c *pgx.Conn, each func(store.Notice)) error {
	waiting, cancel := context.WithTimeout(ctx, backstop)
	defer cancel()
	for {
		told, err := c.WaitForNotification(waiting)
		switch {
		case err == nil:
			if n, ok := s.decodeNotice(told.Payload); ok {
				each(n)
			}
		case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && !c.IsClosed():
			return nil
		default:
			return err
		}
	}
}

// Lead makes a node the leader of a role; see store.Cluster. Only a node that is alive
// can lead.
func (s *Store) Lead(ctx context.Context, role string, epoch int64, d time.Duration) (leads bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		n, err := t.exec(`INSERT INTO leaders (role, epoch, lease_until) SELECT $1::text, $2::bigint, $3::bigint
			WHERE EXISTS (SELECT 1 FROM nodes WHERE nodes.epoch = $2 AND `+aliveSQL+`)
			ON CONFLICT (role) DO UPDATE SET epoch = excluded.epoch, lease_until = excluded.lease_until
			WHERE leaders.epoch = excluded.epoch OR leaders.lease_until <= (SELECT hongyan_now())
				OR NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.epoch = leaders.epoch AND NOT dead)`,
			role, epoch, t.now+d.Milliseconds())
		leads = n == 1
		return err
	})
	return leads && err == nil, err
}
