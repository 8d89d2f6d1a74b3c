package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"hongyan"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrationWait is how long a process waits for another one's migration.
const migrationWait = 10 * time.Minute

// Migrate brings the database at url to the schema of this program and returns the
// versions before and after. Processes that do so at once wait for one another.
func Migrate(ctx context.Context, url string) (from, to int64, err error) {
	if from, to, err = SchemaVersion(ctx, url); err != nil {
		return from, to, err
	}
	return from, to, migrate(ctx, url)
}

// SchemaVersion returns the version of the database at url, 0 when it is empty,
// and the version this program needs. It changes nothing.
func SchemaVersion(ctx context.Context, url string) (current, latest int64, err error) {
	if latest, err = latestVersion(); err != nil {
		return 0, 0, err
	}
	c, err := dial(ctx, url)
	if err != nil {
		return 0, latest, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	current, err = schemaVersion(ctx, c)
	return current, latest, explain(err)
}

// dial opens a single connection and looks whether the server is one to work with.
func dial(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	c, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return nil, unreachable(err, cfg.ConnConfig)
	}
	if err := checkServer(ctx, c); err != nil {
		c.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return c, nil
}

// checkServer refuses a server that is too old or that cannot be written to.
func checkServer(ctx context.Context, c *pgx.Conn) error {
	var version int
	var schema string
	var standby, readOnly bool
	err := c.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, coalesce(current_schema(), ''),
		pg_is_in_recovery(), current_setting('transaction_read_only')::bool`).Scan(&version, &schema, &standby, &readOnly)
	switch {
	case err != nil:
		return explain(err)
	case version < oldest*10000:
		return &hongyan.Error{Kind: hongyan.Invalid, Code: "old_server", Message: fmt.Sprintf("the server is PostgreSQL %d; Hongyan needs %d or newer", version/10000, oldest), Hint: "upgrade it"}
	case standby:
		return &hongyan.Error{Kind: hongyan.Unavailable, Code: "read_only", Message: "the server is a standby, which cannot be written", Hint: "name the primary in --database"}
	case readOnly:
		return &hongyan.Error{Kind: hongyan.Unavailable, Code: "read_only", Message: "the database is set to be read only",
			Hint: "turn default_transaction_read_only off for the database or the user of --database"}
	case schema == "":
		return &hongyan.Error{Kind: hongyan.Invalid, Code: "no_schema", Message: "no schema of the search_path exists",
			Hint: "make the schema (CREATE SCHEMA …), or correct search_path in --database"}
	}
	return nil
}

// schemaVersion reads what goose wrote.
func schemaVersion(ctx context.Context, c *pgx.Conn) (version int64, err error) {
	var exists bool
	err = c.QueryRow(ctx, "SELECT to_regclass('goose_db_version') IS NOT NULL").Scan(&exists)
	if err != nil || !exists {
		return 0, err
	}
	err = c.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&version)
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

// migrate applies the migrations that are missing. Only one process does at a time;
// when there is nothing to do, nobody waits.
func migrate(ctx context.Context, url string) error {
	c, err := dial(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx)) // and lets the lock go
	done, err := upToDate(ctx, c)
	if done || err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, migrationWait)
	defer cancel()
	if _, err := c.Exec(waiting, "SELECT pg_advisory_lock($1, 0)", lockMigrations); err != nil {
		return fmt.Errorf("wait for another process to migrate the database: %w", explain(err))
	}
	if done, err := upToDate(ctx, c); done || err != nil {
		return err
	}
	return up(ctx, c)
}

// upToDate reports whether nothing is to be done, and refuses a schema from the future.
func upToDate(ctx context.Context, c *pgx.Conn) (bool, error) {
	latest, err := latestVersion()
	if err != nil {
		return false, err
	}
	current, err := schemaVersion(ctx, c)
	if err != nil {
		return false, explain(err)
	}
	if current > latest {
		return false, &hongyan.Error{
			Kind: hongyan.Unavailable, Code: "newer_schema",
			Message: fmt.Sprintf("the database %q has schema version %d, this program knows %d", c.Config().Database, current, latest),
			Hint:    "run the newer hongyan that wrote it, or restore a backup taken before the upgrade",
		}
	}
	return current == latest, nil
}

func up(ctx context.Context, c *pgx.Conn) error {
	db := stdlib.OpenDB(*c.Config())
	defer db.Close()
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database %q: %w", c.Config().Database, explain(err))
	}
	return nil
}
