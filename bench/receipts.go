package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"hongyan/client"
	"hongyan/wechat"
)

const (
	callbackToken = "benchcallbacktoken"
	// pushers is how many pushes are under way at once: WeChat opens as many
	// connections as it likes.
	pushers = 32
	// mostReceipts bounds the scenario: some seconds are enough to tell.
	mostReceipts = 30_000
)

// receipts pushes the events of the first o.N messages of one account.
func (*load) receipts(ctx context.Context, o order) (answer, error) {
	at := fmt.Sprint(time.Now().Unix())
	url := fmt.Sprintf("%s/callback/%s?timestamp=%s&nonce=bench&signature=%s", o.URL, o.AppIDs[0], at, wechat.Signature(callbackToken, at, "bench"))
	started := time.Now()
	times, err := postAll(ctx, o, func(i int) (*http.Request, error) {
		r, err := newPost(ctx, url, receiptBody(i, at))
		if err == nil {
			r.Header.Set("Content-Type", "text/xml")
		}
		return r, err
	})
	took := time.Since(started)
	a := quantiles(times)
	a.Seconds = took.Seconds()
	return a, err
}

// receiptBody is the event of the i-th message that the upstream took.
func receiptBody(i int, at string) []byte {
	return fmt.Appendf(nil, "<xml><ToUserName><![CDATA[gh_bench]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName><CreateTime>%s</CreateTime>"+
		"<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event><MsgID>%d</MsgID><Status><![CDATA[success]]></Status></xml>",
		openID(i), at, int64(firstMsgID+1+i))
}

// measureReceipts pushes receipts while a backlog of the same account is sent.
func measureReceipts(ctx context.Context, cfg Config) (m Measurement, err error) {
	return cfg.withGateway(ctx, "receipts", gatewaySetup{inFlight: cfg.InFlight, accounts: 1, change: func(a *client.AccountRequest) {
		a.Callback = &client.CallbackInput{Token: new(callbackToken), Mode: new("plain")}
	}}, func(b *bench) (Measurement, error) {
		if err := b.backlog(ctx, cfg.Messages, b.appIDs); err != nil {
			return m, err
		}
		pushing, err := start(ctx, cfg, roleLoad)
		if err != nil {
			return m, err
		}
		var pushed answer
		n := min(cfg.Messages, mostReceipts)
		sent, err := b.timed(ctx, cfg.Messages, func() (answer, error) {
			if err := b.resume(ctx, b.appIDs); err != nil {
				return answer{}, err
			}
			pushed, err = pushing.do(order{Do: "receipts", URL: b.url, AppIDs: b.appIDs, N: n, InFlight: pushers})
			return answer{}, err
		})
		if err = errors.Join(err, pushing.stop()); err != nil {
			return m, err
		}
		return Measurement{"receipts", "receipts pushed over 32 connections while a backlog of the same account is sent", []Figure{
			atLeast("answered", float64(n)/pushed.Seconds, "/s", 3000),
			figure("p50", pushed.P50, "ms"), atMost("p99", pushed.P99, "ms", 100),
			figure("sent meanwhile", sent.Rate, "/s"),
		}}, nil
	})
}
