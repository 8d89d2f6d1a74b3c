//go:build !linux && !darwin && !freebsd

package server

// freeBytes returns -1: it is not known on this system.
func freeBytes(string) (int64, error) { return -1, nil }
