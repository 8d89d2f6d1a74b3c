package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hongyan/client"
)

type tokenCommands struct {
	Get     tokenGet     `cmd:"" help:"Show the current token's age and history, and who asks for it."`
	Refresh tokenRefresh `cmd:"" help:"Fetch a new token now, for everybody."`
	Push    tokenPush    `cmd:"" help:"Give the gateway the token of an account whose token source is external."`
}

type tokenGet struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	Reveal       bool   `help:"Print the access_token itself, and without --json nothing else."`
}

func (c *tokenGet) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	t, err := gateway.Token(ctx, c.AppID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.Reveal && !c.JSON {
		out := w.out()
		out.line("%s", t.AccessToken)
		return nil
	}
	return c.shownToken(w, t, c.Reveal)
}

type tokenRefresh struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
}

func (c *tokenRefresh) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	t, err := gateway.RefreshToken(ctx, c.AppID, "")
	if err != nil {
		return apiError(gateway, err)
	}
	return c.shownToken(w, t, false)
}

// shownToken prints a token's history, and the token only when asked for.
func (f *gatewayFlags) shownToken(w *surroundings, t client.Token, reveal bool) error {
	if f.JSON && reveal {
		return w.json(t)
	}
	if f.JSON {
		return w.json(tokenHistory{Token: t})
	}
	out := w.out()
	remaining := time.Duration(t.RemainingSeconds) * time.Second
	out.table([]string{"APPID", "SOURCE", "FETCHED", "BY", "REMAINING", "FETCHES", "EARLY DEATHS"}, [][]cell{{
		text(t.AppID), text(t.Source), timeCell(t.FetchedAt), text(t.FetchedBy), text(remaining.String()),
		text(fmt.Sprint(t.Fetches)), earlyDeathsCell(t),
	}})
	if t.Stopped != nil {
		out.line("%s", out.paint(red, "no token can be had: "+t.Stopped.Reason))
	}
	if len(t.Callers) == 0 {
		out.next("hongyan account list")
		return nil
	}
	shownCallers(out, t.Callers)
	return nil
}

// shownCallers prints who asked for the token, and how those who have the real
// AppSecret come to a secret of their own.
func shownCallers(out *printer, callers []client.TokenCaller) {
	rows, open := make([][]cell, len(callers)), 0
	for i, c := range callers {
		who := text(c.Name)
		if c.CallerID == client.CallerAppSecret {
			who, open = cell{"the real AppSecret", amber}, open+1
		}
		rows[i] = []cell{who, text(c.CallerID), text(c.Endpoint), timeCell(&c.LastAt), text(fmt.Sprint(c.Requests)), text(fmt.Sprint(c.Forced)), text(c.Remote)}
	}
	out.line("")
	out.table([]string{"CALLER", "ID", "ENDPOINT", "LAST", "REQUESTS", "FORCED", "FROM"}, rows)
	if open == 0 {
		out.next("hongyan key list")
		return
	}
	out.line("%s", out.paint(amber, "who has the real AppSecret can fetch tokens past the gateway, and kill everybody's: give each program a secret of its own, hys_…"))
	out.next("hongyan key create NAME --kind gateway")
}

type tokenPush struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	TokenFile    string `required:"" placeholder:"FILE" help:"File with the access_token; - reads standard input."`
	ExpiresIn    int64  `required:"" placeholder:"SECONDS" help:"What is left of its life."`
}

func (tokenPush) Help() string {
	return "For teams that run a central server (中控服务器) already: call it, or PUT /v1/accounts/APPID/token, each time that server has a new token."
}

func (c *tokenPush) Run(ctx context.Context, w *surroundings) error {
	content, err := w.readNamed("--token-file", c.TokenFile, maxSecretFile)
	if err != nil {
		return err
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	t, err := gateway.PushToken(ctx, c.AppID, client.TokenPush{AccessToken: strings.TrimSpace(string(content)), ExpiresIn: c.ExpiresIn})
	if err != nil {
		return flagNames{"/access_token": "--token-file", "/expires_in": "--expires-in"}.apiError(gateway, err)
	}
	return c.shownToken(w, t, false)
}

// tokenHistory is a token without itself.
type tokenHistory struct {
	client.Token
	AccessToken string `json:"access_token,omitempty"` // stands before that of Token, and is empty
}

// earlyDeathsCell is red when somebody else fetches tokens for the account too.
func earlyDeathsCell(t client.Token) cell {
	if t.EarlyDeaths == 0 {
		return text("0")
	}
	return cell{fmt.Sprint(t.EarlyDeaths), red}
}
