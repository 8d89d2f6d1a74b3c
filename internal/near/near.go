// Package near finds the word somebody meant when they wrote another one. Start
// with Word. What is done about it is the caller's business.
package near

import (
	"slices"
	"strings"
)

// Word returns the candidate with the fewest edits to word, "" when none is near
// enough to be what somebody meant. Candidates are in lower case; the case of
// word does not matter.
func Word(word string, candidates []string) string {
	best, bestDistance := "", len(word)/2+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := Distance(strings.ToLower(word), c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// Distance counts the bytes to insert, delete or replace to turn a into b.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
