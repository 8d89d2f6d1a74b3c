package sandbox

import (
	"strings"
	"testing"
)

func TestNoTemplateIDIsAFlag(t *testing.T) {
	for seed := range int64(20) {
		d := newDice(seed)
		for range 200 {
			if id := d.templateID(); len(id) != 43 || strings.HasPrefix(id, "-") {
				t.Fatalf("seed %d: got %q, want 43 characters that begin with no dash", seed, id)
			}
		}
	}
}
