package main

// cli is every command. Flags and their help are beside the code that reads
// them, one file per command.
type cli struct {
	Demo        demoCommand         `cmd:"" help:"Gateway and local WeChat together: watch every fate of a message."`
	Serve       serveCommand        `cmd:"" help:"Run the gateway."`
	Sandbox     sandboxCommand      `cmd:"" help:"Run the local WeChat."`
	Account     accountCommands     `cmd:"" help:"Official accounts and mini programs."`
	Key         keyCommands         `cmd:"" help:"API keys and gateway secrets of callers."`
	Template    templateCommands    `cmd:"" help:"Templates of an account."`
	Token       tokenCommands       `cmd:"" help:"The access_token of an account."`
	Mini        miniCommands        `cmd:"" help:"Form_ids, consents and template conversion of mini programs."`
	Downstream  downstreamCommands  `cmd:"" help:"Servers that get an account's pushes."`
	Webhook     webhookCommands     `cmd:"" help:"Endpoints of yours that are told what happens."`
	Events      eventCommands       `cmd:"" help:"What happens: messages, accounts, quotas, templates."`
	Push        pushCommands        `cmd:"" help:"What WeChat pushed."`
	Rule        ruleCommands        `cmd:"" help:"Messages that WeChat's pushes set off."`
	Suppression suppressionCommands `cmd:"" help:"Users to whom messages are held."`
	User        userCommands        `cmd:"" help:"What is stored about one user, and how to erase it."`
	Send        sendCommand         `cmd:"" help:"Send one message."`
	Message     messageCommands     `cmd:"" help:"Messages and what became of them."`
	Batch       batchCommands       `cmd:"" help:"One template to many, each with their own data (批量)."`
	Quota       quotaCommand        `cmd:"" help:"How much of an account's limits is used."`
	Audit       auditCommand        `cmd:"" help:"Who changed what, and who was refused."`
	Doctor      doctorCommand       `cmd:"" help:"Look whether all is in order, and say what to do where it is not."`
	CheckConfig checkConfigCommand  `cmd:"" help:"Check a configuration file and name every mistake in it."`
	Migrate     migrateCommand      `cmd:"" help:"Bring the database to this build's schema, without serving."`
	Backup      backupCommand       `cmd:"" help:"Copy the database into a file, while it is served or not."`
	Restore     restoreCommand      `cmd:"" help:"Make a database of a backup; nothing in it is sent again by itself."`
	Bench       benchCommand        `cmd:"" help:"Measure the gateway beside a bare loop."`
	BenchChild  benchChildCommand   `cmd:"" hidden:""`
	Prove       proveCommand        `cmd:"" help:"The crash proof: kill -9 under load, and nothing lost."`
	Completion  completionCommand   `cmd:"" help:"Print what makes a shell complete commands, flags and values."`
	Complete    completeCommand     `cmd:"" name:"__complete" hidden:""`
	Version     versionCommand      `cmd:"" help:"Print the version."`
}
