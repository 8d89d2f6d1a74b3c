package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// bareLoop is the measure of all things: goroutines that POST and store nothing.
type bareLoop struct{}

func (*bareLoop) close() error { return nil }

func (*bareLoop) do(ctx context.Context, o order) (answer, error) {
	url := o.URL + "/cgi-bin/message/template/send?access_token=BENCH_token-0123456789012345678901234567890123456789"
	before := usage()
	started := time.Now()
	_, err := postAll(ctx, o, func(i int) (*http.Request, error) {
		return newPost(ctx, url, wechatBody(i))
	})
	a := usage()
	a.CPU -= before.CPU
	a.Seconds = time.Since(started).Seconds()
	return a, err
}

// load posts singles to the gateway.
type load struct{}

func (*load) close() error { return nil }

func (l *load) do(ctx context.Context, o order) (answer, error) {
	switch o.Do {
	case "trickle":
		return answer{}, l.trickle(ctx, o)
	case "receipts":
		return l.receipts(ctx, o)
	}
	auth := "Bearer " + o.Key
	started := time.Now()
	times, err := postAll(ctx, o, func(i int) (*http.Request, error) {
		r, err := newPost(ctx, o.URL+"/v1/messages", messageBody(o.AppIDs[i%len(o.AppIDs)], i))
		if err == nil {
			r.Header.Set("Authorization", auth)
		}
		return r, err
	})
	took := time.Since(started)
	a := quantiles(times)
	a.Seconds = took.Seconds()
	return a, err
}

// tricklePause is the pause between posts to an idle gateway.
const tricklePause = 20 * time.Millisecond

// posts is how many messages are posted one at a time while something is watched.
func (c Config) posts() int { return max(1, int(c.Watch/tricklePause)) }

// trickle posts one message at a time, each with the moment it was posted in
// its url.
func (*load) trickle(ctx context.Context, o order) error {
	hc := &http.Client{Transport: &http.Transport{}}
	defer hc.CloseIdleConnections()
	for i := range o.N {
		err := postOne(hc, func(i int) (*http.Request, error) {
			body := bytes.Replace(messageBody(o.AppIDs[i%len(o.AppIDs)], i), []byte("from=wechat"), fmt.Appendf(nil, "%s%d", postedMark, time.Now().UnixNano()), 1)
			r, err := newPost(ctx, o.URL+"/v1/messages", body)
			if err == nil {
				r.Header.Set("Authorization", "Bearer "+o.Key)
			}
			return r, err
		}, i)
		if err != nil {
			return fmt.Errorf("request %d: %w", i, err)
		}
		time.Sleep(tricklePause)
	}
	return nil
}

// quantiles returns the median and the 99th percentile of times, in milliseconds.
func quantiles(times []time.Duration) answer {
	slices.Sort(times)
	var a answer
	if n := len(times); n > 0 {
		a.P50, a.P99 = ms(times[n/2]), ms(times[n*99/100])
	}
	return a
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func newPost(ctx context.Context, url string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json; charset=UTF-8")
	return r, nil
}

// postAll makes o.N requests with o.InFlight under way and returns how long
// each took. Any answer that is not a success ends it: a rate of refusals is
// no rate.
func postAll(ctx context.Context, o order, request func(i int) (*http.Request, error)) ([]time.Duration, error) {
	hc := &http.Client{Transport: &http.Transport{MaxIdleConns: o.InFlight, MaxIdleConnsPerHost: o.InFlight}}
	defer hc.CloseIdleConnections()
	times := make([]time.Duration, o.N)
	var next atomic.Int64
	var once sync.Once
	var failed error
	var wg sync.WaitGroup
	for range o.InFlight {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= o.N {
					return
				}
				started := time.Now()
				if err := postOne(hc, request, i); err != nil {
					once.Do(func() { failed = fmt.Errorf("request %d: %w", i, err) })
					next.Store(int64(o.N))
					return
				}
				times[i] = time.Since(started)
			}
		})
	}
	wg.Wait()
	return times, failed
}

func postOne(hc *http.Client, request func(i int) (*http.Request, error), i int) error {
	r, err := request(i)
	if err != nil {
		return err
	}
	resp, err := hc.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	sent := resp.StatusCode == http.StatusOK && (bytes.Contains(body, []byte(`"errcode":0`)) || string(body) == "success")
	if !sent && resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("status %d: %.200s", resp.StatusCode, body)
	}
	return nil
}

const bodyTail = `"template_id":"` + templateID + `","url":"https://shop.example.com/orders/1001?from=wechat",` +
	`"data":{"character_string1":{"value":"A1001-2026-11-20"},"thing2":{"value":"黑巧克力礼盒"},"amount3":{"value":"￥39.80"},"time4":{"value":"2026-11-20 10:15"}}}`

// wechatBody is the body WeChat is sent for the i-th message.
func wechatBody(i int) []byte {
	return fmt.Appendf(nil, `{"touser":"%s","client_msg_id":"msg_%032d",%s`, openID(i), i, bodyTail)
}

// messageBody is the body the gateway is sent for the i-th message.
func messageBody(appID string, i int) []byte {
	return fmt.Appendf(nil, `{"appid":"%s","touser":"%s",%s`, appID, openID(i), bodyTail)
}
