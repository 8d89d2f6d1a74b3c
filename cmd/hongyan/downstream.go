package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hongyan/client"
)

type downstreamCommands struct {
	List   downstreamList   `cmd:"" help:"List an account's downstreams and how each does."`
	Pause  downstreamPause  `cmd:"" help:"Keep the pushes for a downstream until it is resumed."`
	Resume downstreamResume `cmd:"" help:"Hand on again, what was kept first."`
	Replay downstreamReplay `cmd:"" help:"Hand on once more what was received in a time."`
}

type downstreamList struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
}

func (c *downstreamList) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.Downstreams(ctx, c.AppID)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	if len(list.Items) == 0 {
		out.line("no downstreams: nobody gets the pushes of %s", c.AppID)
		out.line("set them with PATCH /v1/accounts/%s, or in the configuration file", c.AppID)
		out.next("hongyan account list")
		return nil
	}
	rows := make([][]cell, len(list.Items))
	for i, d := range list.Items {
		rows[i] = []cell{text(d.Name), downstreamStateCell(&d), text(fmt.Sprint(d.Pending)), timeCell(d.OldestPendingAt),
			text(fmt.Sprint(d.Delivered)), gaveUpCell(d.GaveUp), text(d.Mode), text(eventWords(d.Events)), text(d.URL)}
	}
	out.table([]string{"NAME", "STATE", "PENDING", "OLDEST", "DELIVERED", "GAVE UP", "MODE", "EVENTS", "URL"}, rows)
	for _, d := range list.Items {
		if d.LastError != "" {
			out.line("the oldest push for %s waits because its latest attempt failed: %s", d.Name, d.LastError)
		}
	}
	out.next("%s", nextForDownstreams(c.AppID, list.Items))
	return nil
}

// downstreamStateCell tells what a downstream does: pushes wait while it is paused.
func downstreamStateCell(d *client.DownstreamStatus) cell {
	words, c := "handing on", plain
	if d.Paused {
		words, c = "paused", amber
	}
	if d.Sync {
		words += ", answers"
	}
	if d.Ordered {
		words += ", in order"
	}
	return cell{words, c}
}

func gaveUpCell(n int64) cell {
	if n > 0 {
		return cell{fmt.Sprint(n), red}
	}
	return text("0")
}

func eventWords(events []string) string {
	if len(events) == 0 {
		return "all"
	}
	return strings.Join(events, ",")
}

// nextForDownstreams is what mends the first that does not get its pushes.
func nextForDownstreams(appID string, list []client.DownstreamStatus) string {
	for _, d := range list {
		switch {
		case d.Paused:
			return "hongyan downstream resume " + appID + " " + d.Name
		case d.GaveUp > 0:
			return "hongyan downstream replay " + appID + " " + d.Name + " --from 24h"
		}
	}
	return "hongyan downstream pause " + appID + " " + list[0].Name
}

type downstreamPause struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	Name         string `arg:"" help:"Name of the downstream."`
}

func (c *downstreamPause) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	d, err := gateway.PauseDownstream(ctx, c.AppID, c.Name)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(d)
	}
	out := w.out()
	out.line("%s is paused: its pushes are kept, %d wait", d.Name, d.Pending)
	out.next("hongyan downstream resume %s %s", c.AppID, d.Name)
	return nil
}

type downstreamResume struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	Name         string `arg:"" help:"Name of the downstream."`
}

func (c *downstreamResume) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	d, err := gateway.ResumeDownstream(ctx, c.AppID, c.Name)
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(d)
	}
	out := w.out()
	out.line("%s gets its pushes again, the %d that wait first", d.Name, d.Pending)
	out.next("hongyan downstream list %s", c.AppID)
	return nil
}

type downstreamReplay struct {
	gatewayFlags `embed:""`
	AppID        string   `arg:"" name:"appid" help:"Appid or alias."`
	Name         string   `arg:"" help:"Name of the downstream."`
	From         string   `required:"" placeholder:"TIME" help:"Received at or after: RFC 3339, or so long ago such as 2h; at most 30 days."`
	Until        string   `placeholder:"TIME" help:"Received before: RFC 3339, or so long ago such as 30m; default now."`
	Event        []string `placeholder:"TYPE" help:"Of these types of message and event, separated by commas; default those the downstream gets."`
}

func (downstreamReplay) Help() string {
	return "After a fault of the downstream's, or to fill a new one. What only waits for its next try is tried at once. It may get pushes twice, as from WeChat itself."
}

func (c *downstreamReplay) Run(ctx context.Context, w *surroundings) error {
	now := time.Now()
	from, err := parseAgo("--from", c.From, now)
	if err != nil {
		return err
	}
	until, err := parseAgo("--until", c.Until, now)
	if err != nil {
		return err
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	replay := client.Replay{From: client.Time{Time: from}, Until: client.At(until), Events: c.Event}
	done, err := gateway.ReplayDownstream(ctx, c.AppID, c.Name, replay)
	if err != nil {
		return flagNames{"/from": "--from", "/until": "--until", "/events": "--event"}.apiError(gateway, err)
	}
	if c.JSON {
		return w.json(done)
	}
	out := w.out()
	out.line("%d pushes are handed on to %s once more", done.Count, c.Name)
	out.next("hongyan downstream list %s", c.AppID)
	return nil
}

// parseAgo reads RFC 3339, or a duration before now; the zero time for "".
func parseAgo(flag, value string, now time.Time) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(strings.TrimPrefix(value, "-")); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	if t, err := time.Parse(time.RFC3339, value); err == nil {
		return t, nil
	}
	return time.Time{}, wrongUse("write 2026-11-21T10:15:00+08:00, or so long ago 2h", "%s %q is not a time", flag, value)
}
