package prove

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path"
	"time"

	"github.com/jackc/pgx/v5"
)

// makeDatabase makes an empty database for one rig on the server that raw names,
// and returns its URL.
func makeDatabase(ctx context.Context, raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("the database's URL cannot be read") // err would show its password
	}
	name := fmt.Sprintf("hongyan_prove_%d", rand.Uint64())
	if err := command(ctx, raw, "CREATE DATABASE "+name); err != nil {
		return "", fmt.Errorf("make a database of its own for the test (the user of --database must have CREATEDB): %w", err)
	}
	u.Path = "/" + name
	return u.String(), nil
}

// dropDatabase removes what makeDatabase made; "" is nothing.
func dropDatabase(server, database string) error {
	u, err := url.Parse(database)
	if err != nil || database == "" {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return command(ctx, server, "DROP DATABASE IF EXISTS "+path.Base(u.Path)+" WITH (FORCE)")
}

func command(ctx context.Context, raw, sql string) error {
	c, err := pgx.Connect(ctx, raw)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	_, err = c.Exec(ctx, sql)
	return err
}

const (
	cutFor    = 3 * time.Second
	frozenNet = 30 * time.Second
	netLoad   = 3_000
)

// runDatabase is test 5: the network to PostgreSQL is cut, again and again, and
// once stands still for 30 s. Nothing is accepted twice, nothing is lost.
func runDatabase(ctx context.Context, t *trial) error {
	if !t.cfg.postgres() {
		return errSkip{"it is about the network to PostgreSQL: give --database"}
	}
	u, err := url.Parse(t.cfg.Database)
	if err != nil {
		return err
	}
	host := u.Host
	if u.Port() == "" {
		host += ":5432"
	}
	p, err := newProxy(ctx, host)
	if err != nil {
		return err
	}
	defer p.close()
	r, err := t.rig(ctx, rigOptions{latency: killLatency, env: []string{orphanAfter}, through: p})
	if err != nil {
		return err
	}
	l, w := &load{r: r, messages: netLoad, over: 20 * time.Second}, &watch{r: r}
	l.begin(ctx)
	endWatch := w.begin(ctx)
	defer endWatch()
	for _, blow := range []struct {
		what string
		do   func()
		d    time.Duration
	}{{"cut", p.sever, cutFor}, {"cut", p.sever, cutFor}, {"still", p.freeze, frozenNet}, {"cut", p.sever, cutFor}} {
		if err := pause(ctx, cutFor); err != nil {
			return err
		}
		t.say("the network to PostgreSQL is %s for %v", blow.what, blow.d)
		blow.do()
		if err := pause(ctx, blow.d); err != nil {
			return err
		}
		p.mend()
	}
	if err := r.revive(ctx); err != nil {
		return err
	}
	l.wait()
	return t.judgeWatched(ctx, r, []*load{l}, w, endWatch)
}

// revive restarts the gateways that say they do not send any more, as whoever
// watches /readyz would.
func (r *rig) revive(ctx context.Context) error {
	for _, n := range r.nodes {
		if n.ready(ctx, 10*time.Second) == nil {
			continue
		}
		n.kill()
		if err := n.start(ctx); err != nil {
			return err
		}
	}
	return r.ready(ctx, readyWithin)
}
