package prove

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

// callers is how many connections post at once.
const callers = 64

// promise is what a caller knows of one message: what it asked for, and what
// it was told.
type promise struct {
	number  int
	request client.MessageRequest
	openID  string // of this message alone: what the user saw belongs to it
	id      string // of the 202; "" = never promised
	tries   int    // posts until the answer
	sentAt  time.Time
	toldAt  time.Time
	trouble string // the last answer but the promise
	codes   []int  // of answers that were errors of the gateway's
}

// load posts messages until each is promised, always with the same
// Idempotency-Key, as a careful caller does.
type load struct {
	r        *rig
	messages int
	over     time.Duration // the time they are spread over; 0 = as fast as they go
	first    int           // number of the first, to keep the loads of one rig apart
	compose  composer      // what the messages are; nil = the usual mixture
	began    time.Time
	stop     atomic.Bool // no new messages; those begun go on until they are promised

	next  atomic.Int64
	told  atomic.Int64
	tries atomic.Int64
	wg    sync.WaitGroup
	took  time.Duration // valid after wait

	mu       sync.Mutex
	promises []*promise
	ids      []string // of the 202s, as they came
	refused  []string // answers that no retry can help
}

// composer makes the message of a number.
type composer func(ctx context.Context, number int) (*promise, error)

// begin starts the callers.
func (l *load) begin(ctx context.Context) {
	l.began = time.Now()
	if l.compose == nil {
		l.compose = l.r.compose
	}
	for range callers {
		l.wg.Go(func() { l.call(ctx) })
	}
}

// wait ends when every message that was begun is promised.
func (l *load) wait() {
	l.wg.Wait()
	l.took = time.Since(l.began)
}

// burst is how many messages a caller posts one after the other before it looks
// at the time: load comes in bursts, so that kills meet calls under way.
const burst = 8

func (l *load) call(ctx context.Context) {
	api := client.New("", l.r.key)
	api.Retries.Tries = 1 // the callers repeat by themselves, and count
	api.HTTPClient = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	for !l.stop.Load() && ctx.Err() == nil {
		first := int(l.next.Add(burst)) - burst
		if first >= l.messages {
			return
		}
		if pause(ctx, time.Until(l.began.Add(l.over*time.Duration(first)/time.Duration(l.messages)))) != nil {
			return
		}
		for i := first; i < min(first+burst, l.messages); i++ {
			l.deliver(ctx, api, l.first+i)
		}
	}
}

// deliver posts one message until it is promised.
func (l *load) deliver(ctx context.Context, api *client.Client, number int) {
	p, err := l.compose(ctx, number)
	if err != nil {
		l.refuse(fmt.Sprintf("message %d could not be made: %v", number, err))
		return
	}
	l.keep(p)
	for ctx.Err() == nil {
		api.BaseURL = l.r.nodes[l.r.next.of(len(l.r.nodes))].url()
		sent, err := api.Send(ctx, p.request)
		p.tries++
		l.tries.Add(1)
		if err == nil {
			p.id, p.toldAt = sent.Message.ID, time.Now()
			l.told.Add(1)
			l.mu.Lock()
			l.ids = append(l.ids, p.id)
			l.mu.Unlock()
			return
		}
		p.trouble = err.Error()
		if problem, ok := errors.AsType[*client.Problem](err); ok {
			p.codes = append(p.codes, problem.Status)
			if !problem.Retryable && problem.Status < http.StatusInternalServerError {
				l.refuse(fmt.Sprintf("message %d was refused: %v", number, err))
				return
			}
		}
		if time.Since(p.sentAt) > patience {
			l.refuse(fmt.Sprintf("message %d was not taken within %v: %v", number, patience, err))
			return
		}
		_ = pause(ctx, callerPause) // ctx is looked at above
	}
}

// patience is how long a caller asks for one message.
const patience = 2 * time.Minute

// callerPause is how long a caller waits until it asks again.
const callerPause = 20 * time.Millisecond

// answers counts the answers that were errors, by status.
func (l *load) answers() map[int]int {
	codes := map[int]int{}
	for _, p := range l.promises {
		for _, code := range p.codes {
			codes[code]++
		}
	}
	return codes
}

func (l *load) keep(p *promise) {
	l.mu.Lock()
	l.promises = append(l.promises, p)
	l.mu.Unlock()
}

func (l *load) refuse(why string) {
	l.mu.Lock()
	l.refused = append(l.refused, why)
	l.mu.Unlock()
}

// compose makes message number as the seed has it: its account, kind, priority
// and recipient.
func (r *rig) compose(ctx context.Context, number int) (*promise, error) {
	dice := rand.New(rand.NewPCG(uint64(r.cfg.Seed), uint64(number)))
	p := &promise{number: number, sentAt: time.Now()}
	p.openID = sandbox.OpenID(fateOf(dice.IntN(100)), number)
	label := "A" + strconv.Itoa(number)
	switch n := dice.IntN(100); {
	case n < 40:
		p.request = r.who.order(shop, p.openID, label)
	case n < 70:
		p.request = r.who.order(plain, p.openID, label)
	case n < 78:
		p.request = r.who.order(quota, p.openID, label)
	case n < 84:
		p.request = r.who.order(paced, p.openID, label)
	case n < 94:
		p.openID = sandbox.OpenID("", number) // fates are those of template messages
		p.request = pickup(p.openID, label)
	default:
		p.openID = sandbox.OpenID("", number)
		form, err := r.wx.formID(ctx, p.openID)
		if err != nil {
			return nil, err
		}
		p.request = appointment(p.openID, form, label)
	}
	p.request.Priority = []string{"urgent", "normal", "normal", "normal", "bulk"}[dice.IntN(5)]
	p.request.IdempotencyKey = fmt.Sprintf("prove-%d-%d", r.cfg.Seed, number)
	return p, nil
}

// run posts all of it and waits for the promises.
func (l *load) run(ctx context.Context) {
	l.begin(ctx)
	l.wait()
}

// orders makes nothing but the usual message of one account, to ordinary users.
func (r *rig) orders(appID string) composer {
	return func(_ context.Context, number int) (*promise, error) {
		p := &promise{number: number, openID: sandbox.OpenID("", number), sentAt: time.Now()}
		p.request = r.who.order(appID, p.openID, "A"+strconv.Itoa(number))
		p.request.IdempotencyKey = fmt.Sprintf("prove-%d-%d", r.cfg.Seed, number)
		return p, nil
	}
}

// ordersOfAll makes the usual message of one service account after the other.
func (r *rig) ordersOfAll(ctx context.Context, number int) (*promise, error) {
	services := []string{shop, plain, quota, paced}
	return r.orders(services[number%len(services)])(ctx, number)
}

// fateOf gives one message in twenty a user who does not see it.
func fateOf(n int) string {
	switch {
	case n < 3:
		return "BLOCK"
	case n < 5:
		return "NOEVT"
	default:
		return ""
	}
}
