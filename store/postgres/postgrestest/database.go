package postgrestest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// URL makes an empty database that is dropped when the test ends, and returns its URL.
func URL(t testing.TB) string {
	t.Helper()
	return Copy(t, "")
}

// Copy makes a database that is a copy of the one at from, to which nobody may be
// connected at the moment.
func Copy(t testing.TB, from string) string {
	t.Helper()
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	url, err := s.Make(from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Drop(url); err != nil {
			t.Error(err)
		}
	})
	return url
}

// Make makes a database, empty or a copy of the one at from, and returns its URL.
func (s *Server) Make(from string) (string, error) {
	name := "hongyan_" + strings.ToLower(rand.Text()[:16])
	sql := "CREATE DATABASE " + name
	if from != "" {
		sql += " TEMPLATE " + databaseOf(from)
	}
	if err := s.do(s.url, sql); err != nil {
		return "", fmt.Errorf("make a database: %w", err)
	}
	u, err := url.Parse(s.url)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

// Drop drops a database that Make made, whoever is connected to it.
func (s *Server) Drop(url string) (err error) {
	for range 100 {
		err = s.do(s.url, "DROP DATABASE "+databaseOf(url)+" WITH (FORCE)")
		if e, ok := errors.AsType[*pgconn.PgError](err); !ok || e.Code != "42501" {
			return err
		}
		// The server's own process that vacuums it: only a superuser may end that. It soon ends.
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// Over returns the URL of a database over TCP at an address, which may be that of
// something in between, with a password.
func (s *Server) Over(address, password, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(s.user, password), Host: address, Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// databaseOf returns the name of the database at a URL.
func databaseOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(u.Path, "/")
}
