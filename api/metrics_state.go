package api

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongyan"
	"hongyan/template"
)

// stuck answers Prometheus's question whether anything is stuck. It reads the
// store's counters, holds and queue heads when it is asked, and no messages.
type stuck struct{ a *API }

// scrapeTimeout bounds one reading; Prometheus gives up after 10 s.
const scrapeTimeout = 5 * time.Second

// maxScraped bounds the accounts with series of their own. The rest, by appid,
// are told together as otherAccounts.
const maxScraped = 1000

const otherAccounts = "other"

// maxCounted bounds what is counted by listing: more of these than that is
// trouble enough.
const maxCounted = 1000

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	messagesDesc = gauge("hongyan_messages_by_state", "Messages by account and present state.", "appid", "state")
	holdDesc     = gauge("hongyan_hold_age_seconds", "How long a hold has kept an account's messages from leaving; one series for each hold in force.", "appid", "kind", "reason")
	oldestDesc   = gauge("hongyan_oldest_due_seconds", "How long the oldest waiting message has been due, held ones of held accounts included; 0 while none is due.", "appid", "kind")
	tokenDesc    = gauge("hongyan_token_left_seconds", "What is left of the account's access_token; 0 once it has expired or was refused.", "appid")
	awaitedDesc  = gauge("hongyan_receipts_awaited", "Accepted messages whose event has not come.", "appid")
	pendingDesc  = gauge("hongyan_events_pending", "Pushes of WeChat stored and not processed yet, counted to 1000.")
	templateDesc = gauge("hongyan_templates", "Templates by account and status; what is banned or removed holds messages.", "appid", "status")
	batchDesc    = gauge("hongyan_batches", "Batches by account and state, as long as they are kept.", "appid", "state")
	orphanDesc   = gauge("hongyan_receipts_orphaned", "Receipts of the last 24 hours that belong to no known message, counted to 1000.")
)

// Describe implements prometheus.Collector.
func (s stuck) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{messagesDesc, holdDesc, oldestDesc, tokenDesc, awaitedDesc, pendingDesc, orphanDesc, templateDesc, batchDesc} {
		to <- d
	}
}

// Collect implements prometheus.Collector. What cannot be read is left out of
// the page and reported as an error of the scrape; the rest is shown.
func (s stuck) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	accounts, err := s.a.cfg.Store.Accounts(ctx)
	if err != nil {
		to <- prometheus.NewInvalidMetric(messagesDesc, err)
		return
	}
	r := reading{a: s.a, accounts: accounts, now: s.a.cfg.Store.Now(), to: to}
	for _, part := range []struct {
		desc *prometheus.Desc
		read func(context.Context) error
	}{
		{messagesDesc, r.messages}, {holdDesc, r.holds}, {oldestDesc, r.oldest},
		{tokenDesc, r.tokens}, {pendingDesc, r.pending}, {orphanDesc, r.orphans},
		{templateDesc, r.templates}, {batchDesc, r.batches},
	} {
		if err := part.read(ctx); err != nil {
			to <- prometheus.NewInvalidMetric(part.desc, err)
		}
	}
}

// reading is one look at the store.
type reading struct {
	a        *API
	accounts []hongyan.Account // by appid
	now      time.Time
	to       chan<- prometheus.Metric
}

// label is the appid shown for an account.
func (r *reading) label(appID string) string {
	i, found := slices.BinarySearchFunc(r.accounts, appID, func(a hongyan.Account, id string) int { return cmp.Compare(a.AppID, id) })
	if found && i < maxScraped {
		return appID
	}
	return otherAccounts
}

// series are values by up to three labels.
type series map[[3]string]float64

func (r *reading) tell(desc *prometheus.Desc, values series, labels int) {
	for _, key := range slices.SortedFunc(maps.Keys(values), func(a, b [3]string) int { return slices.Compare(a[:], b[:]) }) {
		r.to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, values[key], key[:labels]...)
	}
}

func (r *reading) messages(ctx context.Context) error {
	counts, err := r.a.cfg.Store.Counts(ctx)
	if err != nil {
		return err
	}
	waiting, err := r.a.cfg.Store.Awaited(ctx)
	if err != nil {
		return err
	}
	byState, awaited := series{}, series{}
	for i := range r.accounts {
		a := &r.accounts[i]
		appID := r.label(a.AppID)
		for _, state := range hongyan.States() { // zeros too: an alert on a missing series never fires
			byState[[3]string{appID, state.String()}] += float64(counts[a.AppID][state])
		}
		awaited[[3]string{appID}] += float64(waiting[a.AppID])
	}
	r.tell(messagesDesc, byState, 2)
	r.tell(awaitedDesc, awaited, 1)
	return nil
}

func (r *reading) holds(ctx context.Context) error {
	holds, err := r.a.cfg.Store.Holds(ctx)
	if err != nil {
		return err
	}
	ages := series{}
	for _, h := range holds {
		if !h.Until.IsZero() && !r.now.Before(h.Until) {
			continue // over: it holds nothing any more
		}
		key := [3]string{r.label(h.AppID), cmp.Or(string(h.Kind), "all"), h.Reason}
		ages[key] = max(ages[key], r.now.Sub(h.Since).Seconds())
	}
	r.tell(holdDesc, ages, 3)
	return nil
}

func (r *reading) oldest(ctx context.Context) error {
	streams, err := r.a.cfg.Store.Streams(ctx)
	if err != nil {
		return err
	}
	ages := series{}
	for _, s := range streams {
		key := [3]string{r.label(s.AppID), string(s.Kind)}
		ages[key] = max(ages[key], r.now.Sub(s.DueAt).Seconds())
	}
	r.tell(oldestDesc, ages, 2)
	return nil
}

func (r *reading) tokens(ctx context.Context) error {
	left := series{}
	for i := range r.accounts {
		info, err := r.a.cfg.Tokens.Info(ctx, r.accounts[i].AppID)
		if hongyan.IsKind(err, hongyan.NotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return err
		}
		if info.Generation == 0 {
			continue // none was needed yet
		}
		key, seconds := [3]string{r.label(r.accounts[i].AppID)}, max(0, info.Remaining.Seconds())
		if before, known := left[key]; known {
			seconds = min(seconds, before)
		}
		left[key] = seconds
	}
	r.tell(tokenDesc, left, 1)
	return nil
}

func (r *reading) pending(ctx context.Context) error {
	events, err := r.a.cfg.Store.PendingEvents(ctx, maxCounted)
	if err == nil {
		r.tell(pendingDesc, series{{}: float64(len(events))}, 0)
	}
	return err
}

func (r *reading) orphans(ctx context.Context) error {
	orphans, err := r.a.cfg.Store.Orphans(ctx, 0, maxCounted)
	if err == nil {
		r.tell(orphanDesc, series{{}: float64(len(orphans))}, 0)
	}
	return err
}

func (r *reading) templates(ctx context.Context) error {
	counts, err := r.a.cfg.Store.TemplateCounts(ctx)
	if err != nil {
		return err
	}
	byStatus := series{}
	for i := range r.accounts {
		appID := r.label(r.accounts[i].AppID)
		for _, status := range []string{template.Active, template.Banned, template.Removed} { // zeros too
			byStatus[[3]string{appID, status}] += float64(counts[r.accounts[i].AppID][status])
		}
	}
	r.tell(templateDesc, byStatus, 2)
	return nil
}

func (r *reading) batches(ctx context.Context) error {
	counts, err := r.a.cfg.Store.BatchStates(ctx)
	if err != nil {
		return err
	}
	byState := series{}
	for i := range r.accounts {
		appID := r.label(r.accounts[i].AppID)
		for _, state := range hongyan.BatchStates() { // zeros too
			byState[[3]string{appID, state.String()}] += float64(counts[r.accounts[i].AppID][state])
		}
	}
	r.tell(batchDesc, byState, 2)
	return nil
}
