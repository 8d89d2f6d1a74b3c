// Package sqlitetest gives tests SQLite databases of their own that have the schema
// already. Start with File.
package sqlitetest
