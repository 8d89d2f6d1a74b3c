package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// upstream answers like WeChat at its best: always yes.
type upstream struct {
	server *http.Server
	sends  atomic.Int64

	mu     sync.Mutex
	delays []time.Duration // of messages that carry the time they were posted
}

func (u *upstream) do(_ context.Context, o order) (answer, error) {
	switch o.Do {
	case "delays":
		return u.delaysSoFar(), nil
	case "sends":
		return answer{N: u.sends.Load()}, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return answer{}, err
	}
	mux := http.NewServeMux()
	token := constant(`{"access_token":"BENCH_token-0123456789012345678901234567890123456789","expires_in":7200}`)
	mux.HandleFunc("/cgi-bin/token", token)
	mux.HandleFunc("/cgi-bin/stable_token", token)
	mux.HandleFunc("/cgi-bin/template/get_all_private_template", constant(templateList))
	mux.HandleFunc("/wxaapi/newtmpl/gettemplate", constant(`{"errcode":0,"errmsg":"ok","data":[]}`))
	mux.HandleFunc("/cgi-bin/message/template/send", u.send(o.Latency))
	u.server = &http.Server{Handler: mux}
	if o.Cert != "" {
		u.server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){} // HTTP/1.1 alone
		go func() { _ = u.server.ServeTLS(l, o.Cert, o.Cert) }()
		return answer{URL: "https://" + l.Addr().String()}, nil
	}
	go func() { _ = u.server.Serve(l) }()
	return answer{URL: "http://" + l.Addr().String()}, nil
}

func (u *upstream) close() error {
	if u.server == nil {
		return nil
	}
	return u.server.Close()
}

const templateList = `{"template_list":[{"template_id":"` + templateID + `","title":"订单支付成功通知","primary_industry":"IT科技",` +
	`"deputy_industry":"互联网|电子商务","content":"订单编号：{{character_string1.DATA}}\n商品：{{thing2.DATA}}\n金额：{{amount3.DATA}}\n时间：{{time4.DATA}}","example":""}]}`

func constant(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		writeJSON(w, body)
	}
}

// firstMsgID is the number before the first message's msgid.
const firstMsgID = 2_000_000_000_000_000_000

func (u *upstream) send(latency time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u.noteDelay(r)
		if latency > 0 {
			time.Sleep(latency)
		}
		writeJSON(w, `{"errcode":0,"errmsg":"ok","msgid":`+strconv.FormatInt(firstMsgID+u.sends.Add(1), 10)+`}`)
	}
}

// postedMark precedes the time a message was posted, in Unix nanoseconds.
const postedMark = "posted="

// noteDelay reads a body and, if it carries the time it was posted, notes how
// long ago that was: both clocks are this machine's.
func (u *upstream) noteDelay(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	_, rest, found := bytes.Cut(body, []byte(postedMark))
	if !found {
		return
	}
	now := time.Now().UnixNano()
	digits := rest[:max(0, bytes.IndexByte(rest, '"'))]
	posted, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.delays = append(u.delays, time.Duration(now-posted))
}

func (u *upstream) delaysSoFar() answer {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := quantiles(u.delays)
	a.N = int64(len(u.delays))
	return a
}

func writeJSON(w http.ResponseWriter, body string) {
	h := w.Header()
	h.Set("Content-Type", "application/json; encoding=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = io.WriteString(w, body)
}

// openID returns the i-th recipient.
func openID(i int) string { return fmt.Sprintf("oBENCH%022d", i) }
