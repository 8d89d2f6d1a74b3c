package deliver

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"hongyan"
)

// Reply is what a synchronous downstream answered.
type Reply struct {
	Body   []byte // the passive reply, plain; nil = nothing to say
	Status int    // HTTP
	Took   time.Duration
}

// What keeps a downstream from being asked while WeChat waits; the delivery comes later.
var (
	errProbed    = errors.New("the downstream is in trouble and is being tried by another push")
	errMsgIDOpen = errors.New("the msgid that the sender was answered with is not known yet")
)

// enoughTime is how long a call must have had for its time-out to say something of the server.
const enoughTime = time.Second

// Reply asks the synchronous downstream d of a for its passive reply to e: one
// attempt inside the time that ctx has left. An error means that the push is still
// to be delivered; its text holds no secret. An answer that cannot be passed on is
// logged, and counts as nothing to say: asking again would not help. While the
// downstream is in trouble one push at a time asks it.
func (s *Sender) Reply(ctx context.Context, a *hongyan.Account, d *hongyan.Downstream, e *hongyan.Event) (Reply, error) {
	o := newOutlet(a, d)
	if !s.mayAsk(o.target) {
		return Reply{}, errProbed
	}
	defer s.asked(o.target)
	body, wait, err := s.bodyOf(ctx, e)
	if err != nil {
		return Reply{}, err
	}
	if wait > 0 {
		return Reply{}, errMsgIDOpen
	}
	out := s.post(ctx, o, e, body)
	if out.err != nil {
		if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) && out.took >= enoughTime {
			s.note(o.target, out.err)
		}
		s.observe(o.target, out.word(), out.took)
		return Reply{}, out.err
	}
	s.note(o.target, nil)
	return s.replied(ctx, o, e, out), nil
}

// replied reads the passive reply in an answer.
func (s *Sender) replied(ctx context.Context, o *outlet, e *hongyan.Event, out outcome) Reply {
	word := "replied"
	body, err := o.pusher.OpenReply(out.body)
	if err != nil {
		word = "bad_reply"
		s.tell(ctx, slog.LevelWarn, o.target, "a passive reply cannot be passed on; WeChat is answered success", "event", e.ID, "err", err)
	}
	s.observe(o.target, word, out.took)
	return Reply{Body: body, Status: out.status, Took: out.took}
}

// mayAsk reports whether a target may be asked now, and counts the call if it may.
func (s *Sender) mayAsk(target string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.healthOf(target)
	if h.trouble() && h.asking > 0 {
		return false
	}
	h.asking++
	return true
}

func (s *Sender) asked(target string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.health[target]; h != nil && h.asking > 0 {
		h.asking--
	}
}
