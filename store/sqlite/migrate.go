package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"

	"hongyan"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrate brings the database at path to the schema of this program, making
// the file when there is none, and returns the versions before and after. It
// fails while another process has the database open.
func Migrate(ctx context.Context, path string) (from, to int64, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return 0, 0, err
	}
	lock, err := prepareFile(path)
	if err != nil {
		return 0, 0, err
	}
	defer lock.Close()
	if from, to, err = SchemaVersion(ctx, path); err != nil {
		return from, to, err
	}
	return from, to, migrate(ctx, path)
}

// SchemaVersion returns the version of the database at path, 0 when there is
// none yet, and the version this program needs. It changes nothing.
func SchemaVersion(ctx context.Context, path string) (current, latest int64, err error) {
	if latest, err = latestVersion(); err != nil {
		return 0, 0, err
	}
	if _, err := os.Stat(path); err != nil {
		return 0, latest, nil
	}
	if path, err = filepath.Abs(path); err != nil {
		return 0, latest, err
	}
	c, err := openConn(dsn(path, "mode=rw", "query_only(1)"))
	if err != nil {
		return 0, latest, fmt.Errorf("open %s: %w", path, explain(err))
	}
	defer c.close()
	current, err = schemaVersion(ctx, c)
	return current, latest, explain(err)
}

func newerSchema(path string, current, latest int64) error {
	return &hongyan.Error{
		Kind: hongyan.Unavailable, Code: "newer_schema",
		Message: fmt.Sprintf("the database %s has schema version %d, this program knows %d", path, current, latest),
		Hint:    "run the newer hongyan that wrote it, or restore a backup taken before the upgrade",
	}
}

// schemaVersion reads what goose wrote.
func schemaVersion(ctx context.Context, c *conn) (version int64, err error) {
	exists, err := c.queryOne(ctx, func(*row) error { return nil },
		"SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'goose_db_version'")
	if err != nil || !exists {
		return 0, err
	}
	_, err = c.queryOne(ctx, func(r *row) error {
		version = r.int64()
		return nil
	}, "SELECT max(version_id) FROM goose_db_version WHERE is_applied")
	return version, err
}

// latestVersion is the number of the last migration in the program.
func latestVersion() (latest int64, err error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		v, err := goose.NumericComponent(name)
		if err != nil {
			return 0, err
		}
		latest = max(latest, v)
	}
	return latest, nil
}

// migrate applies the migrations that are missing. The caller holds the lock.
func migrate(ctx context.Context, path string) error {
	current, latest, err := SchemaVersion(ctx, path)
	if err != nil {
		return err
	}
	switch {
	case current == latest:
		return nil
	case current > latest:
		return newerSchema(path, current, latest)
	}
	db, err := sql.Open("sqlite", writerDSN(path))
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer db.Close()
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s from version %d to %d: %w", path, current, latest, explain(err))
	}
	return nil
}
