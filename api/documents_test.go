package api

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
)

// newSpec reads the document the API serves.
func newSpec(t *testing.T, g *gateway) *huma.OpenAPI {
	t.Helper()
	got := g.do("GET", "/openapi.json", "", "Authorization", "")
	if got.status != 200 || got.header.Get("Content-Type") != "application/json" {
		t.Fatalf("status %d, header %v", got.status, got.header)
	}
	var spec struct {
		Paths map[string]map[string]*huma.Operation `json:"paths"`
	}
	if err := json.Unmarshal([]byte(got.body), &spec); err != nil {
		t.Fatal(err)
	}
	doc := &huma.OpenAPI{Paths: map[string]*huma.PathItem{}}
	for path, methods := range spec.Paths {
		doc.Paths[path] = &huma.PathItem{Get: methods["get"], Post: methods["post"], Put: methods["put"], Patch: methods["patch"], Delete: methods["delete"]}
	}
	return doc
}

func TestOpenAPIIsTheGoldenFile(t *testing.T) {
	g := newGateway(t)
	golden := filepath.Join("..", "docs", "openapi.json")
	got := g.do("GET", "/openapi.json", "").body
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/openapi.json is not what the API serves; run go test ./api -update (-want +got):\n%s", diff)
	}
}

func TestDocsPageShowsEveryOperationAndLoadsNothing(t *testing.T) {
	g := newGateway(t)
	got := g.do("GET", "/docs", "", "Authorization", "")
	if got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
		t.Fatalf("status %d, header %v", got.status, got.header)
	}
	for path, item := range newSpec(t, g).Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil && !strings.Contains(got.body, `id="`+op.OperationID+`"`) {
				t.Errorf("the page has no %s (%s)", path, op.OperationID)
			}
		}
	}
	if loads := regexp.MustCompile(`(?i)<script|<link|src=|@import|url\(`).FindAllString(got.body, -1); loads != nil {
		t.Errorf("the page loads something: %v", loads)
	}
	for _, heading := range []string{"Messages 消息", "Accounts 账号", "Problems 错误码", "prefers-color-scheme: dark"} {
		if !strings.Contains(got.body, heading) {
			t.Errorf("the page lacks %q", heading)
		}
	}
	for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(got.body, -1) {
		if !strings.Contains(got.body, `id="`+link[1]+`"`) {
			t.Errorf("the page links to #%s, which it does not have", link[1])
		}
	}
}

func TestEveryCodeHasAPage(t *testing.T) {
	g := newGateway(t)
	for code, info := range problemCodes {
		for name, text := range map[string]string{"title": info.title, "titleZH": info.titleZH, "means": info.means, "meansZH": info.meansZH, "remedy": info.remedy, "remedyZH": info.remedyZH} {
			if text == "" {
				t.Errorf("%s has no %s", code, name)
			}
		}
		if info.status < 400 || info.status > 599 {
			t.Errorf("%s has status %d", code, info.status)
		}
		if got := g.do("GET", "/problems/"+code, "", "Authorization", ""); got.status != 200 || !strings.Contains(got.body, info.titleZH) {
			t.Errorf("/problems/%s: status %d", code, got.status)
		}
	}
	if got := g.do("GET", "/problems/wechat_45009", ""); got.status != 200 || !strings.Contains(got.body, "45009") {
		t.Errorf("/problems/wechat_45009: status %d", got.status)
	}
	if got := g.do("GET", "/problems/%3Cscript%3E", ""); got.status != 404 || strings.Contains(got.body, "<script>") {
		t.Errorf("/problems/<script>: status %d, body %s", got.status, got.body)
	}
}

// codeUses finds the codes that errors are given in source text.
var codeUses = regexp.MustCompile(`(?:Errorf\((?:hongyan\.)?\w+, |InvalidField\(|badField\(|\.add\(|\.err\(|Code: +|code +:?= +)"([a-z_]+)"`)

// notOverHTTP are codes of errors that end the program before it serves anything.
var notOverHTTP = map[string]bool{"master_key": true, "newer_schema": true, "in_use": true}

// TestEveryCodeInUseIsExplained reads the source of what the API can report.
func TestEveryCodeInUseIsExplained(t *testing.T) {
	found := 0
	for _, folder := range []string{".", "..", "../dispatch", "../token", "../access", "../store", "../store/sqlite", "../callback", "../batch", "../mini"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, use := range codeUses.FindAllStringSubmatch(string(source), -1) {
				code := use[1]
				found++
				if _, known := problemCodes[code]; !known && !notOverHTTP[code] && !strings.HasSuffix(code, "_") && code != "errcode" {
					t.Errorf("%s uses the code %q, which codes_table.go does not explain", file, code)
				}
			}
		}
	}
	if found < 60 {
		t.Errorf("%d uses found, want at least 60: has the way errors are made changed?", found)
	}
}
