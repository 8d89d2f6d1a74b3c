package server

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hongyan"
)

// Names of the files the first start makes in the data folder.
const (
	adminKeyFile  = "admin.key"
	masterKeyFile = "master.key"
)

// minKeyLength keeps guessable administrator's keys out. Characters.
const minKeyLength = 16

// adminKey returns the hash of the administrator's key, and the file the key
// is in when it does not come from the environment. The key itself is kept
// nowhere else.
func adminKey(dataDir string, getenv func(string) string) (hash [sha256.Size]byte, file string, err error) {
	key := getenv("HONGYAN_ADMIN_KEY")
	if key != "" && len(key) < minKeyLength {
		return hash, "", wrongSetting("HONGYAN_ADMIN_KEY", "choose a longer one, or unset it and one is made",
			"has %d characters, and the administrator's key needs %d", len(key), minKeyLength)
	}
	if key == "" {
		file = filepath.Join(dataDir, adminKeyFile)
		if key, err = readOrMake(file, func() string { return "hyk_" + base64.RawURLEncoding.EncodeToString(random32()) }); err != nil {
			return hash, "", fmt.Errorf("administrator's key: %w", err)
		}
	}
	if len(key) < minKeyLength {
		return hash, "", &hongyan.Error{Kind: hongyan.Invalid,
			Message: fmt.Sprintf("%s has %d characters, and the administrator's key needs %d", file, len(key), minKeyLength),
			Hint:    "delete that file, and the next start makes a new key"}
	}
	return sha256.Sum256([]byte(key)), file, nil
}

// readOrMake returns the content of a secret file, "" when it is empty. The file
// is made with what fresh returns, mode 0600, if there is none. Of two processes
// that make it at once, both return the same.
func readOrMake(file string, fresh func() string) (string, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeSecretFile(file, fresh()); err != nil {
			return "", notWritable(filepath.Dir(file), err)
		}
		content, err = os.ReadFile(file)
	}
	return strings.TrimSpace(string(content)), err
}

// makeSecretFile writes the file whole or not at all: it becomes visible under
// its name by a link, which fails when the name is taken.
func makeSecretFile(file, text string) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// random32 returns 32 random bytes.
func random32() []byte {
	b := make([]byte, 32)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return b
}
