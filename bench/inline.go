package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// inline is the peer that most programs are today: it answers at once, starts a
// goroutine for each message, and stores nothing. What it has not sent when it ends
// is lost.
type inline struct {
	server *http.Server
	hc     *http.Client
	slots  chan struct{}
	sent   atomic.Int64
	failed atomic.Pointer[error]
}

func (p *inline) do(ctx context.Context, o order) (answer, error) {
	switch o.Do {
	case "serve":
		return p.serve(ctx, o)
	case "await":
		for p.sent.Load() < int64(o.N) {
			if err := p.failed.Load(); err != nil {
				return answer{}, *err
			}
			time.Sleep(time.Millisecond)
		}
	}
	return usage(), nil
}

func (p *inline) serve(ctx context.Context, o order) (answer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return answer{}, err
	}
	p.hc = &http.Client{Transport: &http.Transport{MaxIdleConns: o.InFlight, MaxIdleConnsPerHost: o.InFlight}}
	p.slots = make(chan struct{}, o.InFlight)
	url := o.URL + "/cgi-bin/message/template/send?access_token=BENCH_token-0123456789012345678901234567890123456789"
	p.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.accept(ctx, w, r, url) })}
	go func() { _ = p.server.Serve(l) }()
	return answer{URL: "http://" + l.Addr().String()}, nil
}

func (p *inline) close() error {
	if p.server == nil {
		return nil
	}
	return p.server.Close()
}

// inlineMessage is what it reads of a message and sends on.
type inlineMessage struct {
	ToUser     string                       `json:"touser"`
	TemplateID string                       `json:"template_id"`
	URL        string                       `json:"url"`
	Data       map[string]map[string]string `json:"data"`
}

func (p *inline) accept(ctx context.Context, w http.ResponseWriter, r *http.Request, url string) {
	var m inlineMessage
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	go func() {
		p.slots <- struct{}{}
		defer func() { <-p.slots }()
		if err := p.send(ctx, url, &m); err != nil {
			p.failed.CompareAndSwap(nil, &err)
		}
		p.sent.Add(1)
	}()
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, "{}\n")
}

func (p *inline) send(ctx context.Context, url string, m *inlineMessage) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return postOne(p.hc, func(int) (*http.Request, error) { return newPost(ctx, url, body) }, 0)
}

// runInline measures the peer as measureSingle does the gateway.
func runInline(ctx context.Context, cfg Config, upstream string, inFlight int) (s Side, err error) {
	say(cfg, "single: peer inline")
	peer, err := start(ctx, cfg, roleInline)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, peer.stop()) }()
	at, err := peer.do(order{Do: "serve", URL: upstream, InFlight: inFlight})
	if err != nil {
		return s, err
	}
	posting, err := start(ctx, cfg, roleLoad)
	if err != nil {
		return s, err
	}
	started := time.Now()
	_, err = posting.do(order{Do: "post", URL: at.URL, N: cfg.Messages, InFlight: cfg.Callers, AppIDs: []string{"any"}})
	if err = errors.Join(err, posting.stop()); err != nil {
		return s, err
	}
	used, err := peer.do(order{Do: "await", N: cfg.Messages})
	if err != nil {
		return s, fmt.Errorf("peer inline: %w", err)
	}
	used.Seconds = time.Since(started).Seconds()
	return side(used, cfg.Messages), nil
}
