package server

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan/client"
	"hongyan/sandbox"
)

// TestTheDoctorOfAWholeServer: every check is wired, on SQLite, with the keys beside the database.
func TestTheDoctorOfAWholeServer(t *testing.T) {
	box, wechat := startSandbox(t)
	config := testConfig(t)
	g := startGateway(t, config)
	ctx := t.Context()
	if _, err := g.client.CreateAccount(ctx, client.AccountRequest{
		AppID: sandbox.SeedServiceAppID, Alias: "shop", Secret: sandbox.SeedServiceSecret, BaseURL: wechat,
		Callback: &client.CallbackInput{Token: new(sandbox.SeedCallbackToken)}, Downstreams: []client.DownstreamInput{{Name: "crm", URL: wechat + "/nowhere"}},
	}); err != nil {
		t.Fatal(err)
	}
	if err := box.SetServerURL(sandbox.SeedServiceAppID, g.url+"/callback/"+sandbox.SeedServiceAppID, "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := g.client.SyncTemplates(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	// A program with the real AppSecret; and a data folder that others may look into.
	res, err := http.Get(g.url + "/cgi-bin/token?grant_type=client_credential&appid=" + sandbox.SeedServiceAppID + "&secret=" + sandbox.SeedServiceSecret)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if err := os.Chmod(config.Data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(config.Data, "master.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := g.stop(); err != nil { // who asked for tokens is written at a stop, or within half a minute
		t.Fatal(err)
	}
	g = startGateway(t, config)
	want := []string{
		"clock ok", "database ok", "disk ok", "keys secret_file_readable", "keys key_beside_database", "events ok",
		"dns ok", "token ok", "egress ok", "clock ok", "appsecret app_secret_in_use", "callback ok", "pushes pushes_none_yet", "templates ok", "quota ok", "holds ok", "downstreams ok",
	}
	seen, err := g.client.Examine(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range seen.Findings {
		got = append(got, f.Check+" "+f.Code)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if text := g.log.String(); strings.Contains(text, sandbox.SeedServiceSecret) || strings.Contains(text, "part=doctor") {
		t.Errorf("the log has a secret, or a check that failed:\n%s", text)
	}
}

func TestWhoCanReadASecretFile(t *testing.T) {
	for _, c := range []struct {
		folder, file os.FileMode
		want         bool
	}{
		{0o700, 0o600, false}, {0o700, 0o644, false}, {0o755, 0o600, false}, {0o755, 0o640, false}, {0o755, 0o644, true},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "master.key")
		if err := os.WriteFile(file, []byte("key"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, c.file); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, c.folder); err != nil {
			t.Fatal(err)
		}
		if got, err := readableByOthers(file); got != c.want || err != nil {
			t.Errorf("a file %v in a folder %v: %v, %v, want %v", c.file, c.folder, got, err, c.want)
		}
	}
	for _, none := range []string{"", filepath.Join(t.TempDir(), "gone")} {
		if got, err := readableByOthers(none); got || err != nil {
			t.Errorf("%q: %v, %v, want that nobody reads it", none, got, err)
		}
	}
}

func TestKeySource(t *testing.T) {
	c := &Config{Data: "data"}
	for source, env := range map[string]map[string]string{
		"environment": {"HONGYAN_MASTER_KEY": "k", "HONGYAN_MASTER_KEY_FILE": "f"}, "file f": {"HONGYAN_MASTER_KEY_FILE": "f"}, "data_folder data/master.key": {},
	} {
		got, file := keySource(c, func(name string) string { return env[name] })
		if words := strings.TrimSpace(string(got) + " " + file); words != source {
			t.Errorf("%v: %q, want %q", env, words, source)
		}
	}
}
