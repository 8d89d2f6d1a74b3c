package batch_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/batch"
	"hongyan/sandbox"
	"hongyan/server"
	"hongyan/store"
	"hongyan/wechat"
)

// rules lists the problems of a batch as "row column rule".
func (w *world) rules(id string) []string {
	w.t.Helper()
	var all []string
	b := w.read(id)
	err := w.desk().Problems(w.t.Context(), &b, 0, func(p batch.RowProblem) bool {
		all = append(all, fmt.Sprintf("%d %s %s", p.Row, p.Column, p.Rule))
		return true
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func TestBadRowsAreToldByRowColumnAndRule(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		err := w.store.CreateAccount(t.Context(), hongyan.Account{AppID: "wxother0123456789", Kind: hongyan.ServiceAccount, Secret: "x"})
		if err != nil {
			t.Fatal(err)
		}
		theirs := w.message("wxother0123456789", sandbox.OpenID("", 999), hongyan.Delivered)
		w.message("wxother0123456789", sandbox.OpenID("", 9), hongyan.Failed) // proves nothing
		b := w.create(draft())
		csv := table(1, 600, func(row int, cells []string) {
			switch row {
			case 3:
				cells[0] = "not an openid"
			case 4:
				cells[0] = ""
			case 5:
				cells[2] = "一二三四五六七八九十一二三四五六七八九十" // 22 with 套装
			case 6:
				cells[1] = "订单 A6" // character_string takes no Chinese
			case 7:
				cells[0] = " " + cells[0] + " " // harmless
			case 8:
				cells[0] = theirs.ToUser
			case 510:
				cells[0] = sandbox.OpenID("", 2)
			case 511:
				cells[0] = sandbox.OpenID("", 5) // row 5 is bad: this one counts
			case 512:
				cells[0] = sandbox.OpenID("", 5)
			}
		})
		csv += sandbox.OpenID("", 601) + ",A601\n" // a cell is missing
		csv += "\"" + sandbox.OpenID("", 602) + ",A602,x\n"
		r, err := w.upload(b.ID, csv)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			"3 user id malformed_openid", "4 user id missing_field", "5 name invalid_data", "6 order invalid_data",
			"8 user id openid_of_another_account", "510 user id duplicate_openid", "512 user id duplicate_openid",
		}
		got := w.rules(b.ID)
		if diff := cmp.Diff(want, got[:min(len(want), len(got))]); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
		if len(got) != len(want)+2 || r.Bad != 9 || r.Good != 593 || len(r.Problems) != 9 || r.NextRow != 603 {
			t.Errorf("report: %+v; the last problems: %v", r, got[min(len(want), len(got)):])
		}
		if p := r.Problems[5]; !strings.Contains(p.Detail, "row 2 ") || p.Value != sandbox.OpenID("", 2) {
			t.Errorf("duplicate: got %+v", p)
		}
		if p := r.Problems[0]; p.Value != "not an openid" {
			t.Errorf("value: got %+v", p)
		}
		w.sleep(5 * time.Second)
		if _, err := w.desk().Start(t.Context(), b.ID, time.Time{}, false); !hongyan.IsKind(err, hongyan.Conflict) || len(w.calls()) != 0 {
			t.Fatalf("start: got %v, %d calls", err, len(w.calls()))
		}
		if _, err := w.desk().Start(t.Context(), b.ID, time.Time{}, true); err != nil {
			t.Fatal(err)
		}
		done := w.until(b.ID, time.Minute)
		if n := len(w.calls()); n != 593 || done.Fed != 593 {
			t.Errorf("%d users were called, %d messages made, want the 593 good rows", n, done.Fed)
		}
	})
}

// message stores one message, so that its user is known.
func (w *world) message(appID, user string, state hongyan.State) hongyan.Message {
	w.t.Helper()
	out, err := w.store.InsertMessages(w.t.Context(), []store.NewMessage{{Message: hongyan.Message{
		ID: hongyan.NewMessageID(), AppID: appID, Kind: hongyan.KindTemplate, ToUser: user, TemplateID: "t", State: state}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return out[0].Message
}

func TestAColumnThatDoesNotExist(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.create(draft())
		_, err := w.upload(b.ID, "user id,orders,name\n"+sandbox.OpenID("", 1)+",A1,x\n")
		e, ok := errors.AsType[*hongyan.Error](err)
		if !ok || e.Code != "unknown_column" || !strings.Contains(e.Message, `did you mean "orders"?`) || e.Fields[0].Pointer != "/data/character_string1" {
			t.Errorf("got %v", err)
		}
		if got := w.read(b.ID); got.Rows != 0 {
			t.Errorf("%d rows were stored", got.Rows)
		}
		for _, csv := range []string{"", "\n\n", "user id,order,order,name\n"} {
			if _, err := w.upload(b.ID, csv); !hongyan.IsKind(err, hongyan.Invalid) {
				t.Errorf("%q: got %v, want it refused", csv, err)
			}
		}
	})
}

func TestAnUploadThatBreaksOffGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.create(draft())
		csv := strings.ReplaceAll(table(1, 2100), "\n", ","+strings.Repeat("x", 300)+"\n") // more than the reader looks ahead
		broken := io.MultiReader(strings.NewReader(csv[:len(csv)*2/3]), iotest.ErrReader(io.ErrUnexpectedEOF))
		r, err := w.uploadFrom(b.ID, broken)
		next, ok := errors.AsType[batch.NextRow](err)
		if !ok || int64(next) != r.NextRow || next%500 != 1 || next == 1 {
			t.Fatalf("broken off: got %+v, %v", r, err)
		}
		stored := w.read(b.ID).Rows
		if stored != int64(next)-1 {
			t.Errorf("%d rows are stored, want %d", stored, next-1)
		}
		r, err = w.upload(b.ID, csv)
		if err != nil || r.Skipped != stored || r.Rows != 2100-stored || r.Bad != 0 || r.NextRow != 2101 {
			t.Fatalf("again: got %+v, %v", r, err)
		}
		r, err = w.upload(b.ID, csv)
		if err != nil || r.Skipped != 2100 || r.Rows != 0 {
			t.Fatalf("a third time: got %+v, %v", r, err)
		}
		rest := table(2101, 100)
		if _, err = w.upload(b.ID, rest); !isCode(err, "rows_differ") {
			t.Errorf("another file: got %v", err)
		}
		if _, err = w.upload(b.ID, rest, func(u *batch.Upload) { u.From = 2200 }); !isCode(err, "rows_gap") {
			t.Errorf("a gap: got %v", err)
		}
		r, err = w.upload(b.ID, rest, func(u *batch.Upload) { u.From = 2101 })
		if err != nil || r.Rows != 100 || r.NextRow != 2201 {
			t.Errorf("added: got %+v, %v", r, err)
		}
		w.begin(b.ID)
		w.until(b.ID, time.Minute)
		w.wantEach(2200)
		if _, err := w.upload(b.ID, csv); !isCode(err, "batch_not_open") {
			t.Errorf("after the start: got %v", err)
		}
	})
}

// stalled gives its text, and then nothing until it is let go.
type stalled struct {
	text  io.Reader
	until chan struct{}
}

func (s *stalled) Read(p []byte) (int, error) {
	n, err := s.text.Read(p)
	if err == io.EOF {
		<-s.until
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// TestALaterUploadTakesOver: the connection of the first is lost, and this end does not
// know it yet.
func TestALaterUploadTakesOver(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.create(draft())
		csv := strings.ReplaceAll(table(1, 2100), "\n", ","+strings.Repeat("x", 300)+"\n")
		lost := &stalled{strings.NewReader(csv[:len(csv)*2/3]), make(chan struct{})}
		ended := make(chan error, 1)
		go func() { _, err := w.uploadFrom(b.ID, lost); ended <- err }()
		w.sleep(time.Second)
		stored := w.read(b.ID).Rows
		if stored == 0 {
			t.Fatal("nothing of the first upload is stored")
		}
		r, err := w.upload(b.ID, csv)
		if err != nil || r.Skipped != stored || r.Rows != 2100-stored || r.Bad != 0 {
			t.Fatalf("the later upload: got %+v, %v", r, err)
		}
		close(lost.until)
		if err := <-ended; !isCode(err, "upload_replaced") {
			t.Errorf("the first: got %v", err)
		}
		if got := w.read(b.ID); got.Rows != 2100 || got.Good != 2100 {
			t.Errorf("stored: %+v", got)
		}
	})
}

// TestUploadsToTwoNodesMeet: both bring the same file, one a little later.
func TestUploadsToTwoNodesMeet(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.create(draft())
		spoil := func(row int, cells []string) {
			if row%100 == 0 {
				cells[0] = sandbox.OpenID("", row-1)
			}
		}
		csv := strings.ReplaceAll(table(1, 2100, spoil), "\n", ","+strings.Repeat("x", 300)+"\n")
		waiting := make(chan struct{})
		body := io.MultiReader(strings.NewReader(csv[:len(csv)/3]), &gate{waiting}, strings.NewReader(csv[len(csv)/3:]))
		type answer struct {
			r   batch.Report
			err error
		}
		first := make(chan answer, 1)
		go func() { r, err := w.uploadFrom(b.ID, body); first <- answer{r, err} }()
		w.sleep(time.Second)
		other := batch.New(batch.Config{Store: w.store, Engine: server.BatchEngine(w.life.Load().engine)})
		rows, err := batch.OpenTable(strings.NewReader(csv[:len(csv)*2/3]), "csv", "")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		if _, err := other.Upload(t.Context(), b.ID, batch.Upload{Source: rows}); err != nil {
			t.Fatal(err)
		}
		between := w.read(b.ID)
		close(waiting)
		a := <-first
		got := w.read(b.ID)
		if a.err != nil || a.r.NextRow != 2101 || a.r.Rows+a.r.Skipped != 2100 || a.r.Skipped == 0 || between.Rows >= 2100 {
			t.Errorf("the upload that was overtaken at row %d: got %+v, %v", between.Rows, a.r, a.err)
		}
		if got.Rows != 2100 || got.Bad() < 21 || len(w.rules(b.ID)) < 21 {
			t.Errorf("%d rows, %d bad: %v", got.Rows, got.Bad(), w.rules(b.ID))
		}
	})
}

// gate gives nothing, and that only when it is opened.
type gate struct{ open chan struct{} }

func (g *gate) Read([]byte) (int, error) { <-g.open; return 0, io.EOF }

func TestAStartInThePastIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.staged(1)
		_, err := w.desk().Start(t.Context(), b.ID, time.Now().Add(-2*time.Minute), false)
		e, ok := errors.AsType[*hongyan.Error](err)
		if !ok || e.Code != "at_past" || e.Fields[0].Pointer != "/at" || w.read(b.ID).State != hongyan.BatchOpen {
			t.Errorf("two minutes ago: got %v", err)
		}
		if _, err := w.desk().Start(t.Context(), b.ID, time.Now().Add(-30*time.Second), false); err != nil {
			t.Errorf("half a minute ago: %v", err)
		}
		w.until(b.ID, time.Minute)
	})
}

func isCode(err error, code string) bool {
	e, ok := errors.AsType[*hongyan.Error](err)
	return ok && e.Code == code
}

func TestADryRunStoresNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.create(draft())
		csv := table(1, 1100, func(row int, cells []string) {
			if row%10 == 0 {
				cells[0] = sandbox.OpenID("", 1)
			}
		})
		r, err := w.upload(b.ID, csv, func(u *batch.Upload) { u.DryRun = true })
		if err != nil || r.Rows != 1100 || r.Bad != 110 || len(r.Problems) != 100 || r.NextRow != 1 || !r.DryRun {
			t.Errorf("got %+v, %v", r, err)
		}
		if got := w.read(b.ID); got.Rows != 0 {
			t.Errorf("%d rows are stored", got.Rows)
		}
	})
}

func TestDuplicatesMayBeAllowed(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.create(draft(func(d *batch.Draft) { d.Duplicates = "allow" }))
		r, err := w.upload(b.ID, table(1, 3)+strings.SplitAfterN(table(1, 1), "\n", 2)[1])
		if err != nil || r.Good != 4 {
			t.Fatalf("got %+v, %v", r, err)
		}
		w.begin(b.ID)
		w.until(b.ID, time.Minute)
		if n := w.calls()[sandbox.OpenID("", 1)]; n != 2 {
			t.Errorf("user 1 was called %d times, want 2", n)
		}
	})
}

// TestColumnsWithTheNamesOfFields are taken without being told.
func TestColumnsWithTheNamesOfFields(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.sync()
		b := w.create(batch.Draft{AppID: "shop", TemplateID: sandbox.SeedTemplateOrder, Priority: hongyan.Bulk})
		r, err := w.upload(b.ID, "openid,thing2,character_string1,amount3,data.time4,other\n"+sandbox.OpenID("", 1)+",巧克力,A1,￥39.80,2026-11-20 10:15,x\n")
		if err != nil || r.Good != 1 {
			t.Fatalf("got %+v, %v", r, err)
		}
		w.begin(b.ID)
		w.until(b.ID, time.Minute)
		if shown := w.box.Sandbox.Inbox(sandbox.OpenID("", 1)); len(shown) != 1 || !slices.ContainsFunc(shown[0].Lines, func(l sandbox.InboxLine) bool { return l.Value == "巧克力" }) {
			t.Errorf("shown: %+v", shown)
		}
	})
}

// sync makes the store know the account's templates.
func (w *world) sync() {
	w.t.Helper()
	w.create(draft()) // the engine asks for a template it does not know
}

// TestAnAliasIsWhatItStandsForNow: rows are judged by the template that is sent.
func TestAnAliasIsWhatItStandsForNow(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.sync()
		alias := hongyan.TemplateAlias{AppID: sandbox.SeedServiceAppID, Alias: "order_paid", TemplateID: sandbox.SeedTemplateOrder}
		if err := w.store.PutTemplateAlias(t.Context(), alias); err != nil {
			t.Fatal(err)
		}
		w.life.Load().engine.AccountChanged(sandbox.SeedServiceAppID)
		b := w.create(draft(func(d *batch.Draft) { d.TemplateID = "order_paid" }))
		if b.TemplateID != sandbox.SeedTemplateOrder || b.Kind != hongyan.KindTemplate {
			t.Errorf("made: %+v", b)
		}
	})
}

func TestWhatABatchSaysForAllIsCheckedAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			name    string
			change  func(*batch.Draft)
			code    string
			pointer string
		}{
			{"no account", func(d *batch.Draft) { d.AppID = "" }, "missing_field", "/appid"},
			{"unknown account", func(d *batch.Draft) { d.AppID = "wxnone" }, "unknown_account", "/appid"},
			{"unknown template", func(d *batch.Draft) { d.TemplateID = strings.Repeat("x", 43) }, "unknown_template", "/template_id"},
			{"a kind of others", func(d *batch.Draft) { d.Kind = hongyan.KindSubscribe }, "wrong_kind", "/kind"},
			{"a value for all that is wrong", func(d *batch.Draft) { d.Fields.Data["amount3"] = wechat.Field{Value: "much"} }, "invalid_data", "/data/amount3"},
			{"an open placeholder", func(d *batch.Draft) { d.Fields.URL = "https://x.example/{{order" }, "bad_placeholder", "/url"},
			{"an empty placeholder", func(d *batch.Draft) { d.Fields.Data["thing2"] = wechat.Field{Value: "{{ }}"} }, "bad_placeholder", "/data/thing2"},
			{"an empty column", func(d *batch.Draft) { d.Columns["thing2"] = " " }, "invalid_field", "/columns/thing2"},
			{"a rate below zero", func(d *batch.Draft) { d.RatePerSecond = -1 }, "invalid_field", "/rate_per_second"},
			{"no quiet hours", func(d *batch.Draft) { d.QuietHours = "at night" }, "quiet_hours", "/quiet_hours"},
			{"a life of a second", func(d *batch.Draft) { d.ExpiresAfter = time.Second }, "invalid_field", "/expires_after"},
			{"far ahead", func(d *batch.Draft) { d.SendAt = time.Now().Add(100 * 24 * time.Hour) }, "send_at_too_late", "/send_at"},
			{"a word for duplicates", func(d *batch.Draft) { d.Duplicates = "maybe" }, "invalid_field", "/duplicates"},
			{"a long name", func(d *batch.Draft) { d.Name = strings.Repeat("n", 201) }, "invalid_field", "/name"},
		} {
			_, err := w.desk().Create(t.Context(), draft(c.change))
			e, ok := errors.AsType[*hongyan.Error](err)
			if !ok || e.Code != c.code || len(e.Fields) == 0 || e.Fields[0].Pointer != c.pointer {
				t.Errorf("%s: got %v, want %s at %s", c.name, err, c.code, c.pointer)
			}
		}
		b := w.create(draft())
		if _, err := w.desk().Start(t.Context(), b.ID, time.Time{}, true); !isCode(err, "batch_empty") {
			t.Errorf("start without rows: got %v", err)
		}
		for name, act := range map[string]func() error{
			"pause":  func() error { _, err := w.desk().Pause(t.Context(), b.ID); return err },
			"resume": func() error { _, err := w.desk().Resume(t.Context(), b.ID); return err },
			"retry":  func() error { _, err := w.desk().Retry(t.Context(), b.ID, batch.Retry{}); return err },
		} {
			if err := act(); !isCode(err, "batch_state") {
				t.Errorf("%s of an open batch: got %v", name, err)
			}
		}
		cancelled, err := w.desk().Cancel(t.Context(), b.ID)
		if err != nil || cancelled.EndedAt.IsZero() {
			t.Errorf("cancel of an open batch: got %+v, %v", cancelled, err)
		}
	})
}

func TestAPersonIsErasedFromStagedRows(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.staged(1200)
		sent := w.staged(10)
		w.begin(sent.ID)
		w.until(sent.ID, time.Minute)
		person := sandbox.OpenID("", 7)
		before := w.calls()[person]
		n, err := w.desk().EraseUser(t.Context(), sandbox.SeedServiceAppID, person)
		if err != nil || n != 2 {
			t.Fatalf("erased: got %d, %v, want 2 rows", n, err)
		}
		if n, err = w.desk().EraseUser(t.Context(), sandbox.SeedServiceAppID, person); err != nil || n != 0 {
			t.Errorf("again: got %d, %v", n, err)
		}
		got := w.read(b.ID)
		if got.Good != 1199 || w.rules(b.ID)[0] != "7  erased" {
			t.Errorf("%d good, problems %v", got.Good, w.rules(b.ID))
		}
		if _, err := w.desk().Start(t.Context(), b.ID, time.Time{}, true); err != nil {
			t.Fatal(err)
		}
		if done := w.until(b.ID, time.Minute); done.Fed != 1199 || done.Unfed() != 0 {
			t.Errorf("fed %d, %d left", done.Fed, done.Unfed())
		}
		if n := w.calls()[person]; n != before {
			t.Errorf("the person was sent %d messages after being erased", n-before)
		}
	})
}

// TestWhatIsWrongIsSaidInBothLanguages: of rows, by whoever finds it, and of whole files.
func TestWhatIsWrongIsSaidInBothLanguages(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		b := w.create(draft())
		csv := table(1, 5, func(row int, cells []string) {
			switch row {
			case 1: // the reader of tables
				cells[2] = "1.2E+17"
			case 2: // the engine
				cells[0] = "nobody"
			case 3:
				cells[0] = ""
			case 5: // the batch
				cells[0] = sandbox.OpenID("", 4)
			}
		})
		r, err := w.upload(b.ID, csv+"one cell\n")
		if err != nil || r.Good != 1 {
			t.Fatalf("got %+v, %v", r, err)
		}
		want := []string{"number 单元格中的数字已被缩写成 1.2E+17", `malformed_openid touser "nobody" 不是 openid`, "missing_field 缺少 touser",
			"duplicate_openid 第 4 行已有该 openid", "columns 该行有 1 个单元格，而表头有 3 列"}
		if len(r.Problems) != len(want) {
			t.Fatalf("problems %+v, want %d", r.Problems, len(want))
		}
		for i, p := range r.Problems {
			if got := p.Rule + " " + p.DetailZH; !strings.HasPrefix(got, want[i]) || p.Detail == "" {
				t.Errorf("problem %d: got %q, want %q", i+1, got, want[i])
			}
		}
		for csv, want := range map[string]string{
			"":                         "文件是空的：第一行应为列名",
			"user id,order,order\n":    `表头中有两列都叫 "order"（第 2 列和第 3 列）：请分别命名`,
			"user id,orders,name\nx\n": `没有 "order" 这一列；表中有 user id, orders, name；是否应为 "orders"？`,
			"order,name\nx,y\n":        `没有 "user id" 这一列`,
		} {
			_, err := w.upload(b.ID, csv)
			e, ok := errors.AsType[*hongyan.Error](err)
			if !ok || len(e.Fields) != 1 || !strings.HasPrefix(e.Fields[0].DetailZH, want) {
				t.Errorf("%q: got %+v, want %s", csv, e, want)
			}
		}
		_, err = w.desk().Create(t.Context(), draft(func(d *batch.Draft) {
			d.RatePerSecond, d.QuietHours, d.Duplicates, d.Fields.Data["thing9"] = -1, "night", "maybe", wechat.Field{Value: "x"}
		}))
		e, ok := errors.AsType[*hongyan.Error](err)
		if !ok || len(e.Fields) < 3 {
			t.Fatalf("got %v, want three faults", err)
		}
		for _, f := range e.Fields {
			if f.DetailZH == "" || strings.Contains(f.Detail+f.DetailZH, "%!") {
				t.Errorf("%s: %q is %q in Chinese", f.Pointer, f.Detail, f.DetailZH)
			}
		}
	})
}
