package api

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"hongyan/client"
	"hongyan/sandbox"
)

// orders is a batch for the seed's typed template, by alias.
func orders() client.BatchRequest {
	return client.BatchRequest{AppID: "shop", Name: "十一月", TemplateID: sandbox.SeedTemplateOrder,
		Data: map[string]client.Field{"character_string1": {Value: "{{order}}"}, "thing2": {Value: "巧克力"}, "amount3": {Value: "￥39.80"}, "time4": {Value: "2026-11-20 10:15"}}}
}

func (g *gateway) createBatch() client.Batch {
	g.t.Helper()
	b, err := g.admin.CreateBatch(g.t.Context(), orders())
	if err != nil {
		g.t.Fatal(err)
	}
	return b
}

func TestABatchFromCreateToResults(t *testing.T) {
	g := newGateway(t)
	g.seed()
	b := g.createBatch()
	if b.State != "open" || b.NextRow != 1 || b.Priority != "bulk" || b.Duplicates != "refuse" ||
		!strings.Contains(b.Notice.EN, "service notices") || !strings.Contains(b.Notice.ZH, "广告") {
		t.Errorf("made: %+v", b)
	}
	rows := "openid,order\n"
	for i := 1; i <= 4; i++ {
		rows += fmt.Sprintf("%s,A%d\n", sandbox.OpenID("", i), i)
	}
	rows += "=cmd(),A5\n"
	report, err := g.admin.UploadRecipients(t.Context(), b.ID, strings.NewReader(rows), client.Upload{ContentType: client.CSV})
	if err != nil || report.Rows != 5 || report.Bad != 1 || report.NextRow != 6 || report.Problems[0].Row != 5 || report.Problems[0].Column != "openid" {
		t.Fatalf("report: %+v, %v", report, err)
	}
	_, err = g.admin.StartBatch(t.Context(), b.ID, client.BatchStart{})
	if p := asProblem(t, err); p.Status != 409 || p.Code != "batch_has_bad_rows" {
		t.Errorf("start: %v", err)
	}
	list, err := g.admin.BatchProblems(t.Context(), b.ID, "", 0)
	if err != nil || len(list.Items) != 1 || list.Items[0].Rule != "malformed_openid" {
		t.Errorf("problems: %+v, %v", list, err)
	}
	for _, act := range []struct {
		do   func() (client.Batch, error)
		want string
	}{
		{func() (client.Batch, error) {
			return g.admin.StartBatch(t.Context(), b.ID, client.BatchStart{SkipBad: true})
		}, "running"},
		{func() (client.Batch, error) { return g.admin.PauseBatch(t.Context(), b.ID) }, "paused"},
		{func() (client.Batch, error) { return g.admin.ResumeBatch(t.Context(), b.ID) }, "running"},
		{func() (client.Batch, error) {
			return g.admin.UpdateBatch(t.Context(), b.ID, client.BatchUpdate{Name: new("other"), RatePerSecond: new(2.5)})
		}, "running"},
		{func() (client.Batch, error) { return g.admin.CancelBatch(t.Context(), b.ID) }, "cancelled"},
	} {
		if b, err = act.do(); err != nil || b.State != act.want {
			t.Fatalf("got %+v, %v, want it %s", b, err, act.want)
		}
	}
	if b.Name != "other" || b.RatePerSecond != 2.5 {
		t.Errorf("changed: %+v", b)
	}
	batches, err := g.admin.Batches(t.Context(), client.BatchFilter{AppID: "shop", States: []string{"cancelled", "open"}})
	if err != nil || len(batches.Items) != 1 || batches.Items[0].ID != b.ID {
		t.Errorf("list: %+v, %v", batches, err)
	}
	wantFile(t, g, b.ID, "results.csv", 6, map[int][]string{0: resultHead[:5], 2: {"2", sandbox.OpenID("", 2), "not_sent", "未发送", "batch_cancelled"}, 5: {"5", "'=cmd()", "bad", "有问题", "malformed_openid"}})
	wantFile(t, g, b.ID, "problems.csv", 2, map[int][]string{1: {"5", "openid", "malformed_openid"}})
}

// wantFile reads a CSV of a batch and compares some of its lines from their start.
func wantFile(t *testing.T, g *gateway, id, name string, lines int, want map[int][]string) {
	t.Helper()
	var buf bytes.Buffer
	if err := g.admin.BatchFile(t.Context(), id, name, &buf); err != nil {
		t.Fatal(err)
	}
	text, marked := strings.CutPrefix(buf.String(), byteOrderMark)
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !marked || len(all) != lines {
		t.Fatalf("%s: %d lines, %v, marked %v, want %d:\n%s", name, len(all), err, marked, lines, text)
	}
	for i, cells := range want {
		if diff := cmp.Diff(cells, all[i][:len(cells)]); diff != "" {
			t.Errorf("%s, line %d (-want +got):\n%s", name, i, diff)
		}
	}
}

func asProblem(t *testing.T, err error) *client.Problem {
	t.Helper()
	p, ok := err.(*client.Problem)
	if !ok {
		t.Fatalf("got %v, want a problem", err)
	}
	return p
}

func TestLinesOfJSONAreReadAsStrictlyAsMessages(t *testing.T) {
	g := newGateway(t)
	g.seed()
	b := g.createBatch()
	user := func(n int) string { return sandbox.OpenID("", n) }
	lines := []string{
		"\uFEFF" + `{"touser":"` + user(1) + `","columns":{"order":"A1"}}`,
		``,
		`{"touser":"` + user(2) + `","data":{"character_string1":"A2","thing2":{"value":"茶"}},"url":"https://x.example/"}`,
		`{"touser":"` + user(3) + `"}`,
		`{"touser":"` + user(4) + `","data":{"character_string1.DATA":"A4"}}`,
		`{"touser":"` + user(5) + `","data":"{}"}`,
		`{"touser":"` + user(6) + `","to":1}`,
		`{"touser":"` + user(7) + `","columns":{"order":"A7"}`,
		"{\"touser\":\"" + user(8) + "\",\"columns\":{\"order\":\"\xb6\xa9\"}}",
		`{"touser":"` + user(9) + `","columns":{"order":"A9"},"title":"` + strings.Repeat("x", maxLine) + `"}`,
		`["touser"]`,
		`{"touser":"` + user(10) + `","columns":{"order":"A10"},"template_id":"x"}`,
		`{"touser":"` + user(11) + `","columns":{"order":"A11"}}`,
	}
	report, err := g.admin.UploadRecipients(t.Context(), b.ID, strings.NewReader(strings.Join(lines, "\r\n")), client.Upload{ContentType: client.NDJSON})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range report.Problems {
		got = append(got, fmt.Sprintf("%d %s %s", p.Row, p.Column, p.Rule))
	}
	want := []string{"3 order unknown_column", "4 data.character_string1.DATA dot_data_key", "5 data data_is_string", "6 to unknown_field", "7  bad_json",
		"8 columns.order bad_json", "9  too_long", "10  wrong_type", "11 template_id unknown_field"}
	if diff := cmp.Diff(want, got); diff != "" || report.Good != 3 || report.Rows != 12 {
		t.Errorf("%d good of %d; problems (-want +got):\n%s", report.Good, report.Rows, diff)
	}
}

// TestLinesWithKeysOfNoTemplate names the key and the one that may be meant, as a column is.
func TestLinesWithKeysOfNoTemplate(t *testing.T) {
	g := newGateway(t)
	g.seed()
	b := g.createBatch()
	lines := `{"touser":"` + sandbox.OpenID("", 1) + `","columns":{"order":"A1"},"data":{"thing2":"茶"}}
{"touser":"` + sandbox.OpenID("", 2) + `","columns":{"order":"A2"},"data":{"thing3":"茶","remark":"谢谢"}}
{"touser":"` + sandbox.OpenID("", 3) + `","columns":{"order":"A3"},"data":{"":"茶"}}`
	for _, dry := range []bool{true, false} {
		report, err := g.admin.UploadRecipients(t.Context(), b.ID, strings.NewReader(lines), client.Upload{ContentType: client.NDJSON, DryRun: dry})
		if err != nil || report.Good != 1 || len(report.Problems) != 3 {
			t.Fatalf("got %+v, %v", report, err)
		}
		for i, want := range []struct{ column, detail, detailZH, value string }{
			{"data.remark", `there is no field "remark", and the template's keys are character_string1, thing2`, `没有字段 "remark"，模板的参数是 `, "谢谢"},
			{"data.thing3", `did you mean "thing2"?`, `是否应为 "thing2"？`, "茶"},
			{"data.", "a key of data has no name", "data 中有一个参数没有名字", "茶"},
		} {
			p := report.Problems[i]
			if p.Column != want.column || p.Rule != "unknown_field" || p.Value != want.value || !strings.Contains(p.Detail, want.detail) || !strings.Contains(p.DetailZH, want.detailZH) {
				t.Errorf("problem %d: got %+v, want %+v", i+1, p, want)
			}
		}
	}
}

func TestUploadsThatAreRefused(t *testing.T) {
	g := newGateway(t)
	g.seed()
	b := g.createBatch()
	path := "/v1/batches/" + b.ID + "/recipients"
	row := `{"touser":"` + sandbox.OpenID("", 1) + `","columns":{"order":"A1"}}` + "\n"
	for _, c := range []struct {
		name, path, body, contentType string
		status                        int
		code                          string
		next                          int64
	}{
		{"no type", path, row, "", 415, "unsupported_media_type", 0},
		{"another type", path, row, "application/pdf", 415, "unsupported_media_type", 0},
		{"no such batch", "/v1/batches/bat_none/recipients", row, client.NDJSON, 404, "unknown_batch", 0},
		{"a gap", path + "?from=3", row, client.NDJSON, 409, "rows_gap", 1},
		{"row zero", path + "?from=0", row, client.NDJSON, 422, "bad_parameter", 0},
		{"a misspelt parameter", path + "?dryrun=true", row, client.NDJSON, 422, "bad_parameter", 0},
		{"no column of that name", path, "openid,ordre\nx,y\n", client.CSV, 422, "unknown_column", 0},
		{"no table", path, "", client.CSV, 422, "bad_table", 0},
		{"a CSV that is none", path, "PK\x03\x04", client.CSV, 422, "bad_table", 0},
		{"an XLSX that is none", path, "openid\n", client.XLSX, 422, "bad_table", 0},
	} {
		got := g.do("POST", c.path, c.body, "Content-Type", c.contentType)
		if p := got.problem(t); got.status != c.status || p.Code != c.code || p.NextRow != c.next {
			t.Errorf("%s: got %d %+v, want %d %s", c.name, got.status, p, c.status, c.code)
		}
	}
	if got, err := g.admin.Batch(t.Context(), b.ID); err != nil || got.Rows != 0 {
		t.Errorf("%d rows are stored, %v", got.Rows, err)
	}
}

// TestABodyThatBreaksOff: what was read whole stays, and the answer says where to go on.
func TestABodyThatBreaksOff(t *testing.T) {
	g := newGateway(t)
	g.seed()
	b := g.createBatch()
	var body strings.Builder
	for i := 1; i <= 700; i++ {
		fmt.Fprintf(&body, `{"touser":"%s","columns":{"order":"A%d"}}`+"\n", sandbox.OpenID("", i), i)
	}
	r := httptest.NewRequest("POST", "/v1/batches/"+b.ID+"/recipients", io.MultiReader(strings.NewReader(body.String()), iotest.ErrReader(io.ErrUnexpectedEOF)))
	r.Header.Set("Authorization", "Bearer "+testAdminKey)
	r.Header.Set("Content-Type", client.NDJSON)
	w := httptest.NewRecorder()
	g.api.Handler().ServeHTTP(w, r)
	var p client.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusBadRequest || p.Code != "body_not_read" || p.NextRow != 501 {
		t.Fatalf("got %d %s, %v", w.Code, w.Body, err)
	}
	report, err := g.admin.UploadRecipients(t.Context(), b.ID, strings.NewReader(body.String()), client.Upload{ContentType: client.NDJSON})
	if err != nil || report.Skipped != 500 || report.Rows != 200 {
		t.Errorf("again: %+v, %v", report, err)
	}
}

func TestBatchesOfOtherAccountsDoNotExist(t *testing.T) {
	g := newGateway(t)
	g.seed()
	b := g.createBatch()
	other := g.client(g.key("sender", sandbox.SeedMiniAppID).Key)
	_, err := other.Batch(t.Context(), b.ID)
	if p := asProblem(t, err); p.Status != 404 {
		t.Errorf("read: %v", err)
	}
	_, err = other.UploadRecipients(t.Context(), b.ID, strings.NewReader("openid\n"), client.Upload{ContentType: client.CSV})
	if p := asProblem(t, err); p.Status != 404 {
		t.Errorf("upload: %v", err)
	}
	if _, err = other.CreateBatch(t.Context(), orders()); asProblem(t, err).Status != 403 {
		t.Errorf("create: %v", err)
	}
	if err := other.BatchFile(t.Context(), b.ID, "results.csv", io.Discard); asProblem(t, err).Status != 404 {
		t.Errorf("results: %v", err)
	}
	if list, err := other.Batches(t.Context(), client.BatchFilter{}); err != nil || len(list.Items) != 0 {
		t.Errorf("list: %+v, %v", list, err)
	}
	reading := g.client(g.key("reader").Key)
	if _, err := reading.PauseBatch(t.Context(), b.ID); asProblem(t, err).Status != 403 {
		t.Errorf("a reader pauses: %v", err)
	}
	if _, err := reading.UploadRecipients(t.Context(), b.ID, strings.NewReader("openid\n"), client.Upload{ContentType: client.CSV}); asProblem(t, err).Status != 403 {
		t.Errorf("a reader uploads: %v", err)
	}
}

// TestABatchIsMadeOnceWithOneKey: a repeated call is answered the batch of the first, even
// if it would be refused by now.
func TestABatchIsMadeOnceWithOneKey(t *testing.T) {
	g := newGateway(t)
	g.seed()
	body := `{"appid":"shop","template_id":"` + sandbox.SeedTemplateOrder + `"}`
	create := func(body string, header ...string) answer { return g.do("POST", "/v1/batches", body, header...) }
	first := create(body, "Idempotency-Key", "november")
	if first.status != 201 || first.header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("got %d %v %s", first.status, first.header, first.body)
	}
	if err := g.store.SetTemplateStatus(t.Context(), sandbox.SeedServiceAppID, sandbox.SeedTemplateOrder, "banned", "by WeChat"); err != nil {
		t.Fatal(err)
	}
	g.engine.AccountChanged(sandbox.SeedServiceAppID)
	again := create(body, "Idempotency-Key", "november")
	if again.status != 200 || again.header.Get("Idempotency-Replayed") != "true" || again.body != first.body || again.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("again: got %d %v %s", again.status, again.header, again.body)
	}
	for name, c := range map[string]struct {
		header []string
		body   string
		code   string
	}{
		"another body": {[]string{"Idempotency-Key", "november"}, body + "\n", "idempotency_key_reused"},
		"a space":      {[]string{"Idempotency-Key", "a b"}, body, "bad_idempotency_key"},
		"two keys":     {[]string{"Idempotency-Key", "a", "Idempotency-Key", "b"}, body, "bad_idempotency_key"},
		"no key":       {nil, body, "template_banned"},
	} {
		got := create(c.body, c.header...)
		if p := got.problem(t); got.status != 422 || p.Code != c.code {
			t.Errorf("%s: got %d %+v, want %s", name, got.status, p, c.code)
		}
	}
	if list, err := g.admin.Batches(t.Context(), client.BatchFilter{}); err != nil || len(list.Items) != 1 {
		t.Errorf("%d batches, %v, want the first alone", len(list.Items), err)
	}
	entries, err := g.admin.Audit(t.Context(), client.AuditFilter{Action: "batch.create"})
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	for _, e := range entries.Items {
		if e.Outcome == "ok" {
			made++
		}
	}
	if made != 1 {
		t.Errorf("the audit log says %d times that a batch was made: %+v", made, entries.Items)
	}
}

func TestARetryTakesNoIdempotencyKey(t *testing.T) {
	g := newGateway(t)
	g.seed()
	got := g.do("POST", "/v1/batches/"+g.createBatch().ID+"/retry", `{}`, "Idempotency-Key", "once")
	if p := got.problem(t); got.status != 422 || p.Code != "idempotency_key_not_taken" || p.Errors[0].Pointer != "/header/Idempotency-Key" {
		t.Errorf("got %d %+v", got.status, p)
	}
}

func TestABatchIsRetriedOnce(t *testing.T) {
	g := newGateway(t)
	g.seed()
	b := g.createBatch()
	rows := "openid,order\n" + sandbox.OpenID("", 1) + ",A1\n"
	if _, err := g.admin.UploadRecipients(t.Context(), b.ID, strings.NewReader(rows), client.Upload{ContentType: client.CSV}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.admin.CancelBatch(t.Context(), b.ID); err != nil {
		t.Fatal(err)
	}
	asked := client.BatchRetry{States: []string{"cancelled"}}
	first, err := g.admin.RetryBatch(t.Context(), b.ID, asked)
	if err != nil || first.Rows != 1 {
		t.Fatalf("got %+v, %v", first, err)
	}
	_, err = g.admin.RetryBatch(t.Context(), b.ID, asked)
	if p := asProblem(t, err); p.Status != 409 || p.Code != "retried_already" || !strings.Contains(p.Detail, first.ID) {
		t.Errorf("a second time: %v", err)
	}
	asked.Again = true
	if more, err := g.admin.RetryBatch(t.Context(), b.ID, asked); err != nil || more.ID == first.ID || more.Rows != 1 {
		t.Errorf("on purpose: %+v, %v", more, err)
	}
}

func TestChangesOfBatchesAreInTheAuditLog(t *testing.T) {
	g := newGateway(t)
	g.seed()
	b := g.createBatch()
	rows := "openid,order\n" + sandbox.OpenID("", 1) + ",A1\n"
	for _, dry := range []bool{true, false} {
		if _, err := g.admin.UploadRecipients(t.Context(), b.ID, strings.NewReader(rows), client.Upload{ContentType: client.CSV, DryRun: dry}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := g.admin.CancelBatch(t.Context(), b.ID); err != nil {
		t.Fatal(err)
	}
	entries, err := g.admin.Audit(t.Context(), client.AuditFilter{Action: "batch."})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries.Items {
		if e.Target == b.ID {
			got = append(got, e.Action+" "+e.Outcome+": "+e.Detail)
		}
	}
	want := []string{"batch.cancel ok: ", "batch.upload ok: 1 rows, 0 bad", "batch.create ok: " + sandbox.SeedServiceAppID + ", template " + sandbox.SeedTemplateOrder}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestMessagesTellTheirBatch(t *testing.T) {
	g := newGateway(t)
	g.seed()
	g.run()
	b := g.createBatch()
	rows := "openid,order\n" + sandbox.OpenID("", 1) + ",A1\n" + sandbox.OpenID("", 2) + ",A2\n"
	if _, err := g.admin.UploadRecipients(t.Context(), b.ID, strings.NewReader(rows), client.Upload{ContentType: client.CSV}); err != nil {
		t.Fatal(err)
	}
	g.runBatches()
	if _, err := g.admin.StartBatch(t.Context(), b.ID, client.BatchStart{}); err != nil {
		t.Fatal(err)
	}
	for b.EndedAt == nil {
		var err error
		if b, err = g.admin.Batch(t.Context(), b.ID); err != nil || t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
	list, err := g.admin.Messages(t.Context(), client.MessageFilter{Batch: b.ID})
	if err != nil || len(list.Items) != 2 || list.Items[0].Batch == nil || *list.Items[0].Batch != b.ID || *list.Items[1].BatchRow != 1 {
		t.Fatalf("messages: %+v, %v", list, err)
	}
	m, err := g.admin.Message(t.Context(), list.Items[0].ID)
	if err != nil || m.Batch == nil || *m.Batch != b.ID {
		t.Errorf("message: %+v, %v", m, err)
	}
	_, err = g.admin.Messages(t.Context(), client.MessageFilter{Batch: "bat_none"})
	if p := asProblem(t, err); p.Status != 422 || p.Code != "unknown_batch" {
		t.Errorf("of no batch: %v", err)
	}
	wantFile(t, g, b.ID, "results.csv", 3, map[int][]string{1: {"1", sandbox.OpenID("", 1), "accepted", "已受理", "", "0", ""}})
}
