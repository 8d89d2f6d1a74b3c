package api

import (
	"fmt"
	"go/format"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheClientKnowsEveryCode: package client's constants are printed from the table.
func TestTheClientKnowsEveryCode(t *testing.T) {
	file := filepath.Join("..", "client", "codes.go")
	got := printClientCodes(t)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("client/codes.go is not what codes_table.go says; run go test ./api -run TheClientKnows -update (-want +got):\n%s", diff)
	}
}

func printClientCodes(t *testing.T) []byte {
	t.Helper()
	var b strings.Builder
	b.WriteString("// Printed from api/codes_table.go by go test ./api -update. DO NOT EDIT.\n\npackage client\n\n")
	b.WriteString("// The codes of problems, with what each means. A gateway newer than this package may\n// have others.\nconst (\n")
	for _, code := range slices.Sorted(maps.Keys(problemCodes)) {
		info := problemCodes[code]
		fmt.Fprintf(&b, "\t// %s (HTTP %d): %s\n\t%s Code = %q\n\n", constantOf(code), info.status, info.means, constantOf(code), code)
	}
	b.WriteString(")\n")
	text, err := format.Source([]byte(strings.ReplaceAll(b.String(), "\n\n)", "\n)")))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// initialisms of codes, as Go writes them.
var initialisms = map[string]string{
	"json": "JSON", "id": "ID", "appid": "AppID", "openid": "OpenID", "url": "URL", "http": "HTTP", "csv": "CSV", "xlsx": "XLSX",
	"wechat": "WeChat", "api": "API", "ip": "IP", "aes": "AES", "msgid": "MsgID", "appids": "AppIDs", "utf8": "UTF8",
}

// constantOf makes CodeBadJSON of bad_json.
func constantOf(code string) string {
	name := "Code"
	for word := range strings.SplitSeq(code, "_") {
		if short, ok := initialisms[word]; ok {
			name += short
			continue
		}
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	return name
}
