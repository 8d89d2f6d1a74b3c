package server

import (
	"os"
	"runtime/debug"
)

// gcPercent lets the heap grow to five times what is live before the collector
// runs. What is live is a few megabytes however large the backlog, so the
// collector would otherwise run dozens of times a second under load; measured
// with `hongyan bench`, it took a tenth of the CPU at Go's default of 100.
const gcPercent = 400

// TuneMemory sets the collector for a gateway, unless the environment's GOGC
// has been set by somebody who knows better. It concerns the whole process.
func TuneMemory(getenv func(string) string) {
	if getenv == nil {
		getenv = os.Getenv
	}
	if getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
