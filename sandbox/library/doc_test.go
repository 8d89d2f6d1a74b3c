package library

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the printed document")

// TestLibraryDocument prints docs/library.md.
func TestLibraryDocument(t *testing.T) {
	const path = "../../docs/library.md"
	got := printLibrary()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is out of date, run the test with -update (-want +got):\n%s", path, diff)
	}
}

const intro = `# The sandbox's template library (模板库)

What accounts of the [sandbox](sandbox.md) can add and choose. Printed from the files in
` + "`sandbox/library`" + `; change them, then run ` + "`go test ./sandbox/library -run TestLibraryDocument -update`" + `.

沙箱中账号可选用的行业、类目与模板。编号与文案均为本项目自拟，同一编号在微信后台可能是别的模板。

The industries are WeChat's. **All other ids, titles and words are ours**: the same number may mean
something else at WeChat, or nothing.

| Library | Templates | Added with |
| --- | --- | --- |
| [Official accounts](#official-accounts-公众号) | %d subjects, each in two forms | ` + "`/cgi-bin/template/api_add_template`" + `, the id as ` + "`template_id_short`" + `; the typed form with ` + "`keyword_name_list`" + ` |
| [Mini programs](#mini-programs-小程序) | %d | ` + "`/cgi-bin/wxopen/template/add`" + `, with ` + "`keyword_id_list`" + ` |
| [Subscribe messages](#subscribe-messages-订阅消息) | %d | ` + "`/wxaapi/newtmpl/addtemplate`" + `, the tid with ` + "`kidList`" + ` |

A keyword's line is its number, its name, its type if it has one, and an example that fits the type.
`

func printLibrary() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, intro, len(Typed()), len(Mini()), len(Subscribe()))
	printIndustries(&b)
	printCategories(&b)
	printOfficial(&b)
	printMini(&b)
	printSubscribe(&b)
	return b.Bytes()
}

func printIndustries(b *bytes.Buffer) {
	b.WriteString("\n## Industries (行业)\n\nTwo per account, until categories replaced them.\n\n| Code | First class | Second class |\n| --- | --- | --- |\n")
	for _, i := range Industries() {
		fmt.Fprintf(b, "| %d | %s | %s |\n", i.Code, i.First, cell(i.Second))
	}
}

func printCategories(b *bytes.Buffer) {
	b.WriteString("\n## Categories (类目)\n\n| Id | Name |\n| --- | --- |\n")
	for _, c := range Categories() {
		fmt.Fprintf(b, "| %d | %s |\n", c.ID, c.Name)
	}
}

func printOfficial(b *bytes.Buffer) {
	b.WriteString("\n## Official accounts (公众号)\n\n" +
		"The historical form (历史模板) has a fixed content and belongs to an industry; it can be added up to era D.\n" +
		"The typed form (类目模板) is made of the keywords one chooses and belongs to a category.\n")
	typed, first := Typed(), ""
	for i, t := range Historical() {
		industry, _ := LookupIndustry(t.Industry)
		if industry.First != first {
			first = industry.First
			fmt.Fprintf(b, "\n### %s\n\n| Historical | Content | Typed | Keywords |\n| --- | --- | --- | --- |\n", first)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n",
			heading(t, fmt.Sprintf("%d %s", industry.Code, industry.Second)), cell(t.Content),
			heading(typed[i], categoryOf(typed[i])), keywordList(typed[i]))
	}
}

func printMini(b *bytes.Buffer) {
	b.WriteString("\n## Mini programs (小程序)\n\nRetired together with form ids.\n\n| Template | Keywords |\n| --- | --- |\n")
	for _, t := range Mini() {
		fmt.Fprintf(b, "| %s | %s |\n", heading(t, ""), keywordList(t))
	}
}

func printSubscribe(b *bytes.Buffer) {
	b.WriteString("\n## Subscribe messages (订阅消息)\n\nOne-time templates have type 2, long-term ones type 3.\n\n| Template | Type | Keywords |\n| --- | --- | --- |\n")
	for _, t := range Subscribe() {
		period := "2 一次性"
		if t.LongTerm {
			period = "3 长期"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", heading(t, categoryOf(t)), period, keywordList(t))
	}
}

// heading is a template's id, title and place in three lines of a cell.
func heading(t Template, place string) string {
	lines := "`" + t.ID + "`\n" + t.Title
	if place != "" {
		lines += "\n" + place
	}
	return cell(lines)
}

func categoryOf(t Template) string {
	c, _ := LookupCategory(t.Category)
	return fmt.Sprintf("%d %s", c.ID, c.Name)
}

func keywordList(t Template) string {
	var lines []string
	for _, k := range t.Keywords {
		line := fmt.Sprintf("%d %s", k.ID, k.Name)
		if k.Type != "" {
			line += " `" + k.Type + "`"
		}
		values := k.Example
		if k.Values != nil {
			values = strings.Join(k.Values, " / ")
		}
		lines = append(lines, line+" "+values)
	}
	return cell(strings.Join(lines, "\n"))
}

// cell makes a text fit into a cell of a Markdown table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "~", `\~`, "\n", "<br>").Replace(text)
}
