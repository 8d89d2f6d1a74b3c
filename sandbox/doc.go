// Package sandbox is a local WeChat: the platform's template-message API, its
// tokens, its event pushes and its moods, as one http.Handler with a memory.
// Programs are developed and tested against it; it is not WeChat and says so on
// every answer.
//
// Start with [New]. [Sandbox.Handler] serves WeChat's own paths, the control API
// under /sandbox/v1/ and a page that says what this is; [Sandbox.Run] delivers
// messages, pushes events and must run beside it. The same things the control
// API does over HTTP are methods of [Sandbox], for tests in Go.
//
// How a call travels through the code: call.go receives it, faults.go may spoil
// it, endpoints.go finds who serves it and apis.go who may and how often, tokens.go
// checks its credential, send.go and its kin apply the platform's rules in the
// platform's order, and ledger.go writes down what was answered. What was accepted becomes a timer
// (timers.go), then a delivery (delivery.go), then a push (push.go).
//
// What can be set of an account lies with what it changes: [Subjects] in industry.go,
// [Standing] in standing.go, [SendRules] in sendrules.go and so on; era.go has the six
// profiles that set many at once.
//
// Beside it: users.go, chat.go and known.go are the people; fault_check.go,
// fault_event.go, spoil.go and preset.go the mischief; traffic.go, exchange.go and
// watch.go what a page shows live; world.go and world_read.go the YAML seed file;
// state.go, statefile.go and graph.go what [Open] keeps over a restart.
//
// From package wechat it takes the code table, the template grammar and the
// cryptography only. Every wire struct here is the sandbox's own, so that a
// misspelt tag in the client fails a test instead of agreeing with itself.
//
// It leaves to others: listening on a port (cmd/hongyan), and the in-memory
// network for tests (package sandboxtest). docs/sandbox.md is for its users,
// docs/divergences.md lists where it differs from WeChat or guesses.
package sandbox
