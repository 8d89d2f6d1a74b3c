package server

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hongyan"
	"hongyan/store"
)

// keyring returns what encrypts secrets at rest. The master key comes from
// HONGYAN_MASTER_KEY, the file HONGYAN_MASTER_KEY_FILE names, or
// DATA/master.key, which the first start makes.
func keyring(c *Config, getenv func(string) string) (*store.Keyring, error) {
	text, err := masterKeyText(c, getenv)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	master, err := store.ParseMasterKey(text)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	return store.NewKeyring(master)
}

func masterKeyText(c *Config, getenv func(string) string) (string, error) {
	if text := getenv("HONGYAN_MASTER_KEY"); text != "" {
		return text, nil
	}
	if file := getenv("HONGYAN_MASTER_KEY_FILE"); file != "" {
		content, err := os.ReadFile(file)
		return string(content), err
	}
	file := filepath.Join(c.Data, masterKeyFile)
	if err := notOrphaned(file, c.DatabasePath()); err != nil {
		return "", err
	}
	return readOrMake(file, func() string { return hex.EncodeToString(random32()) })
}

// notOrphaned refuses to make a new master key beside a database that was
// encrypted with another: the new one could open nothing, and would look like
// the right one to whoever searches for it later.
func notOrphaned(keyFile, database string) error {
	if _, err := os.Stat(keyFile); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(database); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return &hongyan.Error{Kind: hongyan.Invalid, Message: fmt.Sprintf("%s exists but its key %s does not", database, keyFile),
		Hint: "restore that file from a backup, or give the key in HONGYAN_MASTER_KEY"}
}
