package sandbox

import (
	chain "container/list"
	"iter"
)

// maxKnown bounds the users that can be listed. Forgotten ones keep their state
// and their messages; they are only no longer named by themselves.
const maxKnown = 10_000

// known is the users somebody has dealt with, the last first: those a message was
// sent to, whatever became of it, and those whose state was set.
type known struct {
	order *chain.List // of openids
	at    map[string]*chain.Element
}

func newKnown() known { return known{order: chain.New(), at: map[string]*chain.Element{}} }

// see puts the user in front.
func (k *known) see(openid string) {
	if e := k.at[openid]; e != nil {
		k.order.MoveToFront(e)
		return
	}
	k.at[openid] = k.order.PushFront(openid)
	if k.order.Len() > maxKnown {
		delete(k.at, k.order.Remove(k.order.Back()).(string))
	}
}

// all goes from the last one seen to the first.
func (k *known) all() iter.Seq[string] {
	return func(yield func(string) bool) {
		for e := k.order.Front(); e != nil; e = e.Next() {
			if !yield(e.Value.(string)) {
				return
			}
		}
	}
}
