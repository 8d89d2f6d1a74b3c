package prove

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

// identical is how many callers post one message at the same moment.
const identical = 500

// runIdempotency is test 13: many identical posts with one Idempotency-Key make
// one row, another body under the same key is refused, and a restart forgets
// nothing.
func runIdempotency(ctx context.Context, t *trial) error {
	r, err := t.rig(ctx, rigOptions{})
	if err != nil {
		return err
	}
	p, err := r.orders(shop)(ctx, 1)
	if err != nil {
		return err
	}
	ids, fresh, err := r.postAtOnce(ctx, p.request, identical)
	if err != nil {
		return err
	}
	t.want(len(ids) == 1, "%d callers with one key were told %d different ids", identical, len(ids))
	t.want(fresh == 1, "%d of them were told that theirs is the first", fresh)
	other := p.request
	other.URL = "https://shop.example.com/another"
	t.refusedAs(ctx, r, other, "before the restart")
	n := r.nodes[0]
	n.kill()
	if err := n.start(ctx); err != nil {
		return err
	}
	again, fresh, err := r.postAtOnce(ctx, p.request, identical/10)
	if err != nil {
		return err
	}
	for id := range ids {
		t.want(len(again) == 1 && again[id], "after the restart the same key was answered with %v, before with %s", again, id)
		p.id = id
	}
	t.want(fresh == 0, "after the restart %d callers were told that theirs is the first", fresh)
	t.refusedAs(ctx, r, other, "after the restart")
	t.figure("posts_at_once", identical)
	return t.judge(ctx, r, []*load{{r: r, promises: []*promise{p}}}, nil)
}

// refusedAs wants the answer 422 to another body under a known key.
func (t *trial) refusedAs(ctx context.Context, r *rig, other client.MessageRequest, when string) {
	_, err := r.api().Send(ctx, other)
	problem, ok := errors.AsType[*client.Problem](err)
	t.want(ok && problem.Status == http.StatusUnprocessableEntity, "another body under the same key, %s: got %v, want HTTP 422", when, err)
}

// postAtOnce posts one request from n callers and returns the ids they were
// told, and how many were told that their message is new. Answers that ask to
// come again are taken at their word.
func (r *rig) postAtOnce(ctx context.Context, m client.MessageRequest, n int) (ids map[string]bool, fresh int, err error) {
	ids = map[string]bool{}
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		start = make(chan struct{})
		errs  []error
	)
	for i := range n {
		wg.Go(func() {
			api := r.nodes[i%len(r.nodes)].client()
			<-start
			sent, err := sendPatiently(ctx, api, m)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			ids[sent.Message.ID] = true
			if !sent.Replayed {
				fresh++
			}
		})
	}
	close(start)
	wg.Wait()
	return ids, fresh, errors.Join(errs...)
}

// sendPatiently sends until the answer is no invitation to try again.
func sendPatiently(ctx context.Context, api *client.Client, m client.MessageRequest) (client.Sent, error) {
	for {
		sent, err := api.Send(ctx, m)
		problem, ok := errors.AsType[*client.Problem](err)
		if err == nil || ok && !problem.Retryable || ctx.Err() != nil {
			return sent, err
		}
		if err := pause(ctx, callerPause); err != nil {
			return sent, err
		}
	}
}

const (
	stops      = 5
	stopLoad   = 4_000
	stopEvery  = 1500 * time.Millisecond
	stopWithin = 25 * time.Second
)

// runStop is test 18: SIGTERM under load. Nothing is lost, nothing is left in
// doubt, and no caller is answered with an error of ours.
func runStop(ctx context.Context, t *trial) error {
	r, err := t.rig(ctx, rigOptions{latency: killLatency})
	if err != nil {
		return err
	}
	l := &load{r: r, messages: stopLoad, over: 2 * stops * stopEvery}
	l.begin(ctx)
	var slowest time.Duration
	for i := range stops {
		if err := pause(ctx, stopEvery); err != nil {
			return err
		}
		n, began := r.nodes[i%len(r.nodes)], time.Now()
		if err := n.child().stop(stopWithin); err != nil {
			t.wrong("stop %d: %v\n%s", i+1, err, lastLines(n.log, 5))
		}
		slowest = max(slowest, time.Since(began))
		if err := n.start(ctx); err != nil {
			return err
		}
	}
	l.stopAfter(ctx, loadTail)
	for code, n := range l.answers() {
		t.want(false, "%d callers were answered HTTP %d while gateways were stopped in order", n, code)
	}
	if err := t.judge(ctx, r, []*load{l}, nil); err != nil {
		return err
	}
	t.want(t.result.Figures["uncertain"] == 0, "%g messages are uncertain after nothing but orderly stops", t.result.Figures["uncertain"])
	again := 0
	for i := range t.books.rows {
		for _, a := range t.books.rows[i].Attempts { // the last one alone
			if a.N > 1 || a.Outcome != "answered" {
				again++
			}
		}
	}
	t.want(again == 0, "%d messages were left in doubt by an orderly stop", again)
	t.figure("stops", stops)
	t.figure("slowest_stop_ms", ms(slowest))
	return nil
}

// first makes a message and sends it; it is promised or the error says why.
func (r *rig) first(ctx context.Context, appID string, number int) (*promise, error) {
	p, err := r.orders(appID)(ctx, number)
	if err != nil {
		return nil, err
	}
	sent, err := sendPatiently(ctx, r.api(), p.request)
	if err != nil {
		return nil, fmt.Errorf("send message %d: %w", number, err)
	}
	p.id, p.toldAt, p.tries = sent.Message.ID, time.Now(), 1
	return p, nil
}

// awaitState waits until a message is in one of the states, and returns it.
func (r *rig) awaitState(ctx context.Context, id string, within time.Duration, states ...string) (m client.Message, err error) {
	err = await(ctx, within, lookEvery, func() (bool, error) {
		if m, err = r.api().Message(ctx, id); err != nil {
			return false, err
		}
		for _, s := range states {
			if m.State == s {
				return true, nil
			}
		}
		return false, nil
	}, func() string { return fmt.Sprintf("message %s is %s %s, want %v", id, m.State, m.Reason, states) })
	return m, err
}

// userOf is the ordinary user of a number.
func userOf(number int) string { return sandbox.OpenID("", number) }
