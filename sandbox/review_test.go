package sandbox

import "testing"

func TestRefusedMessagesKeepTheirIDsWhenTheOldestAreForgotten(t *testing.T) {
	var r sendRules
	for range maxBlocked + 5 {
		r.block(blockedMessage{})
	}
	if n := len(r.blocked); n != maxBlocked || r.blocked[0].id != 6 || r.blocked[n-1].id != maxBlocked+5 {
		t.Errorf("%d remembered, ids %d to %d, want %d, 6 to %d", n, r.blocked[0].id, r.blocked[n-1].id, maxBlocked, maxBlocked+5)
	}
}
