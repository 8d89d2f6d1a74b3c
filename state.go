package hongyan

import (
	"encoding/json"
	"fmt"
)

// State is where a message is in its life. The numbers are stored; the words
// are shown. A message's rank never falls (see Rank).
type State uint8

// The ten states. Queued and Held are the first two so that "waiting" is one
// comparison in an index.
const (
	Queued      State = 0 // waits for its due time, a slot, or its turn
	Held        State = 1 // waits for a reason of its own: see Hold
	Sending     State = 2 // leased to a node: an attempt may be under way
	Uncertain   State = 3 // WeChat may or may not have taken it; nobody can know
	Accepted    State = 4 // WeChat took it; its event has not come (or never comes for this kind)
	Failed      State = 5 // WeChat refused it, or it was given up
	Cancelled   State = 6 // the caller withdrew it before it was sent
	Expired     State = 7 // expires_at passed before it was sent
	Delivered   State = 8 // the event says it reached the user
	Undelivered State = 9 // the event says it did not
)

var stateWords = [...]struct{ en, zh string }{
	Queued: {"queued", "排队"}, Held: {"held", "挂起"}, Sending: {"sending", "发送中"},
	Uncertain: {"uncertain", "待确认"}, Accepted: {"accepted", "已受理"}, Failed: {"failed", "失败"},
	Cancelled: {"cancelled", "取消"}, Expired: {"expired", "过期"},
	Delivered: {"delivered", "已送达"}, Undelivered: {"undelivered", "未送达"},
}

// States returns every state in ascending order of its number.
func States() []State {
	all := make([]State, len(stateWords))
	for i := range all {
		all[i] = State(i)
	}
	return all
}

// String returns the state's word on the wire, e.g. "delivered".
func (s State) String() string {
	if int(s) < len(stateWords) {
		return stateWords[s].en
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// ZH returns the state's short Chinese word, e.g. 已送达.
func (s State) ZH() string {
	if int(s) < len(stateWords) {
		return stateWords[s].zh
	}
	return s.String()
}

// ParseState reads a state's word.
func ParseState(word string) (State, error) {
	for i, w := range stateWords {
		if w.en == word {
			return State(i), nil
		}
	}
	return 0, InvalidField("unknown_state", "/state", "unknown state %q; states are queued, sending, held, accepted, delivered, undelivered, failed, uncertain, cancelled, expired", word)
}

// MarshalJSON writes the word.
func (s State) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// Rank orders states by how much is known. A message never moves to a state
// of lower rank.
func (s State) Rank() int {
	switch s {
	case Uncertain:
		return 1
	case Accepted:
		return 2
	case Failed, Cancelled, Expired:
		return 3
	case Delivered, Undelivered:
		return 4
	default:
		return 0
	}
}

// Waiting reports whether a message in s may be claimed, cancelled and released.
func (s State) Waiting() bool { return s == Queued || s == Held }

// Final reports whether a message of kind k in s has ended. Accepted is the
// last state of kinds for which WeChat pushes no event.
func (s State) Final(k MessageKind) bool {
	return s.Rank() >= 3 || s == Accepted && !k.HasReceipt()
}
