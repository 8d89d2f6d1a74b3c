package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// small writes a module with two packages, and a list that demands what is in them.
func small(t *testing.T, list string, change ...string) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":               "module small\n\ngo 1.26\n",
		"docs/requirements.md": list,
		"a/a_test.go": `package a
import ("fmt"; "testing")
func TestGood(t *testing.T) { fmt.Println("noise of one that passes"); t.Run("in part", func(t *testing.T) {}) }
`,
		"b/b.go":      "package b\n",
		"c/c_test.go": "package c\nimport \"testing\"\nfunc TestC(t *testing.T) {}\n",
	}
	for i := 0; i < len(change); i += 2 {
		files[change[i]] = change[i+1]
	}
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	t.Setenv("GOFLAGS", "-mod=mod")
}

const goodList = "| S1 | a | `a.TestGood/in_part`, `c.TestC` |\n"

func TestGoTestAndTheListAgree(t *testing.T) {
	small(t, goodList)
	var out, errs bytes.Buffer
	if code := run([]string{"./..."}, &out, &errs); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, &out, &errs)
	}
	for _, want := range []string{"ok  \tsmall/a\t", "?   \tsmall/b\t[no test files]", "ok  \tsmall/c\t", "1 of 1 requirements have their tests in this run"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not print %q:\n%s", want, &out)
		}
	}
	for _, hidden := range []string{"noise", "PASS", "=== RUN"} {
		if strings.Contains(out.String(), hidden) {
			t.Errorf("it prints %q, which go test keeps to itself:\n%s", hidden, &out)
		}
	}
}

func TestARequirementWithoutItsTestFails(t *testing.T) {
	small(t, "| S1 | a | `a.TestGood/in_parts` |\n| S2 | a | `a.TestBetter` |\n| S3 | a | `b.TestB` |\n"+strings.Replace(goodList, "S1", "S4", 1))
	var out, errs bytes.Buffer
	code := run([]string{"./..."}, &out, &errs)
	want := "docs/requirements.md: S1: a.TestGood/in_parts did not run; was it renamed? TestGood/in_part did\n" +
		"docs/requirements.md: S2: a.TestBetter did not run: there is no such test\n" +
		"docs/requirements.md: S3: b.TestB did not run: no test of its package did\n"
	if code != 1 || errs.String() != want {
		t.Errorf("exit code %d, want 1 and\n%s\ngot\n%s", code, want, &errs)
	}
}

func TestAListThatCannotBeReadFailsBeforeTheRun(t *testing.T) {
	small(t, "| S1 | a | nothing |\n")
	var out, errs bytes.Buffer
	if code := run([]string{"./..."}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "S1: neither a test nor a page") || out.Len() > 0 {
		t.Errorf("exit code %d, want 1, and no run:\n%s%s", code, &out, &errs)
	}
}

// What a failure says is shown whole, and the exit code is go test's.
func TestFailuresAreShownAsGoTestShowsThem(t *testing.T) {
	small(t, goodList,
		"c/c_test.go", "package c\nimport \"testing\"\nfunc TestC(t *testing.T) { t.Run(\"sub\", func(t *testing.T) { t.Error(\"it is broken\") }) }\n",
		"d/d_test.go", "package d\nimport \"testing\"\nfunc TestD(t *testing.T) { panic(\"it fell\") }\n",
		"e/e_test.go", "package e\nimport \"testing\"\nfunc TestE(t *testing.T) { broken() }\n",
		"f/f_test.go", "package f\nimport (\"os\"; \"testing\")\nfunc TestF(t *testing.T) { t.Log(\"last words\"); os.Exit(3) }\n")
	var out, errs bytes.Buffer
	code := run([]string{"./..."}, &out, &errs)
	text := out.String() + errs.String()
	if code == 0 || strings.Contains(text, "docs/requirements.md") {
		t.Errorf("exit code %d, want go test's, and nothing about the list", code)
	}
	for _, want := range []string{
		"ok  \tsmall/a\t", "c_test.go:3: it is broken", "--- FAIL: TestC/sub", "FAIL\tsmall/c\t", "panic: it fell", "FAIL\tsmall/d\t",
		"undefined: broken", "FAIL\tsmall/e [build failed]", "last words", "FAIL\tsmall/f\t",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not print %q:\n%s", want, text)
		}
	}
}
