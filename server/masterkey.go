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
// HONGYAN_MASTER_KEY, the file HONGYAN_MASTER_KEY_FILE names, or, beside an SQLite
// database, DATA/master.key, which the first start makes.
func keyring(c *Config, getenv func(string) string) (*store.Keyring, error) {
	master, err := masterKey(c, getenv)
	if err != nil {
		return nil, err
	}
	return store.NewKeyring(master)
}

// howToMakeKey is the cure of a master key that is none, where no database
// needs an older one.
const howToMakeKey = "make one with openssl rand -hex 32"

func masterKey(c *Config, getenv func(string) string) ([]byte, error) {
	if text := getenv("HONGYAN_MASTER_KEY"); text != "" {
		master, err := store.ParseMasterKey(text)
		if err != nil {
			return nil, wrongSetting("HONGYAN_MASTER_KEY", howToMakeKey, "%v", err)
		}
		return master, nil
	}
	if file := getenv("HONGYAN_MASTER_KEY_FILE"); file != "" {
		return masterKeyOf(file)
	}
	if c.OnPostgres() {
		// A key of one node's own would open nothing of the others'.
		return nil, wrongSetting("HONGYAN_MASTER_KEY", howToMakeKey+"; every process on this database needs the same",
			"with PostgreSQL the master key must be given, here or in the file that HONGYAN_MASTER_KEY_FILE names")
	}
	return ownMasterKey(filepath.Join(c.Data, masterKeyFile), c.DatabasePath())
}

// masterKeyOf reads the file that the operator named.
func masterKeyOf(file string) ([]byte, error) {
	const setting = "HONGYAN_MASTER_KEY_FILE"
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, wrongSetting(setting, "name a file with the key; "+howToMakeKey, "%s cannot be read: %s", file, plainPathError(err))
	}
	master, err := store.ParseMasterKey(string(content))
	if err != nil {
		return nil, wrongSetting(setting, howToMakeKey, "%s: %v", file, err)
	}
	return master, nil
}

// ownMasterKey reads the key in the data folder, which the first start makes.
func ownMasterKey(file, database string) ([]byte, error) {
	if err := notOrphaned(file, database); err != nil {
		return nil, err
	}
	text, err := readOrMake(file, func() string { return hex.EncodeToString(random32()) })
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	master, err := store.ParseMasterKey(text)
	if err == nil {
		return master, nil
	}
	broken := &hongyan.Error{Kind: hongyan.Invalid, Message: fmt.Sprintf("%s: %v", file, err),
		Hint: "delete that file, and the next start makes a new key"}
	if _, err := os.Stat(database); err == nil {
		broken.Hint = fmt.Sprintf("restore %s from a backup: the secrets in %s open with no other key", file, database)
	}
	return nil, broken
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
