// Package demo is what `hongyan demo` plays: a gateway and a local WeChat in
// one process, real HTTP between them, and one message for each fate a message
// can have. Each scene says beforehand how it must end, so the same play is a
// check of the whole (--exit).
//
// Start with scenes.go, the play itself, then World (what it is played in) and
// World.Play (how it is watched). Printing is left to the command; what really
// happens to a message is package dispatch's.
package demo
