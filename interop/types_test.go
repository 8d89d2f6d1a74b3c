package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
)

// TestTypesMadeOfTheDocument lets openapi-typescript make types of the gateway's OpenAPI
// document. A program written with them must compile, in TypeScript's strictest
// mode, and send a message; and mistakes must not compile.
func TestTypesMadeOfTheDocument(t *testing.T) {
	g := theGateway(t, patiently, sandbox.Options{})
	dir := typedProgram(t, g.call(t, "GET", "/openapi.json", nil))

	openid := sandbox.OpenID("", 1)
	g.pushes(t, "plain", "xml")
	out := node(t, dir, []string{
		"INTEROP_BASE_URL=" + g.baseURL, "INTEROP_KEY=" + g.key, "INTEROP_APPID=" + g.service.appID,
		"INTEROP_OPENID=" + openid, "INTEROP_TEMPLATE=" + sandbox.SeedTemplateOrder,
	}, "send.mjs")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 {
		t.Fatalf("the program said %q, want two lines", out)
	}
	var sent struct {
		Arrived               bool
		Status, MsgID, Reason string
	}
	mustNil(t, json.Unmarshal([]byte(lines[0]), &sent))
	if rows := g.arrived(pathSend, openid); !sent.Arrived || sent.Status != "success" || len(rows) != 1 || rows[0].MsgID != sent.MsgID {
		t.Errorf("the program says %+v, arrived %+v", sent, rows)
	}
	var refused struct {
		Code     string
		Pointers []string
	}
	mustNil(t, json.Unmarshal([]byte(lines[1]), &refused))
	slices.Sort(refused.Pointers)
	want := []string{"/data/amount3", "/data/character_string1", "/data/time4"}
	if diff := cmp.Diff(want, refused.Pointers); diff != "" {
		t.Errorf("refused with %s (-want +got):\n%s", refused.Code, diff)
	}
}

// typedProgram makes types of the document and compiles the programs of npm/typed
// with them. It returns the folder.
func typedProgram(t *testing.T, document []byte) string {
	t.Helper()
	mustBeInstalled(t)
	dir := t.TempDir()
	mustNil(t, os.WriteFile(filepath.Join(dir, "openapi.json"), document, 0o600))
	programs, err := filepath.Glob(filepath.Join(folder, "typed", "*.mts"))
	mustNil(t, err)
	for _, program := range programs {
		source, err := os.ReadFile(program)
		mustNil(t, err)
		mustNil(t, os.WriteFile(filepath.Join(dir, filepath.Base(program)), source, 0o600))
	}
	packages, err := filepath.Abs(filepath.Join(folder, "node_modules"))
	mustNil(t, err)
	node(t, dir, nil, filepath.Join(packages, "openapi-typescript", "bin", "cli.js"), "openapi.json", "--output", "api.ts", "--alphabetize")
	node(t, dir, nil, filepath.Join(packages, "typescript", "bin", "tsc"), "--strict", "--noUnusedLocals", "--exactOptionalPropertyTypes",
		"--target", "es2022", "--module", "nodenext", "--typeRoots", filepath.Join(packages, "@types"), "--types", "node",
		"--noEmitOnError", "send.mts", "wrong.mts")
	return dir
}

// node runs a script in dir, which must succeed, and returns what it says.
func node(t *testing.T, dir string, settings []string, script ...string) string {
	t.Helper()
	path := mustBeInstalled(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, script...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NO_COLOR=1"}, settings...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node %s: %v\n%s%s", strings.Join(script, " "), err, out, stderr.Bytes())
	}
	return string(out)
}
