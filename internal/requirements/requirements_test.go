package requirements

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const document = "# Requirements\n\n| | Demands | Asserted by |\n| --- | --- | --- |\n" +
	"| S1 | be kind | [the page](rules.md#kind) |\n" +
	"| S2 | ends in `.DATA` | `wechat.TestParse/a_line,_as_written`, `sandbox/phone.TestShown` |\n" +
	"| S3 | both | `hongyan.TestRoot`, [a page](x.md) |\n"

func TestParse(t *testing.T) {
	got, err := Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	want := []Requirement{
		{ID: "S1", Demands: "be kind", Pages: []string{"rules.md#kind"}},
		{ID: "S2", Demands: "ends in `.DATA`", Tests: []Test{{"wechat", "TestParse/a_line,_as_written"}, {"sandbox/phone", "TestShown"}}},
		{ID: "S3", Demands: "both", Tests: []Test{{"hongyan", "TestRoot"}}, Pages: []string{"x.md"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requirements (-want +got):\n%s", diff)
	}
}

func TestParseNamesEveryBrokenRow(t *testing.T) {
	for row, want := range map[string]string{
		"| S1 | two cells |":                         "not a row of three cells",
		"| S1 | demands | nothing at all |":          "S1: neither a test nor a page",
		"| S1 | demands | `wechat.testParse` |":      "is not `folder.TestName`",
		"| S1 | demands | `TestParse` |":             "is not `folder.TestName`",
		"| S1 | demands | `a.TestX`, `b/testdata` |": "is not `folder.TestName`",
		"no table": "no rows",
	} {
		if _, err := Parse(row); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error saying %q", row, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	list := []Requirement{
		{ID: "S1", Pages: []string{"rules.md"}},
		{ID: "S2", Tests: []Test{{"wechat", "TestParse/line"}}},
		{ID: "S3", Tests: []Test{{"token", "TestDay"}, {"wechat", "TestPlain"}}},
	}
	all := map[Test]string{{"wechat", "TestParse/line"}: "pass", {"wechat", "TestPlain"}: "pass", {"token", "TestDay"}: "pass"}
	without := func(t Test, outcome string, more ...Test) map[Test]string {
		outcomes := map[Test]string{}
		for k, v := range all {
			if k != t {
				outcomes[k] = v
			}
		}
		if outcome != "" {
			outcomes[t] = outcome
		}
		for _, m := range more {
			outcomes[m] = "pass"
		}
		return outcomes
	}
	both := map[string]bool{"wechat": true, "token": true}
	tests := []struct {
		name    string
		run     Run
		want    []string
		checked int
	}{
		{"all passed", Run{Outcomes: all, Packages: both, Whole: true}, nil, 3},
		{"one failed", Run{without(Test{"token", "TestDay"}, "fail"), both, true}, []string{"S3: token.TestDay failed"}, 3},
		{"one was skipped", Run{without(Test{"token", "TestDay"}, "skip"), both, true}, []string{"S3: token.TestDay was skipped"}, 3},
		{"one is gone", Run{without(Test{"wechat", "TestPlain"}, ""), both, true}, []string{"S3: wechat.TestPlain did not run: there is no such test"}, 3},
		{"a subtest was renamed", Run{without(Test{"wechat", "TestParse/line"}, "", Test{"wechat", "TestParse/a_line"}), both, true},
			[]string{"S2: wechat.TestParse/line did not run; was it renamed? TestParse/a_line did"}, 3},
		{"no test of a package ran", Run{without(Test{"token", "TestDay"}, ""), map[string]bool{"wechat": true}, true},
			[]string{"S3: token.TestDay did not run: no test of its package did"}, 3},
		{"a run of one package", Run{without(Test{"token", "TestDay"}, ""), map[string]bool{"wechat": true}, false}, nil, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, checked := Check(list, tt.run)
			if diff := cmp.Diff(tt.want, got); diff != "" || checked != tt.checked {
				t.Errorf("%d checked, want %d; problems (-want +got):\n%s", checked, tt.checked, diff)
			}
		})
	}
}
