package main

import (
	"bytes"
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

type miniCommands struct {
	Forms    miniForms    `cmd:"" help:"Form_ids of an account or a user, and how many sends are left."`
	Add      miniAdd      `cmd:"" help:"Store a form_id or prepay_id, or many from a file."`
	Consents miniConsents `cmd:"" help:"How many subscribe messages users still take."`
	Convert  miniConvert  `cmd:"" help:"Propose the subscribe template for an old template of form_ids."`
}

type miniForms struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias of the mini program."`
	OpenID       string `name:"openid" help:"One user; default all."`
	Limit        int    `default:"50" help:"How many; default ${default}."`
}

func (c *miniForms) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.FormIDs(ctx, c.AppID, client.ListFilter{OpenID: c.OpenID, Limit: c.Limit})
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	if len(list.Items) > 0 {
		rows := make([][]cell, len(list.Items))
		for i, f := range list.Items {
			rows[i] = []cell{text(f.OpenID), text(f.FormID), text(f.Source), formStateCell(&f), text(fmt.Sprintf("%d of %d", f.Left, f.Sends)),
				timeCell(&f.ExpiresAt), text(strings.Join(f.Messages, " "))}
		}
		heads := []string{"OPENID", "FORM_ID", "SOURCE", "STATE", "LEFT", "EXPIRES", "TAKEN BY"}
		out.fit(heads, rows)
		out.table(heads, rows)
	}
	out.line("%d sends left, in %d form_ids of %d users; %d of them expire within a day", list.Left, list.Usable, list.Users, list.ExpiringDay)
	if list.Waiting != nil && *list.Waiting > 0 {
		out.line("%d messages to this user wait for a form_id", *list.Waiting)
	}
	out.next("hongyan mini add %s OPENID FORM_ID", c.AppID)
	return nil
}

func formStateCell(f *client.FormID) cell {
	switch f.State {
	case "usable":
		return cell{f.State, green}
	case "refused":
		words := f.State
		if f.Errcode != nil {
			words = fmt.Sprintf("refused %d", *f.Errcode)
		}
		return cell{words, red}
	}
	return cell{f.State, grey}
}

type miniAdd struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias of the mini program."`
	OpenID       string `arg:"" optional:"" name:"openid" help:"The user who submitted the form, or paid."`
	FormID       string `arg:"" optional:"" name:"form-id" help:"formId or prepay_id."`
	Sends        int    `help:"Messages that a payment serves, 1 or 3; default the account's setting."`
	ObtainedAt   string `name:"obtained-at" placeholder:"TIME" help:"When it was submitted or paid: RFC 3339, or so long ago such as 2h; default now."`
	File         string `placeholder:"FILE" help:"Many, as NDJSON: {\"openid\",\"form_id\" or \"prepay_id\",\"obtained_at\",\"sends\"} a line; - reads standard input. Bad rows are named, and the exit code is 1; the others are stored."`
}

// formRows are how many entries go in one request: as many as the gateway names bad ones of.
const formRows = 100

// maxFormFile bounds --file, in bytes: about a million entries.
const maxFormFile = 256 << 20

func (c *miniAdd) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	var done client.FormIDsStored
	if c.File == "" {
		done, err = c.addOne(ctx, gateway)
	} else {
		done, err = c.addFile(ctx, w, gateway)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		if err := w.json(done); err != nil {
			return err
		}
	} else {
		c.shownAdded(w.out(), &done)
	}
	if done.Bad > 0 { // the rest is stored, but whoever reads the code alone must not take it for all
		return errSilent
	}
	return nil
}

func (c *miniAdd) shownAdded(out *printer, done *client.FormIDsStored) {
	out.line("%d stored, %d known before, %d bad; %d messages that waited go now", done.Stored, done.Known, done.Bad, done.Released)
	for _, p := range done.Problems {
		out.line("row %d: %s", p.Row, problemWords(p.Errors, func(e client.FieldError) string { return e.Detail }))
		if zh := problemWords(p.Errors, func(e client.FieldError) string { return e.DetailZH }); zh != "" {
			out.line("  %s", zh)
		}
	}
	if done.Bad > 0 {
		out.next("mend those rows and give the file again: what is stored counts as known")
		return
	}
	out.next("hongyan mini forms %s", c.AppID)
}

// problemWords joins what detail says of each field; what has none is left out.
func problemWords(errors []client.FieldError, detail func(client.FieldError) string) string {
	var words []string
	for _, e := range errors {
		said := detail(e)
		if field := strings.TrimPrefix(e.Pointer, "/"); field != "" && said != "" {
			said = field + ": " + said
		}
		if said != "" {
			words = append(words, said)
		}
	}
	return strings.Join(words, "; ")
}

func (c *miniAdd) addOne(ctx context.Context, gateway *client.Client) (done client.FormIDsStored, err error) {
	if c.OpenID == "" || c.FormID == "" {
		return done, wrongUse("hongyan mini add APPID OPENID FORM_ID, or --file FILE", "openid and form-id are missing")
	}
	at, err := parseAgo("--obtained-at", c.ObtainedAt, time.Now())
	if err != nil {
		return done, err
	}
	done, err = gateway.AddFormID(ctx, c.AppID, client.FormIDRequest{OpenID: c.OpenID, FormID: c.FormID, Sends: c.Sends, ObtainedAt: at})
	if err != nil {
		err = flagNames{"/openid": "openid", "/form_id": "form-id", "/sends": "--sends", "/obtained_at": "--obtained-at"}.apiError(gateway, err)
	}
	return done, err
}

func (c *miniAdd) addFile(ctx context.Context, w *surroundings, gateway *client.Client) (done client.FormIDsStored, err error) {
	if c.OpenID != "" || c.Sends != 0 || c.ObtainedAt != "" {
		return done, wrongUse("put them into the lines", "--file names every entry itself, and an entry is given too")
	}
	raw, err := w.readNamed("--file", c.File, maxFormFile)
	if err != nil {
		return done, err
	}
	done.Problems = []client.RowProblem{}
	var part []byte
	rows := 0
	for line := range bytes.Lines(bytes.TrimPrefix(raw, []byte("\uFEFF"))) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		part = append(append(part, line...), '\n')
		if rows++; rows == formRows {
			if err := c.addPart(ctx, gateway, part, &done); err != nil {
				return done, err
			}
			part, rows = part[:0], 0
		}
	}
	if rows > 0 {
		err = c.addPart(ctx, gateway, part, &done)
	}
	return done, err
}

// addPart stores lines and adds to done what became of them.
func (c *miniAdd) addPart(ctx context.Context, gateway *client.Client, lines []byte, done *client.FormIDsStored) error {
	part, err := gateway.AddFormLines(ctx, c.AppID, lines)
	if err != nil {
		return apiError(gateway, err)
	}
	for _, p := range part.Problems {
		p.Row += done.Rows
		done.Problems = append(done.Problems, p)
	}
	done.Rows += part.Rows
	done.Stored += part.Stored
	done.Known += part.Known
	done.Bad += part.Bad
	done.Released += part.Released
	return nil
}

type miniConsents struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias."`
	OpenID       string `name:"openid" help:"One user; default all."`
	Template     string `name:"template" placeholder:"TEMPLATE_ID" help:"One template; default all."`
	Limit        int    `default:"50" help:"How many; default ${default}."`
}

func (c *miniConsents) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	list, err := gateway.Consents(ctx, c.AppID, client.ListFilter{OpenID: c.OpenID, TemplateID: c.Template, Limit: c.Limit})
	if err != nil {
		return apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	if len(list.Items) == 0 {
		out.line("nothing is known: no event and no report has come of such a user and template")
		out.next("hongyan template list %s", c.AppID)
		return nil
	}
	rows := make([][]cell, len(list.Items))
	for i, s := range list.Items {
		rows[i] = []cell{text(s.OpenID), text(s.TemplateID), leftCell(&s), text(wayWords(s.OnTheWay)), text(s.Type), text(cmp.Or(s.Always, "-")), timeCell(s.AcceptedAt), timeCell(s.RefusedAt)}
	}
	out.table([]string{"OPENID", "TEMPLATE_ID", "LEFT", "ON THE WAY", "TYPE", "ALWAYS", "ACCEPTED", "NONE LEFT AT"}, rows)
	out.line("at least: there may be more than was counted; unknown: none counted is left, which does not mean that none is")
	out.next("hongyan mini consents %s --openid %s", c.AppID, list.Items[0].OpenID)
	return nil
}

// leftCell says how many sends are left, and how far that can be trusted.
func leftCell(s *client.Consent) cell {
	switch {
	case s.Left == nil:
		return cell{"any number", green}
	case s.UsedUp:
		return cell{"none", red}
	case s.Certainty == "at_least":
		return cell{fmt.Sprintf("at least %d", *s.Left), amber}
	case s.Certainty == "unknown":
		return cell{"unknown", amber}
	}
	return cell{fmt.Sprint(*s.Left), green}
}

func wayWords(n *int) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

type miniConvert struct {
	gatewayFlags `embed:""`
	AppID        string `arg:"" name:"appid" help:"Appid or alias of the mini program."`
	TemplateID   string `arg:"" name:"template-id" help:"The old template, registered or not."`
	Title        string `help:"Its title, if it is not registered."`
	Content      string `help:"Its content with keys, such as 预约时间：{{keyword2.DATA}}, if it is not registered."`
	Example      string `help:"Its content filled in; it makes the types surer."`
}

func (c *miniConvert) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	done, err := gateway.ConvertTemplate(ctx, c.AppID, c.TemplateID, client.TemplateOld{
		Title: c.Title, Content: unescapeLines(c.Content), Example: unescapeLines(c.Example),
	})
	if err != nil {
		return c.refused(gateway, err)
	}
	if c.JSON {
		return w.json(done)
	}
	out := w.out()
	rows := make([][]cell, len(done.Lines))
	for i, l := range done.Lines {
		rows[i] = []cell{text(l.Keyword), text(l.Name), text(l.Type), text(cmp.Or(l.Example, "-")), {l.Note, amber}}
	}
	out.table([]string{"KEYWORD", "NAME", "TYPE", "EXAMPLE", "NOTE"}, rows)
	showSuccessors(out, "the account holds", done.Held, done.Lines)
	showSuccessors(out, "in WeChat's library", done.Library, done.Lines)
	for _, n := range done.Notes {
		out.line("note: %s", n)
	}
	if len(done.Held) > 0 {
		first := &done.Held[0]
		out.next("hongyan send --appid %s --kind subscribe --to OPENID --template %s%s", c.AppID, *first.TemplateID, dataFlags(slices.Sorted(maps.Values(first.Mapping))))
		return nil
	}
	out.next("hongyan template put %s TEMPLATE_ID --title TITLE --content CONTENT", c.AppID)
	return nil
}

// refused is apiError with a cure that helps: WeChat lists no templates of form_ids.
func (c *miniConvert) refused(gateway *client.Client, err error) error {
	told := flagNames{"/content": "--content"}.apiError(gateway, err)
	p, refused := errors.AsType[*client.Problem](err)
	if own, ok := errors.AsType[*commandError](told); ok && refused && p.Code == "unknown_template" {
		own.cure = fmt.Sprintf("hongyan template put %s %s --title TITLE --content CONTENT registers it: WeChat lists none of its kind; or give --content", c.AppID, c.TemplateID)
	}
	return told
}

// unescapeLines lets a shell give lines as \n.
func unescapeLines(s string) string { return strings.ReplaceAll(s, `\n`, "\n") }

func showSuccessors(out *printer, where string, all []client.Successor, lines []client.ConversionLine) {
	for i := range all {
		s := &all[i]
		out.line("")
		name := ""
		if s.TemplateID != nil {
			name = *s.TemplateID
		} else if s.TID != nil {
			name = fmt.Sprintf("tid %d, keywords %s", *s.TID, strings.Trim(fmt.Sprint(s.KIDList), "[]"))
		}
		out.line("%s %s (%s, %s) fits %.0f %%", out.paint(bold, s.Title), name, where, s.Type, 100*s.Fits)
		for _, l := range lines {
			if key := s.Mapping[l.Keyword]; key != "" {
				out.line("  %s %s → %s", l.Keyword, l.Name, key)
			}
		}
		if len(s.Unmapped) > 0 {
			out.line("  %s", out.paint(amber, "no place for "+strings.Join(s.Unmapped, ", ")))
		}
		if len(s.Missing) > 0 {
			out.line("  %s", out.paint(amber, "wants besides "+strings.Join(s.Missing, ", ")))
		}
	}
}
