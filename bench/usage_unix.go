//go:build unix

package bench

import (
	"syscall"
	"time"
)

// usage returns this process's CPU seconds and peak memory.
func usage() answer {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return answer{Err: err.Error()}
	}
	const kbPerMB = 1024 // Linux gives Maxrss in kB
	return answer{CPU: seconds(u.Utime) + seconds(u.Stime), RSS: float64(u.Maxrss) / kbPerMB, RSSNow: residentMB()}
}

func seconds(t syscall.Timeval) float64 { return time.Duration(t.Nano()).Seconds() }
