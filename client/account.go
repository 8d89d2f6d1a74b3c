package client

import (
	"context"
	"net/http"
)

// AccountRequest creates an account.
type AccountRequest struct {
	AppID              string            `json:"appid" pattern:"^wx[0-9a-f]{16}$" doc:"WeChat's appid." example:"wx0f1e2d3c4b5a6978"`
	Secret             string            `json:"secret" doc:"AppSecret, letters and digits, 32 as a rule. Stored encrypted, never answered."`
	Kind               string            `json:"kind,omitempty" enum:"service,mini_program,subscription,test" doc:"Default service."`
	Name               string            `json:"name,omitempty" doc:"For people."`
	Alias              string            `json:"alias,omitempty" pattern:"^[a-z][a-z0-9_-]{0,31}$" doc:"A short word usable in place of appid."`
	BaseURL            string            `json:"base_url,omitempty" doc:"Where WeChat is. Default https://api.weixin.qq.com. A host other than loopback needs https."`
	Callback           *CallbackInput    `json:"callback,omitempty" doc:"How WeChat pushes to us (服务器配置)."`
	Rate               *Rate             `json:"rate,omitempty" doc:"A limit of our own."`
	Quotas             []Quota           `json:"quotas,omitempty" nullable:"false" doc:"Limits per Beijing day or month. Default: 100,000 calls of the account a day; mini programs 10,000,000."`
	UncertainPolicy    string            `json:"uncertain_policy,omitempty" enum:"hold,resend,give_up" doc:"What becomes of a message whose outcome cannot be known. Default hold."`
	TokenSource        string            `json:"token_source,omitempty" enum:"stable,plain,external" doc:"Where the access_token comes from: WeChat's stable_token or token, or a central server (中控服务器) that you run already. Default stable."`
	TokenURL           string            `json:"token_url,omitempty" doc:"token_source external: where the token is fetched, in the form GET /cgi-bin/token answers. Empty: it is pushed to us with PUT …/token. A host other than loopback needs https. Stored encrypted, never answered."`
	EgressProxy        string            `json:"egress_proxy,omitempty" doc:"Proxy that calls to WeChat go through: an http, https, socks5 or socks5h URL with host and port. Stored encrypted, answered without its user." example:"socks5://user:password@proxy.internal:1080"`
	Paths              *PathRules        `json:"paths,omitempty" doc:"Which paths of WeChat callers reach through the gateway. Default all."`
	Downstreams        []DownstreamInput `json:"downstreams,omitempty" nullable:"false" doc:"Servers that get the account's pushes, at most 20."`
	QuietHours         string            `json:"quiet_hours,omitempty" doc:"Beijing hours in which what a released hold lets go is not sent unless urgent, or off. Default 22:00-08:00." example:"22:00-08:00"`
	MaxInFlight        int               `json:"max_in_flight,omitempty" doc:"Calls to WeChat at once, 1 to 1000. Default 50."`
	ExpireAfterSeconds int64             `json:"expire_after_seconds,omitempty" doc:"How long after send_at a message may still leave, 60 to 2592000. Default 86400."`
	Care               *Care             `json:"care,omitempty" doc:"How people are spared."`
	CutValues          bool              `json:"cut_values,omitempty" doc:"true cuts values that are too long; false refuses them."`
	Mini               *MiniInput        `json:"mini,omitempty" doc:"Form_ids and consents."`
}

// CallbackInput is the account's server configuration at WeChat. A nil field is left as it is.
type CallbackInput struct {
	Token  *string `json:"token,omitempty" doc:"Token (令牌), 3 to 32 letters and digits. A new one keeps the old one valid, for a rotation."`
	AESKey *string `json:"aes_key,omitempty" doc:"EncodingAESKey (消息加解密密钥), 43 characters. A new one keeps the old one valid."`
	Mode   *string `json:"mode,omitempty" enum:"plain,compatible,safe" doc:"Default plain."`
}

// Rate is a limit on how fast an account sends.
type Rate struct {
	PerSecond float64 `json:"per_second" doc:"Messages per second; 0 = no limit of ours."`
}

// Quota is a limit on how many calls a scope makes per period.
type Quota struct {
	Scope  string `json:"scope" enum:"account,template"`
	Period string `json:"period" enum:"day,month" doc:"In Beijing time."`
	Limit  int64  `json:"limit" doc:"Calls, 1 or more."`
	// UrgentReserve is of scope account alone.
	UrgentReserve int64 `json:"urgent_reserve,omitempty" doc:"How many of the limit only urgent messages may use; scope account alone. Default 0."`
}

// PathRules say which paths of WeChat callers reach through the gateway. A
// pattern is a path, or the beginning of one and "*". Tokens, and the sends that
// go through the engine, are not subject to them.
type PathRules struct {
	Allow []string `json:"allow,omitempty" nullable:"false" doc:"Empty = all." example:"[\"/cgi-bin/*\"]"`
	Deny  []string `json:"deny,omitempty" nullable:"false" doc:"Wins over allow." example:"[\"/cgi-bin/clear_quota\"]"`
}

// AccountPatch changes an account. A nil field stays as it is; an empty string,
// 0 or an empty list goes back to the default.
type AccountPatch struct {
	Secret             *string            `json:"secret,omitempty" doc:"A new AppSecret."`
	Name               *string            `json:"name,omitempty"`
	Alias              *string            `json:"alias,omitempty" doc:"Empty = none."`
	BaseURL            *string            `json:"base_url,omitempty"`
	Callback           *CallbackInput     `json:"callback,omitempty"`
	Rate               *Rate              `json:"rate,omitempty"`
	Quotas             *[]Quota           `json:"quotas,omitempty" nullable:"false"`
	UncertainPolicy    *string            `json:"uncertain_policy,omitempty" enum:"hold,resend,give_up"`
	TokenSource        *string            `json:"token_source,omitempty" enum:"stable,plain,external"`
	TokenURL           *string            `json:"token_url,omitempty" doc:"Empty = the token is pushed to us."`
	EgressProxy        *string            `json:"egress_proxy,omitempty" doc:"Empty = none."`
	Paths              *PathRules         `json:"paths,omitempty" doc:"Replaces both lists."`
	Downstreams        *[]DownstreamInput `json:"downstreams,omitempty" nullable:"false" doc:"Replaces the list. What is waiting for one that is no longer in it is dropped."`
	QuietHours         *string            `json:"quiet_hours,omitempty"`
	MaxInFlight        *int               `json:"max_in_flight,omitempty"`
	ExpireAfterSeconds *int64             `json:"expire_after_seconds,omitempty"`
	Care               *Care              `json:"care,omitempty"`
	CutValues          *bool              `json:"cut_values,omitempty"`
	Mini               *MiniInput         `json:"mini,omitempty"`
}

// Account is an account as it is in force, defaults filled in. Secrets are
// never answered, only whether they are set.
type Account struct {
	AppID              string         `json:"appid"`
	SecretSet          bool           `json:"secret_set"`
	Kind               string         `json:"kind" enum:"service,mini_program,subscription,test"`
	Name               string         `json:"name"`
	Alias              string         `json:"alias"`
	BaseURL            string         `json:"base_url"`
	Callback           CallbackStatus `json:"callback"`
	CallbackURLPath    string         `json:"callback_url_path" doc:"Put this path behind the gateway's public address into WeChat's console."`
	Rate               Rate           `json:"rate"`
	Quotas             []Quota        `json:"quotas" nullable:"false"`
	UncertainPolicy    string         `json:"uncertain_policy" enum:"hold,resend,give_up"`
	TokenSource        string         `json:"token_source" enum:"stable,plain,external"`
	TokenURLSet        bool           `json:"token_url_set"`
	EgressProxy        string         `json:"egress_proxy" doc:"Without its user and password. Empty = none."`
	Paths              PathRules      `json:"paths"`
	Downstreams        []Downstream   `json:"downstreams" nullable:"false"`
	QuietHours         string         `json:"quiet_hours"`
	MaxInFlight        int            `json:"max_in_flight"`
	ExpireAfterSeconds int64          `json:"expire_after_seconds"`
	Care               CareStatus     `json:"care"`
	CutValues          bool           `json:"cut_values"`
	Mini               MiniRules      `json:"mini"`
	Holds              []Hold         `json:"holds" nullable:"false" doc:"What keeps the account's messages from leaving at the moment."`
	CreatedAt          Time           `json:"created_at"`
	UpdatedAt          Time           `json:"updated_at"`
}

// CallbackStatus says which callback secrets are set. The previous ones are
// still accepted.
type CallbackStatus struct {
	Mode              string `json:"mode" enum:"plain,compatible,safe"`
	TokenSet          bool   `json:"token_set"`
	AESKeySet         bool   `json:"aes_key_set"`
	PreviousTokenSet  bool   `json:"previous_token_set"`
	PreviousAESKeySet bool   `json:"previous_aes_key_set"`
}

func accountPath(appID, rest string) string { return "/v1/accounts/" + segment(appID) + rest }

// CreateAccount adds an account.
func (c *Client) CreateAccount(ctx context.Context, a AccountRequest) (Account, error) {
	return one[Account](ctx, c, call{method: http.MethodPost, path: "/v1/accounts", body: a, want: created})
}

// Accounts lists the accounts the key may see, by appid.
func (c *Client) Accounts(ctx context.Context) (List[Account], error) {
	return one[List[Account]](ctx, c, call{method: http.MethodGet, path: "/v1/accounts"})
}

// Account reads one by appid or alias.
func (c *Client) Account(ctx context.Context, appID string) (Account, error) {
	return one[Account](ctx, c, call{method: http.MethodGet, path: accountPath(appID, "")})
}

// UpdateAccount changes the fields of p that are set.
func (c *Client) UpdateAccount(ctx context.Context, appID string, p AccountPatch) (Account, error) {
	return one[Account](ctx, c, call{method: http.MethodPatch, path: accountPath(appID, ""), body: p})
}

// DeleteAccount removes an account; 409 while a message of it has not ended.
func (c *Client) DeleteAccount(ctx context.Context, appID string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: accountPath(appID, "")})
	return err
}

// Released is how many messages were let go.
type Released struct {
	Released int `json:"released" doc:"Messages that are queued now."`
}

// ReleaseRestored lets the messages go that a restore from a backup holds.
func (c *Client) ReleaseRestored(ctx context.Context, appID string) (Released, error) {
	return one[Released](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/release")})
}

// PauseAccount keeps the account's messages from leaving until ResumeAccount.
func (c *Client) PauseAccount(ctx context.Context, appID string) (Account, error) {
	return one[Account](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/pause")})
}

// ResumeAccount ends a pause, and the holds a person must end.
func (c *Client) ResumeAccount(ctx context.Context, appID string) (Account, error) {
	return one[Account](ctx, c, call{method: http.MethodPost, path: accountPath(appID, "/resume")})
}
