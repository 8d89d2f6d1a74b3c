package hongyan_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func TestLinksBetweenDocumentsLeadSomewhere(t *testing.T) {
	tree := os.DirFS(".")
	if len(documents(t, tree)) < 10 {
		t.Fatalf("only %d documents found", len(documents(t, tree)))
	}
	for _, problem := range linkProblems(t, tree) {
		t.Error(problem)
	}
}

// TestTheChineseEditionNamesTheSame keeps the translations of the longest pages
// complete: what the original sets in code (fields, values, paths, flags) does
// not change with the language.
func TestTheChineseEditionNamesTheSame(t *testing.T) {
	for original, edition := range map[string]string{
		"docs/sandbox.md":   "docs/sandbox.zh-CN.md",
		"docs/migrate.md":   "docs/migrate.zh-CN.md",
		"docs/compat.md":    "docs/compat.zh-CN.md",
		"docs/callbacks.md": "docs/callbacks.zh-CN.md",

		"examples/README.md": "examples/README.zh-CN.md",
		"docs/webhooks.md":   "docs/webhooks.zh-CN.md",
	} {
		translated := codeSpans(readDocument(t, os.DirFS("."), edition))
		for span := range codeSpans(readDocument(t, os.DirFS("."), original)) {
			if !translated[span] {
				t.Errorf("%s does not have `%s`, which is in %s", edition, span, original)
			}
		}
	}
}

// TestBothEditionsShowTheSameCode: whoever moves a service copies blocks from the
// edition he reads. Only drawings, which name no language, are translated.
func TestBothEditionsShowTheSameCode(t *testing.T) {
	original, edition := readDocument(t, os.DirFS("."), "docs/migrate.md"), readDocument(t, os.DirFS("."), "docs/migrate.zh-CN.md")
	blocks := codeBlock.FindAllString(original, -1)
	if len(blocks) < 20 {
		t.Errorf("%d blocks of code found, want at least 20", len(blocks))
	}
	if diff := cmp.Diff(blocks, codeBlock.FindAllString(edition, -1)); diff != "" {
		t.Errorf("blocks of code (-English +Chinese):\n%s", diff)
	}
	if diff := cmp.Diff(levels(original), levels(edition)); diff != "" {
		t.Errorf("levels of the headings (-English +Chinese):\n%s", diff)
	}
}

// TestTheRecipesShowTestsThatRun: a test shown on the page is one of the file it names.
func TestTheRecipesShowTestsThatRun(t *testing.T) {
	tree := os.DirFS(".")
	source := readDocument(t, tree, "sandbox/sandboxtest/recipe_test.go")
	for _, page := range []string{"docs/sandbox-recipes.md", "docs/sandbox-recipes.zh-CN.md"} {
		shown := goTest.FindAllStringSubmatch(readDocument(t, tree, page), -1)
		if len(shown) == 0 {
			t.Errorf("%s shows no test", page)
		}
		for _, found := range shown {
			if !strings.Contains(source, found[1]) {
				t.Errorf("%s shows a test that recipe_test.go does not have:\n%s", page, found[1])
			}
		}
	}
}

// TestLinkProblems shows that the checker sees what it is there to see.
func TestLinkProblems(t *testing.T) {
	tests := []struct {
		name string
		page string
		want []string
	}{
		{name: "a page, an anchor, a folder, an image and a place elsewhere",
			page: "[a](guide.md), [b](guide.md#the-clock-时钟), [c](#here), [d](pictures/), ![e](pictures/one.png) [f](https://example.com/x.md)\n# Here"},
		{name: "a missing page", page: "see [the guide](gide.md)", want: []string{"docs/page.md: gide.md is not there"}},
		{name: "a missing anchor", page: "see [it](guide.md#the-watch)", want: []string{"docs/page.md: guide.md#the-watch: no such heading"}},
		{name: "a missing anchor on the page itself", page: "see [it](#gone)", want: []string{"docs/page.md: #gone: no such heading"}},
		{name: "a place outside of the repository", page: "[x](../../secret.md)", want: []string{"docs/page.md: ../../secret.md is outside of the repository"}},
		{name: "the second heading of a name", page: "[x](guide.md#twice-1)"},
		{name: "a heading that is only text in a block", page: "[x](guide.md#not-a-heading)", want: []string{"docs/page.md: guide.md#not-a-heading: no such heading"}},
		{name: "what only looks like a link", page: "```\n[x](gone.md)\n```\nand `[y](gone.md)`"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := linkProblems(t, fstest.MapFS{
				"docs/page.md":          {Data: []byte(tt.page)},
				"docs/pictures/one.png": {},
				"docs/guide.md":         {Data: []byte("# Guide\n## The `clock` (时钟)\n## Twice\n## Twice\n```\n# Not a heading\n```\n")},
				"node_modules/x/bad.md": {Data: []byte("[x](gone.md)")},
			})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// documents are the Markdown files of the repository, but not those of packages
// that others wrote.
func documents(t *testing.T, tree fs.FS) (files []string) {
	t.Helper()
	err := fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case !d.IsDir() && path.Ext(p) == ".md":
			files = append(files, p)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("walk the repository: %v", err)
	}
	return files
}

// linkProblems returns one line per relative link that leads nowhere.
func linkProblems(t *testing.T, tree fs.FS) (problems []string) {
	t.Helper()
	for _, file := range documents(t, tree) {
		text := codeSpan.ReplaceAllString(prose(readDocument(t, tree, file)), "")
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			if problem := linkProblem(t, tree, file, found[1]); problem != "" {
				problems = append(problems, fmt.Sprintf("%s: %s", file, problem))
			}
		}
	}
	return problems
}

// linkProblem says what is wrong with a link of file's, "" when nothing is.
func linkProblem(t *testing.T, tree fs.FS, file, target string) string {
	t.Helper()
	to, err := url.Parse(target)
	switch {
	case err != nil:
		return fmt.Sprintf("%s is no address: %v", target, err)
	case to.Scheme != "" || to.Host != "":
		return ""
	}
	there := file
	if to.Path != "" {
		there = path.Join(path.Dir(file), to.Path)
	}
	if !fs.ValidPath(there) {
		return target + " is outside of the repository"
	}
	if _, err := fs.Stat(tree, there); err != nil {
		return to.Path + " is not there"
	}
	if to.Fragment != "" && !anchors(readDocument(t, tree, there))[to.Fragment] {
		return target + ": no such heading"
	}
	return ""
}

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codeSpan = regexp.MustCompile("`([^`\n]+)`")
	fence    = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	goTest   = regexp.MustCompile("(?ms)^```go\n(func Test.*?)^```")
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.+?)\s*$`)
	// codeBlock is a fenced block that names its language.
	codeBlock = regexp.MustCompile("(?ms)^```[a-z]+\n.*?^```$")
)

func readDocument(t *testing.T, tree fs.FS, file string) string {
	t.Helper()
	content, err := fs.ReadFile(tree, file)
	if err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	return string(content)
}

// prose is the document without its blocks of code.
func prose(text string) string { return fence.ReplaceAllString(text, "") }

// levels are the numbers of # of the headings, in order.
func levels(text string) (found []int) {
	for _, line := range heading.FindAllString(prose(text), -1) {
		found = append(found, strings.IndexByte(line, ' '))
	}
	return found
}

func codeSpans(text string) map[string]bool {
	spans := map[string]bool{}
	for _, found := range codeSpan.FindAllStringSubmatch(prose(text), -1) {
		spans[found[1]] = true
	}
	return spans
}

// anchors are the names that GitHub gives a document's headings: small letters and
// digits of any language, hyphens for spaces, a number where a name comes again.
func anchors(text string) map[string]bool {
	names := map[string]bool{}
	for _, found := range heading.FindAllStringSubmatch(prose(text), -1) {
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
				return unicode.ToLower(r)
			}
			return -1
		}, found[1])
		name := slug
		for n := 1; names[name]; n++ {
			name = fmt.Sprintf("%s-%d", slug, n)
		}
		names[name] = true
	}
	return names
}
