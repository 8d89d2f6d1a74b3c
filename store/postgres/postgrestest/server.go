package postgrestest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// user and password of the tests on a private server, over TCP. Its socket asks for none.
const (
	gatewayUser     = "gateway"
	gatewayPassword = "hongyan-test-password"
)

// Server is a running server.
type Server struct {
	url      string // of an administrating database, as a user that is no superuser
	address  string // host:port
	password string
	user     string
	folder   string // of a private server
	binary   string
	port     int
	stdin    *os.File // closing it stops the server
}

// Start returns the server of this test program, starting it the first time.
var Start = sync.OnceValues(func() (*Server, error) {
	if url := os.Getenv("TEST_POSTGRES_URL"); url != "" {
		cfg, err := pgx.ParseConfig(url)
		if err != nil {
			return nil, fmt.Errorf("TEST_POSTGRES_URL: %w", err)
		}
		return &Server{url: url, address: net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port))), user: cfg.User, password: cfg.Password}, nil
	}
	return start()
})

// Address returns where the server listens, host:port.
func (s *Server) Address() string { return s.address }

// Password returns the password of the user the tests are.
func (s *Server) Password() string { return s.password }

func start() (*Server, error) {
	binaries, err := findBinaries()
	if err != nil {
		return nil, err
	}
	s := &Server{binary: binaries, user: gatewayUser, password: gatewayPassword}
	if s.folder, err = os.MkdirTemp("", "hongyan-postgres-"); err != nil {
		return nil, err
	}
	who, err := runAs(s.folder)
	if err != nil {
		return nil, err
	}
	if err := s.init(who); err != nil {
		os.RemoveAll(s.folder)
		return nil, err
	}
	return s, s.boot(who)
}

// findBinaries returns the folder with postgres and initdb, the newest there is.
func findBinaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*", "/opt/homebrew/opt/postgresql@*/bin"} {
		folders, _ := filepath.Glob(filepath.Join(pattern, "initdb"))
		found = append(found, folders...)
	}
	if len(found) == 0 {
		return "", errors.New("PostgreSQL's server is not installed: run .ci/need postgres, or name a server in TEST_POSTGRES_URL")
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(version(a), version(b)) })), nil
}

// version is the first number in a path.
func version(path string) int {
	digits := strings.FieldsFunc(path, func(r rune) bool { return r < '0' || r > '9' })
	if len(digits) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(digits[0])
	return n
}

// runAs returns the user the server runs as, and gives that one the folder: root
// may not run it. nil is this user.
func runAs(folder string) (*user.User, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		return u, os.Chown(folder, uid, gid)
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

func (s *Server) init(who *user.User) error {
	secret := filepath.Join(s.folder, "password")
	if err := os.WriteFile(secret, []byte(gatewayPassword), 0o644); err != nil {
		return err
	}
	c := exec.Command(filepath.Join(s.binary, "initdb"), "-D", filepath.Join(s.folder, "data"), "-U", "super", "--pwfile", secret,
		"--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C")
	c.Dir = s.folder
	c.SysProcAttr = attributes(who)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// watch runs the server until its standard input ends, which it does with the process
// that holds the other end, however that dies. Then the folder goes too.
const watch = `"$1/postgres" -D "$2/data" -k "$2" -p "$3" -c listen_addresses=127.0.0.1 -c max_connections=300 -c shared_buffers=64MB \
	-c fsync=off -c full_page_writes=off -c max_wal_size=512MB -c timezone=UTC -c log_min_messages=warning >"$2/log" 2>&1 &
server=$!
read -r _
kill -INT $server
wait $server
rm -rf "$2"`

// boot starts the server and waits until it answers.
func (s *Server) boot(who *user.User) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	s.stdin = write // kept open for as long as this process lives
	c := exec.Command("/bin/sh", "-c", watch, "watch", s.binary, s.folder, strconv.Itoa(s.port))
	c.Dir = s.folder
	c.Stdin = read
	c.SysProcAttr = attributes(who)
	if err := c.Start(); err != nil {
		return err
	}
	s.address = fmt.Sprintf("127.0.0.1:%d", s.port)
	s.url = s.socketURL(gatewayUser)
	return s.await()
}

// socketURL names the administrating database over the server's socket.
func (s *Server) socketURL(user string) string {
	u := url.URL{Scheme: "postgres", User: url.User(user), Host: "", Path: "/postgres",
		RawQuery: url.Values{"host": {s.folder}, "port": {strconv.Itoa(s.port)}}.Encode()}
	return u.String()
}

// await makes the user that tests are, who may make databases and nothing else.
func (s *Server) await() error {
	var err error
	for range 300 {
		if err = s.do(s.socketURL("super"), "CREATE ROLE "+gatewayUser+" LOGIN CREATEDB PASSWORD '"+gatewayPassword+"'"); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	said, _ := os.ReadFile(filepath.Join(s.folder, "log"))
	return fmt.Errorf("the server does not answer: %w\n%s", err, said)
}

// do runs statements on a connection of its own.
func (s *Server) do(url string, statements ...string) error {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	for _, sql := range statements {
		if _, err := c.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// PID returns the process number of the private server, 0 when the server is not ours.
func (s *Server) PID() int {
	if s.folder == "" {
		return 0
	}
	content, err := os.ReadFile(filepath.Join(s.folder, "data", "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(content), "\n")
	pid, _ := strconv.Atoi(line)
	return pid
}
