package demo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"hongyan/client"
)

// Message is one message of the play as it stands.
type Message struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	ID      string `json:"id"`
	Want    Fate   `json:"want"`
	Got     Fate   `json:"got"`
	Errcode *int   `json:"errcode"` // WeChat's last answer; null while there is none
	OK      bool   `json:"ok"`
	Note    string `json:"note,omitempty"` // what else was expected and not seen
	scene   *scene
}

const (
	// look is how often the messages are read.
	look = 150 * time.Millisecond
	// settleWithin bounds the wait for a first attempt.
	settleWithin = 5 * time.Second
	// listLimit covers the whole play in one page.
	listLimit = 1000
)

// Play sends every message and watches them until all are as expected or ctx
// ends, which is no error. changed, which may be nil, is called from the
// calling goroutine whenever a message changed. It returns all messages as they are then.
func (w *World) Play(ctx context.Context, changed func([]Message)) ([]Message, error) {
	p := &play{world: w, changed: changed}
	scenes := w.scenes()
	for i := range scenes {
		if err := p.send(ctx, &scenes[i]); err != nil {
			return p.messages, fmt.Errorf("scene %s: %w", scenes[i].name, err)
		}
	}
	for ctx.Err() == nil && !p.allAsExpected() {
		if err := p.lookAgain(ctx); err != nil {
			return p.messages, err
		}
	}
	// What was watched is the state alone; the evidence is read once, at the end.
	return p.messages, p.examine(context.WithoutCancel(ctx))
}

type play struct {
	world    *World
	messages []Message
	changed  func([]Message)
}

// send posts one scene's message and, where the order matters, waits for its first attempt.
func (p *play) send(ctx context.Context, s *scene) error {
	request, err := s.message(ctx)
	if err != nil {
		return err
	}
	sent, err := p.world.api.Send(ctx, request)
	if err != nil {
		return err
	}
	m := Message{Name: s.name, Title: s.title, ID: sent.ID, Want: s.want, scene: s}
	m.update(sent.Message)
	p.messages = append(p.messages, m)
	p.tell()
	if s.then != nil {
		if err := s.then(ctx, sent.ID); err != nil {
			return err
		}
	}
	if s.settle {
		return p.awaitAttempt(ctx, sent.ID)
	}
	return nil
}

func (p *play) awaitAttempt(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	for {
		m, err := p.world.api.Message(ctx, id)
		if err != nil {
			return err
		}
		if len(m.Attempts) > 0 {
			return nil
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%s was not tried: %w", id, err)
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(look):
		return nil
	}
}

// lookAgain reads all messages after a moment and tells what changed.
func (p *play) lookAgain(ctx context.Context) error {
	if pause(ctx) != nil {
		return nil // the time to watch is over
	}
	page, err := p.world.api.Messages(ctx, client.MessageFilter{Limit: listLimit})
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	any := false
	for _, m := range page.Items {
		if i := slices.IndexFunc(p.messages, func(own Message) bool { return own.ID == m.ID }); i >= 0 {
			any = p.messages[i].update(m) || any
		}
	}
	if any {
		p.tell()
	}
	return nil
}

func (p *play) tell() {
	if p.changed != nil {
		p.changed(slices.Clone(p.messages))
	}
}

// update takes over how m stands and reports whether that is new.
func (own *Message) update(m client.Message) bool {
	before := own.Got
	own.Got, own.Errcode = Fate{m.State, m.Reason}, m.Errcode
	own.OK = own.Got == own.Want
	return own.Got != before
}

func (p *play) allAsExpected() bool {
	return !slices.ContainsFunc(p.messages, func(m Message) bool { return !m.OK })
}

// examine reads each message whole and holds it against everything its scene expects.
func (p *play) examine(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	for i := range p.messages {
		own := &p.messages[i]
		m, err := p.world.api.Message(ctx, own.ID)
		if err != nil {
			return fmt.Errorf("examine %s: %w", own.Name, err)
		}
		own.update(m)
		if own.Note, err = p.missing(ctx, own.scene, m); err != nil {
			return fmt.Errorf("examine %s: %w", own.Name, err)
		}
		own.OK = own.OK && own.Note == ""
	}
	return nil
}

// missing says what a scene expects beyond the state and the message does not show.
func (p *play) missing(ctx context.Context, s *scene, m client.Message) (string, error) {
	if s.evidence != "" && !slices.ContainsFunc(m.Attempts, func(a client.Attempt) bool { return shows(a, s.evidence) }) {
		return "no attempt shows " + s.evidence, nil
	}
	if s.seen == anySeen {
		return "", nil
	}
	n, err := p.world.box.seen(ctx, m.ToUser)
	if err != nil || n == s.seen {
		return "", err
	}
	return fmt.Sprintf("the user saw %d messages, not %d", n, s.seen), nil
}

// shows reports whether an attempt ended with the outcome or errcode that evidence names.
func shows(a client.Attempt, evidence string) bool {
	return a.Outcome == evidence || a.Errcode != nil && strconv.Itoa(*a.Errcode) == evidence
}
