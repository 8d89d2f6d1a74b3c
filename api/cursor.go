package api

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// cursorFor writes the position after a page, nil at the end of the list. The
// list's letter keeps cursors of one list out of another.
func cursorFor(list string, next int64) *string {
	if next == 0 {
		return nil
	}
	s := base64.RawURLEncoding.EncodeToString([]byte(list + strconv.FormatInt(next, 36)))
	return &s
}

// readCursor reads what cursorFor wrote; 0 for "".
func readCursor(list, cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	digits, ours := strings.CutPrefix(string(raw), list)
	next, parseErr := strconv.ParseInt(digits, 36, 64)
	if err != nil || !ours || parseErr != nil || next <= 0 {
		return 0, badField("bad_cursor", "/query/cursor", "this is not a next_cursor of this list; start again without one")
	}
	return next, nil
}
