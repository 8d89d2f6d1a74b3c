package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// Source gives the rows of an upload, one by one.
type Source interface {
	// Columns are the names of a table's columns; nil where rows bring fields of their own.
	Columns() []string
	// Next returns the next row, io.EOF at the end. A row that is wrong has Problems; an
	// error ends the upload. Cells are those of all columns, in their order.
	Next() (Row, error)
	// Encoding is how the table is written, as far as it was read; "" where that is no question.
	Encoding() string
}

// Upload is rows for a batch.
type Upload struct {
	Source Source
	From   int64 // the number of its first row; 0 = 1
	DryRun bool  // judge, and store nothing
	// Progress is called now and then while rows are read; nil = nobody wants to know.
	Progress func()
}

// Report is what an upload came to.
type Report struct {
	Rows, Good, Bad int64 // of the rows that are new
	Skipped         int64 // rows that are stored already
	NextRow         int64 // the row that the batch wants next
	Problems        []RowProblem
	Encoding        string
	DryRun          bool
}

// RowProblem is a problem of a row.
type RowProblem struct {
	Row int64
	Problem
}

// reportedProblems is how many problems an upload answers with; Problems lists all.
const reportedProblems = 100

// NextRow is the cause of a refusal that names the row the batch wants.
type NextRow int64

// Error says which row.
func (n NextRow) Error() string { return fmt.Sprintf("the next row is %d", int64(n)) }

// Upload judges rows and stages them, the bad with what is wrong with them. Rows that
// the batch has already are passed over, if they have the same recipients; a gap is a
// Conflict (rows_gap) whose cause is a NextRow, and so is any error after which the
// same upload may be sent again. A later upload of the same batch ends this one
// (upload_replaced), wherever its rows come from: whoever sends again has lost the
// answer to the first.
func (d *Desk) Upload(ctx context.Context, id string, u Upload) (Report, error) {
	if u.DryRun {
		return d.upload(ctx, id, u, func() {})
	}
	ctx, t, release, err := d.uploads.take(ctx, id)
	if err != nil {
		return Report{}, err
	}
	defer release()
	return d.upload(ctx, id, u, t.end)
}

// upload is Upload in its turn, which it may end early.
func (d *Desk) upload(ctx context.Context, id string, u Upload, endTurn func()) (Report, error) {
	b, err := d.store.Batch(ctx, id)
	if err != nil {
		return Report{}, err
	}
	if b.State != hongyan.BatchOpen {
		return Report{}, hongyan.Errorf(hongyan.Conflict, "batch_not_open", "batch %s is %s and takes no more recipients", b.ID, b.State)
	}
	u.From = max(1, u.From)
	if u.From > b.Rows+1 {
		return Report{}, gap(&b, u.From)
	}
	j, err := d.judgeFor(ctx, &b, u.Source.Columns())
	if err != nil {
		return Report{}, err
	}
	s := &staging{desk: d, ctx: ctx, j: j, next: j.seen.rows() + 1, ended: endTurn,
		report: Report{DryRun: u.DryRun, NextRow: j.seen.rows() + 1}}
	err = s.run(u)
	s.report.Encoding = u.Source.Encoding()
	d.metrics.staged(&s.report)
	if err != nil {
		return s.report, resumable(err, s.report.NextRow)
	}
	return s.report, nil
}

func gap(b *hongyan.Batch, from int64) error {
	e := hongyan.Errorf(hongyan.Conflict, "rows_gap", "batch %s has %d rows: the next is row %d, not %d", b.ID, b.Rows, b.Rows+1, from)
	e.Err = NextRow(b.Rows + 1)
	return e
}

// resumable adds to a refusal which row is wanted when it is sent again.
func resumable(err error, next int64) error {
	e, ok := errors.AsType[*hongyan.Error](err)
	if !ok {
		return err
	}
	told := *e
	told.Err = errors.Join(NextRow(next), e.Err)
	return &told
}

// judgeFor prepares to judge rows of a table with that header, nil for rows of JSON.
func (d *Desk) judgeFor(ctx context.Context, b *hongyan.Batch, header []string) (*judge, error) {
	sp, err := specOf(b)
	if err != nil {
		return nil, err
	}
	keys := d.keysOf(ctx, b)
	p, err := sp.compile(header, keys)
	if err != nil {
		return nil, err
	}
	j := &judge{desk: d, b: b, p: p, keys: keys, now: d.store.Now(), allowTwice: sp.Duplicates == "allow"}
	if j.seen, err = loadSeen(ctx, d.store, b.Seq); err != nil {
		return nil, err
	}
	accounts, err := d.store.Accounts(ctx)
	j.foreign = len(accounts) > 1
	return j, err
}

// keysOf returns the keys of the batch's template, as far as it is known here.
func (d *Desk) keysOf(ctx context.Context, b *hongyan.Batch) []string {
	t, err := d.store.Template(ctx, b.AppID, b.TemplateID)
	if err != nil {
		return nil
	}
	return wechat.ParseContent(t.Content).Params()
}

// staging is an upload under way.
type staging struct {
	desk   *Desk
	ctx    context.Context // of the upload
	j      *judge
	next   int64  // the number of the first row of the next chunk
	ended  func() // called when nothing is stored any more
	report Report
}

// run reads rows and hands them, chunk by chunk, to a goroutine that judges and stages
// them meanwhile. That one ends with ctx at once, whatever the reading waits for.
func (s *staging) run(u Upload) error {
	work, failed, done := make(chan []Row), make(chan struct{}), make(chan error, 1)
	go func() {
		err := s.takeAll(work)
		s.ended()
		close(failed)
		done <- err
	}()
	readErr := s.read(u, func(rows []Row) bool {
		select {
		case work <- rows:
			return true
		case <-failed:
			return false
		}
	})
	close(work)
	return firstError(<-done, readErr)
}

// firstError is the error that ended the upload; what else went wrong then followed.
func firstError(staged, read error) error {
	if staged != nil {
		return staged
	}
	return read
}

// takeAll takes chunks until there are no more, or ctx ends.
func (s *staging) takeAll(work <-chan []Row) error {
	for {
		select {
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		case rows, more := <-work:
			if !more {
				return nil
			}
			if err := s.take(rows); err != nil {
				if ended := context.Cause(s.ctx); ended != nil {
					err = ended
				}
				return err
			}
		}
	}
}

// read reads the upload and gives whole chunks away, the rest only when nothing is
// missing behind it.
func (s *staging) read(u Upload, give func([]Row) bool) error {
	columns := u.Source.Columns()
	if t, ok := u.Source.(interface{ Use(columns []string) }); ok {
		t.Use(s.j.p.names)
	}
	var places []int
	for _, name := range s.j.p.names {
		places = append(places, slices.Index(columns, name))
	}
	rows := make([]Row, 0, chunkRows)
	for n, stored := u.From, s.j.seen.rows(); ; n++ {
		r, err := u.Source.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if n > hongyan.MaxBatchRows {
			return hongyan.Errorf(hongyan.Invalid, "too_many_rows", "a batch has at most %d rows", hongyan.MaxBatchRows)
		}
		if columns != nil {
			r.Cells = chosen(r.Cells, places)
		}
		if n <= stored {
			if err := s.same(&r, n); err != nil {
				return err
			}
			continue
		}
		if rows = append(rows, r); len(rows) < chunkRows {
			continue
		}
		if !give(rows) {
			return nil
		}
		rows = make([]Row, 0, chunkRows)
		if u.Progress != nil {
			u.Progress()
		}
	}
	if len(rows) > 0 {
		give(rows)
	}
	return nil
}

// chosen keeps the cells that are used.
func chosen(cells []string, places []int) []string {
	kept := make([]string, len(places))
	for i, at := range places {
		if at >= 0 && at < len(cells) {
			kept[i] = cells[at]
		}
	}
	return kept
}

// same reports an error unless a row that is stored already has the same recipient.
func (s *staging) same(r *Row, n int64) error {
	f, _ := s.j.p.fields(r)
	if hashOf(f.ToUser) == s.j.seen.of(n) {
		s.report.Skipped++
		return nil
	}
	return &hongyan.Error{Kind: hongyan.Conflict, Code: "rows_differ", Err: NextRow(s.j.seen.rows() + 1),
		Message: fmt.Sprintf("row %d is stored already, with another recipient", n),
		Hint:    fmt.Sprintf("to add another file give from=%d; to send another in its place make a new batch", s.j.seen.rows()+1)}
}

// take judges a chunk of rows and stages it. When others stored rows meanwhile, as an
// upload to another node does, it goes on behind them.
func (s *staging) take(rows []Row) error {
	given := make([][]Problem, len(rows)) // by whoever read the rows
	for i := range rows {
		given[i] = rows[i].Problems
	}
	for {
		known := s.j.seen.rows()
		for len(rows) > 0 && s.next <= known {
			if err := s.same(&rows[0], s.next); err != nil {
				return err
			}
			rows, given, s.next = rows[1:], given[1:], s.next+1
		}
		if len(rows) == 0 {
			return nil
		}
		err := s.stage(rows)
		if e, ok := errors.AsType[*hongyan.Error](err); !ok || e.Code != "rows_gap" {
			return err
		}
		now, loadErr := loadSeen(s.ctx, s.desk.store, s.j.b.Seq)
		if loadErr != nil {
			return loadErr
		}
		if now.rows() <= known { // no race, then
			return err
		}
		s.j.seen = now
		s.report.NextRow = s.j.seen.rows() + 1
		for i := range rows {
			rows[i].Problems = given[i]
		}
	}
}

// stage judges rows, the next ones of the batch, and stores them. An error leaves what is
// known of the batch's recipients as wrong as the rows were.
func (s *staging) stage(rows []Row) error {
	hashes, users, err := s.j.rows(s.ctx, rows, s.next)
	if err != nil {
		return err
	}
	s.j.twice(rows, hashes, users)
	if !s.report.DryRun {
		c := chunk{adopted: s.j.p.adopted, names: s.j.p.names, rows: rows}
		blob, err := c.encode()
		if err != nil {
			return err
		}
		b, err := s.desk.store.StageRows(s.ctx, store.Chunk{Batch: s.j.b.Seq, First: s.next, N: len(rows), Bad: countBad(rows), Hashes: hashBytes(hashes), Data: blob})
		if err != nil {
			return err
		}
		s.report.NextRow = b.Rows + 1
	}
	s.count(rows)
	s.next += int64(len(rows))
	return nil
}

func countBad(rows []Row) (bad int) {
	for i := range rows {
		if len(rows[i].Problems) > 0 {
			bad++
		}
	}
	return bad
}

// count adds rows, the next ones of the batch, to the report.
func (s *staging) count(rows []Row) {
	for i := range rows {
		for _, p := range rows[i].Problems {
			if len(s.report.Problems) < reportedProblems {
				s.report.Problems = append(s.report.Problems, RowProblem{s.next + int64(i), p})
			}
		}
	}
	n, bad := int64(len(rows)), int64(countBad(rows))
	s.report.Rows, s.report.Bad, s.report.Good = s.report.Rows+n, s.report.Bad+bad, s.report.Good+n-bad
}
