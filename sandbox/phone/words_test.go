package phone

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestEveryTextIsThereAndUsed compares the table with templates and code.
func TestEveryTextIsThereAndUsed(t *testing.T) {
	all := readTemplates(t)
	for key, w := range words {
		for _, l := range languages {
			if w[l] == "" {
				t.Errorf("%s has no text in %s", key, l.tag())
			}
		}
		if strings.Count(w[chinese], "%") != strings.Count(w[english], "%") {
			t.Errorf("%s is filled in differently: %q, %q", key, w[chinese], w[english])
		}
	}
	for _, m := range regexp.MustCompile(`\bt "([a-z.-]+)"`).FindAllStringSubmatch(all, -1) {
		if _, ok := words[m[1]]; !ok {
			t.Errorf("a template asks for %q, which is not in the table", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`\bicon "([a-z-]+)"`).FindAllStringSubmatch(all, -1) {
		if _, ok := icons[m[1]]; !ok {
			t.Errorf("a template asks for the icon %q", m[1])
		}
	}
}

func readTemplates(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := fs.WalkDir(files, "templates", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, path)
		all.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// TestKeysThatAreMadeUpOfPartsExist covers what no template or test names whole.
func TestKeysThatAreMadeUpOfPartsExist(t *testing.T) {
	var keys []string
	for _, group := range []struct {
		prefix string
		names  []string
	}{
		{"theme.", themes}, {"only.", onlyWords}, {"effect.", effects}, {"preset.", presets},
		{"panel.", []string{panelTraffic, panelFaults, panelClock, panelAccounts}},
		{"fate.", []string{"sysfl", "freql", "badid", "noevt", "nosub"}},
		{"kind.", []string{"service", "subscription", "mini_program", "test"}},
		{"era.", strings.Split("ABCDEF", "")}, {"caption.era-", strings.Split("ABCDEF", "")},
	} {
		for _, name := range group.names {
			keys = append(keys, group.prefix+name)
		}
	}
	for _, key := range keys {
		if _, ok := words[key]; !ok {
			t.Errorf("no text for %q", key)
		}
	}
}

func TestDistancesAreShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		90 * time.Second: "1m30s", 10 * time.Minute: "10m", 2 * time.Hour: "2h", 150 * time.Minute: "2h30m", 24 * time.Hour: "1d",
		170 * time.Hour: "7d2h", 2*time.Hour + 5*time.Second: "2h0m5s", 0: "0s", 90 * time.Millisecond: "90ms", 20 * time.Hour: "20h",
	} {
		if got := distance(d); got != want {
			t.Errorf("distance(%v) = %q, want %q", d, got, want)
		}
	}
}
