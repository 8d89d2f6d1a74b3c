package api

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"hongyan"
	"hongyan/client"
)

type pushList struct {
	AppID  string `query:"appid" doc:"An account, by appid or alias. Default: all that the key covers."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

func (a *API) listPushes(ctx context.Context, in *pushList) (*out[client.List[client.Push]], error) {
	appIDs, err := a.filterAccounts(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	before, err := readCursor("e", in.Cursor)
	if err != nil {
		return nil, err
	}
	events, err := a.events(ctx, appIDs, before, in.Limit)
	if err != nil {
		return nil, err
	}
	hide := masks(ctx)
	list := client.List[client.Push]{Items: make([]client.Push, 0, len(events))}
	for i := range events {
		v := viewPush(&events[i])
		if hide {
			maskPush(&v)
		}
		list.Items = append(list.Items, v)
	}
	if len(events) == in.Limit {
		list.NextCursor = cursorFor("e", events[len(events)-1].ID)
	}
	return &out[client.List[client.Push]]{list}, nil
}

// events lists the newest events of some accounts; nil = of all. A key covers
// few accounts, so that their lists may be read one by one.
func (a *API) events(ctx context.Context, appIDs []string, before int64, limit int) ([]hongyan.Event, error) {
	if len(appIDs) == 0 {
		return a.cfg.Store.Events(ctx, "", before, limit)
	}
	var newest []hongyan.Event
	for _, appID := range appIDs {
		more, err := a.cfg.Store.Events(ctx, appID, before, limit)
		if err != nil {
			return nil, err
		}
		newest = append(newest, more...)
		slices.SortFunc(newest, func(x, y hongyan.Event) int { return cmp.Compare(y.ID, x.ID) })
		newest = newest[:min(len(newest), limit)]
	}
	return newest, nil
}

func viewPush(e *hongyan.Event) client.Push {
	return client.Push{
		ID: strconv.FormatInt(e.ID, 10), AppID: e.AppID, Type: e.Type, OpenID: e.OpenID, MsgID: viewMsgID(e.MsgID),
		CreateTime: client.At(e.CreateTime), ReceivedAt: client.Time{Time: e.ReceivedAt}, ProcessedAt: client.At(e.ProcessedAt),
		Duplicates: e.Duplicates, Body: string(e.Body),
	}
}

func itoa(i int) string { return strconv.Itoa(i) }
