package doctor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/doctor"
	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
	"hongyan/template"
	"hongyan/token"
)

const (
	service = sandbox.SeedServiceAppID
	mini    = sandbox.SeedMiniAppID
	apiHost = "api.weixin.qq.com" // leads to the sandbox on the in-memory network
)

// ward is a gateway's memory, its tokens and templates, and the platform, in a bubble.
type ward struct {
	*testing.T
	box     *sandboxtest.Server
	store   store.Store
	tokens  *token.Central
	machine doctor.Machine
	quota   []doctor.Quota
	addrs   []netip.Addr // what names resolve to
	log     lockedBuffer
	cfg     doctor.Config
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func zeroKey(t *testing.T) *store.Keyring {
	t.Helper()
	keys, err := store.NewKeyring(make([]byte, store.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// inWard runs a story with an account in which everything is in order.
func inWard(t *testing.T, story func(w *ward)) {
	t.Helper()
	file := sqlitetest.File(t, t.TempDir(), sqlite.Migrate)
	synctest.Test(t, func(t *testing.T) {
		w := &ward{T: t, box: sandboxtest.NewInMemory(t), addrs: []netip.Addr{netip.MustParseAddr("203.0.113.11")}}
		db, err := sqlite.Open(t.Context(), sqlite.Options{Path: file, Keyring: zeroKey(t)})
		w.must(err)
		t.Cleanup(func() { w.must(db.Close()) })
		w.store = db
		w.box.RegisterHost(apiHost, w.box.Sandbox.Handler())
		w.must(w.box.Sandbox.SetServerURL(service, "http://203.0.113.20/callback/"+service, "", ""))
		w.must(db.CreateAccount(t.Context(), hongyan.Account{AppID: service, Kind: hongyan.ServiceAccount, Secret: sandbox.SeedServiceSecret,
			BaseURL: "http://" + apiHost, Callback: hongyan.Callback{Token: sandbox.SeedCallbackToken}}))
		w.machine = doctor.Machine{Folder: "data", FreeBytes: 50 << 30, Database: "data/hongyan.db", Bytes: 5 << 20, KeySource: doctor.KeyOfEnvironment}
		w.quota = []doctor.Quota{{Scope: "account", Period: "day", Limit: 100_000, Used: 5, Remaining: 99_995, ResetsAt: time.Now().Add(time.Hour)}}
		w.build()
		_, err = w.shelf().Sync(t.Context(), service)
		w.must(err)
		w.push(sandbox.OpenID("", 1))
		story(w)
		w.cleanLog()
	})
}

// build makes the doctor's surroundings of what is there now.
func (w *ward) build() {
	clientFor := func(*hongyan.Account) *http.Client { return w.box.Client }
	w.tokens = token.New(token.Config{Store: w.store, ClientFor: clientFor, Rand: func() float64 { return 0.5 }, NodeName: "node-1"})
	w.cfg = doctor.Config{
		Store: w.store, AccessToken: w.tokens.AccessToken, ClientFor: clientFor,
		Token: func(ctx context.Context, appID string) (doctor.Token, error) {
			t, err := w.tokens.Info(ctx, appID)
			return doctor.Token{Source: t.Source, FetchedAt: t.FetchedAt, FetchedBy: t.FetchedBy, Remaining: t.Remaining, Stopped: t.Stopped, Failing: t.Failing}, err
		},
		Drift: func(ctx context.Context, appID string) (doctor.Drift, error) {
			c, err := w.shelf().Drift(ctx, appID)
			return doctor.Drift{Added: c.Added, Updated: c.Updated, Missing: c.Missing, Same: c.Unchanged}, err
		},
		Quota:   func(context.Context, string) ([]doctor.Quota, error) { return w.quota, nil },
		Machine: func() (doctor.Machine, error) { return w.machine, nil },
		Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
			if w.addrs == nil {
				return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
			}
			return w.addrs, nil
		},
		Logger: slog.New(slog.NewTextHandler(&w.log, nil)),
	}
}

func (w *ward) shelf() *template.Shelf {
	return template.New(template.Config{Store: w.store, Tokens: w.tokens, HTTPClient: w.box.Client})
}

func (w *ward) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// push stores an event as the callback does.
func (w *ward) push(openid string) {
	w.Helper()
	_, _, err := w.store.InsertEvent(w.Context(), hongyan.Event{AppID: service, Type: "subscribe", OpenID: openid,
		DedupeKey: openid + time.Now().String(), Body: []byte("<xml/>"), ReceivedAt: w.store.Now(), CreateTime: w.store.Now()})
	w.must(err)
}

// change changes the service account as the API does.
func (w *ward) change(how func(*hongyan.Account)) {
	w.Helper()
	a, err := w.store.Account(w.Context(), service)
	w.must(err)
	how(&a)
	w.must(w.store.UpdateAccount(w.Context(), a))
	w.tokens.AccountChanged(service)
}

// examine lets a doctor look, and checks what holds of every finding.
func (w *ward) examine() []doctor.Finding {
	w.Helper()
	accounts, err := w.store.Accounts(w.Context())
	w.must(err)
	found, err := doctor.New(w.cfg).Run(w.Context(), doctor.Scope{Gateway: true, Accounts: accounts})
	w.must(err)
	for _, f := range found {
		texts := []string{f.What.EN, f.What.ZH, f.Remedy.EN, f.Remedy.ZH}
		for _, text := range texts {
			if strings.Contains(text, "%!") || strings.Contains(text, sandbox.SeedServiceSecret) || strings.Contains(text, sandbox.SeedCallbackToken) {
				w.Errorf("%s %s: text %q", f.Check, f.Code, text)
			}
		}
		if f.What.EN == "" || f.What.ZH == "" || (f.Remedy.EN == "") != (f.Remedy.ZH == "") || f.Check == "" || f.Code == "" {
			w.Errorf("a finding without a text in both languages: %+v", f)
		}
		if f.Level >= doctor.Warning && f.Remedy.EN == "" {
			w.Errorf("%s %s: nothing is said of what to do: %+v", f.Check, f.Code, f)
		}
	}
	return found
}

func (w *ward) cleanLog() {
	w.Helper()
	if strings.Contains(w.log.String(), sandbox.SeedServiceSecret) {
		w.Errorf("the log has the AppSecret:\n%s", &w.log)
	}
}

// named returns what a check found, as "level code".
func named(found []doctor.Finding, check string) (words []string) {
	for _, f := range found {
		if f.Check == check && (f.AppID != "" || check != "clock") {
			words = append(words, f.Level.String()+" "+f.Code)
		}
	}
	return words
}

func TestAHealthyGateway(t *testing.T) {
	inWard(t, func(w *ward) {
		before := len(w.box.Sandbox.Ledger(sandbox.LedgerFilter{}))
		found := w.examine()
		var got []string
		for _, f := range found {
			got = append(got, strings.TrimSpace(f.AppID+" "+f.Check)+" "+f.Level.String()+" "+f.Code)
		}
		want := []string{"clock ok ok", "database ok ok", "disk ok ok", "keys ok ok", "events ok ok"}
		for _, check := range []string{"dns", "token", "egress", "clock", "appsecret", "callback", "pushes", "templates", "quota", "holds"} {
			want = append(want, service+" "+check+" ok ok")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("findings (-want +got):\n%s\n%+v", diff, found)
		}
		if doctor.Worst(found) != doctor.OK {
			t.Errorf("worst is %v", doctor.Worst(found))
		}
		var asked []string
		for _, row := range w.box.Sandbox.Ledger(sandbox.LedgerFilter{})[before:] {
			asked = append(asked, row.Path)
		}
		slices.Sort(asked)
		if diff := cmp.Diff([]string{"/cgi-bin/callback/check", "/cgi-bin/get_api_domain_ip", "/cgi-bin/template/get_all_private_template"}, asked); diff != "" {
			t.Errorf("what WeChat was asked (-want +got):\n%s", diff)
		}
	})
}

// Each trouble is found by its check, and said in words that name what matters.
func TestTroubles(t *testing.T) {
	var none time.Time
	for _, c := range []struct {
		name  string
		make  func(w *ward)
		check string
		want  []string
		says  string // in the English texts of the last of them
	}{
		{"the name cannot be looked up", func(w *ward) { w.addrs = nil }, "dns", []string{"problem dns_failed"}, apiHost + " cannot be looked up: no such host"},
		{"the name leads elsewhere", func(w *ward) { w.addrs = []netip.Addr{netip.MustParseAddr("198.51.100.9")} }, "dns", []string{"warning dns_foreign_address"}, "is 198.51.100.9 here, which is none of the addresses"},
		{"base_url is an address", func(w *ward) {
			w.box.RegisterHost("127.0.0.1", w.box.Sandbox.Handler())
			w.change(func(a *hongyan.Account) { a.BaseURL = "http://127.0.0.1" })
		}, "dns", []string{"ok ok"}, "127.0.0.1"},
		{"a proxy looks names up", func(w *ward) {
			w.change(func(a *hongyan.Account) { a.EgressProxy = "socks5://me:hunter2@proxy.internal:1080" })
		}, "dns", []string{"ok ok"}, "the proxy socks5://proxy.internal:1080 looks"},

		{"a wrong AppSecret", func(w *ward) {
			w.refreshWith(func(a *hongyan.Account) { a.Secret = hongyan.Secret(strings.Repeat("0", 32)) })
		}, "token", []string{"problem token_stopped"}, "hongyan account rotate " + service + " --secret-file"},
		{"an address outside of the whitelist", func(w *ward) {
			w.must(w.box.Sandbox.UpdateAccount(service, sandbox.AccountSpec{IPWhitelist: &[]string{"192.0.2.1"}}))
			w.refreshWith(func(*hongyan.Account) {})
		}, "egress", []string{"problem ip_not_whitelisted"}, "127.0.0.1"},
		{"an address that waits to be confirmed", func(w *ward) {
			w.must(w.box.Sandbox.UpdateAccount(service, sandbox.AccountSpec{Standing: sandbox.Standing{ConfirmNewIPs: new(true)}}))
			w.refreshWith(func(*hongyan.Account) {})
		}, "egress", []string{"problem ip_not_confirmed"}, "errcode 89503"},
		{"WeChat is not there", func(w *ward) {
			w.refreshWith(func(a *hongyan.Account) { a.BaseURL = "http://nobody.test" })
		}, "egress", []string{"problem wechat_unreachable"}, "nobody.test"},
		{"a token killed outside", func(w *ward) { w.must(w.box.Sandbox.RevokeToken(service)) }, "token", []string{"warning token_dead"}, "errcode 40001"},
		{"tokens that died early", func(w *ward) {
			w.must(w.store.AppendAudit(w.Context(), []hongyan.AuditEntry{{Action: "token.died_early", Target: service, Outcome: "ok"}, {Action: "token.died_early", Target: mini, Outcome: "ok"}}))
		}, "token", []string{"ok ok", "warning token_died_early"}, "1 tokens died early in the last 24 hours"},
		{"tokens that died early two days ago", func(w *ward) {
			w.must(w.store.AppendAudit(w.Context(), []hongyan.AuditEntry{{Action: "token.died_early", Target: service, Outcome: "ok"}}))
			time.Sleep(48 * time.Hour)
		}, "token", []string{"ok ok"}, ""},
		{"a plain token is not fetched to look", func(w *ward) {
			w.refreshWith(func(a *hongyan.Account) { a.TokenSource = hongyan.TokenPlain })
		}, "token", []string{"note token_none_yet"}, "ends the one another program may be using"},
		{"a token that nobody pushed", func(w *ward) {
			w.refreshWith(func(a *hongyan.Account) { a.TokenSource = hongyan.TokenExternal })
		}, "token", []string{"problem token_not_pushed"}, "hongyan token push " + service},

		{"somebody has the real AppSecret", func(w *ward) {
			w.must(w.store.NoteTokenCallers(w.Context(), []hongyan.TokenCaller{{AppID: service, CallerID: hongyan.CallerAppSecret, Endpoint: "/cgi-bin/token", FirstAt: w.store.Now(), LastAt: w.store.Now(), Requests: 4, Remote: "192.0.2.7"}}))
		}, "appsecret", []string{"warning app_secret_in_use"}, "a program at 192.0.2.7 uses the real AppSecret (/cgi-bin/token, 4 requests"},
		{"somebody had it two months ago", func(w *ward) {
			w.must(w.store.NoteTokenCallers(w.Context(), []hongyan.TokenCaller{{AppID: service, CallerID: hongyan.CallerAppSecret, Endpoint: "/cgi-bin/token", FirstAt: w.store.Now(), LastAt: w.store.Now(), Requests: 4}}))
			time.Sleep(60 * 24 * time.Hour)
		}, "appsecret", []string{"ok ok"}, ""},

		{"no callback token", func(w *ward) { w.change(func(a *hongyan.Account) { a.Callback.Token = "" }) }, "callback", []string{"problem callback_token_missing", "ok ok"}, "203.0.113.20"},
		{"no server URL at WeChat", func(w *ward) { w.must(w.box.Sandbox.SetServerURL(service, "", "", "")) }, "callback", []string{"problem callback_url_missing"}, "/callback/" + service},
		{"the day's checks are used up", func(w *ward) { w.fault("/cgi-bin/callback/check", 45009) }, "callback", []string{"note callback_not_checked"}, "errcode 45009"},
		{"accepted, and no push", func(w *ward) {
			time.Sleep(time.Minute)
			w.accepted(hongyan.KindTemplate)
			time.Sleep(11 * time.Minute)
		}, "pushes", []string{"problem pushes_missing"}, "WeChat pushes from 127.0.0.1"},
		{"accepted a minute ago", func(w *ward) {
			w.accepted(hongyan.KindTemplate)
			time.Sleep(time.Minute)
		}, "pushes", []string{"ok ok"}, ""},
		{"accepted, and another's push", func(w *ward) {
			w.accepted(hongyan.KindTemplate)
			time.Sleep(11 * time.Minute)
			w.push(sandbox.OpenID("", 2))
		}, "pushes", []string{"note receipt_missing"}, "its event has not come"},

		{"a template gone, one new, one changed", func(w *ward) {
			w.must(w.store.DeleteTemplate(w.Context(), service, sandbox.SeedTemplateQueue))
			w.must(w.store.PutTemplates(w.Context(), []hongyan.Template{{AppID: service, TemplateID: "gone", Status: "active", Kind: hongyan.KindTemplate}}))
		}, "templates", []string{"warning templates_gone", "note templates_differ"}, sandbox.SeedTemplateQueue},
		{"a banned template", func(w *ward) {
			w.must(w.store.SetTemplateStatus(w.Context(), service, sandbox.SeedTemplateOrder, "banned", "43116"))
		}, "templates", []string{"problem templates_banned"}, "1 template is banned, "},
		{"no list of templates", func(w *ward) { w.fault("/cgi-bin/template/get_all_private_template", 48001) }, "templates", []string{"warning templates_not_listed"}, "errcode 48001"},

		{"the quota is used up", func(w *ward) { w.quota[0].Used, w.quota[0].Remaining = 100_000, 0 }, "quota", []string{"problem quota_used_up"}, "account/day: 100000 of 100000 used; messages wait until 2000-01-01"},
		{"it will be", func(w *ward) { w.quota[0].ExhaustedAt = time.Now().Add(30 * time.Minute) }, "quota", []string{"warning quota_will_not_last"}, "it is used up at 2000-01-01 00:30:00Z"},
		{"four fifths are", func(w *ward) { w.quota[0].Used, w.quota[0].Remaining = 80_000, 20_000 }, "quota", []string{"note quota_high"}, "80000 of 100000"},

		{"paused", func(w *ward) { w.hold(hongyan.HoldPaused, 0, none) }, "holds", []string{"warning held_paused"}, "hongyan account resume " + service},
		{"stopped", func(w *ward) { w.hold(hongyan.HoldAccount, 48001, none) }, "holds", []string{"problem held_account_stopped"}, "hongyan account resume " + service},
		{"the day's limit", func(w *ward) { w.hold(hongyan.HoldQuota, 45009, time.Now().Add(time.Hour)) }, "holds", []string{"warning held_quota"}, "it ends by itself at 2000-01-01 01:00:00Z"},
		{"a hold that is over", func(w *ward) {
			w.hold(hongyan.HoldQuota, 45009, time.Now().Add(time.Hour))
			time.Sleep(2 * time.Hour)
		}, "holds", []string{"ok ok"}, ""},
		{"due for long", func(w *ward) { w.queued(); time.Sleep(6 * time.Minute) }, "holds", []string{"problem backlog"}, "are due since 2000-01-01 00:00:00Z"},
		{"due for long, and held", func(w *ward) {
			w.queued()
			w.hold(hongyan.HoldPaused, 0, none)
			time.Sleep(6 * time.Minute)
		}, "holds", []string{"warning held_paused"}, ""},

		{"a paused downstream", func(w *ward) { w.downstream(func(d *hongyan.Downstream) { d.Paused = true }, "") }, "downstreams", []string{"note downstream_paused"}, "hongyan downstream resume " + service + " crm"},
		{"one that fails", func(w *ward) { w.downstream(nil, "connection refused") }, "downstreams", []string{"problem downstream_failing"}, "1 pushes wait for crm"},
		{"one that takes", func(w *ward) { w.downstream(nil, "delivered") }, "downstreams", []string{"ok ok"}, "crm took 1 pushes, 0 wait"},
		{"one that was given up", func(w *ward) { w.downstream(nil, "gave up") }, "downstreams", []string{"warning downstream_gave_up"}, "hongyan downstream replay " + service + " crm --from"},

		{"a disabled webhook", func(w *ward) {
			w.webhook(func(h *hongyan.Webhook) { h.Disabled, h.DisabledAt = "it answered 410", w.store.Now() }, "")
		}, "webhooks", []string{"problem webhook_disabled"}, "hongyan webhook set crm --enable"},
		{"a paused webhook", func(w *ward) { w.webhook(func(h *hongyan.Webhook) { h.Paused = true }, "") }, "webhooks", []string{"note webhook_paused"}, "hongyan webhook resume crm"},
		{"a webhook that fails", func(w *ward) { w.webhook(nil, "connection refused") }, "webhooks", []string{"problem webhook_failing"}, "1 events wait for crm, the oldest since 2000-01-01 00:00:00Z: connection refused"},
		{"an endpoint's cure", func(w *ward) { w.webhook(nil, "answered 500") }, "webhooks", []string{"problem webhook_failing"}, "see that its endpoint answers 2xx"},
		{"a robot's cure", func(w *ward) {
			w.webhook(func(h *hongyan.Webhook) { h.Kind = hongyan.WebhookWeCom }, "the robot refused: 93000 invalid webhook url")
		}, "webhooks", []string{"problem webhook_failing"}, "check address, secret and keyword of the robot"},
		{"a webhook that takes", func(w *ward) { w.webhook(nil, "delivered") }, "webhooks", []string{"ok ok"}, "crm took 1 events, 0 wait"},
		{"a webhook that was given up", func(w *ward) { w.webhook(nil, "gave up") }, "webhooks", []string{"warning webhook_gave_up"}, "hongyan webhook redeliver crm"},

		{"little disk", func(w *ward) { w.machine.FreeBytes = 1 << 30 }, "disk", []string{"warning disk_low"}, "1.0 GiB free on the disk of data"},
		{"no disk", func(w *ward) { w.machine.FreeBytes = 100 << 20 }, "disk", []string{"problem disk_full"}, "100 MiB free"},
		{"a disk nobody can measure", func(w *ward) { w.machine.FreeBytes = -1 }, "disk", []string{"note disk_unknown"}, ""},
		{"PostgreSQL", func(w *ward) { w.machine.Bytes, w.machine.Database = -1, "postgres://db.internal/hongyan" }, "disk", []string{"ok ok"}, "the database is at postgres://db.internal/hongyan"},
		{"a log that grows", func(w *ward) { w.machine.LogBytes = 3 << 30 }, "disk", []string{"warning database_log_long", "ok ok"}, ""},
		{"the key beside the database", func(w *ward) { w.machine.KeySource, w.machine.KeyFile = doctor.KeyOfDataFolder, "data/master.key" }, "keys", []string{"note key_beside_database"}, "back it up apart from the database"},
		{"the key in a file", func(w *ward) { w.machine.KeySource, w.machine.KeyFile = doctor.KeyOfNamedFile, "/etc/hongyan.key" }, "keys", []string{"ok ok"}, "/etc/hongyan.key (HONGYAN_MASTER_KEY_FILE)"},
		{"a secret file for everybody", func(w *ward) { w.machine.OpenFiles = []string{"data/admin.key"} }, "keys", []string{"problem secret_file_readable", "ok ok"}, ""},
		{"a receipt of another program's", func(w *ward) {
			w.push(sandbox.OpenID("", 3))
			events, err := w.store.PendingEvents(w.Context(), 10)
			w.must(err)
			w.must(w.store.FinishEvents(w.Context(), []store.EventDone{{EventID: events[0].ID, Receipts: []hongyan.Receipt{{AppID: service, MsgID: 77, ToUser: sandbox.OpenID("", 3), Status: "success", At: w.store.Now()}}}}))
		}, "events", []string{"note receipts_orphaned"}, "1 receipts of the last 24 hours"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWard(t, func(w *ward) {
				c.make(w)
				found := w.examine()
				if diff := cmp.Diff(c.want, named(found, c.check)); diff != "" {
					t.Fatalf("%s (-want +got):\n%s\n%s", c.check, diff, words(found))
				}
				_, code, _ := strings.Cut(c.want[len(c.want)-1], " ")
				for _, f := range found {
					if f.Check == c.check && f.Code == code && !strings.Contains(f.What.EN+"\n"+f.Remedy.EN, c.says) {
						t.Errorf("it says %q and %q, want %q in it", f.What.EN, f.Remedy.EN, c.says)
					}
				}
				if strings.Contains(words(found), "hunter2") {
					t.Errorf("a proxy's password is shown:\n%s", words(found))
				}
			})
		})
	}
}

func words(found []doctor.Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %s %s %s: %s → %s\n", f.AppID, f.Check, f.Level, f.Code, f.What.EN, f.Remedy.EN)
	}
	return b.String()
}

// refreshWith changes the account and leaves no token of before.
func (w *ward) refreshWith(how func(*hongyan.Account)) {
	w.Helper()
	w.must(w.store.DeleteAccount(w.Context(), service))
	a := hongyan.Account{AppID: service, Kind: hongyan.ServiceAccount, Secret: sandbox.SeedServiceSecret,
		BaseURL: "http://" + apiHost, Callback: hongyan.Callback{Token: sandbox.SeedCallbackToken}}
	how(&a)
	w.must(w.store.CreateAccount(w.Context(), a))
	w.build()
}

func (w *ward) fault(path string, errcode int) {
	w.box.Sandbox.AddFault(sandbox.Fault{Path: path, ErrCode: errcode})
}

func (w *ward) hold(reason string, errcode int, until time.Time) {
	w.Helper()
	w.must(w.store.PutHold(w.Context(), hongyan.Hold{AppID: service, Reason: reason, Errcode: errcode, Since: w.store.Now(), Until: until, Release: "somebody acts"}))
}

// queued stores a message that is due now.
func (w *ward) queued() hongyan.Message {
	w.Helper()
	now := hongyan.Millis(w.store.Now())
	done, err := w.store.InsertMessages(w.Context(), []store.NewMessage{{Message: hongyan.Message{
		ID: hongyan.NewMessageID(), AppID: service, Kind: hongyan.KindTemplate, ToUser: sandbox.OpenID("", 1), TemplateID: sandbox.SeedTemplateOrder, Priority: hongyan.Normal,
		Payload: []byte("{}"), ClientMsgID: hongyan.NewMessageID(), State: hongyan.Queued, CreatedAt: now, DueAt: now, ExpiresAt: now.Add(24 * time.Hour),
	}}})
	w.must(err)
	return done[0].Message
}

// accepted stores a message that WeChat took just now.
func (w *ward) accepted(hongyan.MessageKind) {
	w.Helper()
	m := w.queued()
	epoch, err := w.store.Join(w.Context(), "test", time.Hour)
	w.must(err)
	taken, err := w.store.ClaimOne(w.Context(), epoch, m.ID)
	w.must(err)
	now := hongyan.Millis(w.store.Now())
	_, err = w.store.FinishAttempts(w.Context(), []store.Result{{
		Fence: store.Fence{Seq: taken.Seq, Epoch: epoch, Attempts: taken.Attempts}, AppID: service, State: hongyan.Accepted, MsgID: 9, AcceptedAt: now,
		Attempts: []hongyan.Attempt{{N: 1, StartedAt: now, EndedAt: now, Outcome: hongyan.Answered, MsgID: 9}},
	}})
	w.must(err)
}

// downstream gives the account one, with a push for it of which outcome is told.
func (w *ward) downstream(how func(*hongyan.Downstream), outcome string) {
	w.Helper()
	d := hongyan.Downstream{Name: "crm", URL: "http://crm.internal/wechat"}
	if how != nil {
		how(&d)
	}
	w.change(func(a *hongyan.Account) { a.Downstreams = []hongyan.Downstream{d} })
	if outcome == "" {
		return
	}
	events, err := w.store.PendingEvents(w.Context(), 1)
	w.must(err)
	target := d.Target(service)
	w.must(w.store.FinishEvents(w.Context(), []store.EventDone{{EventID: events[0].ID, Deliveries: []store.NewDelivery{{Target: target}}}}))
	claimed, err := w.store.ClaimDeliveries(w.Context(), store.DeliveryClaim{Target: target, Max: 1, Lease: time.Minute})
	w.must(err)
	result := store.DeliveryResult{ID: claimed[0].ID, Attempts: claimed[0].Attempts, State: hongyan.DeliveryPending, DueAt: w.store.Now().Add(time.Minute), Error: outcome}
	switch outcome {
	case "delivered":
		result.State, result.Error, result.Status = hongyan.DeliveryDone, "", 200
	case "gave up":
		result.State = hongyan.DeliveryGaveUp
	}
	w.must(w.store.FinishDeliveries(w.Context(), []store.DeliveryResult{result}))
}

// webhook adds an endpoint, with an event for it of which outcome is told.
func (w *ward) webhook(how func(*hongyan.Webhook), outcome string) {
	w.Helper()
	h := hongyan.Webhook{ID: hongyan.NewWebhookID(), Name: "crm", Kind: hongyan.WebhookStandard, URL: "https://crm.example.com/hook"}
	if how != nil {
		how(&h)
	}
	w.must(w.store.CreateWebhook(w.Context(), h))
	if outcome == "" {
		return
	}
	w.must(w.store.PutNews(w.Context(), []hongyan.News{{AppID: service, Type: "account.alarm", Data: []byte("{}")}}))
	_, err := w.store.SpreadNews(w.Context(), 10)
	w.must(err)
	claimed, err := w.store.ClaimNews(w.Context(), store.NewsClaim{WebhookID: h.ID, Max: 1, Lease: time.Minute})
	w.must(err)
	result := store.NewsResult{ID: claimed[0].ID, Attempts: claimed[0].Attempts, State: hongyan.DeliveryPending, DueAt: w.store.Now().Add(time.Minute), Error: outcome}
	switch outcome {
	case "delivered":
		result.State, result.Error, result.Status = hongyan.DeliveryDone, "", 200
	case "gave up":
		result.State = hongyan.DeliveryGaveUp
	}
	w.must(w.store.FinishNews(w.Context(), []store.NewsResult{result}))
}

// A clock that is wrong shows in WeChat's Date header.
func TestTheClockIsHeldAgainstWeChats(t *testing.T) {
	for _, c := range []struct {
		name string
		off  time.Duration // of WeChat's clock
		want string
		says string
	}{
		{"a second is nothing", time.Second, "ok ok", "agree"},
		{"behind", 40 * time.Second, "warning clock_off_wechat", "the gateway's clock is 40s behind WeChat's"},
		{"ahead", -time.Hour, "problem clock_off_wechat", "the gateway's clock is 59m59s ahead of WeChat's"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWard(t, func(w *ward) {
				w.box.RegisterHost("other.test", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					rw.Header().Set("Date", time.Now().Add(c.off).UTC().Format(http.TimeFormat))
					w.box.Sandbox.Handler().ServeHTTP(rw, r)
				}))
				w.change(func(a *hongyan.Account) { a.BaseURL = "http://other.test" })
				found := w.examine()
				if diff := cmp.Diff([]string{c.want}, named(found, "clock")); diff != "" {
					t.Errorf("clock (-want +got):\n%s", diff)
				}
				if !strings.Contains(words(found), c.says) {
					t.Errorf("nothing says %q:\n%s", c.says, words(found))
				}
			})
		})
	}
}

// One check that hangs, fails or falls leaves the others what they are.
func TestChecksAreAlone(t *testing.T) {
	inWard(t, func(w *ward) {
		w.cfg.Quota = func(ctx context.Context, _ string) ([]doctor.Quota, error) { <-ctx.Done(); return nil, ctx.Err() }
		w.cfg.Drift = func(context.Context, string) (doctor.Drift, error) { panic("it fell") }
		w.cfg.Machine = func() (doctor.Machine, error) { return doctor.Machine{}, errors.New("a secret cause") }
		began := time.Now()
		found := w.examine()
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it took %v, want the limit of the one that hangs", took)
		}
		for check, want := range map[string]string{
			"quota": "warning check_timed_out", "templates": "warning check_failed", "disk": "warning check_failed", "keys": "warning check_failed",
			"token": "ok ok", "holds": "ok ok", "database": "ok ok",
		} {
			if diff := cmp.Diff([]string{want}, named(found, check)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", check, diff)
			}
		}
		if strings.Contains(words(found), "a secret cause") || !strings.Contains(w.log.String(), "a secret cause") || !strings.Contains(w.log.String(), "it fell") {
			t.Errorf("a cause belongs in the log alone:\n%s\n%s", words(found), &w.log)
		}
	})
}

// A check that does not heed its context is not waited for.
func TestACheckThatHeedsNothingIsLeftAlone(t *testing.T) {
	inWard(t, func(w *ward) {
		release := make(chan struct{})
		w.cfg.Quota = func(context.Context, string) ([]doctor.Quota, error) { <-release; return nil, nil }
		found := w.examine()
		close(release)
		if diff := cmp.Diff([]string{"warning check_timed_out"}, named(found, "quota")); diff != "" {
			t.Errorf("quota (-want +got):\n%s", diff)
		}
	})
}

// Two at once ask WeChat one after the other, and who leaves meanwhile is let go.
func TestRunsTakeTurns(t *testing.T) {
	inWard(t, func(w *ward) {
		d := doctor.New(w.cfg)
		hang := make(chan struct{})
		w.box.Sandbox.AddFault(sandbox.Fault{Path: "/cgi-bin/get_api_domain_ip", DelayMS: 2000, Times: 1})
		accounts, err := w.store.Accounts(w.Context())
		w.must(err)
		go func() {
			defer close(hang)
			_, _ = d.Run(w.Context(), doctor.Scope{Accounts: accounts})
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		if _, err := d.Run(ctx, doctor.Scope{}); !errors.Is(err, context.DeadlineExceeded) {
			w.Errorf("the second run: %v, want that its caller left", err)
		}
		<-hang
		if found, err := d.Run(w.Context(), doctor.Scope{}); err != nil || len(found) != 0 {
			w.Errorf("a run of nothing: %v, %v", found, err)
		}
	})
}
