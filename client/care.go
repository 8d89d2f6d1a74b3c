package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// Care says how an account spares the people it sends to. In a patch a nil field stays as it is.
type Care struct {
	Suppression    *string `json:"suppression,omitempty" enum:"auto,off" doc:"auto: who refuses messages, left, or cannot be reached is on a list, and messages to them are held; in use while the account's callbacks arrive. Default auto."`
	SuppressCompat *bool   `json:"suppress_compat,omitempty" doc:"true: the list also keeps messages that come by WeChat's own paths. Default false."`
	UserCap        *int    `json:"user_cap,omitempty" doc:"Messages a user gets in a Beijing day, urgent ones aside; what is beyond waits for the next. 0 = any number."`
}

// CareStatus is Care as it is in force.
type CareStatus struct {
	Suppression    string `json:"suppression" enum:"auto,off"`
	SuppressCompat bool   `json:"suppress_compat"`
	UserCap        int    `json:"user_cap" doc:"0 = any number."`
}

// Suppression is a user on an account's list.
type Suppression struct {
	ID       string `json:"id"`
	AppID    string `json:"appid"`
	OpenID   string `json:"openid"`
	Reason   string `json:"reason" enum:"user_block,not_following,blacklisted,user_frozen,invalid_openid,manual"`
	Active   bool   `json:"active" doc:"false: it was lifted, or is over."`
	Errcode  *int   `json:"errcode" doc:"WeChat's answer that caused it; null when none did."`
	Note     string `json:"note"`
	By       string `json:"by" doc:"The key that put it there; empty: WeChat's answers and events did."`
	Since    Time   `json:"since"`
	Until    *Time  `json:"until" doc:"null = until it is lifted."`
	LiftedAt *Time  `json:"lifted_at"`
	LiftedBy string `json:"lifted_by" doc:"A type of event, success, or a key."`
}

// SuppressionInput puts a user on the list.
type SuppressionInput struct {
	OpenID string `json:"openid"`
	Until  *Time  `json:"until,omitempty" doc:"Default: until somebody removes it."`
	Note   string `json:"note,omitempty" doc:"For people, at most 200 characters. No personal data, please."`
}

// SuppressionsPut puts users on the list, at most 1,000 at once.
type SuppressionsPut struct {
	Items []SuppressionInput `json:"items" nullable:"false"`
}

// SuppressionsDone says how many entries are new or changed.
type SuppressionsDone struct {
	Changed int `json:"changed"`
}

// SuppressionFilter selects entries of an account.
type SuppressionFilter struct {
	OpenID string
	Reason string
	Ended  bool // also those that were lifted or are over
	Cursor string
	Limit  int // 1..1000; 0 = 50
}

// User is what the gateway knows of a user of an account.
type User struct {
	AppID       string       `json:"appid"`
	OpenID      string       `json:"openid"`
	Suppression *Suppression `json:"suppression" doc:"The latest entry, active or not; null when there was none of late."`
	Today       int          `json:"today" doc:"Messages of this Beijing day that count against user_cap; 0 without one."`
	UserCap     int          `json:"user_cap" doc:"0 = any number."`
	Consents    []Consent    `json:"consents" nullable:"false" doc:"To subscribe messages, by template; at most 50."`
	Messages    []Message    `json:"messages" nullable:"false" doc:"The latest, newest first; GET /v1/messages?touser= has all."`
}

// Erasure is a person on the way out of what is stored.
type Erasure struct {
	ID          string `json:"id"`
	AppID       string `json:"appid"`
	Pseudonym   string `json:"pseudonym" doc:"Stands in the openid's place, in messages and pushes."`
	State       string `json:"state" enum:"running,waiting,done" doc:"waiting: all that is stored was changed; pushes about messages that had left may still come, so it looks once more."`
	RequestedAt Time   `json:"requested_at"`
	DueAt       *Time  `json:"due_at" doc:"When the next look is due."`
	FinishedAt  *Time  `json:"finished_at"`
	Messages    int64  `json:"messages" doc:"Messages that lost their values and openid."`
	Events      int64  `json:"events" doc:"Pushes that lost body and openid."`
	Others      int64  `json:"others" doc:"Rows of lists that went."`
	Left        int64  `json:"left" doc:"Messages still being sent, or in doubt: their turn comes."`
}

// Suppressions reads one page of an account's list, newest first.
func (c *Client) Suppressions(ctx context.Context, appID string, f SuppressionFilter) (List[Suppression], error) {
	q := url.Values{}
	for name, value := range map[string]string{"openid": f.OpenID, "reason": f.Reason, "cursor": f.Cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Ended {
		q.Set("ended", "true")
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return one[List[Suppression]](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/suppressions"), query: q})
}

// PutSuppressions puts users on an account's list. Messages to them are held.
func (c *Client) PutSuppressions(ctx context.Context, appID string, p SuppressionsPut) (SuppressionsDone, error) {
	return one[SuppressionsDone](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/suppressions"), body: p})
}

// RemoveSuppression takes a user from the list and lets their messages go.
func (c *Client) RemoveSuppression(ctx context.Context, appID, openID string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: accountPath(appID, "/suppressions/"+segment(openID))})
	return err
}

// User reads what the gateway knows of a user.
func (c *Client) User(ctx context.Context, appID, openID string) (User, error) {
	return one[User](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/users/"+segment(openID))})
}

// EraseUser takes a person out of everything stored about them. While messages wait
// for them it is refused, unless force cancels those.
func (c *Client) EraseUser(ctx context.Context, appID, openID string, force bool) (Erasure, error) {
	q := url.Values{}
	if force {
		q.Set("force", "true")
	}
	return one[Erasure](ctx, c, call{method: http.MethodDelete, path: accountPath(appID, "/users/"+segment(openID)), query: q, want: []int{http.StatusAccepted}})
}

// Erasure tells how far an erasure is.
func (c *Client) Erasure(ctx context.Context, appID, id string) (Erasure, error) {
	return one[Erasure](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "/erasures/"+segment(id))})
}
