package prove

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"hongyan/client"
	"hongyan/internal/fault"
	"hongyan/sandbox"
)

// rig is what one test runs on: a sandbox, one or more gateways, and who calls
// them, each in a process of its own. The callers are this process.
type rig struct {
	cfg   Config
	dir   string
	box   *child
	wx    *platform
	nodes []*node
	key   string // the administrator's, and the callers'
	next  atomicTurn
	who   world
	hooks sink // the business's own server behind one account

	env      []string    // for every gateway
	database string      // of this rig alone, on the server of Config.Database; "" on SQLite
	reached  string      // database as the gateways reach it
	noDay    bool        // the gateways' clocks are wrong, and so their days
	restarts []time.Time // of gateways, by the one goroutine that starts them
}

// rigOptions bend a rig; the zero value is the usual one.
type rigOptions struct {
	nodes   int           // 0 = one on SQLite, three on PostgreSQL
	latency time.Duration // of the platform's answers
	env     []string      // more settings of every gateway
	start   func(*node)   // before the first start
	through *proxy        // between gateways and PostgreSQL; nil = nothing
	ledger  int           // calls the platform remembers; 0 = its default
}

// deliveryDelay is the platform's, from answer to event.
const deliveryDelay = 100 * time.Millisecond

// newRig starts everything and adds the accounts.
func newRig(ctx context.Context, cfg Config, name string, o rigOptions) (*rig, error) {
	dir, err := os.MkdirTemp(cfg.Folder, "hongyan-prove-"+name+"-")
	if err != nil {
		return nil, err
	}
	r := &rig{cfg: cfg, dir: dir, key: "hyk_" + strings.Repeat("p", 43), env: o.env}
	if err := r.build(ctx, o); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *rig) build(ctx context.Context, o rigOptions) error {
	box, err := launch{
		exe: r.cfg.Exe, log: filepath.Join(r.dir, "sandbox.log"),
		args: r.sandboxArgs(o),
	}.start(ctx)
	if err != nil {
		return err
	}
	r.box, r.wx = box, newPlatform(box.url)
	if r.cfg.postgres() {
		if r.database, err = makeDatabase(ctx, r.cfg.Database); err != nil {
			return err
		}
		if r.reached, err = o.through.through(r.database); err != nil {
			return err
		}
	}
	if err := r.hooks.listen(ctx); err != nil {
		return err
	}
	if o.nodes == 0 {
		o.nodes = r.cfg.nodes()
	}
	for i := range o.nodes {
		n, err := r.newNode(ctx, i)
		if err != nil {
			return err
		}
		r.nodes = append(r.nodes, n)
		if o.start != nil {
			o.start(n)
		}
		if err := n.start(ctx); err != nil {
			return err
		}
	}
	if err := r.ready(ctx, readyWithin); err != nil {
		return err
	}
	return r.furnish(ctx, o.latency)
}

func (r *rig) sandboxArgs(o rigOptions) []string {
	args := []string{"sandbox", "--listen", "127.0.0.1:0", "--delivery-delay", deliveryDelay.String(), "--rand-seed", fmt.Sprint(r.cfg.Seed)}
	if o.ledger > 0 {
		args = append(args, "--ledger-limit", fmt.Sprint(o.ledger))
	}
	return args
}

// newNode takes a port for a gateway, which keeps it over all its lives.
func (r *rig) newNode(ctx context.Context, i int) (*node, error) {
	listen, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("node%d", i+1)
	n := &node{r: r, listen: listen, data: filepath.Join(r.dir, name), log: filepath.Join(r.dir, name+".log")}
	return n, os.MkdirAll(n.data, 0o700)
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// node is one gateway: a process that is killed and comes back at its address.
type node struct {
	r                 *rig
	listen, data, log string
	faults            []string             // words for its next start
	attr              *syscall.SysProcAttr // of its next start
	shell             string               // run before the gateway in the same process; "" = nothing
	env               []string             // its own

	mu sync.Mutex
	c  *child // nil = not started yet
}

// start runs the gateway and waits until it listens.
func (n *node) start(ctx context.Context) error {
	l := launch{exe: n.r.cfg.Exe, log: n.log, attr: n.attr, args: n.args(), env: n.environment()}
	if n.shell != "" {
		l.args = append([]string{"-c", n.shell + `; exec "$@"`, "sh", l.exe}, l.args...)
		l.exe = "/bin/sh"
	}
	c, err := l.start(ctx)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, lastLines(n.log, 5))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.c != nil {
		n.r.restarts = append(n.r.restarts, time.Now())
	}
	n.c = c
	return nil
}

func (n *node) args() []string {
	return []string{"serve", "--listen", n.listen, "--data", n.data, "--database", n.database()}
}

// database is where the gateway's records are.
func (n *node) database() string {
	if n.r.cfg.postgres() {
		return n.r.reached
	}
	return "sqlite:" + n.file()
}

// file is the SQLite database.
func (n *node) file() string { return filepath.Join(n.data, "hongyan.db") }

func (n *node) environment() []string {
	words := n.faults
	if n.r.cfg.Break != "" {
		words = append([]string{fault.Break(fault.Defect(n.r.cfg.Break))}, words...)
	}
	env := append([]string{"HONGYAN_ADMIN_KEY=" + n.r.key, fault.Environment(words...)}, n.r.env...)
	if n.r.cfg.postgres() {
		env = append(env, "HONGYAN_MASTER_KEY="+masterKey)
	}
	if n.r.cfg.Lease > 0 {
		env = append(env, "HONGYAN_LEASE="+n.r.cfg.Lease.String())
	}
	return append(env, n.env...)
}

// masterKey seals what the gateways keep; nothing of it is secret.
const masterKey = "70726f76652070726f76652070726f76652070726f76652070726f7665212121"

func (n *node) child() *child {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.c
}

func (n *node) url() string { return "http://" + n.listen }

// kill is kill -9.
func (n *node) kill() { n.child().kill() }

// client speaks to this gateway.
func (n *node) client() *client.Client {
	c := client.New(n.url(), n.r.key)
	c.HTTPClient = &http.Client{Timeout: 30 * time.Second}
	c.Retries.Tries = 1
	return c
}

// api speaks to the first gateway.
func (r *rig) api() *client.Client { return r.nodes[0].client() }

// readyWithin is how long a gateway may take until it sends.
const readyWithin = 30 * time.Second

// ready waits until every gateway says that it sends.
func (r *rig) ready(ctx context.Context, within time.Duration) error {
	for _, n := range r.nodes {
		if err := n.ready(ctx, within); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) ready(ctx context.Context, within time.Duration) error {
	api, said := n.client(), client.Readiness{}
	return await(ctx, within, lookEvery, func() (bool, error) {
		var err error
		said, err = api.Ready(ctx)
		return err == nil && said.Ready, nil
	}, func() string {
		return fmt.Sprintf("%s is not ready: %s\n%s", n.url(), said.Reason, lastLines(n.log, 5))
	})
}

// close ends every process and removes the folder, unless something is to be seen there.
func (r *rig) close() error {
	for _, n := range r.nodes {
		if c := n.child(); c != nil {
			c.kill()
		}
	}
	if r.box != nil {
		r.box.kill()
	}
	r.hooks.close()
	if r.cfg.Keep {
		return nil
	}
	return errors.Join(os.RemoveAll(r.dir), dropDatabase(r.cfg.Database, r.database))
}

// await asks until yes, an error, or the time is over; then late says what is wrong.
func await(ctx context.Context, within, every time.Duration, yes func() (bool, error), late func() string) error {
	deadline := time.Now().Add(within)
	for {
		ok, err := yes()
		switch {
		case err != nil:
			return err
		case ok:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("after %v: %s", within, late())
		}
		if err := pause(ctx, every); err != nil {
			return err
		}
	}
}

// lookEvery is how often something is looked at that takes no time to see.
const lookEvery = 20 * time.Millisecond

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sink is the business's own server behind the gateway: it gets what the
// platform pushes, and keeps all of it.
type sink struct {
	server *http.Server
	url    string
	mu     sync.Mutex
	bodies map[string]map[string]map[string]bool // by user, then event, then body
}

func (s *sink) listen(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.url, s.bodies = "http://"+l.Addr().String()+"/", map[string]map[string]map[string]bool{}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.server.Serve(l) }() // ends with close
	return nil
}

func (s *sink) close() {
	if s.server != nil {
		_ = s.server.Close()
	}
}

// ServeHTTP takes a push as a business's handler would.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err == nil {
		s.keep(string(body))
	}
	_, _ = io.WriteString(w, "success")
}

// keep files a push under its user and what makes it the same event.
func (s *sink) keep(body string) {
	user := between(body, "<FromUserName><![CDATA[", "]]>")
	event := between(body, "<CreateTime>", "<") + " " + between(body, "<MsgID>", "<") + " " + between(body, "<Status><![CDATA[", "]]>")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bodies[user] == nil {
		s.bodies[user] = map[string]map[string]bool{}
	}
	if s.bodies[user][event] == nil {
		s.bodies[user][event] = map[string]bool{}
	}
	s.bodies[user][event][body] = true
}

func between(s, from, to string) string {
	_, rest, ok := strings.Cut(s, from)
	if !ok {
		return ""
	}
	inside, _, _ := strings.Cut(rest, to)
	return inside
}

// spec is a change to an account of the platform that makes it push to a gateway
// and never stop pushing because that gateway is down.
func (r *rig) spec(push string, latency time.Duration) sandbox.AccountSpec {
	s := sandbox.AccountSpec{ServerURL: &push, DailyQuota: new(-1)}
	s.MarkFailAfter, s.LatencyMS = new(0), new(int(latency.Milliseconds()))
	return s
}
