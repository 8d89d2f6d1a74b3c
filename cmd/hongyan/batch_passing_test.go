package main

import (
	"errors"
	"net/url"
	"testing"

	"hongyan/client"
)

// TestBatchUploadsAreTriedAgain: what the next try may find gone, and nothing that two
// commands would do to each other for ever.
func TestBatchUploadsAreTriedAgain(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&url.Error{Op: "Post", URL: "http://127.0.0.1", Err: errors.New("connection reset")}, true},
		{&client.Problem{Status: 400, Code: "body_not_read"}, true},
		{&client.Problem{Status: 409, Code: "rows_gap"}, true},
		{&client.Problem{Status: 500, Code: "internal"}, true},
		{&client.Problem{Status: 409, Code: "upload_replaced"}, false},
		{&client.Problem{Status: 409, Code: "rows_differ"}, false},
		{&client.Problem{Status: 409, Code: "batch_not_open"}, false},
	} {
		if got := passing(c.err); got != c.want {
			t.Errorf("%v: got %v, want %v", c.err, got, c.want)
		}
	}
}
