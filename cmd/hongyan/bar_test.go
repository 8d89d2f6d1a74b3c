package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"
)

// TestBarOnATerminal: each drawing fits into one line, whatever the words.
func TestBarOnATerminal(t *testing.T) {
	for _, columns := range []int{20, 40, 80, 200} {
		var b bytes.Buffer
		bar := progressBar{out: &printer{w: &b, columns: columns, rows: 24}}
		bar.draw(progress{what: "sending", done: 30, of: 100, tail: "已送达 1,234 · 失败 5 · 还需约 3 分钟 · " + strings.Repeat("长", 100)})
		line := strings.TrimSuffix(strings.TrimPrefix(b.String(), "\r"), "\x1b[K")
		if width := runewidth.StringWidth(line); columns >= 45 && width >= columns || strings.Contains(line, "\n") {
			t.Errorf("%d columns: the line has %d: %q", columns, width, line)
		}
		if !strings.Contains(line, "30 %") {
			t.Errorf("%d columns: %q does not say how far it is", columns, line)
		}
	}
}

// TestBarWithoutATerminal prints whole lines, and few of them.
func TestBarWithoutATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		bar := progressBar{out: &printer{w: &b}}
		for i := range 25 {
			bar.show(progress{what: "sending", done: int64(i), of: 25, tail: "x"})
			time.Sleep(time.Second)
		}
		bar.say("a word between")
		bar.finish(progress{what: "sent", done: 25, of: 25, tail: "25 messages"})
		want := "sending  40 %  x\nsending  80 %  x\na word between\nsent  100 %  25 messages\n"
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("written (-want +got):\n%s", diff)
		}
	})
}

// TestBarIsDrawnOver: what is said in between stands alone, and the last word stays.
func TestBarIsDrawnOver(t *testing.T) {
	var b bytes.Buffer
	bar := progressBar{out: &printer{w: &b, columns: 60, rows: 24}}
	bar.draw(progress{what: "sending", of: 2})
	bar.say("connection lost")
	bar.finish(progress{what: "sent", done: 2, of: 2})
	if got := b.String(); !strings.Contains(got, "\r\x1b[Kconnection lost\n") || !strings.HasSuffix(got, "\x1b[K\n") {
		t.Errorf("written %q", got)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -12345: "-12,345"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %s, want %s", n, got, want)
		}
	}
}
