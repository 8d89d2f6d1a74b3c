package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hongyan/client"
)

type batchCommands struct {
	Submit   batchSubmit   `cmd:"" help:"Send a template to everybody in a file."`
	List     batchList     `cmd:"" help:"List batches, newest first."`
	Status   batchStatus   `cmd:"" help:"Show how far a batch is."`
	Problems batchProblems `cmd:"" help:"Show what is wrong with a batch's rows."`
	Start    batchStart    `cmd:"" help:"Let an open batch go."`
	Pause    batchPause    `cmd:"" help:"Stop a batch at once."`
	Resume   batchResume   `cmd:"" help:"Let a paused batch go on."`
	Cancel   batchCancel   `cmd:"" help:"End a batch at once; what has not left never will."`
	Change   batchChange   `cmd:"" help:"Change a batch's rate, quiet hours or name."`
	Retry    batchRetry    `cmd:"" help:"Make a new batch of the rows that failed."`
	Results  batchResults  `cmd:"" help:"Fetch what became of every row, as CSV or XLSX."`
}

type batchList struct {
	gatewayFlags `embed:""`
	AppID        string   `name:"appid" help:"Of one account."`
	State        []string `placeholder:"STATE,…" help:"open, scheduled, running, paused, finished or cancelled. Default: all but what dry runs leave."`
	Limit        int      `default:"20" help:"How many; default ${default}."`
	Cursor       string   `help:"Continue the list: next_cursor of --json."`
}

func (c *batchList) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.Batches(ctx, client.BatchFilter{AppID: c.AppID, States: c.State, Limit: c.Limit, Cursor: c.Cursor})
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	if len(list.Items) == 0 {
		out.line("no batches")
		out.next("hongyan batch submit FILE --appid APPID --template TEMPLATE_ID")
		return nil
	}
	var rows [][]cell
	for i := range list.Items {
		b := &list.Items[i]
		rows = append(rows, []cell{text(b.ID), text(b.AppID), batchStateCell(b.State), number(b.Rows), number(b.Bad), number(b.Fed), timeCell(&b.CreatedAt), text(b.Name)})
	}
	heads := []string{"BATCH", "ACCOUNT", "STATE", "ROWS", "BAD", "FED", "MADE", "NAME"}
	out.fit(heads, rows)
	out.table(heads, rows)
	out.next("hongyan batch status %s", list.Items[0].ID)
	return nil
}

func number(n int64) cell { return text(thousands(n)) }

// batchStates are the words for people and the colours of a batch's states.
var batchStates = map[string]cell{
	"open": {"open 待开始", amber}, "scheduled": {"scheduled 已定时", amber}, "running": {"running 发送中", amber},
	"paused": {"paused 已暂停", amber}, "finished": {"finished 已完成", green}, "cancelled": {"cancelled 已取消", grey},
}

func batchStateCell(word string) cell {
	if c, ok := batchStates[word]; ok {
		return c
	}
	return text(word)
}

type batchStatus struct {
	gatewayFlags `embed:""`
	ID           string `arg:"" help:"bat_…"`
	Watch        bool   `help:"Stay, and show how it goes on, until it has ended."`
}

func (c *batchStatus) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	b, err := gateway.Batch(ctx, c.ID)
	if err == nil && c.Watch {
		return c.watchBatch(ctx, w, gateway, b)
	}
	return c.shownBatch(w, gateway, b, err)
}

// shownBatch prints a batch as it is now, or the refusal.
func (f *gatewayFlags) shownBatch(w *surroundings, gateway *client.Client, b client.Batch, err error) error {
	if err != nil {
		return batchFlags.apiError(gateway, err)
	}
	if f.JSON {
		return w.json(b)
	}
	out := w.out()
	out.batch(&b)
	out.next("%s", nextForBatch(&b))
	return nil
}

// batch prints how far a batch is.
func (p *printer) batch(b *client.Batch) {
	state := batchStateCell(b.State)
	p.line("%s  %s  %s", b.ID, p.paint(state.colour, state.text), strings.TrimSpace(b.AppID+" "+b.Name))
	rows := counted(b.Rows, "row")
	if b.Bad > 0 {
		rows += ": " + thousands(b.Good) + " good, " + p.paint(red, thousands(b.Bad)+" bad")
	}
	if b.Refused > 0 {
		rows += ", " + p.paint(red, thousands(b.Refused)+" refused when their turn came")
	}
	if b.Remaining > 0 && b.StartedAt != nil {
		rows += ", " + thousands(b.Remaining) + " still to come"
	}
	p.line("  %s", rows)
	if b.State == "scheduled" && b.SendAt != nil {
		p.line("  it begins at %s", timeCell(b.SendAt).text)
	}
	if b.ForecastAt != nil {
		p.line("  %.0f a second; the last leaves about %s", b.Speed, timeCell(b.ForecastAt).text)
	}
	if b.Hold != nil {
		p.line("  %s", p.paint(amber, strings.Join(holdLines(b.Hold), "; ")))
	}
	if cells := stateCounts(b.Counts); len(cells) > 0 {
		p.table([]string{"STATE", "MESSAGES"}, cells)
	}
}

// messageStates are in the order in which people ask for them.
var messageStates = []string{"delivered", "accepted", "undelivered", "failed", "uncertain", "expired", "cancelled", "held", "sending", "queued"}

func stateCounts(counts map[string]int64) (rows [][]cell) {
	for _, state := range messageStates {
		if n := counts[state]; n > 0 {
			rows = append(rows, []cell{stateCell(state), number(n)})
		}
	}
	return rows
}

// nextForBatch is what can be done about a batch.
func nextForBatch(b *client.Batch) string {
	switch b.State {
	case "open":
		switch {
		case b.Rows == 0:
			return "hongyan batch submit FILE --resume " + b.ID
		case b.Bad > 0:
			return "hongyan batch problems " + b.ID
		}
		return "hongyan batch start " + b.ID
	case "scheduled", "running":
		return "hongyan batch status " + b.ID + " --watch"
	case "paused":
		if slices.Contains([]string{"template_banned", "template_removed", "unknown_template"}, b.Reason) {
			return "hongyan template sync " + b.AppID
		}
		return "hongyan batch resume " + b.ID
	}
	if b.Counts["failed"]+b.Counts["expired"] > 0 {
		return "hongyan batch retry " + b.ID
	}
	return "hongyan batch results " + b.ID + " --output results.xlsx"
}

type batchStart struct {
	gatewayFlags `embed:""`
	ID           string `arg:"" help:"bat_…"`
	At           string `placeholder:"TIME" help:"Not before: RFC 3339, or from now such as +10m."`
	SkipBad      bool   `help:"Leave bad rows out. Without it a batch with bad rows is not started."`
	Watch        bool   `help:"Stay, and show how it goes, until it has ended."`
}

func (c *batchStart) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	b, err := startBatch(ctx, gateway, c.ID, c.At, c.SkipBad)
	if err == nil && c.Watch {
		return c.watchBatch(ctx, w, gateway, b)
	}
	return c.shownBatch(w, gateway, b, err)
}

func startBatch(ctx context.Context, gateway *client.Client, id, at string, skipBad bool) (client.Batch, error) {
	t, err := parseTime("--at", at, time.Now())
	if err != nil {
		return client.Batch{}, err
	}
	return gateway.StartBatch(ctx, id, client.BatchStart{At: client.At(t), SkipBad: skipBad})
}

type batchPause struct{ batchAct }
type batchResume struct{ batchAct }
type batchCancel struct{ batchAct }

// batchAct is a command that does one thing to a batch.
type batchAct struct {
	gatewayFlags `embed:""`
	ID           string `arg:"" help:"bat_…"`
}

func (c *batchPause) Run(ctx context.Context, w *surroundings) error {
	return c.act(ctx, w, (*client.Client).PauseBatch)
}

func (c *batchResume) Run(ctx context.Context, w *surroundings) error {
	return c.act(ctx, w, (*client.Client).ResumeBatch)
}

func (c *batchCancel) Run(ctx context.Context, w *surroundings) error {
	return c.act(ctx, w, (*client.Client).CancelBatch)
}

func (c *batchAct) act(ctx context.Context, w *surroundings, do func(*client.Client, context.Context, string) (client.Batch, error)) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	b, err := do(gateway, ctx, c.ID)
	return c.shownBatch(w, gateway, b, err)
}

type batchChange struct {
	gatewayFlags `embed:""`
	ID           string   `arg:"" help:"bat_…"`
	Rate         *float64 `placeholder:"N" help:"Messages per second at most; 0 is as fast as the account may."`
	QuietHours   *string  `placeholder:"HH:MM-HH:MM" help:"Beijing hours in which nothing leaves; account for the account's, empty for none."`
	Name         *string  `help:"For people."`
}

func (c *batchChange) Run(ctx context.Context, w *surroundings) error {
	if c.Rate == nil && c.QuietHours == nil && c.Name == nil {
		return wrongUse("see hongyan batch change --help", "there is nothing to change: give --rate, --quiet-hours or --name")
	}
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	b, err := gateway.UpdateBatch(ctx, c.ID, client.BatchUpdate{Name: c.Name, RatePerSecond: c.Rate, QuietHours: c.QuietHours})
	return c.shownBatch(w, gateway, b, err)
}

type batchRetry struct {
	gatewayFlags `embed:""`
	ID           string   `arg:"" help:"bat_…"`
	State        []string `placeholder:"STATE,…" help:"Rows whose messages are failed, expired, uncertain or cancelled. Default: failed and expired."`
	Errcode      []int    `placeholder:"N,…" help:"Only rows whose last answer was one of these."`
	Name         string   `help:"Of the new batch. Default: the old one's."`
	Again        bool     `help:"Make one more even if there is a batch that sends rows of this one again; whoever is in both may get the message twice."`
	Start        bool     `help:"Start the new batch at once."`
}

func (c *batchRetry) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	b, err := gateway.RetryBatch(ctx, c.ID, client.BatchRetry{States: c.State, Errcodes: c.Errcode, Name: c.Name, Again: c.Again})
	if err == nil && c.Start {
		b, err = gateway.StartBatch(ctx, b.ID, client.BatchStart{})
	}
	return c.shownBatch(w, gateway, b, err)
}

// batchFlags name the fields of POST /v1/batches and its acts.
var batchFlags = flagNames{
	"/appid": "--appid", "/template_id": "--template", "/kind": "--kind", "/name": "--name", "/columns": "--map", "/data": "--default data",
	"/touser": "--map touser", "/url": "--default url", "/page": "--default page", "/miniprogram/appid": "--default miniprogram.appid", "/miniprogram/pagepath": "--default miniprogram.pagepath",
	"/title": "--default title", "/scene": "--default scene", "/lang": "--default lang", "/rate_per_second": "--rate", "/quiet_hours": "--quiet-hours",
	"/send_at": "--at", "/at": "--at", "/expires_after": "--expires-after", "/priority": "--priority", "/states": "--state", "/errcodes": "--errcode", "/query/sheet": "--sheet",
}

// oneAccount returns the account to use when none was named: the only one there is.
func oneAccount(ctx context.Context, gateway *client.Client) (string, error) {
	list, err := gateway.Accounts(ctx)
	if err != nil {
		return "", apiError(gateway, err)
	}
	if len(list.Items) != 1 {
		return "", wrongUse("hongyan account list shows the accounts", "--appid is needed: there is not exactly one account")
	}
	return list.Items[0].AppID, nil
}

// parsePairs reads FIELD=VALUE flags.
func parsePairs(flag, example string, pairs []string) (map[string]string, error) {
	all := map[string]string{}
	for _, pair := range pairs {
		field, value, ok := strings.Cut(pair, "=")
		if field = strings.TrimSpace(field); !ok || field == "" {
			return nil, wrongUse("write "+flag+" "+example, "%s %q is not FIELD=…", flag, pair)
		}
		if _, twice := all[field]; twice {
			return nil, wrongUse("give each field once", "%s %s is given twice", flag, field)
		}
		all[field] = value
	}
	return all, nil
}

// sumOf adds the counts of some states.
func sumOf(counts map[string]int64, states ...string) (n int64) {
	for state, c := range counts {
		if slices.Contains(states, state) {
			n += c
		}
	}
	return n
}

// countWords are the counts that tell how it goes, in one line.
func countWords(counts map[string]int64) string {
	var words []string
	for _, state := range messageStates {
		if n := counts[state]; n > 0 && state != "queued" && state != "sending" {
			words = append(words, fmt.Sprintf("%s %s", state, thousands(n)))
		}
	}
	return strings.Join(words, ", ")
}
