// Package doctor looks whether what a gateway needs is in order: clocks, names,
// tokens, WeChat's pushes, templates, quotas, disk and keys. Each thing it sees is a
// Finding, and one that is not in order says what to do about it, in English and
// in Chinese.
//
// Start with Doctor.Run and the two lists of checks above it. Each check is alone: it
// has a time limit, and one that hangs or fails leaves the others what they are. Nothing is
// changed here, and WeChat is asked at most five times for an account; putting things
// right is left to whoever reads the findings.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"hongyan"
	"hongyan/store"
)

const (
	// checkLimit bounds one check; the slowest waits for a call to WeChat.
	checkLimit = 10 * time.Second
	// runLimit bounds a whole run, below the time a request may take to be answered.
	runLimit = 45 * time.Second
	// atOnce is how many accounts are looked at at the same time.
	atOnce = 8
)

// Level says how bad a finding is.
type Level uint8

// The levels, the worst last.
const (
	OK      Level = iota
	Note          // worth knowing; nothing need be done
	Warning       // works, and will not for ever
	Problem       // something does not work
)

var levelWords = [...]string{"ok", "note", "warning", "problem"}

// String returns the level's word on the wire.
func (l Level) String() string {
	if int(l) < len(levelWords) {
		return levelWords[l]
	}
	return fmt.Sprintf("level(%d)", uint8(l))
}

// Text is one text in two languages.
type Text struct{ EN, ZH string }

// say formats both languages with the same arguments; the Chinese may use them in
// another order, by %[2]s.
func say(en, zh string, args ...any) Text {
	return Text{EN: fmt.Sprintf(en, args...), ZH: fmt.Sprintf(zh, args...)}
}

// Finding is one thing that was seen.
type Finding struct {
	Check  string // what was looked at: "clock", "token" …
	AppID  string // "" = it concerns the gateway, not one account
	Level  Level
	Code   string // a stable word, such as "ip_not_whitelisted"
	What   Text
	Remedy Text // what to do; empty for OK, and where nothing can be done
}

// Config is what a Doctor is built from. Store, Tokens, Token and ClientFor are required;
// what asks a func that is nil is left out.
type Config struct {
	Store store.Store
	// AccessToken gives an account's token as a send would get it.
	AccessToken func(ctx context.Context, appID string) (string, error)
	// Token tells what is known of it without asking WeChat.
	Token func(ctx context.Context, appID string) (Token, error)
	// ClientFor gives the client with which WeChat is called for an account.
	ClientFor func(*hongyan.Account) *http.Client
	// Drift compares WeChat's list of templates with ours and changes nothing.
	Drift func(ctx context.Context, appID string) (Drift, error)
	// Quota tells how much of each of an account's limits is used.
	Quota func(ctx context.Context, appID string) ([]Quota, error)
	// Machine tells of the disk and the keys of this process.
	Machine func() (Machine, error)
	// Resolve looks a name up; nil = the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	Logger  *slog.Logger // nil = discard
}

// Doctor examines. It is safe for concurrent use; one run goes on at a time.
type Doctor struct {
	cfg  Config
	turn chan struct{} // holds one: the run that is under way
}

// New returns a Doctor.
func New(cfg Config) *Doctor {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Resolve == nil {
		cfg.Resolve = systemResolver
	}
	return &Doctor{cfg: cfg, turn: make(chan struct{}, 1)}
}

// Scope is what a run looks at.
type Scope struct {
	Gateway  bool              // clock, database, disk, keys, backlog
	Accounts []hongyan.Account // and what each of these needs
}

// gatewayChecks are looked at once, in this order.
func (d *Doctor) gatewayChecks() []check {
	return []check{
		{"clock", d.clock}, {"database", d.database}, {"disk", d.disk}, {"keys", d.keys}, {"events", d.events},
		{"webhooks", d.webhooks},
	}
}

// accountChecks are looked at for each account, in this order.
func (p *patient) checks() []check {
	return []check{
		{"dns", p.dns}, {"token", p.token}, {"egress", p.egress}, {"clock", p.clock}, {"appsecret", p.appSecret},
		{"callback", p.callback}, {"pushes", p.pushes}, {"templates", p.templates}, {"quota", p.quota},
		{"holds", p.holds}, {"downstreams", p.downstreams},
	}
}

// Run looks at everything in scope and returns what it saw, in the order of the checks,
// the gateway's own first. A second run waits for the first; when ctx ends meanwhile it
// returns the context's error.
func (d *Doctor) Run(ctx context.Context, scope Scope) ([]Finding, error) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	parts := make([][]Finding, 1+len(scope.Accounts))
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	if scope.Gateway {
		all.Go(func() { parts[0] = d.examine(ctx, "", d.gatewayChecks()) })
	}
	for i := range scope.Accounts {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			a := &scope.Accounts[i]
			parts[1+i] = d.examine(ctx, a.AppID, d.patient(ctx, a).checks())
		})
	}
	all.Wait()
	return slices.Concat(parts...), nil
}

// check is one look at one thing. An error says that it could not look.
type check struct {
	name string
	look func(ctx context.Context, r *report) error
}

// report gathers what one check sees.
type report struct {
	appID, check string
	findings     []Finding
}

// add notes a finding; remedy is empty where there is nothing to do.
func (r *report) add(level Level, code string, what, remedy Text) {
	r.findings = append(r.findings, Finding{Check: r.check, AppID: r.appID, Level: level, Code: code, What: what, Remedy: remedy})
}

// ok notes that all is well.
func (r *report) ok(what Text) { r.add(OK, "ok", what, Text{}) }

// examine runs checks beside each other and returns their findings in order.
func (d *Doctor) examine(ctx context.Context, appID string, checks []check) []Finding {
	parts := make([][]Finding, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() { parts[i] = d.lookAt(ctx, appID, c) })
	}
	all.Wait()
	return slices.Concat(parts...)
}

// lookAt runs one check within its limit. One that does not come back by then is
// left alone: it ends with its context, and what it says is not waited for.
func (d *Doctor) lookAt(ctx context.Context, appID string, c check) []Finding {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	done := make(chan *report, 1)
	go func() {
		r := &report{appID: appID, check: c.name}
		if err := looked(ctx, c, r); err != nil {
			d.failed(ctx, r, err)
		}
		done <- r
	}()
	select {
	case r := <-done:
		return r.findings
	case <-ctx.Done():
	}
	select {
	case r := <-done: // it noticed, and knows better why
		return r.findings
	case <-time.After(time.Second / 10):
		r := &report{appID: appID, check: c.name}
		d.failed(ctx, r, ctx.Err())
		return r.findings
	}
}

// looked runs a check and turns its panic into an error: no check may end the gateway.
func looked(ctx context.Context, c check, r *report) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	return c.look(ctx, r)
}

// failed notes a check that could not be made.
func (d *Doctor) failed(ctx context.Context, r *report, err error) {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		r.add(Warning, "check_timed_out", say("no answer in time; this was not looked at to its end", "没有及时得到结果，此项未检查完"),
			say("run the doctor again; if it stays so, what it waits for hangs: see the other findings", "请再检查一次；若仍如此，说明所依赖的部分没有响应，请看其他检查项"))
		return
	}
	d.cfg.Logger.ErrorContext(ctx, "a check of the doctor's failed", "check", r.check, "appid", r.appID, "err", err)
	told := "an internal error"
	if e, ok := errors.AsType[*hongyan.Error](err); ok {
		told = strings.TrimSuffix(e.Message+". "+e.Hint, ". ")
	}
	r.add(Warning, "check_failed", say("this could not be looked at: %s", "此项无法检查：%s", told),
		say("the gateway's log has the cause (part=doctor)", "原因在网关日志中（part=doctor）"))
}

// Worst returns the worst level among findings; OK for none.
func Worst(findings []Finding) Level {
	if len(findings) == 0 {
		return OK
	}
	return slices.MaxFunc(findings, func(a, b Finding) int { return cmp.Compare(a.Level, b.Level) }).Level
}
