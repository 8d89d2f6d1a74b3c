package main

import "hongyan/server"

type checkConfigCommand struct {
	configFlags `embed:""`
	File        string `arg:"" optional:"" help:"The file, instead of --config."`
}

func (checkConfigCommand) Help() string {
	return "Reads the file, the HONGYAN_* environment and the flags as serve would, and lists every mistake with its line and column. " +
		"Nothing is opened or changed. Exit code 2 when there is one."
}

func (c *checkConfigCommand) Run(w *surroundings) error {
	if c.File != "" {
		c.Config = c.File
	}
	config, err := c.load(w, nil)
	if err != nil {
		return err
	}
	if err := config.CheckFirstStart(); err != nil {
		return server.Located(c.file(w), err)
	}
	out := w.out()
	out.line("the configuration is valid: listen %s, data %s, %d accounts", config.Listen, config.Data, len(config.Accounts))
	if c.Config != "" {
		out.next("hongyan serve --config %s", c.Config)
	} else {
		out.next("hongyan serve")
	}
	return nil
}
