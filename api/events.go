package api

import (
	"context"
	"strconv"

	"hongyan"
	"hongyan/client"
)

type eventList struct {
	AppID  string `query:"appid" required:"true" doc:"The account, by appid or alias."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

func (a *API) listEvents(ctx context.Context, in *eventList) (*out[client.List[client.Event]], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	before, err := readCursor("e", in.Cursor)
	if err != nil {
		return nil, err
	}
	events, err := a.cfg.Store.Events(ctx, account.AppID, before, in.Limit)
	if err != nil {
		return nil, err
	}
	list := client.List[client.Event]{Items: make([]client.Event, 0, len(events))}
	for i := range events {
		list.Items = append(list.Items, viewEvent(&events[i]))
	}
	if len(events) == in.Limit {
		list.NextCursor = cursorFor("e", events[len(events)-1].ID)
	}
	return &out[client.List[client.Event]]{list}, nil
}

func viewEvent(e *hongyan.Event) client.Event {
	return client.Event{
		ID: strconv.FormatInt(e.ID, 10), AppID: e.AppID, Type: e.Type, OpenID: e.OpenID, MsgID: viewMsgID(e.MsgID),
		CreateTime: client.At(e.CreateTime), ReceivedAt: client.Time{Time: e.ReceivedAt}, ProcessedAt: client.At(e.ProcessedAt),
		Duplicates: e.Duplicates, Body: string(e.Body),
	}
}

func itoa(i int) string { return strconv.Itoa(i) }
