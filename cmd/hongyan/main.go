// Command hongyan is the gateway, the local WeChat and the commands to work
// with them, in one binary.
//
// Start with cli in cli.go, the list of commands; each has a file of its own.
// run is the whole program with its surroundings as arguments, which is how
// the script tests in testdata call it. What serve builds is package server's,
// what demo shows package demo's; the other commands speak to a running gateway
// through package client.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(untilSignal(context.Background()), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
