// Package postgrestest gives tests PostgreSQL databases of their own. It starts one
// private server per test program, which ends with that program however it ends, or
// uses the one TEST_POSTGRES_URL names, whose user must be allowed to make databases.
//
// Start with URL. A program that uses synctest calls Start before its first bubble.
package postgrestest
