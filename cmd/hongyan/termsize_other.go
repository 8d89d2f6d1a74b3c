//go:build !linux && !darwin && !freebsd

package main

import "os"

// terminalRows returns 0: the height is not known here, so nothing is redrawn in place.
func terminalRows(*os.File) int { return 0 }
