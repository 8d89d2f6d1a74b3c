// Package server builds the gateway from one Config, runs it and stops it in
// order. It is the only place where the parts meet: store, token, dispatch,
// callback and api know nothing of one another's construction.
//
// Start with Config (what can be set), then New (what is built from it) and
// Server.Run (what runs, and the order in which it stops). What each part does
// is the part's own business; what an operator types is package main's.
package server
