//go:build !unix

package prove

// freeze and thaw: no signal stops a process here.
func (c *child) freeze() error { return errSkip{"this system cannot make a process stand still"} }
func (c *child) thaw() error   { return nil }
