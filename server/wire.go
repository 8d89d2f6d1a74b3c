package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"hongyan"
	"hongyan/access"
	"hongyan/api"
	"hongyan/batch"
	"hongyan/callback"
	"hongyan/care"
	"hongyan/compat"
	"hongyan/deliver"
	"hongyan/dispatch"
	"hongyan/mini"
	"hongyan/rule"
	"hongyan/store"
	"hongyan/template"
	"hongyan/token"
)

// works are the parts of a gateway while they are put together, each knowing only
// those below it.
type works struct {
	*Server
	metrics *metrics
	egress  *egress

	desk   *access.Desk
	tokens *token.Central
	shelf  *template.Shelf
	mini   *mini.Keeper
	sender *deliver.Sender
	herald *deliver.Herald
	pushes *callback.Callback
	rules  *rule.Desk
	people *care.Desk
	gate   *compat.Gate

	batches *batch.Desk
}

// wire builds the parts from the bottom up.
func (s *Server) wire(st store.Store, adminKeyHash [32]byte, version string) {
	s.store = st
	w := &works{Server: s, metrics: newMetrics(), egress: newEgress(s.config.AllowedPrefixes(), s.listener.Addr())}
	w.desk = access.New(access.Config{Store: st, AdminKeyHash: adminKeyHash, Logger: s.log.With("part", "access")})
	w.tokens = token.New(token.Config{
		Store: st, ClientFor: w.egress.clientFor, Logger: s.log.With("part", "token"),
		Fetched:   func(appID string) { s.engine.TokenFetched(appID) },
		DiedEarly: w.tokenDied,
	})
	w.mini = mini.New(mini.Config{
		Store: st, Tokens: w.tokens, ClientFor: w.egress.clientFor, Logger: s.log.With("part", "mini"),
		Tell:    w.tell,
		Waiting: func(appID string) { s.engine.Noticed(store.Notice{Kind: store.NoticeMessages, AppID: appID}) },
	})
	w.buildEngine()
	w.buildBatches()
	w.buildCallbacks()
	w.herald = deliver.NewHerald(deliver.HeraldConfig{
		Store: st, HTTPClient: w.egress.downstreams(), Observe: w.metrics.observeDelivery, Logger: s.log.With("part", "webhooks"),
	})
	w.gate = compat.New(compat.Config{
		Store: st, Engine: s.engine, Tokens: w.tokens, Access: w.desk,
		ClientFor: w.egress.clientFor, HTTPClient: w.egress.clientFor(&hongyan.Account{}),
		Wait: s.config.Compat.Wait, RefuseAppSecret: !s.config.Compat.AcceptAppSecret, MaxBody: s.config.Compat.MaxBody,
		Changed: w.changed, TemplatesChanged: w.readTemplates, Observe: w.metrics.observeCompat, Logger: s.log.With("part", "compat"),
	})
	edge := api.New(api.Config{
		Store: st, Engine: s.engine, Tokens: w.tokens, Templates: w.shelf, Access: w.desk, Deliveries: w.sender, Herald: w.herald, Batches: w.batches,
		Mini: w.mini, Rules: w.rules, Care: w.people, Doctor: w.doctor(), Changed: w.changed, Version: version, Gatherer: w.metrics.registry, Logger: s.log.With("part", "api"),
	})
	s.handler, s.endStreams = w.routes(edge.Handler()), edge.EndStreams
	// Started in this order, stopped in the reverse: requests end first, then nobody
	// listens to other processes any more, then what was gathered about requests is
	// written, then no batch is fed any more, then sending stops, then what WeChat pushed is processed and handed on,
	// then tokens.
	s.parts = []part{
		{"token", w.tokens.Run},
		{"webhooks", w.herald.Run},
		{"deliver", w.sender.Run},
		{"callback", w.pushes.Run},
		{"dispatch", s.engine.Run},
		{"rules", w.rules.Run},
		{"care", w.people.Run},
		{"batch", w.batches.Run},
		{"access", w.desk.Run},
		{"watch", newWatcher(w).run},
		retentionPart(st, s.config.Retention, s.engine.Leads, s.log.With("part", "retention")),
	}
}

// buildEngine ties the engine and the templates' shelf together: the engine asks
// for templates it does not know, the shelf tells of those that may be sent again.
func (w *works) buildEngine() {
	w.shelf = template.New(template.Config{
		Store: w.store, Tokens: w.tokens, ClientFor: w.egress.clientFor,
		Changed: func(appID string) { w.engine.AccountChanged(appID) },
		Released: func(ctx context.Context, appID, templateID string) error {
			_, err := w.engine.ReleaseTemplate(ctx, appID, templateID)
			return err
		},
		Gone: func(ctx context.Context, t *hongyan.Template, why string) error {
			return w.engine.TemplateGone(ctx, t, why)
		},
	})
	w.people = care.New(care.Config{Store: w.store, Logger: w.log.With("part", "care"),
		Released: func(ctx context.Context, appID, openID, reason string) (int, error) {
			return w.engine.ReleaseUser(ctx, appID, openID, reason)
		},
		ReleaseCapped: func(ctx context.Context, c store.CapRelease) (int, error) { return w.engine.ReleaseCapped(ctx, c) },
		EraseStaged: func(ctx context.Context, appID, openID string) (int, error) {
			return w.batches.EraseUser(ctx, appID, openID)
		},
	})
	w.engine = dispatch.New(dispatch.Config{
		Store: w.store, Tokens: w.tokens, ClientFor: w.egress.clientFor, Slots: w.config.Slots, Lease: w.config.Lease, StopGrace: w.config.StopGrace,
		Care: w.people,
		SyncTemplates: func(ctx context.Context, appID string) error {
			_, err := w.shelf.Sync(ctx, appID)
			return err
		},
		Consents: w.mini, Tell: w.tell,
		Registerer: w.metrics.registry, Logger: w.log.With("part", "dispatch"),
	})
}

// buildCallbacks ties what WeChat pushes to whom it is handed on to.
func (w *works) buildCallbacks() {
	w.sender = deliver.New(deliver.Config{
		Store: w.store, HTTPClient: w.egress.downstreams(), Observe: w.metrics.observeDelivery, Logger: w.log.With("part", "deliver"),
	})
	w.rules = rule.New(rule.Config{Store: w.store, Send: w.sendForRules, Tell: w.tell, Logger: w.log.With("part", "rules"),
		Check: func(ctx context.Context, o *rule.Outgoing) error {
			r, err := requestOf(o)
			if err != nil {
				return err
			}
			return w.engine.Check(ctx, &r)
		},
	})
	w.pushes = callback.New(callback.Config{
		Store: w.store, OrphanAfter: w.config.OrphanAfter, Observe: w.metrics.observePush, Logger: w.log.With("part", "callback"),
		Reply: func(ctx context.Context, a *hongyan.Account, d *hongyan.Downstream, e *hongyan.Event) (callback.Reply, error) {
			r, err := w.sender.Reply(ctx, a, d, e)
			return callback.Reply(r), err
		},
		Stored: w.sender.Wake, Consented: w.mini.Changed, Seen: w.people.Seen, Rules: w.rules.Firings, Fired: w.rules.Wake,
		Leads: func(ctx context.Context, d time.Duration) (bool, error) {
			return w.engine.Leads(ctx, "orphans", d)
		},
	})
}

// changed makes whoever remembers an account forget it.
func (w *works) changed(appID string) {
	w.tokens.AccountChanged(appID) // before the engine, which asks for a token at once
	w.engine.AccountChanged(appID)
	w.pushes.AccountChanged(appID)
	w.sender.AccountChanged(appID)
	w.gate.AccountChanged(appID)
	w.rules.AccountChanged(appID)
	w.people.AccountChanged(appID)
	w.mini.AccountChanged(appID)
}

// readTemplates follows a change of an account's templates that came through the gate.
func (w *works) readTemplates(ctx context.Context, appID string) {
	if _, err := w.shelf.Sync(ctx, appID); err != nil {
		w.log.Warn("sync templates after a change", "appid", appID, "err", err)
	}
}

// tokenDied puts into the audit log that somebody outside fetched a token.
func (w *works) tokenDied(appID string, by time.Duration) {
	w.desk.Record(context.Background(), hongyan.AuditEntry{
		Actor: "", Action: "token.died_early", Target: appID, Outcome: "ok",
		Detail: fmt.Sprintf("someone outside refreshed %s: its access_token died %d s early", appID, int64(by/time.Second)),
	})
	w.tell(context.Background(), appID, hongyan.NewsTokenDiedEarly, map[string]any{"seconds_early": int64(by / time.Second)})
}

// tell puts news that belong to no change in the store. Data that says Once is told once.
func (w *works) tell(ctx context.Context, appID, typ string, data any) {
	text, err := json.Marshal(data)
	if err == nil {
		n := hongyan.News{Type: typ, AppID: appID, Data: text}
		if d, ok := data.(interface{ Once() string }); ok {
			n.Once = d.Once()
		}
		err = w.store.PutNews(ctx, []hongyan.News{n})
	}
	if err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, "news could not be written", "type", typ, "appid", appID, "err", err)
	}
}

// routes shows who calls what: WeChat the first, programs that were written for
// WeChat the next, everybody else the rest.
func (w *works) routes(edge http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/callback/{appid}", base(w.pushes, w.log))
	for _, prefix := range compat.Prefixes {
		mux.Handle(prefix, base(w.gate, w.log))
	}
	mux.Handle("/", edge)
	return w.unbent(mux)
}

// unbent hands a path of WeChat's that is not in its plain form, such as
// //cgi-bin/token or /cgi-bin, to the gate, which refuses it in WeChat's words. A
// ServeMux would redirect it, and repeat the query with its secret in a page.
func (w *works) unbent(mux http.Handler) http.Handler {
	gate := base(w.gate, w.log)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		plain := path.Clean("/" + r.URL.Path)
		straight := plain == r.URL.Path || plain+"/" == r.URL.Path || r.Method == http.MethodConnect
		if straight && !slices.Contains(compat.Prefixes, r.URL.Path+"/") {
			mux.ServeHTTP(rw, r)
			return
		}
		for _, prefix := range compat.Prefixes {
			if strings.HasPrefix(plain+"/", prefix) || strings.HasPrefix(r.URL.Path, prefix) {
				gate.ServeHTTP(rw, r)
				return
			}
		}
		mux.ServeHTTP(rw, r)
	})
}
