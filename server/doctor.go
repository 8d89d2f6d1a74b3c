package server

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"hongyan/doctor"
)

// doctor builds what looks whether all is in order, out of the parts it looks at.
func (w *works) doctor() *doctor.Doctor {
	return doctor.New(doctor.Config{
		Store: w.store, AccessToken: w.tokens.AccessToken, ClientFor: w.egress.clientFor, Machine: w.machine,
		Token: func(ctx context.Context, appID string) (doctor.Token, error) {
			t, err := w.tokens.Info(ctx, appID)
			return doctor.Token{Source: t.Source, FetchedAt: t.FetchedAt, FetchedBy: t.FetchedBy, Remaining: t.Remaining, Stopped: t.Stopped, Failing: t.Failing}, err
		},
		Drift: func(ctx context.Context, appID string) (doctor.Drift, error) {
			c, err := w.shelf.Drift(ctx, appID)
			return doctor.Drift{Added: c.Added, Updated: c.Updated, Missing: c.Missing, Same: c.Unchanged}, err
		},
		Quota: func(ctx context.Context, appID string) ([]doctor.Quota, error) {
			rules, err := w.engine.Quota(ctx, appID)
			list := make([]doctor.Quota, len(rules))
			for i, q := range rules {
				list[i] = doctor.Quota(q)
			}
			return list, err
		},
		Logger: w.log.With("part", "doctor"),
	})
}

// machine tells what only this process knows about where it runs.
func (w *works) machine() (doctor.Machine, error) {
	c := &w.config
	free, err := freeBytes(c.Data)
	if err != nil {
		return doctor.Machine{}, err
	}
	m := doctor.Machine{Folder: c.Data, FreeBytes: free, Database: c.DatabaseName(), Bytes: -1, KeySource: w.keySource, KeyFile: w.keyFile}
	if file := c.DatabasePath(); file != "" {
		m.LogBytes = sizeOf(file + "-wal")
		m.Bytes = sizeOf(file) + m.LogBytes
	}
	for _, file := range []string{m.KeyFile, w.adminKeyFile, c.DatabasePath()} {
		if open, err := readableByOthers(file); err != nil {
			return m, err
		} else if open {
			m.OpenFiles = append(m.OpenFiles, file)
		}
	}
	return m, nil
}

// sizeOf returns a file's size in bytes, 0 when there is none.
func sizeOf(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return 0
	}
	return info.Size()
}

// readableByOthers reports whether users of the machine other than the file's owner and
// group can read it. "" and what is not there cannot be read. Windows has no such bits.
func readableByOthers(file string) (bool, error) {
	if file == "" || runtime.GOOS == "windows" {
		return false, nil
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	// A secret that others may read is still safe in a folder they may not enter.
	folder, err := os.Stat(filepath.Dir(file))
	if err != nil {
		return false, err
	}
	return info.Mode().Perm()&0o004 != 0 && folder.Mode().Perm()&0o001 != 0, nil
}

// keySource says where the master key comes from; see masterKey.
func keySource(c *Config, getenv func(string) string) (source doctor.KeySource, file string) {
	switch {
	case getenv("HONGYAN_MASTER_KEY") != "":
		return doctor.KeyOfEnvironment, ""
	case getenv("HONGYAN_MASTER_KEY_FILE") != "":
		return doctor.KeyOfNamedFile, getenv("HONGYAN_MASTER_KEY_FILE")
	default:
		return doctor.KeyOfDataFolder, filepath.Join(c.Data, masterKeyFile)
	}
}
