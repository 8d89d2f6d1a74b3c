//go:build !unix

package bench

// usage cannot be told here: rates and ratios can.
func usage() answer { return answer{} }
