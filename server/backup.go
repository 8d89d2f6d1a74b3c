package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hongyan"
	"hongyan/store"
	"hongyan/store/postgres"
	"hongyan/store/sqlite"
)

// Backup writes the database of config into file, which must not exist, while a
// gateway serves it or not. The master key is not in it.
func Backup(ctx context.Context, config Config, file string) (sqlite.Saved, error) {
	if err := sqliteOnly(&config, "use pg_dump --format=custom, or point-in-time recovery; docs/operations.md says how, and what to do after a restore"); err != nil {
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
	if err := sqliteOnly(&config, "use pg_restore or point-in-time recovery, and before anything is served: hongyan restore --mark --database postgres://…"); err != nil {
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

// MarkRestored makes sure that nothing in a PostgreSQL database that was restored is sent
// by itself; see postgres.MarkRestored. The master key is tried if it is given.
func MarkRestored(ctx context.Context, config Config, getenv func(string) string) (r postgres.Restored, keyChecked bool, err error) {
	if !config.OnPostgres() {
		return r, false, &hongyan.Error{Kind: hongyan.Invalid, Message: "--mark is about a PostgreSQL database",
			Hint: "name it with --database postgres://…; an SQLite backup is marked when it is restored: hongyan restore FILE"}
	}
	var ring *store.Keyring
	if keyChecked = getenv("HONGYAN_MASTER_KEY") != "" || getenv("HONGYAN_MASTER_KEY_FILE") != ""; keyChecked {
		if ring, err = keyring(&config, getenv); err != nil {
			return r, false, err
		}
	}
	r, err = postgres.MarkRestored(ctx, config.Database, ring)
	return r, keyChecked, err
}

// sqliteOnly refuses a PostgreSQL database and says what does the same there.
func sqliteOnly(config *Config, instead string) error {
	if !config.OnPostgres() {
		return nil
	}
	return &hongyan.Error{Kind: hongyan.Invalid, Message: "hongyan copies SQLite databases only; this one is PostgreSQL's", Hint: instead}
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
