package api

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/client"
)

// TestTheDocumentedWordsAreThoseInUse compares the enums of the document, which come from
// the tags of package client, with the constants of the code.
func TestTheDocumentedWordsAreThoseInUse(t *testing.T) {
	var states, kinds []string
	for _, s := range hongyan.States() {
		states = append(states, s.String())
	}
	for _, k := range hongyan.MessageKinds() {
		kinds = append(kinds, string(k))
	}
	holds := constants(t, "../*.go", `^\tHold[A-Z]\w* *= "([a-z_]+)"`)
	ends := constants(t, "../dispatch/*.go", `^\treason[A-Z]\w* *= "([a-z_]+)"`)
	receipts := words(client.Receipt{}, "Status")
	reasons := slices.Concat([]string{""}, ends, holds, slices.DeleteFunc(slices.Clone(receipts), func(s string) bool { return s == "success" }))
	for _, tt := range []struct {
		name        string
		enum, words []string
	}{
		{"Message.state", words(client.Message{}, "State"), states},
		{"Message.kind", words(client.Message{}, "Kind"), kinds},
		{"MessageRequest.kind", words(client.MessageRequest{}, "Kind"), kinds},
		{"Message.reason", words(client.Message{}, "Reason"), reasons},
		{"Hold.reason", words(client.Hold{}, "Reason"), holds},
	} {
		slices.Sort(tt.enum)
		slices.Sort(tt.words)
		if diff := cmp.Diff(slices.Compact(tt.words), tt.enum); diff != "" {
			t.Errorf("%s: package client's enum is not what the code uses (-code +enum):\n%s", tt.name, diff)
		}
	}
}

// words are those of the enum of a field.
func words(of any, field string) []string {
	f, _ := reflect.TypeOf(of).FieldByName(field)
	return strings.Split(f.Tag.Get("enum"), ",")
}

// constants finds values of constants in source text.
func constants(t *testing.T, files, form string) (found []string) {
	t.Helper()
	names, err := filepath.Glob(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?m)"+form).FindAllStringSubmatch(string(source), -1) {
			found = append(found, m[1])
		}
	}
	if len(found) < 5 {
		t.Fatalf("%d constants of %s found in %s", len(found), form, files)
	}
	return found
}
