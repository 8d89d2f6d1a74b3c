package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// BatchRequest asks for a batch (批量): one template sent to many. Its fields are those of
// MessageRequest that all recipients share; their texts may hold {{column}}, which each
// row replaces.
type BatchRequest struct {
	AppID            string            `json:"appid" doc:"The account, by appid or alias." example:"wx0f1e2d3c4b5a6978"`
	Name             string            `json:"name,omitempty" doc:"For people, at most 200 bytes." example:"November statements"`
	Kind             string            `json:"kind,omitempty" enum:"template,mini_template,subscribe,notice,one_time" doc:"Default: template, for mini programs mini_template."`
	TemplateID       string            `json:"template_id" doc:"A template the account holds, by template_id or alias."`
	URL              string            `json:"url,omitempty" example:"https://shop.example.com/orders/{{order}}"`
	MiniProgram      *MiniProgram      `json:"miniprogram,omitempty"`
	TopColor         string            `json:"topcolor,omitempty"`
	Page             string            `json:"page,omitempty"`
	FormID           string            `json:"form_id,omitempty"`
	EmphasisKeyword  string            `json:"emphasis_keyword,omitempty"`
	Color            string            `json:"color,omitempty"`
	MiniProgramState string            `json:"miniprogram_state,omitempty"`
	Lang             string            `json:"lang,omitempty"`
	Scene            string            `json:"scene,omitempty"`
	Title            string            `json:"title,omitempty"`
	Data             map[string]Field  `json:"data,omitempty" doc:"Values for all, with {{column}} where rows differ, e.g. {\"thing2\":\"{{商品}}\"}."`
	Columns          map[string]string `json:"columns,omitempty" doc:"Fields and the columns they come from, e.g. {\"touser\":\"openid\",\"data.thing2\":\"商品\"}; a name that is no field of a message is a key of data. What is not named is taken from a column touser or openid, and from columns with a key's name."`
	RatePerSecond    float64           `json:"rate_per_second,omitempty" doc:"The batch's own rate, 0 to 10000. 0: as fast as the account may."`
	QuietHours       string            `json:"quiet_hours,omitempty" doc:"勿扰时段: no message begins to leave in this span of the Beijing day. account: the account's. Empty: none." example:"22:00-08:00"`
	SendAt           time.Time         `json:"send_at,omitzero" doc:"Not before this, at most 90 days ahead. Default, and for a time that has passed: when it is started."`
	ExpiresAfter     int64             `json:"expires_after,omitempty" doc:"Seconds a message may wait from the moment its row's turn comes, 60 to 2592000. Default: the account's."`
	Priority         string            `json:"priority,omitempty" enum:"urgent,normal,bulk" doc:"The lane inside the account. Default: bulk. urgent keeps no quiet hours."`
	Duplicates       string            `json:"duplicates,omitempty" enum:"refuse,allow" doc:"refuse: an openid that a good row had before makes its row bad. Default: refuse."`
	Metadata         json.RawMessage   `json:"metadata,omitempty" doc:"A JSON object of yours, given back with the batch."`

	// IdempotencyKey (1 to 255 visible ASCII characters) makes a repeated call answer the
	// batch of the first one for 24 hours, if the request is the same. It is sent as a header.
	// If empty, one is made for the call, so that it can be repeated.
	IdempotencyKey string `json:"-"`
}

// Batch is a batch as the gateway knows it now.
type Batch struct {
	ID         string `json:"id" example:"bat_0199f2f1c0de7abc8def0123456789ab"`
	AppID      string `json:"appid"`
	Name       string `json:"name"`
	Kind       string `json:"kind" enum:"template,mini_template,subscribe,notice,one_time"`
	TemplateID string `json:"template_id"`
	State      string `json:"state" enum:"open,scheduled,running,paused,finished,cancelled"`
	Reason     string `json:"reason" doc:"Why it is paused: batch_paused (somebody did), restored, or the code of what keeps all of its messages from being sent. With template_banned, template_removed and unknown_template it goes on by itself once the template is active again."`
	Detail     string `json:"detail" doc:"The same for people."`

	Rows    int64 `json:"rows" doc:"Rows stored."`
	Good    int64 `json:"good" doc:"Of those, rows without a problem."`
	Bad     int64 `json:"bad"`
	NextRow int64 `json:"next_row" doc:"The number of the row that an upload gives next."`

	Fed       int64            `json:"fed" doc:"Rows that are messages by now."`
	Refused   int64            `json:"refused" doc:"Rows that were good when they were stored and refused when their turn came; see problems."`
	Remaining int64            `json:"remaining" doc:"Good rows whose turn has not come. Of a cancelled batch it never will."`
	Counts    map[string]int64 `json:"counts" nullable:"false" doc:"Its messages by state; states without any are left out."`
	Speed     float64          `json:"speed" doc:"Messages a second, lately."`
	// ForecastAt is when the last row will have left.
	ForecastAt *Time `json:"forecast_at" doc:"When the last row will have left, at the speed of late; null while that cannot be told."`
	Hold       *Hold `json:"hold" doc:"Why nothing of it leaves at present; null while something does."`

	Columns       map[string]string `json:"columns" nullable:"false"`
	RatePerSecond float64           `json:"rate_per_second"`
	QuietHours    string            `json:"quiet_hours"`
	SendAt        *Time             `json:"send_at" doc:"Not before this; null: when it is started."`
	ExpiresAfter  int64             `json:"expires_after" doc:"Seconds; 0 = the account's."`
	Priority      string            `json:"priority" enum:"urgent,normal,bulk"`
	Duplicates    string            `json:"duplicates" enum:"refuse,allow"`
	SkipBad       bool              `json:"skip_bad" doc:"It was started without its bad rows."`
	Metadata      json.RawMessage   `json:"metadata" doc:"The caller's object, or null."`
	RetryOf       *string           `json:"retry_of" doc:"The batch whose rows it sends again."`

	CreatedAt Time  `json:"created_at"`
	StartedAt *Time `json:"started_at"`
	UpdatedAt Time  `json:"updated_at"`
	EndedAt   *Time `json:"ended_at" doc:"When nothing of it waited any more."`

	Notice Notice `json:"notice" doc:"WeChat's rule for these messages."`
}

// Notice is a text for people in two languages.
type Notice struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// BatchReport is what an upload of recipients came to.
type BatchReport struct {
	Rows     int64          `json:"rows" doc:"Rows of this upload that are new."`
	Good     int64          `json:"good" doc:"Of those, rows without a problem."`
	Bad      int64          `json:"bad"`
	Skipped  int64          `json:"skipped" doc:"Rows that were stored already."`
	NextRow  int64          `json:"next_row" doc:"The number of the row that the batch wants next."`
	DryRun   bool           `json:"dry_run" doc:"true: nothing was stored."`
	Encoding string         `json:"encoding" doc:"How the table is written, e.g. utf-8, gb18030 or xlsx; empty for NDJSON."`
	Problems []BatchProblem `json:"problems" nullable:"false" doc:"The first 100; GET …/problems has all."`
}

// BatchProblem is what is wrong with a row.
type BatchProblem struct {
	Row    int64  `json:"row" doc:"1 for the first row below the head."`
	Column string `json:"column" doc:"The column, or the field where there is none; empty for the row as a whole."`
	Rule   string `json:"rule" doc:"Stable word for programs: the code that a single message would be refused with, or one of duplicate_openid, openid_of_another_account, unknown_column, bad_json, and the rules of tables: quotes, columns, encoding, too_long, number, date, formula, hidden."`
	Detail string `json:"detail"`
	// DetailZH is Detail in Chinese, "" where there is none.
	DetailZH string `json:"detail_zh,omitempty" doc:"detail in Chinese, where there is one."`
	Value    string `json:"value" doc:"What stood there, at most 60 characters of it."`
}

// BatchStart lets a batch go.
type BatchStart struct {
	At      *Time `json:"at,omitempty" doc:"Not before this. Default: the batch's send_at, or now. Refused (at_past) when it lies more than a minute back."`
	SkipBad bool  `json:"skip_bad,omitempty" doc:"true: bad rows are left out. Otherwise a batch with bad rows is not started."`
}

// BatchUpdate changes a batch; nil fields stay as they are.
type BatchUpdate struct {
	Name          *string  `json:"name,omitempty"`
	RatePerSecond *float64 `json:"rate_per_second,omitempty"`
	QuietHours    *string  `json:"quiet_hours,omitempty"`
}

// BatchRetry chooses the rows of a batch that are sent again.
type BatchRetry struct {
	States   []string `json:"states,omitempty" nullable:"false" doc:"failed, expired, uncertain, cancelled; with cancelled also the rows that a cancelled batch never came to. Default: failed and expired."`
	Errcodes []int    `json:"errcodes,omitempty" nullable:"false" doc:"Only rows whose last answer was one of these. Default: any."`
	Name     string   `json:"name,omitempty" doc:"Of the new batch. Default: the old one's."`
	Again    bool     `json:"again,omitempty" doc:"true: make it even if a batch that is not cancelled sends rows of this one again already; whoever is in both may get the message twice."`
}

// BatchFilter selects batches; zero fields do not filter.
type BatchFilter struct {
	AppID  string
	States []string
	Cursor string
	Limit  int // 1..1000; 0 = 50
}

// The types of an upload's body.
const (
	NDJSON = "application/x-ndjson"
	CSV    = "text/csv"
	XLSX   = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

// Upload says what an upload of recipients is.
type Upload struct {
	ContentType string // NDJSON, CSV or XLSX
	From        int64  // the number of its first row; 0 = 1
	DryRun      bool   // judge the rows and store nothing
	Sheet       string // of an XLSX; "" = the first visible one
}

func batchPath(id, rest string) string { return "/v1/batches/" + segment(id) + rest }

// CreateBatch makes an open batch, or answers the one that the request's IdempotencyKey has
// made. Give it recipients next, and then start it.
func (c *Client) CreateBatch(ctx context.Context, b BatchRequest) (Batch, error) {
	what := call{method: http.MethodPost, path: "/v1/batches", body: b, want: []int{http.StatusCreated, http.StatusOK}}
	if b.IdempotencyKey == "" && c.Retries.tries() > 1 {
		b.IdempotencyKey = newIdempotencyKey()
	}
	if b.IdempotencyKey != "" {
		what.header = http.Header{idempotencyHeader: {b.IdempotencyKey}}
	}
	return one[Batch](ctx, c, what)
}

// Batch reads one batch: its state, counts, speed and forecast.
func (c *Client) Batch(ctx context.Context, id string) (Batch, error) {
	return one[Batch](ctx, c, call{method: http.MethodGet, path: batchPath(id, "")})
}

// Batches reads one page, newest first. Counts are left out there, and so, unless cancelled
// ones are asked for, are those that were cancelled before a row was stored, as after a dry run.
func (c *Client) Batches(ctx context.Context, f BatchFilter) (List[Batch], error) {
	q := url.Values{}
	for name, value := range map[string]string{"appid": f.AppID, "state": strings.Join(f.States, ","), "cursor": f.Cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return one[List[Batch]](ctx, c, call{method: http.MethodGet, path: "/v1/batches", query: q})
}

// UploadRecipients streams rows into an open batch. The same rows may be sent again:
// those that are stored are passed over, so an upload that broke off goes on this way.
// A Problem of code rows_gap, rows_differ or body_not_read names the row wanted in NextRow.
func (c *Client) UploadRecipients(ctx context.Context, id string, body io.Reader, u Upload) (BatchReport, error) {
	q := url.Values{}
	if u.From > 0 {
		q.Set("from", strconv.FormatInt(u.From, 10))
	}
	if u.DryRun {
		q.Set("dry_run", "true")
	}
	if u.Sheet != "" {
		q.Set("sheet", u.Sheet)
	}
	return one[BatchReport](ctx, c.patient(), call{method: http.MethodPost, path: batchPath(id, "/recipients"), query: q,
		body: body, header: http.Header{"Content-Type": {u.ContentType}}})
}

// patient is c without a limit on how long a call takes: ctx is the only one.
func (c *Client) patient() *Client {
	own := *c
	hc := http.Client{}
	if c.HTTPClient != nil {
		hc = *c.HTTPClient
	}
	hc.Timeout = 0
	own.HTTPClient = &hc
	return &own
}

// BatchProblems reads one page of what is wrong with a batch's rows, in their order.
func (c *Client) BatchProblems(ctx context.Context, id, cursor string, limit int) (List[BatchProblem], error) {
	q := url.Values{}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return one[List[BatchProblem]](ctx, c, call{method: http.MethodGet, path: batchPath(id, "/problems"), query: q})
}

// StartBatch lets an open batch go. A Problem of code batch_has_bad_rows says that it
// has bad rows and SkipBad is not set: nothing was sent.
func (c *Client) StartBatch(ctx context.Context, id string, s BatchStart) (Batch, error) {
	return one[Batch](ctx, c, call{method: http.MethodPost, path: batchPath(id, "/start"), body: s})
}

// PauseBatch stops a batch at once; calls under way end.
func (c *Client) PauseBatch(ctx context.Context, id string) (Batch, error) {
	return one[Batch](ctx, c, call{method: http.MethodPost, path: batchPath(id, "/pause")})
}

// ResumeBatch lets a paused batch go on.
func (c *Client) ResumeBatch(ctx context.Context, id string) (Batch, error) {
	return one[Batch](ctx, c, call{method: http.MethodPost, path: batchPath(id, "/resume")})
}

// CancelBatch ends a batch at once; calls under way end.
func (c *Client) CancelBatch(ctx context.Context, id string) (Batch, error) {
	return one[Batch](ctx, c, call{method: http.MethodPost, path: batchPath(id, "/cancel")})
}

// UpdateBatch changes a batch.
func (c *Client) UpdateBatch(ctx context.Context, id string, u BatchUpdate) (Batch, error) {
	return one[Batch](ctx, c, call{method: http.MethodPatch, path: batchPath(id, ""), body: u})
}

// RetryBatch makes a new, open batch of rows whose messages failed. Start it to send them.
// A Problem of code retried_already says that there is one and Again is not set.
func (c *Client) RetryBatch(ctx context.Context, id string, r BatchRetry) (Batch, error) {
	return one[Batch](ctx, c.patient(), call{method: http.MethodPost, path: batchPath(id, "/retry"), body: r, want: created})
}

// BatchFile writes one of a batch's files to w: "results.csv", "results.xlsx" or
// "problems.csv". It streams, however large the batch is.
func (c *Client) BatchFile(ctx context.Context, id, name string, w io.Writer) error {
	what := call{method: http.MethodGet, path: batchPath(id, "/"+name)}
	own := c.patient()
	req, err := own.request(ctx, what)
	if err != nil {
		return fmt.Errorf("%s %s: %w", what.method, what.path, err)
	}
	res, err := own.httpClient().Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", what.method, what.path, unanswered{err})
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		return newProblem(res, body)
	}
	if foreign(res, nil) {
		return notAGateway(res)
	}
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("%s %s: read answer: %w", what.method, what.path, unanswered{err})
	}
	return nil
}
