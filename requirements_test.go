package hongyan_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hongyan/internal/requirements"
)

// pageWillDo are the requirements in which there is nothing to observe.
var pageWillDo = []string{"S1", "S2", "S3", "S4", "S5", "S6", "S25", "S58"}

// TestEveryRequirementIsListed: S1 to S91 in order, each with tests that exist, or a page
// where that will do. That they ran and passed is seen by make test itself, which reads
// its own run (internal/requirements/gotest).
func TestEveryRequirementIsListed(t *testing.T) {
	list := listedRequirements(t)
	tests := map[string][]string{} // by folder
	for i, r := range list {
		if want := fmt.Sprintf("S%d", i+1); r.ID != want {
			t.Fatalf("row %d is %s, want %s", i+1, r.ID, want)
		}
		if len(r.Tests) == 0 && !slices.Contains(pageWillDo, r.ID) {
			t.Errorf("%s has no test", r.ID)
		}
		for _, test := range r.Tests {
			if tests[test.Package] == nil {
				tests[test.Package] = testsIn(t, test.Package)
			}
			name, _, _ := strings.Cut(test.Name, "/")
			if !slices.Contains(tests[test.Package], name) {
				t.Errorf("%s names %s, which is not there", r.ID, test)
			}
		}
	}
	if len(list) != 91 {
		t.Errorf("%d requirements, want 91", len(list))
	}
}

func listedRequirements(t *testing.T) []requirements.Requirement {
	t.Helper()
	list, err := requirements.Parse(readDocument(t, os.DirFS("."), "docs/requirements.md"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// testsIn lists the test functions of a package by its name in the list: a folder, or the
// module's for its root.
func testsIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	if folder == module {
		folder = "."
	}
	files, err := filepath.Glob(path.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

// TestWhoeverSendsIsToldTheRulesOfUse: the pages that show how to send say what may be
// sent, or lead to the page that does.
func TestWhoeverSendsIsToldTheRulesOfUse(t *testing.T) {
	tree := os.DirFS(".")
	for page, words := range map[string][]string{
		"README.md":            {"important service notices", "advertising and marketing"},
		"README.zh-CN.md":      {"重要", "营销"},
		"docs/rules-of-use.md": {"only for important service notices", "No advertising, no marketing", "不得发送广告、营销"},
	} {
		text := readDocument(t, tree, page)
		for _, want := range words {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q", page, want)
			}
		}
	}
}
