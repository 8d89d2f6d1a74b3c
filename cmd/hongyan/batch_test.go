package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
)

const batchPage = "../../docs/batches.md"

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// commandsOf returns the shell commands of a page.
func commandsOf(t *testing.T, page string) (commands []string) {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range shellBlock.FindAllStringSubmatch(string(content), -1) {
		commands = append(commands, strings.TrimSpace(m[1]))
	}
	return commands
}

// TestFourCommandsFromNothingToResults runs what docs/batches.md says, in an empty folder,
// on a file that is smaller: GBK, and one row in a hundred bad.
func TestFourCommandsFromNothingToResults(t *testing.T) {
	commands := commandsOf(t, batchPage)
	if len(commands) != 4 {
		t.Fatalf("%s has %d commands, want 4", batchPage, len(commands))
	}
	if diff := cmp.Diff(commands, commandsOf(t, strings.Replace(batchPage, ".md", ".zh-CN.md", 1))); diff != "" {
		t.Errorf("the commands of the two languages differ (-en +zh):\n%s", diff)
	}
	const rows = 3000
	dir := t.TempDir()
	writeRecipients(t, filepath.Join(dir, "users.csv"), rows)
	s := newShell(t, dir)
	s.start(commands[0], "127.0.0.1:7900")
	s.start(commands[1], "127.0.0.1:7800")
	s.run(commands[2])
	out := s.run(commands[3])
	for _, want := range []string{"3,000 rows: 2,970 good, 30 bad  (gb18030)", "and 20 bad rows after row 950", "finished 已完成", "delivered 已送达  2,970", "wrote results.xlsx"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	checkResults(t, filepath.Join(dir, "results.xlsx"), rows)
	t.Run("the connection is lost", func(t *testing.T) { testLostConnection(t, s, commands[3], rows) })
}

// testLostConnection sends the same file through a network that breaks off twice.
func testLostConnection(t *testing.T, s *shell, command string, rows int) {
	s.env = append(s.env, "HONGYAN_URL=http://"+brokenNetwork(t, s.address["127.0.0.1:7800"], 60_000, 120_000))
	out := s.run(strings.Replace(command, "--watch --results results.xlsx", "--json", 1))
	if n := strings.Count(out, "the connection is lost"); n != 2 {
		t.Errorf("the connection was lost %d times, want 2:\n%s", n, out)
	}
	if !strings.Contains(out, fmt.Sprintf(`"rows": %d`, rows)) || !strings.Contains(out, `"good": 2970`) {
		t.Errorf("not all rows are there:\n%s", out)
	}
}

// brokenNetwork returns an address that leads to another. Of its connections the first to
// bring more bytes than the first limit breaks off there, then one at the second; what
// comes after is whole.
func brokenNetwork(t *testing.T, to string, limits ...int64) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	left := make(chan int64, len(limits))
	for _, n := range limits {
		left <- n
	}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go carry(in, to, left)
		}
	}()
	return l.Addr().String()
}

// carry copies a connection both ways, and breaks it when more comes than is left.
func carry(in net.Conn, to string, left chan int64) {
	defer in.Close()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	go func() { defer in.Close(); _, _ = io.Copy(in, out) }()
	_, err = io.CopyN(out, in, 50_000) // a short request is whole
	if err != nil {
		return
	}
	select {
	case n := <-left:
		_, _ = io.CopyN(out, in, n-50_000)
	default:
		_, _ = io.Copy(out, in)
	}
}

// writeRecipients writes what .ci/recipients does, with two of its mistakes.
func writeRecipients(t *testing.T, path string, rows int) {
	t.Helper()
	var b strings.Builder
	b.WriteString("openid,商品,订单号,金额,时间\n")
	for n := 1; n <= rows; n++ {
		to, what := fmt.Sprintf("oUser%023d", n), "巧克力礼盒（十二枚装）"
		switch n % 200 {
		case 50:
			to = to[:20]
		case 150:
			what = `"` + what
		}
		fmt.Fprintf(&b, "%s,%s,A%d,￥%d.80,2026-11-20 10:15\n", to, what, 100000+n, n%100)
	}
	content, err := simplifiedchinese.GBK.NewEncoder().String(b.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkResults reads the workbook as another program does.
func checkResults(t *testing.T, path string, rows int) {
	t.Helper()
	f, err := excelize.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := f.GetRows("results")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != rows+1 {
		t.Fatalf("%d rows, want a head and %d", len(got), rows)
	}
	for n, want := range map[int][]string{
		1: {"1", fmt.Sprintf("oUser%023d", 1), "delivered", "已送达"}, 50: {"50", "oUser000000000000000", "bad", "有问题", "malformed_openid"},
	} {
		if diff := cmp.Diff(want, got[n][:len(want)]); diff != "" {
			t.Errorf("row %d (-want +got):\n%s", n, diff)
		}
	}
}

// shell runs commands of the documents with the program in PATH and ports of its own in
// place of the usual ones.
type shell struct {
	t       *testing.T
	dir     string
	env     []string
	exe     string
	address map[string]string
}

func newShell(t *testing.T, dir string) *shell {
	t.Helper()
	exe := buildProgram(t)
	s := &shell{t: t, dir: dir, exe: exe, address: map[string]string{"127.0.0.1:7800": freeAddress(t), "127.0.0.1:7900": freeAddress(t)}}
	s.env = append(os.Environ(), "PATH="+filepath.Dir(exe)+string(os.PathListSeparator)+os.Getenv("PATH"), "HONGYAN_URL=http://"+s.address["127.0.0.1:7800"], "HONGYAN_DATA=data", "NO_COLOR=1")
	seed, err := os.ReadFile("../../docs/batches.seed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "docs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "docs/batches.seed.yaml"), []byte(s.here(string(seed))), 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

// here puts the shell's own ports in.
func (s *shell) here(text string) string {
	for usual, own := range s.address {
		text = strings.ReplaceAll(text, usual, own)
	}
	return text
}

// start runs a command that stays.
func (s *shell) start(command, usual string) {
	s.t.Helper()
	args := append(strings.Fields(command)[1:], "--listen", s.address[usual])
	if args[0] == "serve" {
		args = append(args, "--data", filepath.Join(s.dir, "data"))
	} else {
		args[2] = filepath.Join(s.dir, args[2])
	}
	startProgram(s.t, s.exe, nil, args...)
}

// run runs a command to its end and returns what it wrote.
func (s *shell) run(command string) string {
	s.t.Helper()
	cmd := exec.Command("sh", "-c", s.here(command))
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}
