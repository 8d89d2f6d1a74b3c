package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hongyan/client"
)

type batchSubmit struct {
	gatewayFlags `embed:""`
	File         string        `arg:"" help:"CSV (UTF-8, GBK, UTF-16), XLSX or NDJSON; - reads standard input. The first row of a table names its columns."`
	AppID        string        `name:"appid" help:"The account, by appid or alias. Default: the only one there is."`
	Template     string        `placeholder:"TEMPLATE_ID" help:"A template the account holds, by id or alias. One that is not known here is looked for at WeChat."`
	Map          []string      `sep:"none" placeholder:"FIELD=COLUMN" help:"Where a field comes from, such as data.thing1=商品 or touser=openid; once for each. Columns touser or openid, and those named like a key of the template, are found by themselves."`
	Default      []string      `sep:"none" placeholder:"FIELD=VALUE" help:"A field that is the same for all, such as data.thing1=巧克力; {{column}} in it is replaced row by row, as in url=https://shop.example.com/{{order}}."`
	Kind         string        `placeholder:"KIND" help:"template, mini_template, subscribe, notice or one_time; default by the account."`
	Name         string        `help:"For people; default: the file's name."`
	Rate         float64       `placeholder:"N" help:"Messages per second at most; default as fast as the account may."`
	QuietHours   string        `placeholder:"HH:MM-HH:MM" help:"Beijing hours in which nothing leaves; account for the account's. Default: none."`
	ExpiresAfter time.Duration `placeholder:"D" help:"How long a message may wait once its row's turn has come; default the account's."`
	Priority     string        `enum:"urgent,normal,bulk" default:"bulk" help:"${enum}; default ${default}."`
	Duplicates   string        `enum:"refuse,allow" default:"refuse" help:"What becomes of an openid that stands in the file twice: ${enum}; default ${default}."`
	Format       string        `enum:",csv,xlsx,ndjson" default:"" placeholder:"FORMAT" help:"csv, xlsx or ndjson; default by the file."`
	Sheet        string        `help:"Of a workbook; default its first visible sheet."`
	DryRun       bool          `help:"Check every row and keep nothing. Exit code 1 when there are bad ones."`
	SkipBad      bool          `help:"Leave bad rows out. Without it nothing is sent when there are any."`
	Start        bool          `help:"Start it when every row is checked."`
	At           string        `placeholder:"TIME" help:"Start it at a time: RFC 3339, or from now such as +10m."`
	Watch        bool          `help:"Start it, and stay until it has ended."`
	Results      string        `placeholder:"FILE" help:"With --watch (which it implies): write what became of every row to a .csv or .xlsx file."`
	Resume       string        `placeholder:"BATCH" help:"Go on with an upload that broke off: the same file into the batch that was made for it."`
}

func (batchSubmit) Help() string {
	return "Every row is checked before anything is sent: the recipient, each value against the template, recipients given twice. Bad rows are listed with their row, column and rule; " +
		"good ones are not touched by them. A connection that is lost is taken up again where it was.\n\n" +
		"Template messages are important service notices. WeChat forbids advertising and marketing in them."
}

func (c *batchSubmit) Run(ctx context.Context, w *surroundings) error {
	if err := c.check(); err != nil {
		return err
	}
	file, err := openUpload(w, c.File, c.Format)
	if err != nil {
		return err
	}
	defer file.close()
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	b, err := c.batch(ctx, w, gateway)
	if err != nil {
		return err
	}
	return c.submit(ctx, w, gateway, file, b)
}

// check finds flags that cannot be meant together.
func (c *batchSubmit) check() error {
	c.Watch = c.Watch || c.Results != ""
	starts := c.Start || c.At != "" || c.Watch
	switch {
	case c.DryRun && (starts || c.Resume != ""):
		return wrongUse("leave --dry-run out to send", "--dry-run keeps nothing, so that nothing can be started or resumed")
	case c.Resume == "" && c.Template == "":
		return wrongUse("hongyan template list APPID shows them", "--template is needed")
	case c.Resume != "" && (c.Template != "" || len(c.Map)+len(c.Default) > 0):
		return wrongUse("leave --template, --map and --default out", "--resume goes on with a batch that has its template and columns already")
	}
	if c.Results != "" {
		if _, err := resultsFile(c.Results); err != nil {
			return err
		}
	}
	_, err := parseTime("--at", c.At, time.Now())
	return err
}

// batch makes the batch, or finds the one to go on with.
func (c *batchSubmit) batch(ctx context.Context, w *surroundings, gateway *client.Client) (client.Batch, error) {
	if c.Resume != "" {
		b, err := gateway.Batch(ctx, c.Resume)
		return b, batchFlags.apiError(gateway, err)
	}
	request, err := c.request()
	if err != nil {
		return client.Batch{}, err
	}
	if request.AppID == "" {
		if request.AppID, err = oneAccount(ctx, gateway); err != nil {
			return client.Batch{}, err
		}
	}
	b, err := gateway.CreateBatch(ctx, request)
	names := c.flags()
	if p, ok := errors.AsType[*client.Problem](err); ok && p.Code == "unknown_template" {
		b, err = c.syncedBatch(ctx, w, gateway, request, err)
	}
	return b, names.apiError(gateway, err)
}

// flags name the fields of the batch: those that --map says come from a column by it.
func (c *batchSubmit) flags() flagNames {
	names := maps.Clone(batchFlags)
	for _, pair := range c.Map {
		field, _, _ := strings.Cut(pair, "=")
		field = strings.TrimSpace(field)
		flag := "--map " + field
		head, key, inside := strings.Cut(field, ".")
		switch {
		case inside && (head == "data" || head == "miniprogram"):
			names["/"+head+"/"+key] = flag
		case batchFlags["/"+field] != "" || field == "touser":
			names["/"+field] = flag
		default:
			names["/data/"+field] = flag
		}
		names["/columns/"+field] = flag
	}
	return names
}

// syncedBatch asks WeChat for the account's templates, and tries again if that brought any.
func (c *batchSubmit) syncedBatch(ctx context.Context, w *surroundings, gateway *client.Client, request client.BatchRequest, refused error) (client.Batch, error) {
	sync, err := gateway.SyncTemplates(ctx, request.AppID)
	if err != nil || len(sync.Added) == 0 {
		return client.Batch{}, refused // the first refusal says more
	}
	c.teller(w).line("the account's templates were fetched from WeChat: %d are new", len(sync.Added))
	return gateway.CreateBatch(ctx, request)
}

// teller writes what is not the result: with --json beside it.
func (f *gatewayFlags) teller(w *surroundings) *printer {
	if f.JSON {
		return printerFor(w.stderr, w.getenv)
	}
	return w.out()
}

// request builds the batch from the flags.
func (c *batchSubmit) request() (client.BatchRequest, error) {
	columns, err := parsePairs("--map", "data.thing1=商品", c.Map)
	if err != nil {
		return client.BatchRequest{}, err
	}
	defaults, err := parsePairs("--default", "data.thing1=巧克力", c.Default)
	if err != nil {
		return client.BatchRequest{}, err
	}
	r := client.BatchRequest{
		AppID: c.AppID, TemplateID: c.Template, Kind: c.Kind, Name: c.Name, Columns: columns, RatePerSecond: c.Rate, QuietHours: c.QuietHours,
		ExpiresAfter: int64(c.ExpiresAfter / time.Second), Priority: c.Priority, Duplicates: c.Duplicates,
	}
	if r.Name == "" && c.File != "-" {
		r.Name = baseName(c.File)
	}
	for _, field := range slices.Sorted(maps.Keys(defaults)) {
		setDefault(&r, field, defaults[field])
	}
	return r, nil
}

// setDefault sets a field of all messages; what is no field is a key of data.
func setDefault(r *client.BatchRequest, field, value string) {
	texts := map[string]*string{"url": &r.URL, "topcolor": &r.TopColor, "page": &r.Page, "form_id": &r.FormID, "emphasis_keyword": &r.EmphasisKeyword,
		"color": &r.Color, "miniprogram_state": &r.MiniProgramState, "lang": &r.Lang, "scene": &r.Scene, "title": &r.Title}
	if at := texts[field]; at != nil {
		*at = value
		return
	}
	if key, ok := strings.CutPrefix(field, "miniprogram."); ok && (key == "appid" || key == "pagepath") {
		if r.MiniProgram == nil {
			r.MiniProgram = &client.MiniProgram{}
		}
		if key == "appid" {
			r.MiniProgram.AppID = value
		} else {
			r.MiniProgram.PagePath = value
		}
		return
	}
	if r.Data == nil {
		r.Data = map[string]client.Field{}
	}
	r.Data[strings.TrimPrefix(field, "data.")] = client.Field{Value: value}
}

// serviceOnly is WeChat's rule in one line; the gateway's own words are in --json.
const serviceOnly = "Service notices only: WeChat forbids advertising and marketing. 仅限服务通知，微信禁止广告和营销。"

// submitted is what --json prints.
type submitted struct {
	Batch  client.Batch       `json:"batch"`
	Report client.BatchReport `json:"report"`
}

// submit uploads the file, shows what is wrong with its rows, and starts the batch if
// that was asked for.
func (c *batchSubmit) submit(ctx context.Context, w *surroundings, gateway *client.Client, file *uploadFile, b client.Batch) error {
	out := c.teller(w)
	out.line("%s", b.ID)
	out.line("%s", out.paint(grey, "  "+serviceOnly))
	u := &upload{gateway: gateway, batch: b.ID, file: file, bar: &progressBar{out: out}, names: c.flags(),
		what: client.Upload{ContentType: file.contentType, DryRun: c.DryRun, Sheet: c.Sheet}}
	report, err := u.run(ctx)
	if err != nil {
		c.discard(ctx, gateway, b.ID)
		return err
	}
	if c.DryRun {
		return c.dried(ctx, w, gateway, b, report)
	}
	if b, err = gateway.Batch(ctx, b.ID); err != nil {
		return batchFlags.apiError(gateway, err)
	}
	tellRows(out, b.Rows, b.Bad, report)
	tellProblems(out, &report, b.Bad)
	if !c.Start && c.At == "" && !c.Watch {
		return c.loaded(w, b, report)
	}
	if b, err = startBatch(ctx, gateway, b.ID, c.At, c.SkipBad); err != nil {
		return batchFlags.apiError(gateway, err)
	}
	if !c.Watch {
		if c.JSON {
			return w.json(submitted{b, report})
		}
		out.batch(&b)
		out.next("%s", nextForBatch(&b))
		return nil
	}
	return c.watched(ctx, w, gateway, b)
}

// discard ends a batch made for a file of which not a row could be stored.
func (c *batchSubmit) discard(ctx context.Context, gateway *client.Client, id string) {
	if c.Resume != "" || ctx.Err() != nil {
		return
	}
	if b, err := gateway.Batch(ctx, id); err == nil && b.State == "open" && b.Rows == 0 {
		_, _ = gateway.CancelBatch(ctx, id) // what was wrong is told; this only tidies up
	}
}

// watched stays until the batch has ended, and fetches the results.
func (c *batchSubmit) watched(ctx context.Context, w *surroundings, gateway *client.Client, b client.Batch) error {
	b, err := (&watch{gateway: gateway, bar: &progressBar{out: c.teller(w)}}).run(ctx, b)
	if err != nil {
		return err
	}
	if c.Results != "" {
		if err := fetchFile(ctx, gateway, b.ID, c.Results, c.teller(w)); err != nil {
			return err
		}
	}
	return c.ended(w, b, c.Results != "")
}

// dried ends a dry run: the batch was made for the questions alone.
func (c *batchSubmit) dried(ctx context.Context, w *surroundings, gateway *client.Client, b client.Batch, report client.BatchReport) error {
	if _, err := gateway.CancelBatch(ctx, b.ID); err != nil {
		return batchFlags.apiError(gateway, err)
	}
	out := c.teller(w)
	tellRows(out, report.Rows, report.Bad, report)
	tellProblems(out, &report, report.Bad)
	if c.JSON {
		if err := w.json(report); err != nil {
			return err
		}
	} else {
		out.line("a dry run: nothing was kept, and nothing is sent")
		out.next("%s", nextForDryRun(&report))
	}
	if report.Bad > 0 && !c.SkipBad {
		return errSilent
	}
	return nil
}

// nextForDryRun is what can be done about a file that was only checked.
func nextForDryRun(report *client.BatchReport) string {
	switch {
	case report.Good == 0:
		return "mend the file: not one of its rows can be sent"
	case report.Bad > 0:
		return "the same without --dry-run, with --start --skip-bad"
	}
	return "the same without --dry-run, with --start"
}

// loaded ends a submission that starts nothing.
func (c *batchSubmit) loaded(w *surroundings, b client.Batch, report client.BatchReport) error {
	if c.JSON {
		return w.json(submitted{b, report})
	}
	out := w.out()
	next := "hongyan batch start " + b.ID
	switch {
	case b.Good == 0:
		next = "mend the file and submit it anew: not one of its rows can be sent"
	case b.Bad > 0:
		next += " --skip-bad"
	}
	out.line("nothing is sent before it is started")
	out.next("%s", next)
	return nil
}

// tellRows says in one line what the upload came to.
func tellRows(out *printer, rows, bad int64, report client.BatchReport) {
	words := counted(rows, "row") + ": " + thousands(rows-bad) + " good"
	if bad > 0 {
		words += ", " + out.paint(red, thousands(bad)+" bad")
	}
	if report.Encoding != "" {
		words += out.paint(grey, "  ("+report.Encoding+")")
	}
	out.line("%s", words)
}

// shownProblems is how many problems are shown before the list is left to another command.
const shownProblems = 10

func tellProblems(out *printer, report *client.BatchReport, bad int64) {
	if len(report.Problems) == 0 {
		return
	}
	shown := report.Problems[:min(shownProblems, len(report.Problems))]
	out.problems(shown)
	last := shown[len(shown)-1].Row
	seen := int64(len(slices.CompactFunc(slices.Clone(shown), func(a, b client.BatchProblem) bool { return a.Row == b.Row })))
	if more := bad - seen; more > 0 {
		out.line("%s", out.paint(grey, fmt.Sprintf("and %s after row %d", counted(more, "bad row"), last)))
	}
}

// problems prints what is wrong with rows, in English and on the next line in Chinese.
func (p *printer) problems(all []client.BatchProblem) {
	rows := make([][]cell, 0, 2*len(all))
	for _, x := range all {
		detail := x.Detail
		if x.Value != "" && !strings.Contains(detail, x.Value) {
			detail += fmt.Sprintf(" (%q)", x.Value)
		}
		rows = append(rows, []cell{number(x.Row), text(cmp.Or(x.Column, "-")), {x.Rule, red}, text(detail)})
		if x.DetailZH != "" {
			rows = append(rows, []cell{{}, {}, {}, text(x.DetailZH)})
		}
	}
	heads := []string{"ROW", "COLUMN", "RULE", "WHAT IS WRONG"}
	p.fit(heads, rows)
	p.table(heads, rows)
}
