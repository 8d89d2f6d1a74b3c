//go:build !race

package dispatch_test

// outageBacklog is the number the story is about.
const outageBacklog = 50_000
