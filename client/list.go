package client

import (
	"fmt"
	"iter"
)

// A List is one page of a list. NextCursor continues it; nil at the end.
type List[T any] struct {
	Items      []T     `json:"items" nullable:"false"`
	NextCursor *string `json:"next_cursor" doc:"Give it as cursor to get the next page. null at the end."`
}

// pages walks through a list, from the page at cursor on; "" is the first. A page is
// read when the one before it is used up. It ends after an error, which names what
// was being done.
func pages[T any](doing, cursor string, page func(cursor string) (List[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for next := &cursor; next != nil; {
			list, err := page(*next)
			if err != nil {
				var none T
				yield(none, fmt.Errorf("%s: %w", doing, err))
				return
			}
			for _, item := range list.Items {
				if !yield(item, nil) {
					return
				}
			}
			next = list.NextCursor
		}
	}
}
