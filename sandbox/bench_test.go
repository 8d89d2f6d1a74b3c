package sandbox_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"hongyan/sandbox"
)

// BenchmarkSend is one accepted send through the handler, without a network, with
// deliveries going on beside it. The sandbox must not be what a benchmark of the
// gateway measures: 15,000 a second on one core is the floor we want.
func BenchmarkSend(b *testing.B) {
	box := sandbox.New(sandbox.Options{})
	if err := box.UpdateAccount(sandbox.SeedServiceAppID, sandbox.AccountSpec{DailyQuota: new(-1)}); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- box.Run(ctx) }()
	defer func() { stop(); <-ended }()

	handler := box.Handler()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, tokenTarget(sandbox.SeedServiceAppID, sandbox.SeedServiceSecret), nil))
	target := with(pathSend, w.Body.String()[len(`{"access_token":"`):len(`{"access_token":"`)+139])

	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		body := orderBody(sandbox.OpenID("", n), clientID(strconv.Itoa(n)))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, target, strings.NewReader(body)))
		if !strings.HasPrefix(w.Body.String(), `{"errcode":0,`) {
			b.Fatalf("send %d: %s", n, w.Body)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "sends/s")
}
