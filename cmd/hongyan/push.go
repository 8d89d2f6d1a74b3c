package main

import (
	"context"
	"fmt"

	"hongyan/client"
)

type pushCommands struct {
	List pushList `cmd:"" help:"List what WeChat pushed, newest first."`
}

type pushList struct {
	gatewayFlags `embed:""`
	AppID        string `name:"appid" placeholder:"APPID" help:"Of one account; default all."`
	Limit        int    `default:"20" help:"At most; default ${default}."`
	Cursor       string `help:"Continue a list."`
	Body         bool   `help:"Show each push as it came, decrypted."`
}

func (c *pushList) Run(ctx context.Context, w *surroundings) error {
	if c.Limit < 1 || c.Limit > maxList {
		return wrongUse("continue a longer list with the command it ends with", "--limit %d is not between 1 and %d", c.Limit, maxList)
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.Pushes(ctx, client.PushFilter{AppID: c.AppID, Limit: c.Limit, Cursor: c.Cursor})
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	if len(list.Items) == 0 {
		out.line("WeChat has pushed nothing; the account's server URL (服务器地址) must be https://YOUR-HOST/callback/APPID")
		out.next("hongyan account list")
		return nil
	}
	c.print(out, list.Items)
	if list.NextCursor != nil {
		out.next("hongyan push list --limit %d --cursor %s", c.Limit, *list.NextCursor)
		return nil
	}
	out.next("hongyan push list --body --limit 1")
	return nil
}

func (c *pushList) print(out *printer, pushes []client.Push) {
	if c.Body {
		for _, p := range pushes {
			out.line("%s", out.paint(grey, p.ReceivedAt.String()+" "+p.AppID+" "+p.Type))
			out.line("%s", p.Body)
		}
		return
	}
	rows := make([][]cell, len(pushes))
	for i, p := range pushes {
		msgid, processed := "-", cell{"waits", amber}
		if p.MsgID != nil {
			msgid = *p.MsgID
		}
		if p.ProcessedAt != nil {
			processed = text("processed")
		}
		again := ""
		if p.Duplicates > 0 {
			again = fmt.Sprintf("+%d", p.Duplicates)
		}
		rows[i] = []cell{text(p.ID), timeCell(&p.ReceivedAt), text(p.AppID), text(p.Type), text(dash(p.OpenID)), text(msgid), text(again), processed}
	}
	out.table([]string{"ID", "RECEIVED", "APPID", "TYPE", "OPENID", "MSGID", "AGAIN", "STATE"}, rows)
}
