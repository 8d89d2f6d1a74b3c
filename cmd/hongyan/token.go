package main

import (
	"context"
	"fmt"
	"time"

	"hongyan/client"
)

type tokenCommands struct {
	Get     tokenGet     `cmd:"" help:"Show the current token's age and history."`
	Refresh tokenRefresh `cmd:"" help:"Fetch a new token now, for everybody."`
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
	out.next("hongyan account list")
	return nil
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
