package wechat

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestParseEra(t *testing.T) {
	tests := map[string]Era{
		"A": EraA, "a": EraA, "wiki": EraA, "B": EraB, "100k": EraB, "c": EraC, "mini program jump": EraC,
		"D": EraD, "form_id": EraD, "e": EraE, "Trimmed": EraE, "F": EraF, " today ": EraF, "": EraF,
	}
	for word, want := range tests {
		if got, err := ParseEra(word); err != nil || got != want {
			t.Errorf("ParseEra(%q) = %v, %v, want %v", word, got, err, want)
		}
	}
	for _, word := range []string{"G", "AB", "Era(7)"} {
		if got, err := ParseEra(word); err == nil {
			t.Errorf("ParseEra(%q) = %v, want an error", word, got)
		}
	}
}

func TestErasInOrder(t *testing.T) {
	eras := Eras()
	for i, e := range eras {
		for j, other := range eras {
			if got, want := e.Before(other), i < j; got != want {
				t.Errorf("%v before %v = %v, want %v", e, other, got, want)
			}
		}
	}
	var zero Era
	if zero.Nickname() != "today" {
		t.Errorf("the zero era is %v, want today's", zero)
	}
}

func TestEraInJSON(t *testing.T) {
	var got []Era
	if err := json.Unmarshal([]byte(`["wiki","F","d"]`), &got); err != nil || !slices.Equal(got, []Era{EraA, EraF, EraD}) {
		t.Fatalf("Unmarshal = %v, %v", got, err)
	}
	text, err := json.Marshal(got)
	if want := `["A","F","D"]`; err != nil || string(text) != want {
		t.Errorf("Marshal = %s, %v, want %s", text, err, want)
	}
	if err := json.Unmarshal([]byte(`["Z"]`), &got); err == nil {
		t.Error("Unmarshal accepted an unknown era")
	}
}
