package main

import (
	"errors"

	"hongyan/server"
)

type checkConfigCommand struct {
	configFlags `embed:""`
	File        string `arg:"" optional:"" help:"The file, instead of --config."`
	JSON        bool   `name:"json" help:"Print JSON, for programs: problems, if any, and exit code 2 with them."`
}

func (checkConfigCommand) Help() string {
	return "Reads the file, the HONGYAN_* environment and the flags as serve would, and lists every mistake with its line and column. " +
		"Nothing is opened or changed. Exit code 2 when there is one."
}

func (c *checkConfigCommand) Run(w *surroundings) error {
	if c.File != "" {
		c.Config = c.File
	}
	config, err := c.check(w)
	if c.JSON {
		return c.report(w, &config, err)
	}
	if err != nil {
		return err
	}
	out := w.out()
	out.line("the configuration is valid: listen %s, data %s, accounts: %d", config.Listen, config.Data, len(config.Accounts))
	if c.Config != "" {
		out.next("hongyan serve --config %s", c.Config)
	} else {
		out.next("hongyan serve")
	}
	return nil
}

func (c *checkConfigCommand) check(w *surroundings) (server.Config, error) {
	config, err := c.load(w, nil)
	if err == nil {
		err = server.Located(c.file(w), config.CheckFirstStart())
	}
	return config, err
}

// configReport is what check-config --json prints.
type configReport struct {
	Valid    bool            `json:"valid"`
	File     string          `json:"file"`   // "" = none
	Listen   string          `json:"listen"` // "" unless valid, as Data
	Data     string          `json:"data"`
	Accounts int             `json:"accounts"`
	Problems []configProblem `json:"problems"`
}

// configProblem is one mistake; line and column are 0 where the file is not to blame.
type configProblem struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Key    string `json:"key"`
	Text   string `json:"text"`
	Cure   string `json:"cure"`
}

func (c *checkConfigCommand) report(w *surroundings, config *server.Config, err error) error {
	r := configReport{Valid: err == nil, File: c.file(w), Problems: []configProblem{}}
	found, ok := errors.AsType[*server.ConfigError](err)
	switch {
	case err == nil:
		r.Listen, r.Data, r.Accounts = config.Listen, config.Data, len(config.Accounts)
	case !ok:
		return err
	default:
		for _, p := range found.Problems {
			r.Problems = append(r.Problems, configProblem(p))
		}
	}
	if err := w.json(r); err != nil || r.Valid {
		return err
	}
	return errSilentUsage
}
