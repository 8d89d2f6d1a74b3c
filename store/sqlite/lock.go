package sqlite

import (
	"fmt"
	"os"
	"strings"

	"hongyan"
)

// lockName returns the file whose lock stands for the database. The database
// file itself will not do: SQLite keeps locks of its own in it.
func lockName(path string) string { return path + ".lock" }

// inUse is the refusal of a second process.
func inUse(path string, err error) error {
	owner := ""
	if text, readErr := os.ReadFile(lockName(path)); readErr == nil {
		owner = strings.TrimSpace(string(text))
	}
	if owner != "" {
		owner = " (process " + owner + ")"
	}
	return &hongyan.Error{
		Kind: hongyan.Conflict, Code: "in_use",
		Message: fmt.Sprintf("another hongyan%s has the database %s open (it holds a lock on %s)", owner, path, lockName(path)),
		Hint:    "stop it first, or choose another --data folder; several processes at once need PostgreSQL",
		Err:     err,
	}
}
