//go:build unix

package prove

import "syscall"

// freeze makes the process stand still, as one does whose machine does; thaw lets it go on.
func (c *child) freeze() error { return c.signal(syscall.SIGSTOP) }
func (c *child) thaw() error   { return c.signal(syscall.SIGCONT) }
