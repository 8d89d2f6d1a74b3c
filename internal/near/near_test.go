package near

import "testing"

func TestWord(t *testing.T) {
	words := []string{"listen", "data", "log", "slots"}
	tests := []struct{ name, word, want string }{
		{"a letter missing", "listn", "listen"},
		{"a letter twice", "lissten", "listen"},
		{"capitals", "DATA", "data"},
		{"nothing like it", "port", ""},
		{"the word itself", "log", "log"},
		{"no word", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Word(tt.word, words); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"same", "same", 0}} {
		if got := Distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q to %q: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
