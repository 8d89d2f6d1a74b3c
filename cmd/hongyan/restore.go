package main

import (
	"context"
	"fmt"

	"hongyan/server"
)

type restoreCommand struct {
	configFlags `embed:""`
	File        string `arg:"" help:"A backup, or the file of a stopped database."`
	JSON        bool   `name:"json" help:"Print JSON, for programs."`
}

func (restoreCommand) Help() string {
	return "Makes DIR/hongyan.db of a backup, with this build's schema. DIR may hold master.key and admin.key already, and nothing else. Put the master.key of the gateway that was backed up there first: then it is tried on the backup.\n\n" +
		"Nobody knows what was sent after the backup was taken. So nothing in it is sent again by itself: what waited then is held with reason restored until somebody lets it go (hongyan account release APPID) or cancels it; " +
		"what was being sent or in doubt is uncertain. New messages are sent as ever. Make sure that the old gateway does not run any more."
}

// restoredReport is what restore --json prints.
type restoredReport struct {
	savedReport
	Held       int64 `json:"held"`
	Uncertain  int64 `json:"uncertain"`
	KeyChecked bool  `json:"key_checked"`
}

func (c *restoreCommand) Run(ctx context.Context, w *surroundings) error {
	config, err := c.load(w, nil)
	if err != nil {
		return err
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
	if r.Held+r.Uncertain > 0 {
		out.line("%d that waited are held, %d that were being sent or in doubt are uncertain: nothing of them is sent by itself", r.Held, r.Uncertain)
	}
	if !r.KeyChecked {
		out.line("now put the master.key of the gateway that was backed up into %s", config.Data)
	}
	out.next("hongyan serve --data %s", shellWord(config.Data))
	return nil
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
