package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// MiniInput sets what an account does with form_ids and consents. A nil field stays
// as it is.
type MiniInput struct {
	PrepaySends  *int    `json:"prepay_sends,omitempty" enum:"0,1,3" doc:"Messages that one payment (prepay_id) serves: 1 or 3. Default 1."`
	ConsentCheck *string `json:"consent_check,omitempty" enum:"off,warn,refuse" doc:"A subscribe message to a user who is known to have no send left: off sends it all the same, warn too and says so, refuse does not take it. Default off."`
	ConsentLow   *int    `json:"consent_low,omitempty" doc:"Tell (event consent.low) when a user has fewer than so many sends of a template left, 0 to 100; 0 = never. Default 0."`
}

// MiniRules are those settings as they are in force.
type MiniRules struct {
	PrepaySends  int    `json:"prepay_sends"`
	ConsentCheck string `json:"consent_check" enum:"off,warn,refuse"`
	ConsentLow   int    `json:"consent_low"`
}

// FormIDRequest is a form_id or prepay_id to store: one of the two.
type FormIDRequest struct {
	OpenID     string    `json:"openid" doc:"The user who submitted the form, or paid."`
	FormID     string    `json:"form_id,omitempty" doc:"formId of a submitted form."`
	PrepayID   string    `json:"prepay_id,omitempty" doc:"prepay_id of a payment."`
	ObtainedAt time.Time `json:"obtained_at,omitzero" doc:"When the user submitted or paid; it serves for 7 days from then. Default now."`
	Sends      int       `json:"sends,omitempty" doc:"Messages that the payment serves: 1 or 3. Default: the account's setting. A form serves one."`
}

// FormIDsRequest is many of them.
type FormIDsRequest struct {
	Items []FormIDRequest `json:"items" nullable:"false"`
}

// RowProblem is an entry of a list that was not taken.
type RowProblem struct {
	Row    int          `json:"row" doc:"Its place in what was sent, from 1; blank lines do not count."`
	Errors []FieldError `json:"errors" nullable:"false"`
}

// FormIDsStored says what became of form_ids that were sent.
type FormIDsStored struct {
	Rows     int          `json:"rows" doc:"Entries that were sent."`
	Stored   int          `json:"stored"`
	Known    int          `json:"known" doc:"Stored before; they stay as they are."`
	Bad      int          `json:"bad" doc:"Entries that break a rule. The others are stored all the same."`
	Released int          `json:"released" doc:"Messages that waited for a form_id of their user and go now."`
	Problems []RowProblem `json:"problems" nullable:"false" doc:"The first 100 of the bad ones."`
}

// FormID is a stored form_id or prepay_id.
type FormID struct {
	OpenID     string   `json:"openid"`
	FormID     string   `json:"form_id"`
	Source     string   `json:"source" enum:"form,prepay"`
	State      string   `json:"state" enum:"usable,used,refused,expired" doc:"refused: WeChat answered 41028 or 41029 to it."`
	Sends      int      `json:"sends" doc:"Messages it serves in all."`
	Left       int      `json:"left" doc:"Of them not taken yet."`
	Errcode    *int     `json:"errcode" doc:"With which WeChat refused it; null if it did not."`
	ObtainedAt Time     `json:"obtained_at"`
	ExpiresAt  Time     `json:"expires_at"`
	Messages   []string `json:"messages" nullable:"false" doc:"Messages that have taken it."`
}

// FormIDs are form_ids, newest first, and what is left of them.
type FormIDs struct {
	Items       []FormID `json:"items" nullable:"false"`
	NextCursor  *string  `json:"next_cursor" doc:"Give it as cursor to get the next page. null at the end."`
	Left        int64    `json:"left" doc:"Messages that the usable ones serve."`
	Usable      int64    `json:"usable" doc:"Form_ids that serve a message now."`
	Users       int64    `json:"users" doc:"Who have one."`
	NextExpiry  *Time    `json:"next_expiry" doc:"When the first of the usable ones expires."`
	ExpiringDay int64    `json:"expiring_within_day" doc:"Of left, what expires within 24 hours."`
	Waiting     *int     `json:"waiting" doc:"Messages of the user that are held because there is none (no_form_id); null without openid."`
}

// ListFilter selects rows of a list about users of an account. Zero fields do not filter.
type ListFilter struct {
	OpenID     string
	TemplateID string // of consents alone
	Cursor     string
	Limit      int // 1..1000; 0 = 50
}

func (f *ListFilter) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"openid": f.OpenID, "template_id": f.TemplateID, "cursor": f.Cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return q
}

// ConsentReport is what a mini program's own code learnt of a user's consent.
type ConsentReport struct {
	OpenID     string    `json:"openid"`
	TemplateID string    `json:"template_id" doc:"A subscribe template."`
	Answer     string    `json:"answer,omitempty" enum:"accept,reject" doc:"The user's answer to a prompt, as requestSubscribeMessage gives it."`
	Times      int       `json:"times,omitempty" doc:"Prompts that were accepted, 1 to 100. Default 1."`
	Always     string    `json:"always,omitempty" enum:"accept,reject,none" doc:"The user's standing choice (总是保持以上选择), as getSetting's itemSettings gives it; none: there is none."`
	At         time.Time `json:"at,omitzero" doc:"When it was so. Default now."`
}

// ConsentReports is many of them.
type ConsentReports struct {
	Items []ConsentReport `json:"items" nullable:"false"`
}

// ConsentsStored says what became of reports.
type ConsentsStored struct {
	Rows     int          `json:"rows"`
	Stored   int          `json:"stored"`
	Bad      int          `json:"bad"`
	Problems []RowProblem `json:"problems" nullable:"false" doc:"The first 100 of the bad ones."`
}

// Consent is what is known of one user's consent to one template.
type Consent struct {
	OpenID     string `json:"openid"`
	TemplateID string `json:"template_id"`
	Type       string `json:"type" enum:"one_time,long_term,unknown" doc:"one_time: an acceptance serves one message. long_term: any number. unknown: WeChat could not be asked, or does not list the template."`
	Left       *int64 `json:"left" doc:"Messages that may still be sent; null: any number, until the user takes it back. certainty says how far to trust it."`
	Certainty  string `json:"certainty" enum:"exact,at_least,unknown,unlimited" doc:"exact: WeChat once said that none was left, and every event since was counted. at_least: there may be more, from before the counting began, or only reported to us. unknown: none that was counted is left, which does not mean that none is. unlimited: a long-term template was accepted."`
	OnTheWay   *int   `json:"on_the_way" doc:"Messages not sent, or not reported on yet, that will use sends up: take them from left. null where the list is not of one openid."`
	UsedUp     bool   `json:"used_up" doc:"true: it is known that WeChat would refuse a further message."`
	ByEvents   int64  `json:"by_events" doc:"Acceptances since counting_since that WeChat's events told of."`
	ByReports  int64  `json:"by_reports" doc:"Acceptances since then that were reported to us. Both tell of the same ones, so the larger counts."`
	Sent       int64  `json:"sent" doc:"Messages since then that reached the user."`
	Always     string `json:"always" enum:"accept,reject," doc:"The user's standing choice, as last reported: the mini program's next prompts are answered so without being shown. Empty: none is known."`
	Since      Time   `json:"counting_since"`
	AcceptedAt *Time  `json:"accepted_at" doc:"The last acceptance."`
	DeclinedAt *Time  `json:"declined_at" doc:"The last refused prompt. It takes away nothing that was accepted before."`
	RefusedAt  *Time  `json:"refused_at" doc:"When WeChat last said that none was left (43101), or the user switched the template off."`
	SentAt     *Time  `json:"sent_at"`
}

// TemplateOld is an old mini program template; what is left out is taken from the
// registered one.
type TemplateOld struct {
	Title   string `json:"title,omitempty"`
	Content string `json:"content,omitempty" doc:"With keys, such as 预约时间：{{keyword2.DATA}}, a line each."`
	Example string `json:"example,omitempty" doc:"The content filled in. It makes the types surer."`
}

// Conversion is what may take an old mini program template's place.
type Conversion struct {
	Lines   []ConversionLine `json:"lines" nullable:"false"`
	Held    []Successor      `json:"held" nullable:"false" doc:"Subscribe templates that the account holds, the best first."`
	Library []Successor      `json:"library" nullable:"false" doc:"Templates of WeChat's public library in the account's categories, the best first. Add one with tid and kid_list."`
	Notes   []string         `json:"notes" nullable:"false" doc:"What could not be looked up, and what to know."`
}

// ConversionLine is a keyword of the old template.
type ConversionLine struct {
	Keyword string `json:"keyword" example:"keyword2"`
	Name    string `json:"name" example:"预约时间"`
	Example string `json:"example"`
	Type    string `json:"type" doc:"The type of subscribe keyword that fits best." example:"time"`
	Note    string `json:"note" doc:"What may not fit."`
}

// Successor is a subscribe template and how the old data goes into it.
type Successor struct {
	TemplateID *string           `json:"template_id" doc:"null: it is in the library."`
	TID        *int              `json:"tid" doc:"Its number in the library; null: the account holds it."`
	KIDList    []int             `json:"kid_list" nullable:"false" doc:"The keywords to add it with, in this order."`
	Title      string            `json:"title"`
	Type       string            `json:"type" enum:"one_time,long_term,unknown"`
	Fits       float64           `json:"fits" doc:"0 to 1: how much of the old template has a place in it, and how well."`
	Mapping    map[string]string `json:"mapping" nullable:"false" doc:"From old keyword to key."`
	Sample     map[string]string `json:"sample" nullable:"false" doc:"The old example as data of the new template."`
	Unmapped   []string          `json:"unmapped" nullable:"false" doc:"Old keywords without a place."`
	Missing    []string          `json:"missing" nullable:"false" doc:"Keys that the old data has nothing for; WeChat refuses a message without them."`
}

// AddFormIDs stores form_ids and prepay_ids, at most some thousands at once. Entries
// that break a rule are told in Problems.
func (c *Client) AddFormIDs(ctx context.Context, appID string, items []FormIDRequest) (FormIDsStored, error) {
	return one[FormIDsStored](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/form_ids"), body: FormIDsRequest{items}})
}

// AddFormLines is AddFormIDs with NDJSON, an entry a line. Blank lines are no rows. The
// gateway judges the lines; Problems has the first 100 bad ones, by row.
func (c *Client) AddFormLines(ctx context.Context, appID string, lines []byte) (FormIDsStored, error) {
	return one[FormIDsStored](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/form_ids"), body: lines, header: http.Header{"Content-Type": {NDJSON}}})
}

// AddFormID stores one.
func (c *Client) AddFormID(ctx context.Context, appID string, item FormIDRequest) (FormIDsStored, error) {
	return one[FormIDsStored](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/form_ids"), body: item})
}

// FormIDs reads one page of an account's form_ids, or of one user's, and counts them.
func (c *Client) FormIDs(ctx context.Context, appID string, f ListFilter) (FormIDs, error) {
	f.TemplateID = ""
	return one[FormIDs](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/form_ids"), query: f.query()})
}

// ReportConsents stores what the mini program's own code learnt.
func (c *Client) ReportConsents(ctx context.Context, appID string, items []ConsentReport) (ConsentsStored, error) {
	return one[ConsentsStored](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/consents"), body: ConsentReports{items}})
}

// Consents reads one page of what is known of users' consents, newest first.
func (c *Client) Consents(ctx context.Context, appID string, f ListFilter) (List[Consent], error) {
	return one[List[Consent]](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/consents"), query: f.query()})
}

// ConvertTemplate proposes subscribe templates for an old mini program template: a
// registered one, or what old says of it.
func (c *Client) ConvertTemplate(ctx context.Context, appID, templateID string, old TemplateOld) (Conversion, error) {
	return one[Conversion](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/templates/"+segment(templateID)+"/convert"), body: old})
}
