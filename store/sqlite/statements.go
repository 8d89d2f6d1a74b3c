package sqlite

import (
	"fmt"
	"strings"
)

// repeat returns text n times. It stands for the rows and places of statements
// whose number of arguments varies.
func repeat(text string, n int) string { return strings.Repeat(text, n) }

// execAll runs a statement that must change exactly want rows. Any other
// number means that a statement and its arguments do not fit together.
func (t *tx) execAll(want int, query string, args ...any) error {
	n, err := t.exec(query, args...)
	if err == nil && n != want {
		err = fmt.Errorf("%s: changed %d rows instead of %d", firstLine(query), n, want)
	}
	return err
}

// inChunk is how many row numbers one statement names.
const inChunk = 32

var inPlaces = "(?" + repeat(", ?", inChunk-1) + ")"

// execSeqs runs a statement ending in "seq IN " for all row numbers, a chunk
// at a time and the rest one by one. args come before the numbers.
func (t *tx) execSeqs(query string, seqs []int64, args ...any) error {
	all := append([]any(nil), args...)
	for len(seqs) > 0 {
		places, n := "(?)", 1
		if len(seqs) >= inChunk {
			places, n = inPlaces, inChunk
		}
		all = all[:len(args)]
		for _, seq := range seqs[:n] {
			all = append(all, seq)
		}
		if err := t.execAll(n, query+places, all...); err != nil {
			return err
		}
		seqs = seqs[n:]
	}
	return nil
}
