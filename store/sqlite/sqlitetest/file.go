package sqlitetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Migrate is sqlite.Migrate, which the tests of package sqlite itself could not use
// through an import of this package.
type Migrate func(ctx context.Context, path string) (from, to int64, err error)

// File puts an empty database with the schema of this program into dir, under the name
// that serve gives it, unless one is there, and returns its path. Making one takes migrate a tenth of a
// second under the race detector, so it does it once; the others are copies.
func File(t testing.TB, dir string, migrate Migrate) string {
	t.Helper()
	image, err := empty(migrate)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "hongyan.db")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var (
	mu   sync.Mutex
	made []byte // the empty database; nil = not made yet
)

func empty(migrate Migrate) ([]byte, error) {
	mu.Lock()
	defer mu.Unlock()
	if made != nil {
		return made, nil
	}
	dir, err := os.MkdirTemp("", "hongyan-empty-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "hongyan.db")
	if _, _, err := migrate(context.Background(), path); err != nil {
		return nil, err
	}
	made, err = os.ReadFile(path)
	return made, err
}
