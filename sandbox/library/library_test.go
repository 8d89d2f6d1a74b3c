package library

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIndustries(t *testing.T) {
	all := Industries()
	if len(all) != 41 {
		t.Fatalf("%d industries, want 41", len(all))
	}
	for i, want := range all {
		if got, ok := LookupIndustry(i + 1); !ok || got != want || got.Code != i+1 {
			t.Errorf("LookupIndustry(%d) = %v, %t, want %v", i+1, got, ok, want)
		}
	}
	if want := (Industry{8, "金融业", "证券|基金|理财|信托"}); all[7] != want {
		t.Errorf("code 8 is %v, want %v", all[7], want)
	}
	for _, code := range []int{-1, 0, 42} {
		if got, ok := LookupIndustry(code); ok {
			t.Errorf("LookupIndustry(%d) = %v, want none", code, got)
		}
	}
}

func TestLookupCategory(t *testing.T) {
	for _, want := range Categories() {
		if got, ok := LookupCategory(want.ID); !ok || got != want {
			t.Errorf("LookupCategory(%d) = %v, %t, want %v", want.ID, got, ok, want)
		}
	}
	if got, ok := LookupCategory(1); ok || got != (Category{}) {
		t.Errorf("LookupCategory(1) = %v, %t, want none", got, ok)
	}
}

func lookupTID(id string) (Template, bool) {
	tid, err := strconv.Atoi(id)
	if err != nil {
		return Template{}, false
	}
	return LookupSubscribe(tid)
}

func TestLookups(t *testing.T) {
	tests := []struct {
		name   string
		list   []Template
		lookup func(id string) (Template, bool)
		others []string // ids of other libraries
	}{
		{"historical", Historical(), LookupTemplate, []string{"", "AT0001", "401", "TM99999"}},
		{"typed", Typed(), LookupTemplate, []string{"043217", "43217 "}},
		{"mini", Mini(), LookupMini, []string{"", "43217", "401", "AT9999"}},
		{"subscribe", Subscribe(), lookupTID, []string{"0", "-401", "43217"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, want := range tt.list {
				got, ok := tt.lookup(want.ID)
				if diff := cmp.Diff(want, got); !ok || diff != "" {
					t.Errorf("look up %s: %t (-want +got):\n%s", want.ID, ok, diff)
				}
			}
			for _, id := range tt.others {
				if got, ok := tt.lookup(id); ok {
					t.Errorf("look up %q: got %s %s, want none", id, got.ID, got.Title)
				}
			}
		})
	}
}

// TestCallersOwnWhatTheyGet spoils everything that was returned and asks again.
func TestCallersOwnWhatTheyGet(t *testing.T) {
	tests := []struct {
		name   string
		list   func() []Template
		lookup func(id string) (Template, bool)
	}{
		{"historical", Historical, LookupTemplate},
		{"typed", Typed, LookupTemplate},
		{"mini", Mini, LookupMini},
		{"subscribe", Subscribe, lookupTID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.list()
			for i, listed := range tt.list() {
				found, _ := tt.lookup(listed.ID)
				spoil(listed.Keywords)
				spoil(found.Keywords)
				if again, _ := tt.lookup(listed.ID); cmp.Diff(want[i], again) != "" {
					t.Errorf("%s changed (-want +got):\n%s", listed.ID, cmp.Diff(want[i], again))
				}
			}
			spoiled := tt.list()
			clear(spoiled)
			if diff := cmp.Diff(want, tt.list()); diff != "" {
				t.Errorf("the list changed (-want +got):\n%s", diff)
			}
		})
	}
	clear(Industries())
	clear(Categories())
	if first, other := Industries()[0], Categories()[0]; first.Code != 1 || other.ID == 0 {
		t.Errorf("the lists changed: they begin with %v and %v", first, other)
	}
}

func spoil(keywords []Keyword) {
	for i := range keywords {
		clear(keywords[i].Values)
	}
	clear(keywords)
}
