package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"hongyan"
	"hongyan/access"
	"hongyan/batch"
	"hongyan/client"
	"hongyan/wechat"
)

const (
	// maxLine bounds a line of NDJSON, in bytes.
	maxLine = 64 << 10
	// uploadGrace and uploadRate bound how long an upload may take: so long, and a second
	// more for each so many bytes. Between two reads no more than bodyTimeout may pass.
	uploadGrace = time.Minute
	uploadRate  = 2 << 10
	// answerTimeout is how long a caller may take to read an answer that follows an upload.
	answerTimeout = time.Minute
)

// uploadRecipients is POST /v1/batches/{id}/recipients. It is a plain handler, because its
// body is a stream of any length.
func (a *API) uploadRecipients(w http.ResponseWriter, r *http.Request) {
	c, err := a.authenticate(r, sender)
	if c == nil {
		a.writeError(w, r, err)
		return
	}
	info := &requestInfo{id: w.Header().Get(requestIDHeader), caller: c, remote: access.RemoteOf(r), change: newChange("batch.upload", "/v1/batches/{id}/recipients", r)}
	ctx := context.WithValue(r.Context(), infoKey{}, info)
	defer func() { a.note(ctx, info, errNoAnswer) }() // a panic's; noted already otherwise
	var report client.BatchReport
	if err == nil {
		report, err = a.upload(ctx, w, r)
	}
	if report.DryRun {
		info.change.action = "" // nothing changed
	}
	info.change.detail = fmt.Sprintf("%d rows, %d bad", report.Rows, report.Bad)
	a.note(ctx, info, err)
	if err != nil {
		a.writeError(w, r, err)
		return
	}
	w.Header()["Content-Type"] = jsonContent
	_ = encode(w, report)
}

func (a *API) upload(ctx context.Context, w http.ResponseWriter, r *http.Request) (client.BatchReport, error) {
	id := r.PathValue("id")
	if _, err := a.batch(ctx, id); err != nil {
		return client.BatchReport{}, err
	}
	u, sheet, err := uploadQuery(r.URL.Query())
	if err != nil {
		return client.BatchReport{}, err
	}
	body := newPatientBody(w, r.Body)
	defer body.end()
	rows, err := rowsOf(body, r.Header.Get("Content-Type"), sheet)
	if err == nil {
		defer rows.Close()
		u.Source = rows
		var report batch.Report
		report, err = a.cfg.Batches.Upload(ctx, id, u)
		if err == nil {
			return viewReport(&report), nil
		}
		if body.err != nil { // whatever the reader of rows made of it
			err = broken(body.err, report.NextRow)
		}
		return viewReport(&report), err
	}
	if body.err != nil {
		err = broken(body.err, 0)
	}
	return client.BatchReport{}, err
}

// broken refuses an upload whose body ended early.
func broken(err error, next int64) error {
	e := &hongyan.Error{Kind: hongyan.Invalid, Code: "body_not_read", Message: "the body did not arrive completely", Err: err}
	if next > 0 {
		e.Message += fmt.Sprintf("; rows before %d are stored", next)
		e.Hint = "send the same again: what is stored is passed over"
		e.Err = errors.Join(batch.NextRow(next), err)
	}
	return e
}

func viewReport(r *batch.Report) client.BatchReport {
	v := client.BatchReport{Rows: r.Rows, Good: r.Good, Bad: r.Bad, Skipped: r.Skipped, NextRow: r.NextRow, DryRun: r.DryRun, Encoding: r.Encoding,
		Problems: make([]client.BatchProblem, 0, len(r.Problems))}
	for _, p := range r.Problems {
		v.Problems = append(v.Problems, problemRow(p))
	}
	return v
}

// uploadQuery reads the parameters of an upload.
func uploadQuery(q url.Values) (u batch.Upload, sheet string, err error) {
	for name, values := range q {
		value := values[0]
		switch name {
		case "from":
			u.From, err = strconv.ParseInt(value, 10, 64)
			if err != nil || u.From < 1 {
				return u, "", badField("bad_parameter", "/query/from", "from must be the number of a row, 1 or more, got %q", clip(value)).
					InChinese("from 应为行号，不小于 1，当前值为 %q", clip(value))
			}
		case "dry_run":
			if u.DryRun, err = strconv.ParseBool(value); err != nil {
				return u, "", badField("bad_parameter", "/query/dry_run", "dry_run must be true or false, got %q", clip(value)).
					InChinese("dry_run 应为 true 或 false，当前值为 %q", clip(value))
			}
		case "sheet":
			sheet = value
		default:
			return u, "", badField("bad_parameter", "/query/"+clip(name), "there is no parameter %q here; there are from, dry_run and sheet", clip(name)).
				InChinese("此处没有参数 %q；有 from、dry_run 和 sheet", clip(name))
		}
	}
	return u, sheet, nil
}

// rowSource is rows with something to close.
type rowSource interface {
	batch.Source
	Close() error
}

// rowsOf reads rows in the format that the body is said to have.
func rowsOf(body io.Reader, contentType, sheet string) (rowSource, error) {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = contentType
	}
	switch kind {
	case client.NDJSON, "application/ndjson", "application/jsonl", "application/jsonlines":
		return &lines{in: bufio.NewReaderSize(body, maxLine)}, nil
	case client.CSV:
		return batch.OpenTable(body, "csv", sheet)
	case client.XLSX:
		return batch.OpenTable(body, "xlsx", sheet)
	case "application/octet-stream":
		return batch.OpenTable(body, "", sheet)
	}
	return nil, badField("unsupported_media_type", "/header/Content-Type", "Content-Type %q is none of %s, %s and %s", clip(contentType), client.NDJSON, client.CSV, client.XLSX).
		InChinese("Content-Type %q 不是 %s、%s 或 %s", clip(contentType), client.NDJSON, client.CSV, client.XLSX)
}

// patientBody is a body of any length. It gives each read its time, and all of them
// together one that grows with what has come; it remembers how the reading failed.
type patientBody struct {
	w       http.ResponseWriter
	in      io.Reader
	begun   time.Time
	read    int64
	set     time.Time // when the deadline was last moved
	err     error     // io.EOF is none
	limited bool      // the writer knows deadlines
}

func newPatientBody(w http.ResponseWriter, in io.Reader) *patientBody {
	b := &patientBody{w: w, in: in, begun: time.Now()}
	b.limited = huma.SetReadDeadline(w, b.begun.Add(bodyTimeout)) == nil
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // the answer comes when the body has
	return b
}

func (b *patientBody) Read(p []byte) (int, error) {
	now := time.Now()
	if b.limited && now.Sub(b.set) >= time.Second {
		b.set = now
		last := b.begun.Add(uploadGrace + time.Duration(b.read/uploadRate)*time.Second)
		if next := now.Add(bodyTimeout); next.Before(last) {
			last = next
		}
		_ = huma.SetReadDeadline(b.w, last)
	}
	n, err := b.in.Read(p)
	b.read += int64(n)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// end puts the limits of ordinary requests back.
func (b *patientBody) end() {
	if b.limited {
		_ = huma.SetReadDeadline(b.w, time.Time{}) // one that stays would end the request's context later on
		_ = http.NewResponseController(b.w).SetWriteDeadline(time.Now().Add(answerTimeout))
	}
}

// lines reads rows of NDJSON.
type lines struct {
	in    *bufio.Reader
	begun bool
}

func (*lines) Columns() []string { return nil }
func (*lines) Encoding() string  { return "" }
func (*lines) Close() error      { return nil }

// Next reads one line that is not blank.
func (l *lines) Next() (batch.Row, error) {
	for {
		line, err := l.in.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			return l.tooLong()
		}
		if err != nil && (err != io.EOF || len(line) == 0) {
			return batch.Row{}, err
		}
		if !l.begun {
			l.begun = true
			line = bytes.TrimPrefix(line, []byte("\uFEFF"))
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return rowOfLine(bytes.Clone(line)), nil
		}
	}
}

// tooLong passes over the rest of a line.
func (l *lines) tooLong() (batch.Row, error) {
	for err := bufio.ErrBufferFull; err != nil && err != io.EOF; {
		if _, err = l.in.ReadSlice('\n'); err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return batch.Row{}, err
		}
	}
	return batch.Row{JSON: []byte("{}"), Problems: []batch.Problem{{Rule: "too_long",
		Detail: fmt.Sprintf("the line is longer than %d bytes", maxLine), DetailZH: fmt.Sprintf("该行超过 %d 字节", maxLine)}}}, nil
}

// lineBody is a line of NDJSON: the fields of a message that a row may set.
type lineBody struct {
	ToUser           string            `json:"touser"`
	URL              string            `json:"url"`
	MiniProgram      *jump             `json:"miniprogram"`
	TopColor         string            `json:"topcolor"`
	Page             string            `json:"page"`
	FormID           string            `json:"form_id"`
	EmphasisKeyword  string            `json:"emphasis_keyword"`
	Color            string            `json:"color"`
	MiniProgramState string            `json:"miniprogram_state"`
	Lang             string            `json:"lang"`
	Scene            string            `json:"scene"`
	Title            string            `json:"title"`
	Data             messageData       `json:"data"`
	Metadata         jsontext.Value    `json:"metadata"`
	Columns          map[string]string `json:"columns"`
}

// rowOfLine reads a line as strictly as a message.
func rowOfLine(line []byte) batch.Row {
	var b lineBody
	if err := decodeStrict(line, &b); err != nil {
		return badLine(line, err)
	}
	metadata, err := metadataObject(b.Metadata)
	if err != nil {
		return badLine(line, err)
	}
	f := batch.Fields{ToUser: b.ToUser, URL: b.URL, TopColor: b.TopColor, Page: b.Page, FormID: b.FormID, EmphasisKeyword: b.EmphasisKeyword,
		Color: b.Color, MiniProgramState: b.MiniProgramState, Lang: b.Lang, Scene: b.Scene, Title: b.Title, Data: wechat.Data(b.Data), Metadata: metadata}
	if b.MiniProgram != nil && *b.MiniProgram != (jump{}) {
		f.MiniProgram = &wechat.MiniProgram{AppID: b.MiniProgram.AppID, PagePath: b.MiniProgram.PagePath}
	}
	return batch.NewJSONRow(line, batch.RowJSON{Fields: f, Columns: b.Columns})
}

// badLine is a row that cannot be read. Of one that is JSON at least the recipient may be.
func badLine(line []byte, err error) batch.Row {
	r := batch.NewJSONRow(line, batch.RowJSON{})
	e := asShown(err)
	if !jsontext.Value(line).IsValid() {
		r.JSON = []byte("{}") // what is kept must be readable
	}
	for _, f := range e.Fields {
		r.Problems = append(r.Problems, batch.Problem{Column: strings.ReplaceAll(strings.TrimPrefix(f.Pointer, "/"), "/", "."), Rule: e.Code, Detail: f.Detail, DetailZH: f.DetailZH})
	}
	if len(r.Problems) == 0 {
		r.Problems = []batch.Problem{{Rule: e.Code, Detail: e.Message}}
	}
	return r
}
