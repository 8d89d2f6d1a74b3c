// Package postgrestest gives tests PostgreSQL databases of their own. It starts one
// private server per test program, which ends with that program however it ends, or
// uses the one TEST_POSTGRES_URL names: over TCP, with a password that is asked for,
// as a user who may make databases.
//
// Start with URL. A program that uses synctest calls Start before its first bubble.
package postgrestest
