package batch_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hongyan"
	"hongyan/batch"
	"hongyan/dispatch"
	"hongyan/sandbox"
	"hongyan/server"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
	"hongyan/wechat"
)

// benchDesk is batches without a sandbox.
type benchDesk struct {
	db     *sqlite.Store
	engine *dispatch.Engine
	desk   *batch.Desk
	wechat *constant
}

func newBenchDesk(b *testing.B) *benchDesk {
	b.Helper()
	keyring, err := store.NewKeyring(bytes.Repeat([]byte{7}, store.MasterKeySize))
	if err != nil {
		b.Fatal(err)
	}
	d := &benchDesk{wechat: new(constant)}
	if d.db, err = sqlite.Open(b.Context(), sqlite.Options{Path: sqlitetest.File(b, b.TempDir(), sqlite.Migrate), Keyring: keyring}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.db.Close() })
	for _, appID := range []string{sandbox.SeedServiceAppID, "wxother0123456789"} {
		err := d.db.CreateAccount(b.Context(), hongyan.Account{AppID: appID, Kind: hongyan.ServiceAccount, Secret: "x",
			Quotas: []hongyan.QuotaRule{{Scope: "account", Period: "day", Limit: 1 << 40}}})
		if err != nil {
			b.Fatal(err)
		}
	}
	err = d.db.PutTemplates(b.Context(), []hongyan.Template{{AppID: sandbox.SeedServiceAppID, TemplateID: sandbox.SeedTemplateOrder, Status: "active",
		Content: "订单号：{{character_string1.DATA}}\n商品：{{thing2.DATA}}\n金额：{{amount3.DATA}}\n时间：{{time4.DATA}}"}})
	if err != nil {
		b.Fatal(err)
	}
	d.engine = dispatch.New(dispatch.Config{Store: d.db, Tokens: d.wechat, HTTPClient: &http.Client{Transport: d.wechat}})
	d.desk = batch.New(batch.Config{Store: d.db, Engine: server.BatchEngine(d.engine)})
	return d
}

// stage makes a batch of b.N rows.
func (d *benchDesk) stage(b *testing.B) hongyan.Batch {
	b.Helper()
	made, err := d.desk.Create(b.Context(), batch.Draft{AppID: sandbox.SeedServiceAppID, TemplateID: sandbox.SeedTemplateOrder, Priority: hongyan.Bulk,
		Fields: batch.Fields{URL: "https://shop.example.com/{{order}}", Data: wechat.Data{"character_string1": {Value: "{{order}}"},
			"thing2": {Value: "{{name}}"}, "amount3": {Value: "￥{{amount}}"}, "time4": {Value: "2026-11-20 10:15"}}}})
	if err != nil {
		b.Fatal(err)
	}
	rows, err := batch.OpenTable(longTable(b.N), "csv", "")
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	r, err := d.desk.Upload(context.Background(), made.ID, batch.Upload{Source: rows})
	if err != nil || r.Good != int64(b.N) {
		b.Fatalf("got %+v, %v", r, err)
	}
	return made
}

// BenchmarkStage uploads a CSV of b.N rows: rows a second, and the memory that the
// process has then.
func BenchmarkStage(b *testing.B) {
	d := newBenchDesk(b)
	b.ResetTimer()
	started := time.Now()
	d.stage(b)
	b.ReportMetric(float64(b.N)/time.Since(started).Seconds(), "rows/s")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MB")
}

// longTable is a CSV of n rows that is made while it is read.
func longTable(n int) io.Reader {
	out, in := io.Pipe()
	go func() {
		w := bufio.NewWriter(in)
		fmt.Fprint(w, "openid,order,name,amount\n")
		for i := range n {
			fmt.Fprintf(w, "%s,A%d,巧克力礼盒%d号,%d.80\n", sandbox.OpenID("", i), i, i%100, i%500)
		}
		w.Flush()
		in.Close()
	}()
	return out
}

// constant is WeChat that takes everything, and a token that is always good.
type constant struct{ n atomic.Int64 }

func (c *constant) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	body := fmt.Sprintf(`{"errcode":0,"errmsg":"ok","msgid":%d}`, c.n.Add(1))
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
}

func (*constant) AccessToken(context.Context, string) (string, error) { return "token", nil }
func (*constant) Invalidate(context.Context, string, string) error    { return nil }

// BenchmarkFeed sends a batch of b.N rows to a WeChat that answers at once: messages a
// second, and rows written for each.
func BenchmarkFeed(b *testing.B) {
	d := newBenchDesk(b)
	made := d.stage(b)
	ctx, stop := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { _ = d.engine.Run(ctx) })
	ended.Go(func() { _ = d.desk.Run(ctx) })
	defer ended.Wait()
	defer stop()
	before := d.db.RowsWritten()
	b.ResetTimer()
	started := time.Now()
	if _, err := d.desk.Start(ctx, made.ID, time.Time{}, false); err != nil {
		b.Fatal(err)
	}
	for {
		got, err := d.desk.Get(ctx, made.ID)
		if err != nil {
			b.Fatal(err)
		}
		if !got.EndedAt.IsZero() {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/time.Since(started).Seconds(), "messages/s")
	b.ReportMetric(float64(d.db.RowsWritten()-before)/float64(b.N), "rows-written/message")
	if n := d.wechat.n.Load(); n != int64(b.N) {
		b.Fatalf("%d calls for %d rows", n, b.N)
	}
}
