// Package e2e holds tests only: the program as it is delivered, gateway and
// sandbox as two processes, and a real browser in front of the phone. What a
// caller posts must be what the user sees, and what the user does with the phone
// must be what the gateway knows.
//
// Start with phone_test.go, whose stories share one world but no user.
// world_test.go starts the processes and speaks to them as a caller would;
// browser_test.go is the reader: it presses what is really under the pointer and
// the keys of a keyboard, and waits for what it can see. How the phone draws every
// kind of card is left to the tests of sandbox/phone.
package e2e
