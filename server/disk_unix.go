//go:build linux || darwin || freebsd

package server

import (
	"fmt"
	"syscall"
)

// freeBytes returns what this user may still write on the disk of a folder.
func freeBytes(folder string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return 0, fmt.Errorf("read free space of %s: %w", folder, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil // their types differ between systems
}
