package server

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"hongyan"
)

func TestAdminKeyIsMadeOnceAndStays(t *testing.T) {
	dir := t.TempDir()
	hash, file, err := adminKey(dir, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
		t.Errorf("mode of %s: got %v, want %v", file, got, want)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSpace(string(content))
	if !strings.HasPrefix(key, "hyk_") {
		t.Errorf("the key does not begin with hyk_")
	}
	if sha256.Sum256([]byte(key)) != hash {
		t.Error("the hash is not that of the key in the file")
	}
	again, _, err := adminKey(dir, noEnvironment)
	if err != nil || again != hash {
		t.Errorf("second start: another key (err %v)", err)
	}
}

func TestAdminKeyOfTheEnvironmentLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	const key = "hyk_given_by_the_operator"
	hash, file, err := adminKey(dir, func(name string) string { return map[string]string{"HONGYAN_ADMIN_KEY": key}[name] })
	if err != nil || file != "" || hash != sha256.Sum256([]byte(key)) {
		t.Errorf("got file %q, err %v", file, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("files left behind: %v", left)
	}
}

func TestGuessableAdminKeyIsRefused(t *testing.T) {
	_, _, err := adminKey(t.TempDir(), func(string) string { return "secret" })
	if err == nil || strings.Contains(err.Error(), `"secret"`) {
		t.Errorf("got %v, want a refusal that does not repeat the key", err)
	}
}

// TestTwoFirstStartsAgreeOnOneKey has many make the same file at once.
func TestTwoFirstStartsAgreeOnOneKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.key")
	keys := make([]string, 20)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			var err error
			if keys[i], err = readOrMake(file, rand.Text); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, k := range keys {
		if k != keys[0] || k == "" {
			t.Fatal("two starts read different keys")
		}
	}
	if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
		t.Errorf("temporary files are left: %v", left)
	}
}

// TestASecretFileNeedsNoLinks: FAT and some network file systems have none.
func TestASecretFileNeedsNoLinks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.key")
	noLinks := func(from, to string) error { return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM} }
	for _, text := range []string{"first", "second"} {
		if err := writeSecretFile(file, text, noLinks); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(file)
	if err != nil || string(content) != "first\n" {
		t.Errorf("got %q, %v; want the first, whole", content, err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
		t.Errorf("temporary files are left: %v", left)
	}
}

func TestMasterKeyLostBesideADatabase(t *testing.T) {
	c := Default()
	c.Data = t.TempDir()
	if err := os.WriteFile(c.DatabasePath(), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := keyring(&c, noEnvironment)
	if err == nil || !strings.Contains(err.Error(), "master.key does not") {
		t.Errorf("got %v, want a refusal that names the missing file", err)
	}
	if _, err := os.Stat(filepath.Join(c.Data, masterKeyFile)); err == nil {
		t.Error("a new master key was made beside a database it cannot open")
	}
}

// TestKeysThatAreNoneSayWhatToDo: the cure depends on where the key is, and on
// whether a database needs the one that was there.
func TestKeysThatAreNoneSayWhatToDo(t *testing.T) {
	empty, used := t.TempDir(), t.TempDir()
	for _, dir := range []string{empty, used} {
		mustWrite(t, filepath.Join(dir, masterKeyFile), "garbage")
		mustWrite(t, filepath.Join(dir, adminKeyFile), "short")
	}
	mustWrite(t, filepath.Join(used, "hongyan.db"), "x")
	tests := []struct {
		name    string
		dir     string
		setting string // of the environment, NAME=VALUE; "" = none
		admin   bool
		config  bool // a problem of the configuration, exit code 2
		want    string
	}{
		{"a master key in the environment", empty, "HONGYAN_MASTER_KEY=abc", false, true, "openssl rand -hex 32"},
		{"a file that is not there", empty, "HONGYAN_MASTER_KEY_FILE=/nope/key", false, true, "/nope/key cannot be read"},
		{"a file without a key", empty, "HONGYAN_MASTER_KEY_FILE=" + filepath.Join(empty, masterKeyFile), false, true, "openssl rand -hex 32"},
		{"our file, before the first database", empty, "", false, false, "delete that file"},
		{"our file beside a database", used, "", false, false, "restore " + filepath.Join(used, masterKeyFile) + " from a backup"},
		{"a short administrator's key in the environment", empty, "HONGYAN_ADMIN_KEY=short", true, true, "choose a longer one"},
		{"a short administrator's key in our file", empty, "", true, false, filepath.Join(empty, adminKeyFile) + " has 5 characters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Default()
			c.Data = tt.dir
			getenv := func(name string) string {
				if given, value, _ := strings.Cut(tt.setting, "="); given == name {
					return value
				}
				return ""
			}
			_, err := keyring(&c, getenv)
			if tt.admin {
				_, _, err = adminKey(tt.dir, getenv)
			}
			_, ofConfig := errors.AsType[*ConfigError](err)
			told, hint := fmt.Sprint(err), ""
			if e, ok := errors.AsType[*hongyan.Error](err); ok {
				hint = e.Hint
			}
			if ofConfig != tt.config || !strings.Contains(told+" "+hint, tt.want) {
				t.Errorf("got %v (%s), of the configuration %v, want %q in it and %v", err, hint, ofConfig, tt.want, tt.config)
			}
			if strings.Contains(told, "garbage") || strings.Contains(told, "abc") {
				t.Errorf("the key is repeated: %v", err)
			}
		})
	}
}

func TestFoldersThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	mustWrite(t, file, "x")
	for _, folder := range []string{file, filepath.Join(file, "below")} {
		if _, ok := errors.AsType[*ConfigError](makeFolder(folder)); !ok {
			t.Errorf("%s: got %v, want a problem of the setting", folder, makeFolder(folder))
		}
	}
	err := notWritable("data", fmt.Errorf("open database: %w", &fs.PathError{Op: "open", Path: "data/hongyan.db", Err: fs.ErrPermission}))
	if e, ok := errors.AsType[*hongyan.Error](err); !ok || e.Hint == "" || !strings.Contains(e.Error(), "folder data") {
		t.Errorf("got %v, want the folder and a cure", err)
	}
	if err := notWritable("data", nil); err != nil {
		t.Errorf("success became %v", err)
	}
}

func mustWrite(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
