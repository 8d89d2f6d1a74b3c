// Command terminal draws what a program wrote to a terminal as an SVG picture.
// It reads the recorded bytes from standard input, as script(1) keeps them, plays them
// on a screen in memory and writes the picture to standard output; the flags say what
// was typed before, and at which moment to stop. It knows the few control sequences
// that hongyan writes, and is no terminal otherwise.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"regexp"
	"strings"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("terminal: ")
	prompt := flag.String("prompt", "", "what was typed; shown before the output")
	columns := flag.Int("columns", 100, "width of the terminal")
	until := flag.String("until", "", "stop when the line being written matches this `REGEXP`; empty = at the end")
	title := flag.String("title", "hongyan", "of the window, and for those who cannot see it")
	flag.Parse()

	screen := newScreen(*columns)
	if *prompt != "" {
		screen.write("\x1b[32m$\x1b[0m " + strings.ReplaceAll(*prompt, "\n", "\r\n") + "\r\n")
	}
	stop, err := regexp.Compile(*until)
	if err != nil {
		log.Fatal(err)
	}
	if *until == "" {
		stop = nil
	}
	if err := screen.play(bufio.NewReader(os.Stdin), stop); err != nil {
		log.Fatal(err)
	}
	out := bufio.NewWriter(os.Stdout)
	draw(out, screen, *title)
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

// play reads to the end, or until a line matches stop: a moment in the middle.
func (s *screen) play(in *bufio.Reader, stop *regexp.Regexp) error {
	for {
		r, _, err := in.ReadRune()
		if err == io.EOF {
			if stop != nil {
				return fmt.Errorf("no line matched %s", stop)
			}
			return nil
		}
		if err != nil {
			return err
		}
		// A line is complete when it is about to be written over.
		if stop != nil && (r == '\r' || r == '\n') && stop.MatchString(s.line(s.y)) {
			return nil
		}
		s.rune(r)
	}
}
