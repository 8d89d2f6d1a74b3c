package sandbox

import (
	"net/http"
	"net/netip"
)

// Admits returns nil for a request that the control API lets in, else a
// [*ControlError] with status 403. Pages that do what the control API does ask it.
func (s *Sandbox) Admits(r *http.Request) error {
	if s.opts.AllowRemote || fromLoopback(r) {
		return nil
	}
	return &ControlError{
		Status: http.StatusForbidden, Field: "remote address",
		Rule: "must be loopback: the control API has no login (--allow-remote lifts this)",
	}
}

// AllowsRemote is the option of that name.
func (s *Sandbox) AllowsRemote() bool { return s.opts.AllowRemote }

func fromLoopback(r *http.Request) bool {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}
