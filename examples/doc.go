// Package examples holds tests only: the programs in the folders here, in sh, Go,
// Python, Node and Java, run as they are against a gateway with a sandbox behind it.
// README.md says what they show; a runtime that is missing fails its test and
// says how to get it.
package examples
