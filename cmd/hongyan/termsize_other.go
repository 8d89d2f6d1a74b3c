//go:build !linux && !darwin && !freebsd

package main

import "os"

// terminalSize returns 0: the size is not known here, so nothing is redrawn in place or cut.
func terminalSize(*os.File) (rows, columns int) { return 0, 0 }
