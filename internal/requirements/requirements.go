// Package requirements reads docs/requirements.md, the list of what is demanded and of
// the tests that assert it, and holds it against the outcome of a test run.
//
// Start with Parse and Check; command gotest beside it runs the tests. Whether a test
// asserts what its line says is for those who read it.
package requirements

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Requirement is one line of the list.
type Requirement struct {
	ID      string   // "S15"
	Demands string   // what it demands, in a line
	Tests   []Test   // that assert it
	Pages   []string // documents that say it, where there is nothing to test
}

// Test names a test or a subtest.
type Test struct {
	Package string // folder in the module; for its root, the module's name
	Name    string // "TestX" or "TestX/sub_test", as go test prints it
}

// String writes it as the list does: "sandbox.TestX".
func (t Test) String() string { return t.Package + "." + t.Name }

var (
	rowPattern  = regexp.MustCompile(`^\| (S[0-9]+) \| (.+) \| (.+) \|$`)
	testPattern = regexp.MustCompile("`([a-z0-9/.]+?)\\.((?:Test|Example|Fuzz)[^`]*)`")
	pagePattern = regexp.MustCompile(`\]\(([^)]+)\)`)
)

// Parse reads the rows of the list's table. It returns an error that names every row
// it does not understand.
func Parse(document string) ([]Requirement, error) {
	var list []Requirement
	var broken []string
	for line := range strings.SplitSeq(document, "\n") {
		if !strings.HasPrefix(line, "| S") {
			continue
		}
		cells := rowPattern.FindStringSubmatch(line)
		if cells == nil {
			broken = append(broken, "not a row of three cells: "+line)
			continue
		}
		r := Requirement{ID: cells[1], Demands: cells[2]}
		for _, m := range testPattern.FindAllStringSubmatch(cells[3], -1) {
			r.Tests = append(r.Tests, Test{m[1], m[2]})
		}
		for _, m := range pagePattern.FindAllStringSubmatch(cells[3], -1) {
			r.Pages = append(r.Pages, m[1])
		}
		if n := strings.Count(cells[3], "`"); n != 2*len(r.Tests) {
			broken = append(broken, r.ID+": a name in its last cell is not `folder.TestName`: "+cells[3])
		}
		if len(r.Tests)+len(r.Pages) == 0 {
			broken = append(broken, r.ID+": neither a test nor a page")
		}
		list = append(list, r)
	}
	if len(list) == 0 {
		broken = append(broken, "no rows")
	}
	if len(broken) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(broken, "\n"))
	}
	return list, nil
}

// Run is what a test run came to.
type Run struct {
	// Outcomes are "pass", "fail" or "skip", by test.
	Outcomes map[Test]string
	// Packages are the folders whose tests ran.
	Packages map[string]bool
	// Whole says that every package was to run.
	Whole bool
}

// Check returns a line for each listed test that did not run and pass. In a run of
// some packages, tests of the others are passed over; checked is how many requirements
// had all their tests in the run, or need none.
func Check(list []Requirement, run Run) (problems []string, checked int) {
	for _, r := range list {
		complete := true
		for _, t := range r.Tests {
			if !run.Whole && !run.Packages[t.Package] {
				complete = false
				continue
			}
			if outcome := run.Outcomes[t]; outcome != "pass" {
				problems = append(problems, r.ID+": "+t.String()+" "+words(outcome, t, run))
			}
		}
		if complete {
			checked++
		}
	}
	return problems, checked
}

func words(outcome string, t Test, run Run) string {
	switch {
	case outcome == "fail":
		return "failed"
	case outcome == "skip":
		return "was skipped"
	case !run.Packages[t.Package]:
		return "did not run: no test of its package did"
	}
	if near := nearest(t, run); near != "" {
		return "did not run; was it renamed? " + near + " did"
	}
	return "did not run: there is no such test"
}

// nearest is a test of the same package with the same beginning, "" when there is none.
func nearest(t Test, run Run) string {
	var names []string
	parent, _, isSub := strings.Cut(t.Name, "/")
	for other := range run.Outcomes {
		if other.Package == t.Package && isSub && strings.HasPrefix(other.Name, parent+"/") {
			names = append(names, other.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return names[0]
}
