package api

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"hongyan"
	"hongyan/client"
	"hongyan/store"
)

// Deliveries is what the API asks of whoever hands pushes on.
type Deliveries interface {
	// Replay makes the pushes of an account received from from until before until
	// pending again for d, those of some types or, with none, of all. It returns how many.
	Replay(ctx context.Context, a *hongyan.Account, d *hongyan.Downstream, from, until time.Time, types []string) (int, error)
	// Drop forgets what waits for a target (hongyan.DownstreamTarget) that is no more.
	Drop(ctx context.Context, target string) error
}

// dropRemoved forgets what waits for the downstreams an account no longer has.
// The account is stored by then, so that a failure is told to the log alone.
func (a *API) dropRemoved(ctx context.Context, before []hongyan.Downstream, account *hongyan.Account) {
	if a.cfg.Deliveries == nil {
		return
	}
	for i := range before {
		if downstreamNamed(account.Downstreams, before[i].Name) != nil {
			continue
		}
		target := before[i].Target(account.AppID)
		if err := a.cfg.Deliveries.Drop(ctx, target); err != nil {
			a.log.WarnContext(ctx, "drop what waits for a removed downstream", "target", target, "err", err)
		}
	}
}

func (a *API) listDownstreams(ctx context.Context, in *accountPath) (*out[client.List[client.DownstreamStatus]], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	counts, err := a.cfg.Store.DeliveryCounts(ctx, account.AppID)
	if err != nil {
		return nil, err
	}
	list := client.List[client.DownstreamStatus]{Items: make([]client.DownstreamStatus, 0, len(account.Downstreams))}
	for i := range account.Downstreams {
		list.Items = append(list.Items, viewDownstreamStatus(&account, &account.Downstreams[i], counts))
	}
	return &out[client.List[client.DownstreamStatus]]{list}, nil
}

type downstreamPath struct {
	AppID string `path:"appid" doc:"appid or alias."`
	Name  string `path:"name" doc:"Name of the downstream."`
}

func (a *API) pauseDownstream(ctx context.Context, in *downstreamPath) (*out[client.DownstreamStatus], error) {
	return a.steerDownstream(ctx, in, true)
}

func (a *API) resumeDownstream(ctx context.Context, in *downstreamPath) (*out[client.DownstreamStatus], error) {
	return a.steerDownstream(ctx, in, false)
}

// steerDownstream pauses or resumes one: a change of its account, whose other
// settings are not checked again, as a rule of today must not keep what was set
// yesterday from being stopped.
func (a *API) steerDownstream(ctx context.Context, in *downstreamPath, pause bool) (*out[client.DownstreamStatus], error) {
	account, err := a.changeAccount(ctx, in.AppID, func(account *hongyan.Account) error {
		d := downstreamNamed(account.Downstreams, in.Name)
		if d == nil {
			return unknownDownstream(account, in.Name)
		}
		d.Paused = pause
		return nil
	})
	if err != nil {
		return nil, err
	}
	counts, err := a.cfg.Store.DeliveryCounts(ctx, account.AppID)
	if err != nil {
		return nil, err
	}
	d := downstreamNamed(account.Downstreams, in.Name)
	return &out[client.DownstreamStatus]{viewDownstreamStatus(&account, d, counts)}, nil
}

func unknownDownstream(a *hongyan.Account, name string) error {
	return hongyan.Errorf(hongyan.NotFound, "unknown_downstream", "account %s has no downstream %q", a.AppID, clip(name))
}

// maxReplay is how far back pushes may be handed on again: what is older is no news to anybody.
const maxReplay = 30 * 24 * time.Hour

type replayInput struct {
	AppID string `path:"appid" doc:"appid or alias."`
	Name  string `path:"name" doc:"Name of the downstream."`
	Body  body[client.Replay]
}

func (a *API) replayDownstream(ctx context.Context, in *replayInput) (*out[client.Replayed], error) {
	account, err := a.account(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	d := downstreamNamed(account.Downstreams, in.Name)
	if d == nil {
		return nil, unknownDownstream(&account, in.Name)
	}
	want := &in.Body.Value
	if err := checkReplay(want, a.cfg.Store.Now()); err != nil {
		return nil, err
	}
	if a.cfg.Deliveries == nil {
		return nil, &hongyan.Error{Kind: hongyan.Unavailable, Message: "this gateway hands no pushes on at the moment"}
	}
	types := want.Events
	if len(types) == 0 {
		types = d.Events
	}
	count, err := a.cfg.Deliveries.Replay(ctx, &account, d, want.From.Time.UTC(), want.Until.Or().UTC(), types)
	if err != nil {
		return nil, err
	}
	return &out[client.Replayed]{client.Replayed{Count: count}}, nil
}

func checkReplay(in *client.Replay, now time.Time) error {
	var f faults
	switch from := in.From.Time; {
	case from.IsZero():
		f.add("/from", "required: pushes received at this time or later are handed on again")
	case from.After(now):
		f.add("/from", "%s is in the future", in.From)
	case from.Before(now.Add(-maxReplay)):
		f.add("/from", "%s is more than 30 days ago", in.From)
	case in.Until != nil && !in.Until.Time.After(from):
		f.add("/until", "%s is not after from, %s", in.Until, in.From)
	}
	for i, word := range in.Events {
		if rule := hongyan.EventTypeFault(word); rule != "" {
			f.add("/events/"+itoa(i), "%s", rule)
		}
	}
	return f.err("invalid_replay")
}

func viewDownstream(a *hongyan.Account, d *hongyan.Downstream) client.Downstream {
	return client.Downstream{
		Name: d.Name, URL: d.URL, Sync: d.Sync, Ordered: d.Ordered, Paused: d.Paused, Events: append([]string{}, d.Events...),
		Mode: cmp.Or(d.Mode, a.Callback.Mode, "plain"), TokenSet: d.Token != "", AESKeySet: d.AESKey != "",
	}
}

func viewDownstreamStatus(a *hongyan.Account, d *hongyan.Downstream, counts map[string]store.DeliveryCount) client.DownstreamStatus {
	v, n := viewDownstream(a, d), counts[d.Target(a.AppID)]
	return client.DownstreamStatus{
		Name: v.Name, URL: v.URL, Sync: v.Sync, Ordered: v.Ordered, Paused: v.Paused, Events: v.Events,
		Mode: v.Mode, TokenSet: v.TokenSet, AESKeySet: v.AESKeySet,
		Pending: n.Pending, Delivered: n.Done, GaveUp: n.GaveUp, OldestPendingAt: client.At(n.Oldest), LastError: n.Error,
	}
}

// id64 writes a number that names something; they are strings in JSON.
func id64(n int64) string { return strconv.FormatInt(n, 10) }
