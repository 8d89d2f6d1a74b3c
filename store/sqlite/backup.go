package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hongyan"
)

// Saved says what a backup holds.
type Saved struct {
	Bytes    int64
	Messages int64
}

// Backup writes what the database at path holds at one instant into file, which must
// not exist. A gateway may have the database open: it goes on undisturbed, only its WAL
// grows meanwhile. The copy is one file, complete when Backup returns, and sealed with
// the same master key, which is not in it.
func Backup(ctx context.Context, path, file string) (Saved, error) {
	path, err := existing(path)
	if err != nil {
		return Saved{}, err
	}
	current, latest, err := SchemaVersion(ctx, path)
	switch {
	case err != nil:
		return Saved{}, err
	case current == 0:
		return Saved{}, notOurs(path)
	case current > latest:
		return Saved{}, newerSchema(path, current, latest)
	}
	part, err := beginFile(file)
	if err != nil {
		return Saved{}, err
	}
	defer os.Remove(part)
	if err := copyInto(ctx, path, part); err != nil {
		return Saved{}, fmt.Errorf("back up %s: %w", path, explain(err))
	}
	saved, err := weighFile(ctx, part)
	if err != nil {
		return saved, err
	}
	return saved, putInPlace(part, file)
}

// existing returns the absolute path of a database file that is there.
func existing(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", hongyan.Errorf(hongyan.NotFound, "", "there is no database %s", path)
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", notOurs(path)
	}
	return path, nil
}

func notOurs(path string) error {
	return hongyan.Errorf(hongyan.Invalid, "", "%s is not a database of hongyan", path)
}

// beginFile makes an empty file beside file, for the owner alone; file must not exist.
func beginFile(file string) (part string, err error) {
	if _, err := os.Lstat(file); err == nil {
		return "", fileExists(file)
	}
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".part-*") // mode 0600
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

func fileExists(file string) error {
	return &hongyan.Error{Kind: hongyan.Conflict, Code: "exists", Message: fmt.Sprintf("%s exists already", file),
		Hint: "name a file that does not: nothing is overwritten"}
}

// copyInto copies a database as it is at one instant into an empty file. SQLite
// writes the copy without its free space and does not sync it.
func copyInto(ctx context.Context, path, file string) error {
	c, err := openConn(dsn(path, "mode=ro", "temp_store(FILE)", fmt.Sprintf("cache_size(-%d)", readerCache)))
	if err != nil {
		return err
	}
	defer c.close()
	return c.query(ctx, func(*row) error { return nil }, "VACUUM INTO ?", file)
}

// weighFile tells what a copy holds.
func weighFile(ctx context.Context, file string) (s Saved, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return s, err
	}
	s.Bytes = info.Size()
	c, err := openConn(dsn(file, "mode=ro", "query_only(1)"))
	if err != nil {
		return s, err
	}
	defer c.close()
	counts, err := loadCounts(ctx, c) // nobody else has the file
	for _, n := range counts {
		s.Messages += n
	}
	return s, err
}

// putInPlace makes a finished file durable and gives it its name, unless
// there is one by that name now.
func putInPlace(part, file string) error {
	if err := syncPath(part); err != nil {
		return err
	}
	if err := os.Link(part, file); err != nil { // a rename would overwrite
		if errors.Is(err, fs.ErrExist) {
			return fileExists(file)
		}
		if _, err := os.Lstat(file); err == nil {
			return fileExists(file)
		}
		if err := os.Rename(part, file); err != nil { // a file system without links
			return err
		}
	} else if err := os.Remove(part); err != nil {
		return err
	}
	return syncPath(filepath.Dir(file))
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
