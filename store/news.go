package store

import (
	"context"
	"slices"
	"time"

	"hongyan"
)

// News keeps what happened, for those outside who want to hear of it. A message's news
// are written in the transaction that changes it, an account's with the hold; so that
// there is never one without the other. They are written only while somebody wants them:
// an endpoint that is in use and wants that type and account, or a listener
// (ListenNews). While nobody does, they cost nothing.
//
// What was written is handed out by SpreadNews, in the order in which it was written,
// and can be read after that.
type News interface {
	// PutNews writes news that belong to no other change. Those that nobody wants, and
	// those whose Once was written before, are passed over. A zero At is now.
	PutNews(ctx context.Context, news []hongyan.News) error
	// ListenNews says that somebody reads the log: until that time everything is written.
	ListenNews(ctx context.Context, until time.Time) error
	// SpreadNews begins a delivery of each news not spread yet to each endpoint that
	// wants it, up to limit news, in one transaction. It returns how many it looked at;
	// 0 when there are no more.
	SpreadNews(ctx context.Context, limit int) (int, error)
	// ReadNews lists what was spread.
	ReadNews(ctx context.Context, f NewsFilter) (NewsPage, error)

	// CreateWebhook adds an endpoint; Conflict when its ID or Name exists. Zero times are now.
	CreateWebhook(ctx context.Context, w hongyan.Webhook) error
	// UpdateWebhook lets change alter the endpoint with that id as it is stored, and
	// returns what was stored; NotFound when there is none, Conflict when the new name is
	// taken. ID and CreatedAt stay, UpdatedAt is now. An error of change changes nothing.
	UpdateWebhook(ctx context.Context, id string, change func(*hongyan.Webhook) error) (hongyan.Webhook, error)
	// Webhook finds an endpoint; NotFound otherwise.
	Webhook(ctx context.Context, id string) (hongyan.Webhook, error)
	// Webhooks lists all, by name.
	Webhooks(ctx context.Context) ([]hongyan.Webhook, error)
	// DeleteWebhook removes an endpoint and its deliveries; NotFound when there is none.
	DeleteWebhook(ctx context.Context, id string) error

	// DueWebhooks lists every endpoint with pending deliveries and when the earliest of
	// them is due. It costs in endpoints.
	DueWebhooks(ctx context.Context) ([]WebhookDue, error)
	// ClaimNews takes up to c.Max pending deliveries of an endpoint that are due, those
	// due longest first: their Attempts grow by one, LastAt is now, and they are due again
	// after c.Lease should nobody finish them. An attempt that nobody finished in time
	// becomes the latest that ended, with LostAttempt for its error.
	ClaimNews(ctx context.Context, c NewsClaim) ([]ClaimedNews, error)
	// FinishNews writes what came of claimed deliveries, each only if its Attempts are
	// still as claimed. What was the latest attempt before joins the History. Of a delivery
	// whose news were erased (Care.EraseUser) no Answer is written: it may repeat what the
	// endpoint was told before. Concurrent calls share a commit.
	FinishNews(ctx context.Context, rs []NewsResult) error
	// RedeliverNews begins deliveries of news in the log to an endpoint, in place of those
	// that have ended, in small batches: it returns how many, and the ID of the last news
	// it looked at, 0 when there are no more. Pending ones count: those that wait for their
	// next attempt are due now, and those under way are should the attempt fail.
	RedeliverNews(ctx context.Context, r Redelivery) (n int, last int64, err error)
	// WebhookDeliveries lists newest first, each with its news; with f.ID also its History.
	WebhookDeliveries(ctx context.Context, f WebhookDeliveryFilter) ([]ClaimedNews, error)
	// WebhookCounts counts deliveries by endpoint.
	WebhookCounts(ctx context.Context) (map[string]DeliveryCount, error)
}

// NewsKept is how long news stay in the log, and deliveries of them beside it.
const NewsKept = 7 * 24 * time.Hour

// OnceKept is how long news with a Once are not written again.
const OnceKept = 40 * 24 * time.Hour

// NewsFilter selects news. Zero fields do not filter.
type NewsFilter struct {
	After int64 // ID > After, oldest first …
	// … unless Newest: then newest first, with ID < Before (0 = from the newest).
	Newest     bool
	Before     int64
	Types      []string // as hongyan.MatchesNews
	AppIDs     []string // nil = any, and news of no account
	MessageSeq int64    // news of that message
	Since      time.Time
	Until      time.Time
	Limit      int // 1..1000
}

// NewsPage is a part of the log.
type NewsPage struct {
	Items []hongyan.News
	// Last is the ID of the last news that was looked at, wanted or not: After, or with
	// Newest Before, of the next page. 0 = the end.
	Last int64
	// Head is the ID of the newest news that can be read; 0 = none ever could.
	Head int64
	// Gone is the ID up to which news have been removed.
	Gone int64
	// Since is since when everything is written without a break; zero = it is not now.
	Since time.Time
}

// WebhookDue is an endpoint with pending deliveries.
type WebhookDue struct {
	WebhookID string
	DueAt     time.Time // the earliest
}

// NewsClaim asks for due deliveries of an endpoint.
type NewsClaim struct {
	WebhookID string
	Max       int
	Lease     time.Duration
}

// ClaimedNews is a delivery and what is to be delivered.
type ClaimedNews struct {
	hongyan.WebhookDelivery
	News hongyan.News
}

// NewsResult is what came of one claimed delivery.
type NewsResult struct {
	ID       int64
	Attempts int // as claimed
	State    hongyan.DeliveryState
	DueAt    time.Time // of DeliveryPending
	Status   int
	Error    string
	Answer   string
	Took     time.Duration
	// Untried: nothing was sent; Attempts go back by one and the last attempt stays what it was.
	Untried bool
}

// Redelivery asks for news to be delivered once more. Zero fields do not filter.
type Redelivery struct {
	WebhookID string
	Types     []string // as hongyan.MatchesNews; empty = what the endpoint wants
	// States select by what became of the news at this endpoint; empty = any, and those
	// that were not begun.
	States []hongyan.DeliveryState
	From   time.Time
	Until  time.Time // zero = now
	After  int64     // news behind that with this ID: last of the batch before
	Limit  int       // news looked at in one batch
}

// WebhookDeliveryFilter selects deliveries for a list. Zero fields do not filter.
type WebhookDeliveryFilter struct {
	ID         int64
	WebhookID  string
	MessageSeq int64
	States     []hongyan.DeliveryState
	Types      []string // as hongyan.MatchesNews
	Before     int64    // ID < Before; 0 = from the newest
	Limit      int      // 1..1000
}

// Wants reports whether the filter lets news through.
func (f *NewsFilter) Wants(n *hongyan.News) bool {
	switch {
	case !hongyan.MatchesNews(f.Types, n.Type), f.MessageSeq != 0 && n.MessageSeq != f.MessageSeq:
		return false
	case f.AppIDs != nil && !slices.Contains(f.AppIDs, n.AppID):
		return false
	}
	return !n.At.Before(f.Since) && (f.Until.IsZero() || n.At.Before(f.Until))
}

// Wants reports whether news are to be delivered once more to w; state is what became of
// their delivery, if there was one (known). Its time is not looked at.
func (r *Redelivery) Wants(w *hongyan.Webhook, n *hongyan.News, state hongyan.DeliveryState, known bool) bool {
	if len(r.States) > 0 && !(known && slices.Contains(r.States, state)) {
		return false
	}
	if len(w.AppIDs) > 0 && n.AppID != "" && !slices.Contains(w.AppIDs, n.AppID) {
		return false
	}
	if len(r.Types) > 0 {
		return hongyan.MatchesNews(r.Types, n.Type)
	}
	return known || hongyan.MatchesNews(w.Events, n.Type)
}

// TypesOf returns the types of news that words (hongyan.MatchesNews) name.
func TypesOf(words []string) (types []string) {
	for _, t := range hongyan.NewsTypes() {
		if hongyan.MatchesNews(words, t) {
			types = append(types, t)
		}
	}
	return types
}

// With returns c with many deliveries in that state.
func (c DeliveryCount) With(state hongyan.DeliveryState, many int64) DeliveryCount {
	switch state {
	case hongyan.DeliveryPending:
		c.Pending = many
	case hongyan.DeliveryDone:
		c.Done = many
	case hongyan.DeliveryGaveUp:
		c.GaveUp = many
	}
	return c
}
