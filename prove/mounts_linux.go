package prove

import "syscall"

// ownMounts gives a child a mount namespace of its own.
func ownMounts() *syscall.SysProcAttr { return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS} }
