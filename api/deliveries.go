package api

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"hongyan"
	"hongyan/client"
	"hongyan/store"
)

type deliveryList struct {
	AppID      string `path:"appid" doc:"appid or alias."`
	Downstream string `query:"downstream" doc:"Name of a downstream."`
	Event      string `query:"event" doc:"Id of an event, as in GET /v1/pushes."`
	State      string `query:"state" doc:"pending, delivered, gave_up; several with commas."`
	Cursor     string `query:"cursor" doc:"next_cursor of the page before."`
	Limit      int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

func (a *API) listDeliveries(ctx context.Context, in *deliveryList) (*out[client.List[client.Delivery]], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	filter, err := deliveryFilter(&account, in)
	if err != nil {
		return nil, err
	}
	found, err := a.cfg.Store.ListDeliveries(ctx, filter)
	if err != nil {
		return nil, err
	}
	hide := masks(ctx)
	list := client.List[client.Delivery]{Items: make([]client.Delivery, 0, len(found))}
	for i := range found {
		v := viewDelivery(&found[i])
		if hide && v.OpenID != "" {
			v.OpenID = maskOpenID(v.OpenID)
		}
		list.Items = append(list.Items, v)
	}
	if len(found) == in.Limit {
		list.NextCursor = cursorFor("d", found[len(found)-1].ID)
	}
	return &out[client.List[client.Delivery]]{list}, nil
}

func deliveryFilter(account *hongyan.Account, in *deliveryList) (store.DeliveryFilter, error) {
	f := store.DeliveryFilter{AppID: account.AppID, Limit: in.Limit}
	if in.Downstream != "" {
		if downstreamNamed(account.Downstreams, in.Downstream) == nil {
			return f, badField("unknown_downstream", "/query/downstream", "account %s has no downstream %q", account.AppID, clip(in.Downstream))
		}
		f.Target = hongyan.DownstreamTarget(account.AppID, in.Downstream)
	}
	var err error
	if in.Event != "" {
		if f.EventID, err = strconv.ParseInt(in.Event, 10, 64); err != nil || f.EventID < 1 {
			return f, badField("bad_parameter", "/query/event", "%q is not the id of an event", clip(in.Event))
		}
	}
	if f.States, err = parseDeliveryStates(in.State); err != nil {
		return f, err
	}
	f.Before, err = readCursor("d", in.Cursor)
	return f, err
}

// deliveryStates are the states of a delivery, in the order of their words.
var deliveryStates = []hongyan.DeliveryState{hongyan.DeliveryPending, hongyan.DeliveryDone, hongyan.DeliveryGaveUp}

func parseDeliveryStates(words string) ([]hongyan.DeliveryState, error) {
	if words == "" {
		return nil, nil
	}
	known := make([]string, len(deliveryStates))
	for i, s := range deliveryStates {
		known[i] = s.String()
	}
	var states []hongyan.DeliveryState
	for word := range strings.SplitSeq(words, ",") {
		word = strings.TrimSpace(word)
		if rule := hongyan.OneOf(word, known...); rule != "" {
			return nil, badField("unknown_state", "/query/state", "%s", rule)
		}
		states = append(states, deliveryStates[slices.Index(known, word)])
	}
	return states, nil
}

func viewDelivery(d *hongyan.Delivery) client.Delivery {
	_, name, _ := strings.Cut(d.Target, "/")
	v := client.Delivery{
		ID: id64(d.ID), AppID: d.AppID, Downstream: name, EventID: id64(d.EventID), EventType: d.EventType, OpenID: d.Key,
		State: d.State.String(), Attempts: d.Attempts, LastAt: client.At(d.LastAt), LastError: d.LastError,
		LastTookMS: int64(d.LastTook / time.Millisecond), CreatedAt: client.Time{Time: d.CreatedAt}, EndedAt: client.At(d.EndedAt),
	}
	if d.State == hongyan.DeliveryPending {
		v.DueAt = client.At(d.DueAt)
	}
	if d.LastStatus != 0 {
		v.LastStatus = &d.LastStatus
	}
	return v
}
