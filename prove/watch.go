package prove

import (
	"context"
	"fmt"
	"sync"
	"time"

	"hongyan"
	"hongyan/client"
)

// watch looks at the newest messages again and again while the load runs, and
// notes every state whose rank is lower than the one it saw before.
type watch struct {
	r     *rig
	looks int
	seen  map[string]sight
	falls []string
}

// sight is what a message was seen in last.
type sight struct {
	rank  int
	state string
}

const (
	watchEvery = 250 * time.Millisecond
	watchPage  = 500
)

// begin watches until the function it returns is called.
func (w *watch) begin(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	w.seen = map[string]sight{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for pause(ctx, watchEvery) == nil {
			w.look(ctx)
		}
	})
	return func() { cancel(); wg.Wait() }
}

// look reads one page. A gateway that is down at the moment shows nothing.
func (w *watch) look(ctx context.Context) {
	list, err := w.r.api().Messages(ctx, client.MessageFilter{Limit: watchPage})
	if err != nil {
		return
	}
	w.looks++
	for i := range list.Items {
		w.note(&list.Items[i])
	}
}

// note compares a message with what was seen of it.
func (w *watch) note(m *client.Message) {
	state, err := hongyan.ParseState(m.State)
	if err != nil {
		w.falls = append(w.falls, fmt.Sprintf("%s is in a state nobody knows: %v", m.ID, err))
		return
	}
	before, known := w.seen[m.ID]
	if known && state.Rank() < before.rank {
		w.falls = append(w.falls, fmt.Sprintf("%s was %s and is %s", m.ID, before.state, m.State))
	}
	w.seen[m.ID] = sight{state.Rank(), m.State} // after a fall too: it is told once
}
