package main

import (
	"context"

	"hongyan/server"
)

// configFlags choose the configuration: default < file < environment < flag.
type configFlags struct {
	Config   string `placeholder:"FILE" help:"Configuration file ($$HONGYAN_CONFIG). docs/hongyan.example.yaml shows every key."`
	Data     string `placeholder:"DIR" help:"Folder for everything the gateway keeps, default ./data ($$HONGYAN_DATA)."`
	Database string `placeholder:"URL" help:"Database: sqlite:PATH, or postgres://USER:PASSWORD@HOST:PORT/NAME for any number of processes; default sqlite:DIR/hongyan.db ($$HONGYAN_DATABASE)."`
}

// file is the configuration file; "" = none.
func (f *configFlags) file(w *surroundings) string {
	if f.Config != "" {
		return f.Config
	}
	return w.getenv("HONGYAN_CONFIG")
}

// load returns the configuration the flags, the environment and the file make.
func (f *configFlags) load(w *surroundings, more func(*server.Config)) (server.Config, error) {
	w.warn()
	return server.Load(f.file(w), w.getenv, func(c *server.Config) {
		setIfGiven(&c.Data, f.Data)
		setIfGiven(&c.Database, f.Database)
		if more != nil {
			more(c)
		}
	})
}

func setIfGiven(setting *string, flag string) {
	if flag != "" {
		*setting = flag
	}
}

type serveCommand struct {
	configFlags `embed:""`
	Listen      string `placeholder:"HOST:PORT" help:"Address, default 127.0.0.1:7800; port 0 takes a free one ($$HONGYAN_LISTEN)."`
	LogLevel    string `placeholder:"LEVEL" words:"debug,info,warn,error" help:"debug, info (default), warn or error ($$HONGYAN_LOG_LEVEL)."`
	LogFormat   string `placeholder:"FORMAT" words:"text,json" help:"text (default) or json ($$HONGYAN_LOG_FORMAT)."`
}

func (serveCommand) Help() string {
	return "The first line on standard output is: listening on http://HOST:PORT. The log goes to standard error.\n\n" +
		"Keys: $HONGYAN_ADMIN_KEY is the administrator's API key; without it the first start makes one and writes it to DIR/admin.key, the file that the second line of output names. " +
		"$HONGYAN_MASTER_KEY or $HONGYAN_MASTER_KEY_FILE encrypts secrets at rest; without it the first start writes DIR/master.key, or, with PostgreSQL, is refused.\n\n" +
		"Stopping (Ctrl-C, SIGTERM) lets calls to WeChat finish and returns untried messages to the queue; a second signal ends at once."
}

func (c *serveCommand) Run(ctx context.Context, w *surroundings) error {
	config, err := c.load(w, func(config *server.Config) {
		setIfGiven(&config.Listen, c.Listen)
		setIfGiven(&config.Log.Level, c.LogLevel)
		setIfGiven(&config.Log.Format, c.LogFormat)
	})
	if err != nil {
		return err
	}
	server.TuneMemory(w.getenv)
	s, err := server.New(ctx, config, server.Options{
		Getenv: w.getenv, Stdout: w.stdout, Version: versionWord(),
		Logger: server.NewLogger(config.Log, w.stderr),
	})
	if err != nil {
		return server.Located(c.file(w), err)
	}
	return s.Run(ctx)
}
