// Package sandboxtest runs a [sandbox.Sandbox] inside a test: [New] on a real
// loopback port, [NewInMemory] on a network of its own that works in a
// testing/synctest bubble, where real sockets would stop the fake clock. Both are
// closed by the test's cleanup.
//
// [Network] can be used alone to put other servers, such as a gateway, beside the
// sandbox in the same bubble.
package sandboxtest
