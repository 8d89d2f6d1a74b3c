//go:build race

package dispatch_test

// outageBacklog under the race detector, which makes SQLite ten times slower.
// `make test` runs the story again without it, at the full number.
const outageBacklog = 4_000
