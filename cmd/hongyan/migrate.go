package main

import (
	"context"

	"hongyan/server"
)

type migrateCommand struct {
	configFlags `embed:""`
	JSON        bool `name:"json" help:"Print JSON, for programs."`
}

func (migrateCommand) Help() string {
	return "serve does the same at every start. Run this first when the new version should be tried on the data while nothing is served. On SQLite the gateway must be stopped. On PostgreSQL it need not be: running processes of the version before go on with the newer schema, and one that migrates at the same time is waited for."
}

func (c *migrateCommand) Run(ctx context.Context, w *surroundings) error {
	config, err := c.load(w, nil)
	if err != nil {
		return err
	}
	options := server.Options{Getenv: w.getenv, Logger: server.NewLogger(config.Log, w.stderr)}
	if err := server.Migrate(ctx, config, options); err != nil {
		return err
	}
	if c.JSON {
		return w.json(map[string]any{"database": config.DatabaseName(), "migrated": true})
	}
	out := w.out()
	out.line("%s has the schema of this build", config.DatabaseName())
	out.next("hongyan serve")
	return nil
}
