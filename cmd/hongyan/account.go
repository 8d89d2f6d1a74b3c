package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"hongyan/client"
)

type accountCommands struct {
	Add     accountAdd     `cmd:"" help:"Add an account."`
	List    accountList    `cmd:"" help:"List accounts and what holds them."`
	Set     accountSet     `cmd:"" help:"Change an account's settings."`
	Pause   accountPause   `cmd:"" help:"Keep an account's messages from leaving."`
	Resume  accountResume  `cmd:"" help:"Let them leave again, and end holds that need a person."`
	Release accountRelease `cmd:"" help:"Let messages go that a restore from a backup holds."`
	Rotate  accountRotate  `cmd:"" help:"Give the gateway an account's new secrets."`
}

type accountAdd struct {
	gatewayFlags    `embed:""`
	AppID           string `arg:"" name:"appid" help:"WeChat's appid."`
	secretFlags     `embed:""`
	Kind            string   `default:"service" enum:"service,mini_program,subscription,test" help:"${enum}; default ${default}."`
	Name            string   `help:"For people."`
	Alias           string   `help:"A short word usable in place of the appid."`
	BaseURL         string   `name:"base-url" placeholder:"URL" help:"Where WeChat is; default https://api.weixin.qq.com."`
	CallbackToken   string   `placeholder:"TOKEN" help:"Token (令牌) set in WeChat's console for pushes."`
	CallbackAESKey  string   `name:"callback-aes-key" placeholder:"KEY" help:"EncodingAESKey, 43 characters; not needed in plain mode."`
	CallbackMode    string   `default:"plain" enum:"plain,compatible,safe" help:"${enum}; default ${default}."`
	Rate            float64  `placeholder:"N" help:"Messages per second at most; default no limit of ours."`
	Quota           []string `placeholder:"SCOPE/PERIOD/N" help:"A limit such as account/day/100000 or template/month/10000; may be repeated. account/day/100000/5000 keeps 5000 of them for urgent messages."`
	UncertainPolicy string   `default:"hold" enum:"hold,resend,give_up" help:"${enum}; default ${default}."`
	TokenSource     string   `default:"stable" enum:"stable,plain,external" help:"Where the access_token comes from: ${enum}; default ${default}. external is a central server (中控服务器) that you run already."`
	TokenURL        string   `name:"token-url" placeholder:"URL" help:"token source external: where the token is fetched, as from GET /cgi-bin/token; without it, hongyan token push brings it."`
	EgressProxy     string   `placeholder:"URL" help:"http, https, socks5 or socks5h URL of the proxy that calls to WeChat go through."`
	Downstream      []string `placeholder:"NAME=URL" help:"A server of yours that gets the account's pushes as WeChat sends them; may be repeated."`
	DownstreamSync  string   `placeholder:"NAME" help:"The one of them whose answer is the passive reply (被动回复)."`
	QuietHours      string   `placeholder:"HH:MM-HH:MM" help:"Beijing hours, or off; default 22:00-08:00."`
}

func (c *accountAdd) Run(ctx context.Context, w *surroundings) error {
	request, err := c.request(w)
	if err != nil {
		return err
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	a, err := gateway.CreateAccount(ctx, request)
	if err != nil {
		return accountFlags.apiError(gateway, err)
	}
	if c.JSON {
		return w.json(a)
	}
	out := w.out()
	named := a.AppID
	if a.Name != "" {
		named += " " + a.Name
	}
	out.line("added %s (%s)", named, a.Kind)
	if a.Callback.TokenSet {
		out.line("WeChat pushes to %s behind the gateway's public address", a.CallbackURLPath)
	} else {
		out.line("pushes of WeChat's are refused until it has a callback token: hongyan account rotate %s --callback-token TOKEN", a.AppID)
	}
	if len(a.Downstreams) > 0 {
		out.line("and the gateway hands them on to %s", downstreamWords(a.Downstreams))
	}
	if a.TokenSource == "external" && !a.TokenURLSet {
		out.next("hongyan token push %s --token-file FILE --expires-in SECONDS", a.AppID)
		return nil
	}
	out.next("hongyan template sync %s", a.AppID)
	return nil
}

// downstreamWords names downstreams and where they are.
func downstreamWords(list []client.Downstream) string {
	words := make([]string, len(list))
	for i, d := range list {
		words[i] = d.Name + " (" + d.URL + ")"
	}
	return strings.Join(words, ", ")
}

// accountFlags name the fields of POST /v1/accounts.
var accountFlags = flagNames{
	"/appid": "APPID", "/secret": "AppSecret", "/kind": "--kind", "/name": "--name", "/alias": "--alias", "/base_url": "--base-url",
	"/callback/token": "--callback-token", "/callback/aes_key": "--callback-aes-key", "/callback/mode": "--callback-mode",
	"/rate/per_second": "--rate", "/quotas": "--quota", "/uncertain_policy": "--uncertain-policy", "/token_source": "--token-source",
	"/max_in_flight": "--max-in-flight", "/expire_after_seconds": "--expire-after", "/paths/allow": "--allow-path", "/paths/deny": "--deny-path",
	"/quiet_hours": "--quiet-hours", "/token_url": "--token-url", "/egress_proxy": "--egress-proxy", "/downstreams": "--downstream",
}

func (c *accountAdd) request(w *surroundings) (client.AccountRequest, error) {
	secret, err := c.read(w)
	if err != nil {
		return client.AccountRequest{}, err
	}
	r := client.AccountRequest{
		AppID: c.AppID, Secret: secret, Kind: c.Kind, Name: c.Name, Alias: c.Alias, BaseURL: c.BaseURL,
		UncertainPolicy: c.UncertainPolicy, TokenSource: c.TokenSource, QuietHours: c.QuietHours,
		TokenURL: c.TokenURL, EgressProxy: c.EgressProxy, Callback: c.callback(),
	}
	if r.Downstreams, err = c.downstreams(); err != nil {
		return r, err
	}
	if c.Rate != 0 {
		r.Rate = &client.Rate{PerSecond: c.Rate}
	}
	for _, text := range c.Quota {
		q, err := parseQuota(text)
		if err != nil {
			return client.AccountRequest{}, err
		}
		r.Quotas = append(r.Quotas, q)
	}
	return r, nil
}

// downstreams reads NAME=URL pairs. What names and URLs may be is the gateway's business.
func (c *accountAdd) downstreams() ([]client.DownstreamInput, error) {
	var list []client.DownstreamInput
	known := false
	for _, pair := range c.Downstream {
		name, url, ok := strings.Cut(pair, "=")
		if !ok || name == "" || url == "" {
			return nil, wrongUse("write --downstream crm=http://10.0.0.8:8080/wechat", "--downstream is not NAME=URL")
		}
		list = append(list, client.DownstreamInput{Name: name, URL: url, Sync: name == c.DownstreamSync})
		known = known || name == c.DownstreamSync
	}
	if c.DownstreamSync != "" && !known {
		return nil, wrongUse("add it with --downstream "+c.DownstreamSync+"=URL", "--downstream-sync %q is none of the downstreams", c.DownstreamSync)
	}
	return list, nil
}

func (c *accountAdd) callback() *client.CallbackInput {
	in := &client.CallbackInput{Mode: &c.CallbackMode}
	if c.CallbackToken != "" {
		in.Token = &c.CallbackToken
	}
	if c.CallbackAESKey != "" {
		in.AESKey = &c.CallbackAESKey
	}
	return in
}

// parseQuota reads SCOPE/PERIOD/N, or SCOPE/PERIOD/N/URGENT with a reserve.
func parseQuota(text string) (client.Quota, error) {
	wrong := wrongUse("write something like account/day/100000, or account/day/100000/5000 to keep 5000 for urgent messages",
		"--quota %q is not SCOPE/PERIOD/N or SCOPE/PERIOD/N/URGENT", text)
	parts := strings.Split(text, "/")
	if len(parts) != 3 && len(parts) != 4 {
		return client.Quota{}, wrong
	}
	q := client.Quota{Scope: parts[0], Period: parts[1]}
	for i, to := range []*int64{&q.Limit, &q.UrgentReserve}[:len(parts)-2] {
		n, err := strconv.ParseInt(parts[2+i], 10, 64)
		if err != nil {
			return client.Quota{}, wrong
		}
		*to = n
	}
	return q, nil
}

type accountList struct {
	gatewayFlags `embed:""`
}

func (c *accountList) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.Accounts(ctx)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	if len(list.Items) == 0 {
		out.line("no accounts")
		out.next("hongyan account add APPID --secret-file FILE")
		return nil
	}
	rows := make([][]cell, len(list.Items))
	for i, a := range list.Items {
		rows[i] = []cell{text(a.AppID), text(a.Alias), text(a.Kind), text(a.Name), holdsCell(a.Holds)}
	}
	out.table([]string{"APPID", "ALIAS", "KIND", "NAME", "HELD BY"}, rows)
	out.next("%s", nextForAccounts(list.Items))
	return nil
}

// nextForAccounts is what ends the first hold, or looks further where there is none.
func nextForAccounts(accounts []client.Account) string {
	for _, a := range accounts {
		if len(a.Holds) == 0 {
			continue
		}
		if h := &a.Holds[0]; h.Reason == "account_stopped" || h.Reason == "paused" {
			return nextForHold(client.Message{AppID: a.AppID, Reason: h.Reason, Hold: h})
		}
		return "hongyan message list --appid " + a.AppID + " --state held"
	}
	return "hongyan quota " + accounts[0].AppID
}

// holdsCell shows what keeps an account's messages from leaving.
func holdsCell(holds []client.Hold) cell {
	if len(holds) == 0 {
		return cell{"-", grey}
	}
	words := make([]string, len(holds))
	for i, h := range holds {
		words[i] = h.Reason
		if cause, _, _ := strings.Cut(h.Detail, ". "); cause != "" { // the advice after it is shown with each message
			words[i] += ": " + cause
		}
		if h.Release != "" {
			words[i] += fmt.Sprintf(" (%s)", h.Release)
		}
	}
	return cell{strings.Join(words, ", "), amber}
}

type accountPause struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
}

func (c *accountPause) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	a, err := gateway.PauseAccount(ctx, c.AppID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(a)
	}
	out := w.out()
	out.line("%s is paused: its messages are accepted and wait", a.AppID)
	out.next("hongyan account resume %s", a.AppID)
	return nil
}

type accountResume struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
}

func (c *accountResume) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	a, err := gateway.ResumeAccount(ctx, c.AppID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(a)
	}
	out := w.out()
	out.line("%s is sending", a.AppID)
	out.next("hongyan message list --appid %s --state held,queued", a.AppID)
	return nil
}

type accountRelease struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
}

func (accountRelease) Help() string {
	return "Queues all messages of the account that are held with reason restored, each at its own time if that is still to come. They waited when the backup was taken and may have been sent since: a user may get one twice. " +
		"hongyan message list --state held shows them; hongyan message cancel drops one."
}

func (c *accountRelease) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	r, err := gateway.ReleaseRestored(ctx, c.AppID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(r)
	}
	out := w.out()
	out.line("%d messages released", r.Released)
	out.next("hongyan message list --appid %s --state held,queued", c.AppID)
	return nil
}
