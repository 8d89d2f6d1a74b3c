//go:build unix

package postgrestest

import (
	"os/user"
	"strconv"
	"syscall"
)

// attributes starts a process as who, out of reach of the signals of our terminal.
func attributes(who *user.User) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if who != nil {
		uid, _ := strconv.ParseUint(who.Uid, 10, 32)
		gid, _ := strconv.ParseUint(who.Gid, 10, 32)
		a.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return a
}
