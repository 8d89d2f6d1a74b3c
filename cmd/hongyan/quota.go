package main

import (
	"context"
	"fmt"
)

type quotaCommand struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
}

func (c *quotaCommand) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.Quota(ctx, c.AppID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	rows := make([][]cell, len(list.Items))
	for i, q := range list.Items {
		rows[i] = []cell{text(q.Scope), text(q.Period), text(fmt.Sprint(q.Limit)), text(fmt.Sprint(q.Used)), remainingCell(q.Remaining), timeCell(&q.ResetsAt)}
	}
	out.table([]string{"SCOPE", "PERIOD", "LIMIT", "USED", "REMAINING", "RESETS"}, rows)
	out.next("hongyan message list --appid %s --state held", c.AppID)
	return nil
}

func remainingCell(n int64) cell {
	if n <= 0 {
		return cell{fmt.Sprint(n), red}
	}
	return text(fmt.Sprint(n))
}
