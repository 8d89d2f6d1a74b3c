package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker for releases; empty means "ask the build info".
var version string

type versionCommand struct {
	JSON bool `name:"json" help:"Print JSON, for programs."`
}

func (c *versionCommand) Run(w *surroundings) error {
	if c.JSON {
		return w.json(map[string]string{"version": versionWord(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
	}
	_, err := fmt.Fprintf(w.stdout, "hongyan %s %s %s/%s\n", versionWord(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// versionWord is the release, or the revision this binary was built from.
func versionWord() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	word := "devel"
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			word += "-" + s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			word += "-modified"
		}
	}
	return word
}
