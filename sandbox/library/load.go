package library

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"sync"
)

//go:embed *.txt
var files embed.FS

// data is everything the files say, never changed. They are read on first use: the binary is also
// the gateway and the command line, which need none of it.
var data = sync.OnceValue(func() *tables { return mustLoad(files) })

func mustLoad(fsys fs.FS) *tables {
	t, err := load(fsys)
	if err != nil {
		panic("library: " + err.Error()) // the files are part of the program
	}
	return t
}

type tables struct {
	industries                         []Industry
	categories                         []Category
	categoryNames                      map[int]string
	historical, typed, mini, subscribe []Template
	official, minis, subscribes        map[string]Template
}

// load reads the files. Names, numbers and references must be right; what a title may end in and
// whether an example fits its type, the tests check.
func load(fsys fs.FS) (*tables, error) {
	t := &tables{
		categoryNames: map[int]string{},
		official:      map[string]Template{}, minis: map[string]Template{}, subscribes: map[string]Template{},
	}
	steps := []struct {
		file string
		add  func(entry) error
	}{
		{"industries.txt", t.addIndustry},
		{"categories.txt", t.addCategory},
		{"official.txt", t.addOfficial},
		{"mini.txt", t.addMini},
		{"subscribe.txt", t.addSubscribe},
	}
	for _, step := range steps {
		list, err := readEntries(fsys, step.file)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if err := step.add(e); err != nil {
				return nil, err
			}
		}
	}
	if len(t.historical) != len(t.typed) {
		return nil, fmt.Errorf("official.txt: the last subject has no typed form")
	}
	return t, nil
}

// addIndustry reads "code first second".
func (t *tables) addIndustry(e entry) error {
	f, err := e.alone(3)
	if err != nil {
		return err
	}
	if want := len(t.industries) + 1; f[0] != strconv.Itoa(want) {
		return e.errorf("industry code: %q, must be %d, the next one", f[0], want)
	}
	t.industries = append(t.industries, Industry{Code: len(t.industries) + 1, First: f[1], Second: f[2]})
	return nil
}

// addCategory reads "id name".
func (t *tables) addCategory(e entry) error {
	f, err := e.alone(2)
	if err != nil {
		return err
	}
	id, err := strconv.Atoi(f[0])
	if err != nil || id <= 0 {
		return e.errorf("category id: %q, must be a positive number", f[0])
	}
	if n := len(t.categories); n > 0 && t.categories[n-1].ID >= id {
		return e.errorf("category id: %d, must be above the one before, %d", id, t.categories[n-1].ID)
	}
	t.categories = append(t.categories, Category{ID: id, Name: f[1]})
	t.categoryNames[id] = f[1]
	return nil
}

var (
	historicalID = regexp.MustCompile(`^(TM\d{5}|OPENTM\d{9})$`)
	typedID      = regexp.MustCompile(`^[1-9]\d*$`)
	tidForm      = regexp.MustCompile(`^[1-9]\d{0,6}$`) // from 10000001 on they are custom-made (spec §7.2)
	miniID       = regexp.MustCompile(`^AT\d{4}$`)
)

// addOfficial reads the two forms of each subject in turn.
func (t *tables) addOfficial(e entry) error {
	if len(t.historical) == len(t.typed) {
		return t.addHistorical(e)
	}
	return t.addTyped(e)
}

// addHistorical reads "id industry title" and the lines of the content.
func (t *tables) addHistorical(e entry) error {
	f, err := e.fields(3)
	if err != nil {
		return err
	}
	code, err := strconv.Atoi(f[1])
	if err != nil || code < 1 || code > len(t.industries) {
		return e.errorf("industry: %q, must be a code of industries.txt", f[1])
	}
	tmpl := Template{ID: f[0], Title: f[2], Industry: code}
	if tmpl.Content, tmpl.Example, err = e.content(); err != nil {
		return err
	}
	return add(e, tmpl, historicalID, &t.historical, t.official)
}

// addTyped reads "id category title" and a line "name type example" for each keyword.
func (t *tables) addTyped(e entry) error {
	f, err := e.fields(3)
	if err != nil {
		return err
	}
	tmpl := Template{ID: f[0], Title: f[2]}
	if tmpl.Category, err = t.category(e, f[1]); err != nil {
		return err
	}
	if tmpl.Keywords, err = e.keywords(typedKeyword); err != nil {
		return err
	}
	return add(e, tmpl, typedID, &t.typed, t.official)
}

// addMini reads "id title" and a line "name example" for each keyword.
func (t *tables) addMini(e entry) error {
	f, err := e.fields(2)
	if err != nil {
		return err
	}
	tmpl := Template{ID: f[0], Title: f[1]}
	if tmpl.Keywords, err = e.keywords(untypedKeyword); err != nil {
		return err
	}
	return add(e, tmpl, miniID, &t.mini, t.minis)
}

// addSubscribe reads "tid category once title", or "long" in place of "once", and the keywords
// as addTyped does.
func (t *tables) addSubscribe(e entry) error {
	f, err := e.fields(4)
	if err != nil {
		return err
	}
	if f[2] != "once" && f[2] != "long" {
		return e.errorf("period: %q, must be once or long", f[2])
	}
	tmpl := Template{ID: f[0], Title: f[3], LongTerm: f[2] == "long"}
	if tmpl.Category, err = t.category(e, f[1]); err != nil {
		return err
	}
	if tmpl.Keywords, err = e.keywords(typedKeyword); err != nil {
		return err
	}
	return add(e, tmpl, tidForm, &t.subscribe, t.subscribes)
}

func (t *tables) category(e entry, text string) (int, error) {
	id, err := strconv.Atoi(text)
	if _, known := t.categoryNames[id]; err != nil || !known {
		return 0, e.errorf("category: %q, must be an id of categories.txt", text)
	}
	return id, nil
}

// add puts a template at the end of its list and into the index.
func add(e entry, t Template, form *regexp.Regexp, list *[]Template, index map[string]Template) error {
	if !form.MatchString(t.ID) {
		return e.errorf("id: %q, must match %s", t.ID, form)
	}
	if _, taken := index[t.ID]; taken {
		return e.errorf("id: %q, is taken", t.ID)
	}
	*list = append(*list, t)
	index[t.ID] = t
	return nil
}
