package api

import (
	"cmp"
	"context"
	"encoding/csv"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hongyan"
	"hongyan/access"
	"hongyan/batch"
	"hongyan/client"
	"hongyan/wechat"
)

// batchFileOf is a file made of a batch while it is read.
type batchFileOf struct {
	id, contentType, summary, description string
	write                                 func(a *API, ctx context.Context, b *hongyan.Batch, to io.Writer) error
}

// batchFiles are the files of a batch, by their names in its path.
var batchFiles = map[string]batchFileOf{
	"results.csv": {
		id: "results-csv", contentType: client.CSV, summary: "Results as CSV / 结果文件（CSV）", write: (*API).writeResultsCSV,
		description: "One line for each row, in their order: state, reason, errcode and its cause in English and Chinese, msgid, the message's id, times. UTF-8 with a byte order mark, as Excel wants it.",
	},
	"results.xlsx": {
		id: "results-xlsx", contentType: client.XLSX, summary: "Results as XLSX / 结果文件（XLSX）", write: (*API).writeResultsXLSX,
		description: "The same as results.csv, as a workbook. Every cell is text. Beyond 1,048,575 rows it has further sheets.",
	},
	"problems.csv": {
		id: "problems-csv", contentType: client.CSV, summary: "Problems as CSV / 问题行（CSV）", write: (*API).writeProblemsCSV,
		description: "What is wrong with rows, in their order. UTF-8 with a byte order mark, as Excel wants it.",
	},
}

// batchFile answers with a file. It is a plain handler, because its answer is a stream of
// any length.
func (a *API) batchFile(f batchFileOf) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := a.authenticate(r, reader)
		ctx := context.WithValue(r.Context(), infoKey{}, &requestInfo{id: w.Header().Get(requestIDHeader), caller: c, remote: access.RemoteOf(r)})
		var b hongyan.Batch
		if err == nil {
			b, err = a.batch(ctx, r.PathValue("id"))
		}
		if err != nil {
			a.writeError(w, r, err)
			return
		}
		w.Header().Set("Content-Type", f.contentType)
		w.Header().Set("Content-Disposition", `attachment; filename="`+b.ID+"-"+strings.ReplaceAll(f.id, "-", ".")+`"`)
		to := &patientWriter{w: w, control: http.NewResponseController(w)}
		if err := f.write(a, ctx, &b, to); err != nil {
			a.log.WarnContext(ctx, "write a file of a batch", "batch", b.ID, "file", f.id, "err", err)
			panic(http.ErrAbortHandler) // the answer has begun: only a broken connection says that it is not whole
		}
	}
}

// patientWriter gives each part of a long answer its time.
type patientWriter struct {
	w       io.Writer
	control *http.ResponseController
	set     time.Time
}

func (p *patientWriter) Write(b []byte) (int, error) {
	if now := time.Now(); now.Sub(p.set) >= time.Second {
		p.set = now
		_ = p.control.SetWriteDeadline(now.Add(answerTimeout))
	}
	return p.w.Write(b)
}

const byteOrderMark = "\uFEFF"

// plainCell keeps text that came from outside from being taken for a formula.
func plainCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

var resultHead = []string{"row", "touser", "state", "state_zh", "reason", "errcode", "cause", "cause_zh", "msgid", "message_id",
	"created_at", "first_attempt_at", "accepted_at", "receipt_at", "updated_at"}

func (a *API) writeResultsCSV(ctx context.Context, b *hongyan.Batch, to io.Writer) error {
	return writeCSV(to, resultHead, func(w *csv.Writer) error {
		return a.cfg.Batches.Results(ctx, b, func(r batch.Result) error {
			return w.Write(shownCells(ctx, b, &r))
		})
	})
}

// shownCells is ResultCells as far as the caller may see them. A bad row's openid may be
// anything, and its cause quotes what is wrong.
func shownCells(ctx context.Context, b *hongyan.Batch, r *batch.Result) []string {
	cells := ResultCells(b, r)
	switch {
	case !masks(ctx):
	case r.Message == nil && len(r.Problems) > 0:
		cells[1], cells[6], cells[7] = masked, masked, masked
	default:
		cells[1] = maskOpenID(cells[1])
	}
	return cells
}

// ResultHead names the cells that ResultCells returns.
func ResultHead() []string { return resultHead }

// ResultCells is what became of a row, in words: the line of a results file.
func ResultCells(b *hongyan.Batch, r *batch.Result) []string {
	cells := make([]string, len(resultHead))
	cells[0], cells[1] = strconv.FormatInt(r.Row, 10), plainCell(r.ToUser)
	m := r.Message
	if m != nil {
		cells[1] = plainCell(m.ToUser) // or what stands in its place: the person may have been erased
	}
	if m == nil {
		cells[2], cells[3], cells[4], cells[6], cells[7] = unsent(b, r)
		return cells
	}
	cells[2], cells[3], cells[4] = m.State.String(), m.State.ZH(), m.Reason
	if m.Last.Outcome == hongyan.Answered {
		cells[5] = strconv.Itoa(m.Last.Errcode)
		if info, ok := wechat.LookupCode(m.Last.Errcode); ok && m.Last.Errcode != 0 {
			cells[6], cells[7] = info.Meaning, info.MeaningZH
		}
	}
	if m.MsgID != 0 {
		cells[8] = strconv.FormatInt(m.MsgID, 10)
	}
	cells[9] = m.ID
	times := []time.Time{m.CreatedAt, m.FirstAt, m.AcceptedAt, {}, m.UpdatedAt}
	if m.Receipt != nil {
		times[3] = m.Receipt.At
	}
	for i, at := range times {
		if !at.IsZero() {
			cells[10+i] = (client.Time{Time: at}).String()
		}
	}
	return cells
}

// unsent says why a row is no message.
func unsent(b *hongyan.Batch, r *batch.Result) (state, stateZH, reason, cause, causeZH string) {
	if len(r.Problems) > 0 {
		p := r.Problems[0]
		words, wordsZH := make([]string, len(r.Problems)), make([]string, len(r.Problems))
		for i, p := range r.Problems {
			words[i], wordsZH[i] = p.Detail, cmp.Or(p.DetailZH, p.Detail)
		}
		return "bad", "有问题", p.Rule, plainCell(strings.Join(words, "; ")), plainCell(strings.Join(wordsZH, "；"))
	}
	if b.State == hongyan.BatchCancelled {
		return "not_sent", "未发送", "batch_cancelled", "the batch was cancelled before its turn", "轮到该行之前批量已取消"
	}
	return "waiting", "等待", "", "its turn has not come", "尚未轮到"
}

func (a *API) writeProblemsCSV(ctx context.Context, b *hongyan.Batch, to io.Writer) error {
	return writeCSV(to, []string{"row", "column", "rule", "detail", "detail_zh", "value"}, func(w *csv.Writer) error {
		var failed error
		err := a.cfg.Batches.Problems(ctx, b, 0, func(p batch.RowProblem) bool {
			if masks(ctx) {
				p.Detail, p.DetailZH, p.Value = masked, masked, masked
			}
			failed = w.Write([]string{strconv.FormatInt(p.Row, 10), plainCell(p.Column), p.Rule, plainCell(p.Detail), plainCell(p.DetailZH), plainCell(p.Value)})
			return failed == nil
		})
		if err == nil {
			err = failed
		}
		return err
	})
}

// writeCSV writes a head and the lines that rows gives, for Excel.
func writeCSV(to io.Writer, head []string, rows func(*csv.Writer) error) error {
	if _, err := io.WriteString(to, byteOrderMark); err != nil {
		return err
	}
	w := csv.NewWriter(to)
	w.UseCRLF = true
	if err := w.Write(head); err != nil {
		return err
	}
	if err := rows(w); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}
