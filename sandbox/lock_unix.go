//go:build !windows

package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// lockFile takes the lock of a data folder. The system releases it when the
// process ends, however it ends.
func lockFile(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, &StateError{File: path, Problem: "cannot be opened", Cure: "choose another folder", Err: err}
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, inUse(path, err)
		}
		return nil, &StateError{File: path, Problem: "cannot be locked", Cure: "choose a folder on a local disk", Err: err}
	}
	if f.Truncate(0) == nil {
		fmt.Fprintln(f, os.Getpid()) // for whoever is refused; the lock does not depend on it
	}
	return f, nil
}
