package main

import (
	"context"

	"hongyan/server"
)

type backupCommand struct {
	configFlags `embed:""`
	File        string `arg:"" help:"Where to write it; a file that does not exist yet."`
	JSON        bool   `name:"json" help:"Print JSON, for programs."`
}

func (backupCommand) Help() string {
	return "Copies the database into one file, as it is at one instant, whether a gateway serves it at the moment or not. " +
		"The file has the permissions 0600 and appears under its name only when it is complete; nothing is overwritten.\n\n" +
		"Secrets in it are encrypted as in the database, and the master key is not in it: keep DIR/master.key (or what HONGYAN_MASTER_KEY holds) elsewhere, once. Without it a backup opens nothing.\n\n" +
		"This is for SQLite. A PostgreSQL database is backed up with its own tools: pg_dump, or point-in-time recovery. After a restore from those, run hongyan restore --mark."
}

// savedReport is what backup --json prints.
type savedReport struct {
	Database string `json:"database"`
	File     string `json:"file"`
	Bytes    int64  `json:"bytes"`
	Messages int64  `json:"messages"`
}

func (c *backupCommand) Run(ctx context.Context, w *surroundings) error {
	config, err := c.load(w, nil)
	if err != nil {
		return err
	}
	saved, err := server.Backup(ctx, config, c.File)
	if err != nil {
		return err
	}
	if c.JSON {
		return w.json(savedReport{config.DatabasePath(), c.File, saved.Bytes, saved.Messages})
	}
	out := w.out()
	out.line("%s: %s, %d messages", c.File, sizeWords(saved.Bytes), saved.Messages)
	out.line("the master key is not in it: keep that elsewhere")
	out.next("hongyan restore %s --data DIR", shellWord(c.File))
	return nil
}
