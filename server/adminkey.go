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
	"runtime"
	"strings"
	"syscall"

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

// makeSecretFile writes the file whole or not at all, and durably: what it keeps
// secret cannot be had again. It leaves a file that exists as it is.
func makeSecretFile(file, text string) error {
	return errors.Join(writeSecretFile(file, text, os.Link), syncFolder(filepath.Dir(file)))
}

// writeSecretFile makes the file visible under its name by a link, which fails
// when the name is taken. Some file systems have no links: there it is written in
// place, and a crash meanwhile leaves it empty, which the next start says.
func writeSecretFile(file, text string, link func(from, to string) error) error {
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
	if err = link(f.Name(), file); err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	f, err = os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	return errors.Join(err, f.Sync(), f.Close())
}

// syncFolder makes a file's name in it durable, where that can be asked for:
// Windows and some network file systems have no such call.
func syncFolder(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// random32 returns 32 random bytes.
func random32() []byte {
	b := make([]byte, 32)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return b
}
