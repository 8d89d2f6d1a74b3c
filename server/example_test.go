package server

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite what is printed from the code")

const exampleFile = "../docs/hongyan.example.yaml"

// TestExampleFileIsPrintedFromConfig keeps the example file what the comments
// and defaults of Config say.
func TestExampleFileIsPrintedFromConfig(t *testing.T) {
	got := printExample(t)
	if *update {
		if err := os.MkdirAll(filepath.Dir(exampleFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(exampleFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs from config.go; run go test ./server -update (-file +code)\n%s", exampleFile, diff)
	}
}

func TestExampleFileSetsTheDefaults(t *testing.T) {
	got, err := Load(exampleFile, noEnvironment, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got); diff != "" {
		t.Errorf("the example file changes something (-default +file)\n%s", diff)
	}
}

// TestUncommentedExampleIsValid takes the "#" away from the sample account.
func TestUncommentedExampleIsValid(t *testing.T) {
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(string(text), "#allow_private:")
	if !found {
		t.Fatal("the example file has no sample allow_private")
	}
	text = []byte(before + "allow_private:" + after)
	settings, account, found := strings.Cut(string(text), "#accounts:")
	if !found {
		t.Fatal("the example file has no sample account")
	}
	account = strings.ReplaceAll("#accounts:"+account, "\n#", "\n")[1:]
	file := writeFile(t, settings+account)
	got, err := Load(file, noEnvironment, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.AllowedPrefixes()) != 2 {
		t.Errorf("got %v, want the two sample prefixes", got.AllowPrivate)
	}
	if len(got.Accounts) != 1 {
		t.Fatalf("got %d accounts, want the sample", len(got.Accounts))
	}
}

// sampleValues are shown where the zero value would tell nothing.
var sampleValues = map[string]string{
	"appid": "wx0f1e2d3c4b5a6978", "secret": `""`, "kind": "service", "name": "鸿雁商城", "alias": "shop",
	"base_url": `""`, "token": `""`, "aes_key": `""`, "mode": "plain", "uncertain_policy": "hold", "token_source": "stable",
	"quiet_hours": `"22:00-08:00"`, "scope": "account", "period": "day", "limit": "100000", "database": `""`,
	"token_url": `""`, "egress_proxy": `""`, "url": "http://10.0.0.8:8080/wechat", "DownstreamConfig.name": "crm",
}

// sampleLists are shown for lists of words.
var sampleLists = map[string]string{
	"allow_private": "[10.0.0.0/8, 192.168.1.20]", "allow": "[/cgi-bin/*, /wxa/*]", "deny": "[/cgi-bin/clear_quota]",
	"events": "[templatesendjobfinish, text]",
}

// printExample writes every setting with the comment it has in config.go.
func printExample(t *testing.T) string {
	t.Helper()
	p := examplePrinter{docs: fieldComments(t)}
	p.line("# Settings of `hongyan serve`, printed from server/config.go with their defaults.")
	p.line("# Highest wins: flag, HONGYAN_* environment variable (HONGYAN_LOG_LEVEL for log.level), this file, default.")
	p.line("# Check a file with: hongyan check-config FILE")
	p.structure(reflect.ValueOf(Default()), "", "")
	return p.b.String()
}

type examplePrinter struct {
	b    strings.Builder
	docs map[string]string // "Config.Listen" to its comment
}

func (p *examplePrinter) line(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

// structure prints the fields of v. comment is "#" where the lines are to be
// uncommented by whoever needs them.
func (p *examplePrinter) structure(v reflect.Value, comment, indent string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if comment == "" {
			p.line("")
		}
		at := comment
		if f.Type.Kind() == reflect.Slice && comment == "" {
			at = "#"
		}
		for text := range strings.SplitSeq(strings.TrimSpace(p.docs[v.Type().Name()+"."+f.Name]), "\n") {
			p.line("%s%s# %s", comment, indent, text)
		}
		p.field(v.Type().Name(), f, v.Field(i), at, indent)
	}
}

func (p *examplePrinter) field(of string, f reflect.StructField, v reflect.Value, comment, indent string) {
	key := yamlName(f)
	switch f.Type.Kind() {
	case reflect.Struct:
		p.line("%s%s%s:", comment, indent, key)
		p.structure(v, comment, indent+"  ")
	case reflect.Slice:
		if f.Type.Elem().Kind() == reflect.String {
			p.line("%s%s%s: %s", comment, indent, key, sampleLists[key])
			return
		}
		p.line("%s%s%s:", comment, indent, key)
		p.line("%s%s  -", comment, indent)
		p.structure(reflect.New(f.Type.Elem()).Elem(), comment, indent+"    ")
	default:
		p.line("%s%s%s: %s", comment, indent, key, exampleValue(of, key, v))
	}
}

// exampleValue is the sample for a field of a struct, by both names or by its own.
func exampleValue(of, key string, v reflect.Value) string {
	if s, ok := sampleValues[of+"."+key]; ok {
		return s
	}
	if s, ok := sampleValues[key]; ok && v.IsZero() {
		return s
	}
	if v.Kind() == reflect.Pointer {
		v = reflect.Zero(v.Type().Elem())
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return d.String()
	}
	return fmt.Sprint(v.Interface())
}

// fieldComments reads the comments of every struct field in config.go.
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		structure, ok := spec.Type.(*ast.StructType)
		if !ok {
			return true
		}
		for _, f := range structure.Fields.List {
			if f.Doc == nil {
				t.Errorf("config.go: %s.%s has no comment", spec.Name.Name, f.Names[0].Name)
			}
			docs[spec.Name.Name+"."+f.Names[0].Name] = f.Doc.Text()
		}
		return true
	})
	return docs
}

func noEnvironment(string) string { return "" }

func writeFile(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hongyan.yaml")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
