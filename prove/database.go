package prove

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os/exec"
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

// trouble is something that happens to the way to the database, or to its server.
type trouble struct {
	what string
	do   func(context.Context) error
	d    time.Duration
}

// troubles are those of test 5: the network is cut, again and again, and once stands
// still for 30 s. Where the operator said how, the server is restarted under load.
func (t *trial) troubles(p *proxy) []trouble {
	cut := trouble{"the network to PostgreSQL is cut", func(context.Context) error { p.sever(); return nil }, cutFor}
	still := trouble{"the network to PostgreSQL stands still", func(context.Context) error { p.freeze(); return nil }, frozenNet}
	if t.cfg.Restart == "" {
		return []trouble{cut, cut, still, cut}
	}
	return []trouble{cut, {"PostgreSQL is restarted", t.restart, cutFor}, still, cut}
}

// restart runs the operator's command.
func (t *trial) restart(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "/bin/sh", "-c", t.cfg.Restart).CombinedOutput()
	if err != nil {
		return fmt.Errorf("--restart %q: %w: %s", t.cfg.Restart, err, bytes.TrimSpace(out))
	}
	return nil
}

// runDatabase is test 5: trouble with the database and the way to it. Nothing is
// accepted twice, nothing is lost.
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
	for _, b := range t.troubles(p) {
		if err := pause(ctx, cutFor); err != nil {
			return err
		}
		t.say("%s; %v pass", b.what, b.d)
		if err := b.do(ctx); err != nil {
			return err
		}
		if err := pause(ctx, b.d); err != nil {
			return err
		}
		p.mend()
		// What nodes had taken from the bucket and could not use meanwhile comes on top
		// of what it saved up: three seconds' worth at once (package dispatch, rate).
		r.restarts = append(r.restarts, time.Now(), time.Now())
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
