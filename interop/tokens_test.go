package interop

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
)

// What clients do with their tokens is told of the sandbox alone: the ledger shows
// every step of it, and a gateway is there to change it.

// A revoked token is the commonest accident: some other program fetched a token.
// What the clients do about it differs widely.
func TestATokenThatWasRevoked(t *testing.T) {
	tests := []struct {
		name  string
		keep  bool     // stable_token goes on returning the dead token
		alone []string // calls of a send with the dead token
		acts  []string // what the caller must do where the client does not recover
		after []string // calls of those acts and the next send
	}{
		{name: "co-wechat-api", alone: []string{"send 40001", "token 0", "send 0"}, after: []string{"send 0"}},
		{
			// It tries again with the token that was just refused.
			name: "wechat-api", alone: []string{"send 40001", "send 40001"},
			acts: []string{"refresh"}, after: []string{"token 0", "send 0"},
		},
		{
			name: "node-easywechat", alone: []string{"send 40001"},
			acts: []string{"refresh"}, after: []string{"token 0", "send 0"},
		},
		{
			name: "node-easywechat with stable_token", alone: []string{"send 40001"},
			acts: []string{"refresh"}, after: []string{"stable_token 0", "send 0"},
		},
		{
			name: "node-easywechat with stable_token", keep: true, alone: []string{"send 40001"},
			acts: []string{"refresh", "force_refresh"}, after: []string{"stable_token 0", "stable_token 0", "send 0"},
		},
	}
	for _, tt := range tests {
		name := tt.name
		if tt.keep {
			name += " that is stuck"
		}
		t.Run(name, func(t *testing.T) {
			c := clients[slices.IndexFunc(clients, func(c client) bool { return c.name == tt.name })]
			at := theSandbox(t, sandbox.Options{})
			s := c.forService(t, at)
			var got sent
			for range 2 {
				s.must(t, "send", order(sandbox.OpenID("", 1), nil), &got)
			}
			if diff := cmp.Diff([]string{c.fetches() + " 0", "send 0", "send 0"}, at.calls(0)); diff != "" {
				t.Errorf("calls of two sends (-want +got):\n%s", diff)
			}
			mustNil(t, at.platform.RevokeToken(at.service.appID, tt.keep))

			mark := at.newest()
			first := s.step(t, "send", order(sandbox.OpenID("", 2), nil))
			if diff := cmp.Diff(tt.alone, at.calls(mark)); diff != "" {
				t.Errorf("calls of a send with the dead token (-want +got):\n%s", diff)
			}
			recovers := tt.acts == nil
			if !recovers {
				c.mustBeRefused(t, first, "40001")
			} else if first.Error != nil {
				t.Errorf("the client raised %s, want it to recover", first.Error.Message)
			}
			if seen := at.seen(sandbox.OpenID("", 2)); (len(seen) == 1) != recovers {
				t.Errorf("the user sees %q, want one message: %t", seen, recovers)
			}

			mark = at.newest()
			for _, act := range tt.acts {
				var fetched struct{ Usable bool }
				if s.must(t, act, nil, &fetched); !fetched.Usable {
					t.Errorf("%s: the client has no usable token", act)
				}
			}
			s.must(t, "send", order(sandbox.OpenID("", 3), nil), &got)
			if diff := cmp.Diff(tt.after, at.calls(mark)); diff != "" {
				t.Errorf("calls afterwards (-want +got):\n%s", diff)
			}
			if seen := at.seen(sandbox.OpenID("", 3)); len(seen) != 1 {
				t.Errorf("the user sees %q afterwards, want one message", seen)
			}
		})
	}
}
