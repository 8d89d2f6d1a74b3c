package hongyan_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// module is the module path of go.mod; it is also the root package's import path.
const module = "hongyan"

// layer is one folder of Go code and what its files, tests apart, may import of ours.
type layer struct {
	folder       string
	imports      []string
	standardOnly bool // and nothing from other modules either
}

// verbs decide; the edges above speak HTTP and call them.
var verbs = []string{"access", "token", "dispatch", "template", "batch", "callback", "deliver", "doctor", "mini", "rule", "care"}

// gateway is everything server puts together. The sandbox and the test suites
// are not in it: the gateway must not depend on its own simulator.
var gateway = slices.Concat(
	[]string{"", "wechat", "card", "store", "store/sqlite", "store/postgres", "client", "api", "compat", "console"}, verbs)

// layers is the picture of docs/architecture.md, from the bottom up: a row may
// name only folders of rows above it in this list. Folders below internal/ are
// not listed: anyone may import them, and they import nothing of ours.
var layers = []layer{
	{folder: "wechat", standardOnly: true},
	{folder: "client"},
	{folder: "", imports: []string{"wechat"}},
	{folder: "card", imports: []string{"wechat"}}, // drawn by the phone and by the gateway's preview
	{folder: "sandbox/library"},
	{folder: "sandbox", imports: []string{"wechat", "sandbox/library"}},
	{folder: "sandbox/sandboxtest", imports: []string{"sandbox"}},
	{folder: "sandbox/phone", imports: []string{"sandbox", "card", "wechat"}},
	{folder: "store", imports: []string{""}},
	{folder: "store/sqlite", imports: []string{"", "store"}},
	{folder: "store/postgres", imports: []string{"", "store"}},
	{folder: "store/postgres/postgrestest"},
	{folder: "store/sqlite/sqlitetest"},
	{folder: "store/storetest", imports: []string{"", "store"}},
	{folder: "access", imports: []string{"", "store"}},
	{folder: "token", imports: []string{"", "store", "wechat"}},
	{folder: "dispatch", imports: []string{"", "store", "wechat"}},
	{folder: "template", imports: []string{"", "store", "wechat"}},
	{folder: "batch", imports: []string{"", "store", "wechat"}},
	{folder: "callback", imports: []string{"", "store", "wechat"}},
	{folder: "deliver", imports: []string{"", "store", "wechat"}},
	{folder: "rule", imports: []string{"", "store", "wechat"}},
	{folder: "care", imports: []string{"", "store", "wechat"}},
	{folder: "doctor", imports: []string{"", "store", "wechat"}},
	{folder: "mini", imports: []string{"", "store", "wechat"}},
	{folder: "api", imports: slices.Concat([]string{"", "store", "client", "wechat", "card"}, verbs)},
	{folder: "compat", imports: []string{"", "store", "access", "dispatch", "token", "template", "wechat"}},
	{folder: "console", imports: slices.Concat([]string{"", "store"}, verbs)},
	{folder: "server", imports: gateway},
	{folder: "demo", imports: []string{"", "server", "client", "sandbox", "sandbox/phone", "store"}},
	// Batches are fed to the engine inside the gateway's process, so bench names dispatch's requests.
	{folder: "bench", imports: []string{"", "server", "client", "sandbox", "store", "dispatch", "wechat"}},
	// For tests and examples of programs that speak to a gateway.
	{folder: "server/servertest", imports: []string{"server", "client", "sandbox"}},
	// Programs that show how to use the API; the folder itself has their tests.
	{folder: "examples"},
	{folder: "examples/go/send", imports: []string{"client"}},
	{folder: "examples/go/receive", imports: []string{"client"}},
	// A module of its own: the comparison with asynq and Redis, which the gateway does not depend on.
	{folder: "bench/asynq"},
	// Tests only: clients and callback servers that others wrote.
	{folder: "interop"},
	// Its own pushes, right and hostile ones, are made by wechat's Pusher.
	{folder: "prove", imports: []string{"", "server", "client", "sandbox", "store", "wechat"}},
	// The root is here for the exit codes: the command maps hongyan.Kind to them.
	{folder: "cmd/hongyan", imports: []string{"", "server", "client", "sandbox", "sandbox/phone", "demo", "bench", "prove"}},
	// Tests only: the program itself, and a browser in front of its phone.
	{folder: "e2e"},
}

func TestImportsPointDown(t *testing.T) {
	for _, problem := range importProblems(t, os.DirFS(".")) {
		t.Error(problem)
	}
}

// TestLayersPointDown keeps the table itself free of arrows upwards, and so of cycles.
func TestLayersPointDown(t *testing.T) {
	var below []string
	for _, l := range layers {
		for _, imported := range l.imports {
			if !slices.Contains(below, imported) {
				t.Errorf("%s may import %s, which is not below it in the table", name(l.folder), name(imported))
			}
		}
		below = append(below, l.folder)
	}
}

// TestImportProblems shows that the checker sees what it is there to see.
func TestImportProblems(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string // path → imported path
		want  []string
	}{
		{
			name: "allowed arrows, tests looking further, and data that only looks like Go",
			files: map[string]string{
				"message.go": "hongyan/wechat", "store/store.go": "hongyan", "api/api.go": "hongyan/internal/sse",
				"wechat/call.go": "net/http", "wechat/call_test.go": "hongyan/sandbox/sandboxtest",
				"api/testdata/x.go": "hongyan/cmd/hongyan", ".cache/x.go": "hongyan/server",
			},
		},
		{
			name:  "an arrow upwards",
			files: map[string]string{"store/store.go": "hongyan/dispatch"},
			want:  []string{"store/store.go: hongyan/store must not import hongyan/dispatch; it may import hongyan (see layers in imports_test.go)"},
		},
		{
			name:  "an arrow sideways",
			files: map[string]string{"token/central.go": "hongyan/dispatch"},
			want:  []string{"token/central.go: hongyan/token must not import hongyan/dispatch; it may import hongyan, hongyan/store, hongyan/wechat (see layers in imports_test.go)"},
		},
		{
			name:  "the protocol package with a dependency",
			files: map[string]string{"wechat/call.go": "golang.org/x/time/rate"},
			want:  []string{"wechat/call.go: hongyan/wechat must import the standard library only, not golang.org/x/time/rate"},
		},
		{
			name:  "the client borrowing our nouns",
			files: map[string]string{"client/client.go": "hongyan"},
			want:  []string{"client/client.go: hongyan/client must not import hongyan; it may import nothing of ours (see layers in imports_test.go)"},
		},
		{
			name:  "a helper that knows the story",
			files: map[string]string{"internal/sse/sse.go": "hongyan/store"},
			want:  []string{"internal/sse/sse.go: hongyan/internal/sse must not import hongyan/store; it may import nothing of ours (see layers in imports_test.go)"},
		},
		{
			name:  "a folder nobody has placed",
			files: map[string]string{"util/util.go": "strings"},
			want:  []string{"util/util.go: folder util is not in the table: add it to layers in imports_test.go and to the picture in docs/architecture.md, with a reason in the commit"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := fstest.MapFS{}
			for file, imported := range tt.files {
				tree[file] = &fstest.MapFile{Data: fmt.Appendf(nil, "package x\n\nimport _ %q\n", imported)}
			}
			got := importProblems(t, tree)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// importProblems checks every Go file of tree, tests apart, whatever its build
// tags, and returns one line per import that breaks the table, in order.
func importProblems(t *testing.T, tree fs.FS) []string {
	t.Helper()
	var problems []string
	for _, file := range goFiles(t, tree) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		l, ok := layerOf(folderOf(file))
		if !ok {
			problems = append(problems, fmt.Sprintf("%s: folder %s is not in the table: add it to layers in imports_test.go and to the picture in docs/architecture.md, with a reason in the commit", file, folderOf(file)))
			continue
		}
		for _, imported := range importsOf(t, tree, file) {
			if p := l.problem(imported); p != "" {
				problems = append(problems, file+": "+p)
			}
		}
	}
	return problems
}

// problem says why the layer must not import the path, "" when it may.
func (l layer) problem(imported string) string {
	folder, ours := strings.CutPrefix(imported+"/", module+"/")
	folder = strings.TrimSuffix(folder, "/")
	switch {
	case !ours && l.standardOnly && !standard(imported):
		return fmt.Sprintf("%s must import the standard library only, not %s", name(l.folder), imported)
	case !ours, internal(folder), slices.Contains(l.imports, folder):
		return ""
	}
	return fmt.Sprintf("%s must not import %s; it may import %s (see layers in imports_test.go)", name(l.folder), imported, l.allowed())
}

// allowed lists what the layer may import, for people.
func (l layer) allowed() string {
	if len(l.imports) == 0 {
		return "nothing of ours"
	}
	var names []string
	for _, folder := range l.imports {
		names = append(names, name(folder))
	}
	return strings.Join(names, ", ")
}

// layerOf finds a folder's row; folders below internal share an empty one.
func layerOf(folder string) (layer, bool) {
	if internal(folder) {
		return layer{folder: folder}, true
	}
	i := slices.IndexFunc(layers, func(l layer) bool { return l.folder == folder })
	if i < 0 {
		return layer{}, false
	}
	return layers[i], true
}

// goFiles lists the Go files the go command would look at, in order: not below
// testdata, nor in folders whose names start with a dot or an underscore.
func goFiles(t *testing.T, tree fs.FS) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_")):
			return fs.SkipDir
		case !d.IsDir() && path.Ext(p) == ".go":
			files = append(files, p)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("walk the module: %v", err)
	}
	sort.Strings(files)
	return files
}

func importsOf(t *testing.T, tree fs.FS, file string) []string {
	t.Helper()
	source, err := fs.ReadFile(tree, file)
	if err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ImportsOnly)
	if err != nil {
		t.Fatalf("parse %s: %v", file, err)
	}
	var imports []string
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatalf("import %s of %s: %v", spec.Path.Value, file, err)
		}
		imports = append(imports, imported)
	}
	return imports
}

// folderOf gives a file's folder, "" for the root.
func folderOf(file string) string { return strings.TrimPrefix(path.Dir(file), ".") }

// name gives a folder's import path.
func name(folder string) string { return path.Join(module, folder) }

func internal(folder string) bool { return strings.HasPrefix(folder+"/", "internal/") }

// standard reports whether a path that is not ours belongs to the standard
// library: only module paths have a dot in their first element.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}
