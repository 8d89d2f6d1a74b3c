package main

import (
	"context"
	"fmt"

	"hongyan/server"
)

type restoreCommand struct {
	configFlags `embed:""`
	File        string `arg:"" optional:"" help:"A backup, or the file of a stopped database."`
	Mark        bool   `help:"Mark a PostgreSQL database that its own tools have restored."`
	JSON        bool   `name:"json" help:"Print JSON, for programs."`
}

func (restoreCommand) Help() string {
	return "Makes DIR/hongyan.db of a backup, with this build's schema. DIR may hold master.key and admin.key already, and nothing else. Put the master.key of the gateway that was backed up there first: then it is tried on the backup.\n\n" +
		"Nobody knows what was sent after the backup was taken. So nothing in it is sent again by itself: what waited then is held with reason restored until somebody lets it go (hongyan account release APPID) or cancels it; " +
		"what was being sent or in doubt is uncertain. New messages are sent as ever. Make sure that the old gateway does not run any more.\n\n" +
		"A PostgreSQL database is restored with its own tools (pg_restore, point-in-time recovery). Then, before a gateway is started on it, hongyan restore --mark --database postgres://… does the same to it in place. " +
		"It is refused while a gateway uses the database. The master key is tried on it if HONGYAN_MASTER_KEY or HONGYAN_MASTER_KEY_FILE gives it."
}

// restoredReport is what restore --json prints.
type restoredReport struct {
	savedReport
	Held       int64 `json:"held"`
	Uncertain  int64 `json:"uncertain"`
	KeyChecked bool  `json:"key_checked"`
}

func (c *restoreCommand) Run(ctx context.Context, w *surroundings) error {
	switch {
	case c.Mark && c.File != "":
		return wrongUse("restore the database with PostgreSQL's own tools, then use --mark alone", "--mark takes no file")
	case !c.Mark && c.File == "":
		return wrongUse("hongyan restore FILE --data DIR; for a PostgreSQL database, --mark", "no backup is named")
	}
	config, err := c.load(w, nil)
	if err != nil {
		return err
	}
	if c.Mark {
		return c.mark(ctx, w, config)
	}
	r, err := server.Restore(ctx, config, c.File, w.getenv)
	if err != nil {
		return err
	}
	if c.JSON {
		return w.json(restoredReport{savedReport{config.DatabasePath(), c.File, r.Bytes, r.Messages}, r.Held, r.Uncertain, r.KeyChecked})
	}
	out := w.out()
	out.line("%s: %s, %d messages", config.DatabasePath(), sizeWords(r.Bytes), r.Messages)
	out.settled(r.Held, r.Uncertain)
	if !r.KeyChecked {
		out.line("now put the master.key of the gateway that was backed up into %s", config.Data)
	}
	out.next("hongyan serve --data %s", shellWord(config.Data))
	return nil
}

// markedReport is what restore --mark --json prints.
type markedReport struct {
	Database   string `json:"database"`
	Messages   int64  `json:"messages"`
	Held       int64  `json:"held"`
	Uncertain  int64  `json:"uncertain"`
	KeyChecked bool   `json:"key_checked"`
}

func (c *restoreCommand) mark(ctx context.Context, w *surroundings, config server.Config) error {
	r, keyChecked, err := server.MarkRestored(ctx, config, w.getenv)
	if err != nil {
		return err
	}
	if c.JSON {
		return w.json(markedReport{config.DatabaseName(), r.Messages, r.Held, r.Uncertain, keyChecked})
	}
	out := w.out()
	out.line("%s: %d messages", config.DatabaseName(), r.Messages)
	out.settled(r.Held, r.Uncertain)
	if !keyChecked {
		out.line("serve it with the master key of the gateways that were backed up, in HONGYAN_MASTER_KEY")
	}
	out.next("hongyan serve")
	return nil
}

// settled says what became of the messages that had not ended.
func (p *printer) settled(held, uncertain int64) {
	if held+uncertain > 0 {
		p.line("%d that waited are held, %d that were being sent or in doubt are uncertain: nothing of them is sent by itself", held, uncertain)
	}
}

// sizeWords writes a number of bytes for people.
func sizeWords(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	size, i := float64(n)/unit, 0
	for ; size >= unit && i < len(sizeUnits)-1; i++ {
		size /= unit
	}
	return fmt.Sprintf("%.1f %s", size, sizeUnits[i])
}

var sizeUnits = []string{"KiB", "MiB", "GiB", "TiB"}
