package deliver

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"hongyan"
	"hongyan/internal/guard"
	"hongyan/internal/seldom"
	"hongyan/store"
)

const (
	// hookWidth is how many calls to one endpoint are under way at once.
	hookWidth = 16
	// spreadBatch bounds the transaction that begins deliveries of news.
	spreadBatch = 500
	// newsPoll is the backstop for news nobody told of.
	newsPoll = pollEvery
	// hooksLife is how long endpoints are used before they are read again, for changes
	// made through another node.
	hooksLife = 2 * time.Second
)

// HeraldConfig is what a Herald is built from. Only Store is needed.
type HeraldConfig struct {
	Store store.Store
	// HTTPClient makes the calls, as in Config.
	HTTPClient *http.Client
	Logger     *slog.Logger // nil = discard
	// Observe is told of every attempt: the endpoint's id, one of the outcomes delivered,
	// refused, unreachable, gave_up, and how long it took. It must be quick. nil = nobody.
	Observe func(webhookID, outcome string, took time.Duration)
}

// Herald takes news to the endpoints that want them: each at least once, with the same
// id at every try. Build it with NewHerald; its methods are safe for concurrent use.
type Herald struct {
	store   store.Store
	client  *http.Client
	log     *slog.Logger
	observe func(webhookID, outcome string, took time.Duration)
	wake    chan struct{} // holds one

	mu        sync.Mutex
	hooks     map[string]*hongyan.Webhook // by ID; never changed, but replaced
	hooksAt   time.Time
	lanes     map[string]*lane[store.NewsResult]
	health    map[string]*health
	listeners map[chan struct{}]bool

	repeated seldom.Teller
}

// NewHerald returns a Herald. It starts nothing.
func NewHerald(cfg HeraldConfig) *Herald {
	h := &Herald{
		store: cfg.Store, log: cfg.Logger, observe: cfg.Observe, wake: make(chan struct{}, 1),
		lanes: map[string]*lane[store.NewsResult]{}, health: map[string]*health{}, listeners: map[chan struct{}]bool{},
		repeated: seldom.Teller{Every: tellEvery},
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.observe == nil {
		h.observe = func(string, string, time.Duration) {}
	}
	client := http.Client{Transport: NewTransport(guard.New(nil).Control)}
	if cfg.HTTPClient != nil {
		client = *cfg.HTTPClient
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	h.client = &client
	return h
}

// Wake says that there may be news. It never waits.
func (h *Herald) Wake() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// WebhooksChanged forgets the endpoints: call it after one was created, changed or deleted.
func (h *Herald) WebhooksChanged() {
	h.mu.Lock()
	h.hooks = nil
	h.mu.Unlock()
	h.Wake()
}

// Listen returns a channel that holds something after news may have been added to the
// log, and a function that ends it.
func (h *Herald) Listen() (told <-chan struct{}, end func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	h.listeners[c] = true
	h.mu.Unlock()
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.listeners, c)
	}
}

// tellListeners wakes those who read the log.
func (h *Herald) tellListeners() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.listeners {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Run takes news out until ctx ends, then returns nil. It stops as Sender.Run does.
func (h *Herald) Run(ctx context.Context) error {
	calls, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	var lanes sync.WaitGroup
	for ctx.Err() == nil {
		h.spread(ctx)
		timer := time.NewTimer(h.startDue(calls, ctx, &lanes))
		select {
		case <-ctx.Done():
		case <-h.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	grace := time.AfterFunc(stopGrace, func() { cut(errStopped) })
	defer grace.Stop()
	lanes.Wait()
	return nil
}

// spread begins the deliveries of what is new. A part of a large backlog is left for the
// next round, so that what has begun is delivered meanwhile.
func (h *Herald) spread(ctx context.Context) {
	n, err := h.store.SpreadNews(ctx, spreadBatch)
	if err != nil && ctx.Err() == nil {
		h.log.ErrorContext(ctx, "news cannot be spread", "err", err)
	}
	if n == spreadBatch {
		h.Wake()
	}
	h.tellListeners() // another node may have spread them
}

// startDue starts a lane for each endpoint with something due and returns when to look again.
func (h *Herald) startDue(calls, stopping context.Context, lanes *sync.WaitGroup) time.Duration {
	due, err := h.store.DueWebhooks(stopping)
	if err != nil && stopping.Err() == nil {
		h.log.ErrorContext(stopping, "what is to be delivered to webhooks cannot be read", "err", err)
	}
	wait := newsPoll
	for _, d := range due {
		wait = min(wait, h.startIfDue(calls, stopping, d, lanes))
	}
	return wait
}

func (h *Herald) startIfDue(calls, stopping context.Context, d store.WebhookDue, lanes *sync.WaitGroup) time.Duration {
	w, err := h.hook(stopping, d.WebhookID)
	if err != nil || w.Paused || w.Disabled != "" {
		return newsPoll
	}
	now := h.store.Now()
	at := d.DueAt
	if _, rested := h.room(w, 0); rested.After(at) {
		at = rested
	}
	if wait := at.Sub(now); wait > 0 {
		return wait
	}
	h.start(w, lanes, func(l *lane[store.NewsResult]) { h.runLane(calls, stopping, l) })
	return newsPoll
}

// start runs f for an endpoint unless something runs for it already; that is nudged.
func (h *Herald) start(w *hongyan.Webhook, lanes *sync.WaitGroup, f func(*lane[store.NewsResult])) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.lanes[w.ID]; l != nil {
		l.nudge()
		return
	}
	l := newLane[store.NewsResult](w.ID, hookWidth)
	h.lanes[w.ID] = l
	lanes.Go(func() {
		f(l)
		h.mu.Lock()
		delete(h.lanes, w.ID)
		h.mu.Unlock()
		h.Wake() // something may have become due since f last looked
	})
}

// hook returns an endpoint; errGone when there is none.
func (h *Herald) hook(ctx context.Context, id string) (*hongyan.Webhook, error) {
	now := h.store.Now()
	h.mu.Lock()
	hooks, at := h.hooks, h.hooksAt
	h.mu.Unlock()
	if hooks == nil || now.Sub(at) >= hooksLife {
		all, err := h.store.Webhooks(ctx)
		if err != nil {
			if ctx.Err() == nil {
				h.log.ErrorContext(ctx, "webhooks cannot be read", "err", err)
			}
			return nil, err
		}
		hooks = make(map[string]*hongyan.Webhook, len(all))
		for i := range all {
			hooks[all[i].ID] = &all[i]
		}
		h.mu.Lock()
		h.hooks, h.hooksAt = hooks, now
		h.mu.Unlock()
	}
	if w := hooks[id]; w != nil {
		return w, nil
	}
	return nil, errNoWebhook
}

var errNoWebhook = errors.New("no such webhook")

// tell logs what may happen at every attempt: at warn level once in tellEvery for that
// endpoint and text, the rest at debug level.
func (h *Herald) tell(ctx context.Context, w *hongyan.Webhook, text string, args ...any) {
	level, untold := h.repeated.Level(slog.LevelWarn, h.store.Now(), text+" "+w.ID)
	args = append([]any{"webhook", w.ID, "name", w.Name}, args...)
	if untold > 0 {
		args = append(args, "untold", untold)
	}
	h.log.Log(ctx, level, text, args...)
}
