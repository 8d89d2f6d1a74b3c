//go:build race

package e2e

// buildFlags build the program with the race detector when the tests have it: a
// race that only a browser provokes then fails the stop of the process.
var buildFlags = []string{"-race"}
