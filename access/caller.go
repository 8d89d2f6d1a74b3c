package access

import (
	"fmt"
	"net"
	"net/http"
	"slices"

	"hongyan"
)

// Role is what a caller may do; a higher one may do all a lower one may. The
// zero Role may do nothing.
type Role uint8

// The roles.
const (
	Reader Role = iota + 1 // reads
	Sender                 // also sends, and acts on messages
	Admin                  // everything
)

var roleNames = [...]string{"none", "reader", "sender", "admin"}

// String returns the role's stable lower-case word.
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// ParseRole is the reverse of String for the three roles; any other word is an
// Invalid error.
func ParseRole(word string) (Role, error) {
	for r := Reader; r <= Admin; r++ {
		if r.String() == word {
			return r, nil
		}
	}
	return 0, hongyan.Errorf(hongyan.Invalid, "", "%q is not a role; roles are reader, sender and admin", word)
}

// AdminID is the Caller.ID of whoever has the administrator's key.
const AdminID = "admin"

// Caller is somebody with a key. It is shared: nobody may change it.
type Caller struct {
	ID     string // the key's id; AdminID for the administrator's key
	Name   string // the key's name, for people
	Kind   hongyan.KeyKind
	Role   Role
	AppIDs []string // accounts it may act on; empty = all
	// Personal: a reader that sees openids and the values of messages.
	Personal bool
}

// Covers reports whether the caller may act on an account.
func (c *Caller) Covers(appID string) bool {
	return c.Everything() || slices.Contains(c.AppIDs, appID)
}

// Everything reports whether the caller is not limited to some accounts.
func (c *Caller) Everything() bool { return len(c.AppIDs) == 0 }

// RemoteOf returns the address r came from, without port. Headers in which a
// proxy names somebody else are not believed: anybody can send them.
func RemoteOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}
