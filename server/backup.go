package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hongyan"
	"hongyan/store"
	"hongyan/store/sqlite"
)

// Backup writes the database of config into file, which must not exist, while a
// gateway serves it or not. The master key is not in it.
func Backup(ctx context.Context, config Config, file string) (sqlite.Saved, error) {
	if err := sqliteOnly(&config, "pg_dump, or a snapshot by whoever runs it,"); err != nil {
		return sqlite.Saved{}, err
	}
	return sqlite.Backup(ctx, config.DatabasePath(), file)
}

// Restored is what Restore did.
type Restored struct {
	sqlite.Restored
	KeyChecked bool // the master key was there and opens the backup
}

// Restore puts the backup file in place as the database of config; see
// sqlite.Restore. The data folder may hold the keys of that gateway and nothing else.
func Restore(ctx context.Context, config Config, file string, getenv func(string) string) (r Restored, err error) {
	if err := sqliteOnly(&config, "pg_restore"); err != nil {
		return r, err
	}
	if err := onlyKeysIn(config.Data, filepath.Base(config.DatabasePath())+".lock"); err != nil {
		return r, err
	}
	var ring *store.Keyring
	if hasMasterKey(&config, getenv) {
		if ring, err = keyring(&config, getenv); err != nil {
			return r, err
		}
		r.KeyChecked = true
	}
	if err := makeFolder(config.Data); err != nil {
		return r, err
	}
	r.Restored, err = sqlite.Restore(ctx, file, config.DatabasePath(), ring)
	return r, notWritable(filepath.Dir(config.DatabasePath()), err)
}

func sqliteOnly(config *Config, instead string) error {
	if config.Database == "" || strings.HasPrefix(config.Database, sqlitePrefix) {
		return nil
	}
	return &hongyan.Error{Kind: hongyan.Invalid, Message: "backup and restore are about SQLite databases",
		Hint: "with PostgreSQL, " + instead + " does this; docs/operations.md says what to do after a restore"}
}

// onlyKeysIn refuses a data folder with anything in it but keys, and a lock that a
// restore that failed has left.
func onlyKeysIn(folder, lock string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return notWritable(folder, err)
	}
	for _, e := range entries {
		if name := e.Name(); name != masterKeyFile && name != adminKeyFile && name != lock {
			return &hongyan.Error{Kind: hongyan.Conflict, Message: fmt.Sprintf("the folder %s is not empty: it holds %s", folder, name),
				Hint: fmt.Sprintf("restore into another folder with --data DIR; only %s and %s may be there already", masterKeyFile, adminKeyFile)}
		}
	}
	return nil
}

// hasMasterKey reports whether a master key is given: none is made for a restore.
func hasMasterKey(config *Config, getenv func(string) string) bool {
	_, err := os.Stat(filepath.Join(config.Data, masterKeyFile))
	return err == nil || getenv("HONGYAN_MASTER_KEY") != "" || getenv("HONGYAN_MASTER_KEY_FILE") != ""
}
