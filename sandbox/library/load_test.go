package library

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// small is a set of files with one entry or subject each.
func small(file, text string) fstest.MapFS {
	texts := map[string]string{
		"industries.txt": "1 餐饮 快餐|正餐\n",
		"categories.txt": "7 餐饮堂食\n",
		"official.txt": "# a comment\n\nTM00001 1 排队\n\t{{first=到您了}}\n\t号码：{{keyword1=B27}}\n" +
			"100 7 排队通知\n\t号码 character_string B27\n\t方式 const 堂食|外带\n",
		"mini.txt":      "AT0001 排队 提醒\n\t号码 B 27\n",
		"subscribe.txt": "5 7 long 排队提醒\n\t号码 number 27\n",
	}
	if file != "" {
		texts[file] = text
	}
	fsys := fstest.MapFS{}
	for name, content := range texts {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

func TestLoad(t *testing.T) {
	got, err := load(small("", ""))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Industry{{1, "餐饮", "快餐|正餐"}}, got.industries); diff != "" {
		t.Errorf("industries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Category{{7, "餐饮堂食"}}, got.categories); diff != "" {
		t.Errorf("categories (-want +got):\n%s", diff)
	}
	want := []Template{
		{ID: "TM00001", Title: "排队", Industry: 1,
			Content: "{{first.DATA}}\n号码：{{keyword1.DATA}}", Example: "到您了\n号码：B27"},
		{ID: "100", Title: "排队通知", Category: 7, Keywords: []Keyword{
			{ID: 1, Name: "号码", Type: "character_string", Example: "B27"},
			{ID: 2, Name: "方式", Type: "const", Example: "堂食", Values: []string{"堂食", "外带"}}}},
		{ID: "AT0001", Title: "排队 提醒", Keywords: []Keyword{{ID: 1, Name: "号码", Example: "B 27"}}},
		{ID: "5", Title: "排队提醒", Category: 7, LongTerm: true,
			Keywords: []Keyword{{ID: 1, Name: "号码", Type: "number", Example: "27"}}},
	}
	if diff := cmp.Diff(want, []Template{got.historical[0], got.typed[0], got.mini[0], got.subscribe[0]}); diff != "" {
		t.Errorf("templates (-want +got):\n%s", diff)
	}
}

func TestLoadRefuses(t *testing.T) {
	const historical, typed = "TM00001 1 排队\n\t号码：{{keyword1=B27}}\n", "100 7 排队通知\n\t号码 thing B27\n"
	tests := []struct{ name, file, text, want string }{
		{"an industry out of turn", "industries.txt", "2 餐饮 餐饮\n",
			`industries.txt:1: industry code: "2", must be 1, the next one`},
		{"an industry with something below it", "industries.txt", "1 餐饮 餐饮\n\t快餐\n",
			`industries.txt:2: line: "快餐", must not stand below an entry of this file`},
		{"a category without a name", "categories.txt", "7\n",
			`categories.txt:1: line: "7", must be 2 fields with single spaces between them`},
		{"a category id that is no number", "categories.txt", "七 餐饮\n",
			`categories.txt:1: category id: "七", must be a positive number`},
		{"a category id twice", "categories.txt", "7 餐饮\n7 外卖\n",
			`categories.txt:2: category id: 7, must be above the one before, 7`},
		{"an unknown industry", "official.txt", "TM00001 2 排队\n\t号码：{{keyword1=B27}}\n",
			`official.txt:1: industry: "2", must be a code of industries.txt`},
		{"an unknown category", "official.txt", historical + "100 8 排队通知\n\t号码 thing B27\n",
			`official.txt:3: category: "8", must be an id of categories.txt`},
		{"a historical id in place of a typed one", "official.txt", historical + "TM00002 7 排队通知\n\t号码 thing B27\n",
			`official.txt:3: id: "TM00002", must match ^[1-9]\d*$`},
		{"a typed id in place of a historical one", "official.txt", "100 1 排队通知\n\t号码：{{keyword1=B27}}\n",
			`official.txt:1: id: "100", must match ^(TM\d{5}|OPENTM\d{9})$`},
		{"a subject without its typed form", "official.txt", historical,
			`official.txt: the last subject has no typed form`},
		{"an id twice", "official.txt", historical + typed + historical,
			`official.txt:5: id: "TM00001", is taken`},
		{"a content with the platform's own braces", "official.txt", "TM00001 1 排队\n\t号码：{{keyword1.DATA}}\n",
			`official.txt:2: content: "号码：{{keyword1.DATA}}", must have braces only as in {{key=example}}`},
		{"a content without a place", "official.txt", "TM00001 1 排队\n\t到您了\n",
			`official.txt:1: content: must have one {{key=example}} or more`},
		{"no content", "official.txt", "TM00001 1 排队\n",
			`official.txt:1: content: must have one {{key=example}} or more`},
		{"a key twice", "official.txt", "TM00001 1 排队\n\t{{a=1}}\n\t{{a=2}}\n",
			`official.txt:3: content: key "a", must be there once`},
		{"no keywords", "official.txt", historical + "100 7 排队通知\n",
			`official.txt:3: keywords: none, must have one or more`},
		{"a keyword without an example", "official.txt", historical + "100 7 排队通知\n\t号码 thing\n",
			`official.txt:4: line: "号码 thing", must be 3 fields with single spaces between them`},
		{"a keyword twice", "official.txt", historical + typed + "\t号码 time 18:05\n",
			`official.txt:5: keyword: "号码", must be there once`},
		{"two spaces", "mini.txt", "AT0001  排队提醒\n\t号码 B27\n",
			`mini.txt:1: line: "AT0001  排队提醒", must be 2 fields with single spaces between them`},
		{"two spaces before the example", "mini.txt", "AT0001 排队提醒\n\t号码  B27\n",
			`mini.txt:2: line: "号码  B27", must be 2 fields with single spaces between them`},
		{"a space at the end", "mini.txt", "AT0001 排队提醒 \n\t号码 B27\n",
			`mini.txt:1: line: "AT0001 排队提醒 ", must have no white space around it but one tab before a line of an entry`},
		{"a keyword before any entry", "mini.txt", "\t号码 B27\n",
			`mini.txt:1: line: "\t号码 B27", must stand below an entry`},
		{"a mini program id of another form", "mini.txt", "TM00001 排队提醒\n\t号码 B27\n",
			`mini.txt:1: id: "TM00001", must match ^AT\d{4}$`},
		{"a period nobody knows", "subscribe.txt", "5 7 forever 排队提醒\n\t号码 number 27\n",
			`subscribe.txt:1: period: "forever", must be once or long`},
		{"a tid of a custom-made template", "subscribe.txt", "10000001 7 once 排队提醒\n\t号码 number 27\n",
			`subscribe.txt:1: id: "10000001", must match ^[1-9]\d{0,6}$`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(small(tt.file, tt.text))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	t.Run("a file that is not there", func(t *testing.T) {
		fsys := small("", "")
		delete(fsys, "mini.txt")
		if _, err := load(fsys); err == nil || err.Error() != "open mini.txt: file does not exist" {
			t.Errorf("got %v, want open mini.txt: file does not exist", err)
		}
	})
}

// TestMustLoadPanics: a mistake in the files says where it is.
func TestMustLoadPanics(t *testing.T) {
	defer func() {
		const want = `library: categories.txt:1: category id: "0", must be a positive number`
		if got := recover(); got != want {
			t.Errorf("panic %v, want %s", got, want)
		}
	}()
	mustLoad(small("categories.txt", "0 餐饮\n"))
}
