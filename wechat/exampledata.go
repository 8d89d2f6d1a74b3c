package wechat

import (
	"regexp"
	"strings"
)

// ExampleData reads the values out of a template's example, which is its content with
// the parameters filled in (spec §4.2.4). Lines are compared one by one, blank ones left
// out on both sides; a line whose example has another form, or is missing, gives its
// parameters no value.
func ExampleData(content Content, example string) Data {
	var shown []string
	for line := range strings.SplitSeq(example, "\n") {
		if strings.TrimSpace(line) != "" {
			shown = append(shown, strings.TrimSuffix(line, "\r"))
		}
	}
	data := Data{}
	for i, line := range contentLines(content) {
		if i < len(shown) {
			readExample(line, shown[i], data)
		}
	}
	return data
}

// readExample puts the values of one line into data.
func readExample(line []Segment, shown string, data Data) {
	var pattern strings.Builder
	var keys []string
	for _, seg := range line {
		if seg.Kind != SegmentParam {
			pattern.WriteString(regexp.QuoteMeta(seg.Text))
			continue
		}
		pattern.WriteString("(.*?)")
		keys = append(keys, seg.Key)
	}
	form, err := regexp.Compile("^(?s)" + pattern.String() + "$")
	if err != nil { // a template longer than any of WeChat's
		return
	}
	m := form.FindStringSubmatch(shown)
	for i, key := range keys {
		if m != nil {
			data[key] = Field{Value: m[i+1]}
		}
	}
}
