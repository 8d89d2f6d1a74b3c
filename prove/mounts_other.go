//go:build !linux

package prove

import "syscall"

// ownMounts is not to be had here; its test is left out.
func ownMounts() *syscall.SysProcAttr { return nil }
