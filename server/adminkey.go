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
	if key == "" {
		file = filepath.Join(dataDir, adminKeyFile)
		if key, err = readOrMake(file, func() string { return "hyk_" + base64.RawURLEncoding.EncodeToString(random32()) }); err != nil {
			return hash, "", fmt.Errorf("administrator's key: %w", err)
		}
	}
	if len(key) < minKeyLength {
		return hash, "", &hongyan.Error{Kind: hongyan.Invalid, Message: fmt.Sprintf("the administrator's key is shorter than %d characters", minKeyLength),
			Hint: "choose a longer HONGYAN_ADMIN_KEY, or unset it and one is made"}
	}
	return sha256.Sum256([]byte(key)), file, nil
}

// readOrMake returns the content of a secret file, which is made with what
// fresh returns, mode 0600, if there is none. Of two processes that make it at
// once, both return the same.
func readOrMake(file string, fresh func() string) (string, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeSecretFile(file, fresh()); err != nil {
			return "", err
		}
		content, err = os.ReadFile(file)
	}
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(content))
	if text == "" {
		return "", fmt.Errorf("%s is empty; restore it from a backup, or delete it to have a new one made", file)
	}
	return text, nil
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
