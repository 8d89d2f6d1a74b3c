package hongyan_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// minSentences of a package comment: what it is for, and where to start or
// what it leaves to others.
const minSentences = 2

func TestEveryPackageIsExplained(t *testing.T) {
	for _, problem := range docProblems(t, os.DirFS(".")) {
		t.Error(problem)
	}
}

// TestDirectDependenciesAreExplained keeps the page about dependencies complete.
func TestDirectDependenciesAreExplained(t *testing.T) {
	const page = "docs/decisions/0010-dependencies.md"
	explained, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	gomod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	modules := directModules(string(gomod))
	if len(modules) == 0 {
		t.Fatal("no direct dependency found in go.mod")
	}
	for _, m := range modules {
		if !strings.Contains(string(explained), "`"+m+"`") {
			t.Errorf("%s does not say what `%s` is for", page, m)
		}
	}
}

// TestDocProblems shows that the checker sees what it is there to see.
func TestDocProblems(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{
			name: "explained packages and commands",
			files: map[string]string{
				"store/store.go":      "// Package store remembers. Start with Store.\npackage store",
				"store/sql.go":        "package store",
				"store/store_test.go": "package store_test",
				"cmd/hongyan/main.go": "// Command hongyan is the one binary. Run it with help.\npackage main",
			},
		},
		{
			name:  "no comment",
			files: map[string]string{"store/store.go": "package store"},
			want:  []string{`store: no file of package store has a comment that starts "Package store"`},
		},
		{
			name:  "a comment about something else",
			files: map[string]string{"store/store.go": "// Copyright nobody. All rights kept.\npackage store"},
			want:  []string{`store: the comment of package store must start "Package store"`},
		},
		{
			name:  "one sentence, in spite of an abbreviation",
			files: map[string]string{"store/store.go": "// Package store remembers rows, e.g. messages.\npackage store"},
			want:  []string{"store: the comment of package store has 1 sentence; say also where to start, or what it leaves to others"},
		},
		{
			name: "two comments that would be glued together",
			files: map[string]string{
				"store/a.go": "// Package store remembers. Start with Store.\npackage store",
				"store/b.go": "// Package store forgets. Start with Sweep.\npackage store",
			},
			want: []string{"store: package store is explained in 2 files; keep one comment"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := fstest.MapFS{}
			for file, source := range tt.files {
				tree[file] = &fstest.MapFile{Data: []byte(source + "\n")}
			}
			got := docProblems(t, tree)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// packageDocs is a package's name and the package comments of its files.
type packageDocs struct {
	name string
	docs []string
}

// docProblems returns one line per package that is not explained, in order of folders.
func docProblems(t *testing.T, tree fs.FS) []string {
	t.Helper()
	packages := map[string]packageDocs{}
	var folders []string
	for _, file := range goFiles(t, tree) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		folder, parsed := folderOf(file), parseHeader(t, tree, file)
		p, known := packages[folder]
		if !known {
			p.name = parsed.Name.Name
			folders = append(folders, folder)
		}
		if parsed.Doc != nil {
			p.docs = append(p.docs, parsed.Doc.Text())
		}
		packages[folder] = p
	}
	slices.Sort(folders)
	var problems []string
	for _, folder := range folders {
		if problem := packages[folder].problem(folder); problem != "" {
			problems = append(problems, fmt.Sprintf("%s: %s", folder, problem))
		}
	}
	return problems
}

// problem says what is wrong with the explanation, "" when nothing is.
func (p packageDocs) problem(folder string) string {
	start := "Package " + p.name
	if p.name == "main" {
		start = "Command " + folder[strings.LastIndex(folder, "/")+1:]
	}
	switch {
	case len(p.docs) == 0:
		return fmt.Sprintf("no file of package %s has a comment that starts %q", p.name, start)
	case len(p.docs) > 1:
		return fmt.Sprintf("package %s is explained in %d files; keep one comment", p.name, len(p.docs))
	case !strings.HasPrefix(p.docs[0], start+" "):
		return fmt.Sprintf("the comment of package %s must start %q", p.name, start)
	}
	if n := sentences(p.docs[0]); n < minSentences {
		return fmt.Sprintf("the comment of package %s has %d sentence; say also where to start, or what it leaves to others", p.name, n)
	}
	return ""
}

var (
	abbreviation = regexp.MustCompile(`\b(e\.g|i\.e|etc|cf)\.(\s+[a-z(])`)
	sentenceEnd  = regexp.MustCompile(`[.!?](\s|$)`)
)

// sentences counts sentence ends, leaving out common abbreviations inside a sentence.
func sentences(text string) int {
	return len(sentenceEnd.FindAllString(abbreviation.ReplaceAllString(text, "$1$2"), -1))
}

func parseHeader(t *testing.T, tree fs.FS, file string) *ast.File {
	t.Helper()
	source, err := fs.ReadFile(tree, file)
	if err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.PackageClauseOnly|parser.ParseComments)
	if err != nil {
		t.Fatalf("parse %s: %v", file, err)
	}
	return parsed
}

var (
	required = regexp.MustCompile(`(?m)^(?:require )?\t?([^\s()]+\.[^\s()]+/\S+) v\S+$`)
	tool     = regexp.MustCompile(`(?m)^(?:tool )?\t?(\S+/cmd/\S+)$`)
)

// directModules lists the modules go.mod requires without "// indirect", and the tools.
func directModules(gomod string) []string {
	var modules []string
	for _, m := range slices.Concat(required.FindAllStringSubmatch(gomod, -1), tool.FindAllStringSubmatch(gomod, -1)) {
		modules = append(modules, m[1])
	}
	return modules
}
