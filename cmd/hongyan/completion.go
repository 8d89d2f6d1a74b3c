package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// The scripts ask the program itself what may come next: they are right for every
// version of it.
var (
	//go:embed completion/hongyan.bash
	bashCompletion string
	//go:embed completion/_hongyan
	zshCompletion string
	//go:embed completion/hongyan.fish
	fishCompletion string
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"${enum}."`
}

func (completionCommand) Help() string {
	return "bash: add to ~/.bashrc the line   source <(hongyan completion bash)\n\n" +
		"zsh: hongyan completion zsh > ~/.zfunc/_hongyan, with fpath+=~/.zfunc and autoload -Uz compinit; compinit in ~/.zshrc\n\n" +
		"fish: hongyan completion fish > ~/.config/fish/completions/hongyan.fish"
}

func (c *completionCommand) Run(w *surroundings) error {
	script := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell]
	_, err := fmt.Fprint(w.stdout, script)
	return err
}

// completeCommand is what the scripts call.
type completeCommand struct {
	Shell string   `arg:"" enum:"bash,zsh,fish" help:"Which shell asks."`
	Words []string `arg:"" optional:"" help:"The words after the program's name; the last is to be completed, and may be empty."`
}

func (c *completeCommand) Run(w *surroundings) error {
	words, behind := c.Words, ""
	if c.Shell == "bash" {
		words, behind = joinEquals(words)
	}
	found := completions(newParser(new(cli), w).Model.Node, words)
	for _, f := range found.words {
		line := strings.TrimPrefix(f.word, behind)
		if f.help != "" && c.Shell != "bash" {
			line += "\t" + f.help
		}
		fmt.Fprintln(w.stdout, line)
	}
	if found.files {
		fmt.Fprintln(w.stdout, filesToo)
	}
	return nil
}

// filesToo is the line that asks the shell to complete file names as well.
const filesToo = ":files"

// joinEquals puts together what bash takes apart: --kind = x is --kind=x. behind is
// what bash has of the last word already and must not be given again.
func joinEquals(words []string) (joined []string, behind string) {
	for i := 0; i < len(words); i++ {
		n := len(joined)
		if words[i] != "=" || n == 0 || !strings.HasPrefix(joined[n-1], "--") {
			joined = append(joined, words[i])
			behind = ""
			continue
		}
		joined[n-1] += "="
		behind = joined[n-1]
		if i+1 < len(words) {
			i++
			joined[n-1] += words[i]
		}
	}
	return joined, behind
}

// candidates are the words that may stand in a place.
type candidates struct {
	words []candidate
	files bool // and names of files
}

type candidate struct{ word, help string }

func (c *candidates) add(word, help string) {
	help, _, _ = strings.Cut(help, "\n")
	c.words = append(c.words, candidate{word, help})
}

// completions returns what may stand in place of the last of words, those that begin as it does.
func completions(root *kong.Node, words []string) candidates {
	if len(words) == 0 {
		words = []string{""}
	}
	at := &position{node: root}
	for _, word := range words[:len(words)-1] {
		at.pass(word)
	}
	last := words[len(words)-1]
	found := at.offers(last)
	found.words = slices.DeleteFunc(found.words, func(f candidate) bool { return !strings.HasPrefix(f.word, last) })
	return found
}

// position is a place in a command line, after the words before it.
type position struct {
	node     *kong.Node
	used     []string   // flags given so far
	awaits   *kong.Flag // whose value comes next; nil = none
	argument int        // positional arguments given so far
	ended    bool       // "--" was given: no flags any more
	lost     bool       // a word was no command: nothing is known of what follows
}

// pass goes over one whole word.
func (p *position) pass(word string) {
	switch {
	case p.awaits != nil:
		p.awaits = nil
	case word == "--" && !p.ended:
		p.ended = true
	case strings.HasPrefix(word, "-") && word != "-" && !p.ended:
		name, _, hasValue := strings.Cut(strings.TrimLeft(word, "-"), "=")
		p.used = append(p.used, name)
		if f := p.flag(name); f != nil && !hasValue && !f.IsBool() && !f.IsCounter() {
			p.awaits = f
		}
	default:
		if child := p.child(word); child != nil {
			p.node, p.argument = child, 0
			return
		}
		p.argument++
		p.lost = p.lost || len(p.node.Children) > 0
	}
}

// child finds a command by its name or alias.
func (p *position) child(word string) *kong.Node {
	for _, c := range p.node.Children {
		if c.Type == kong.CommandNode && (c.Name == word || slices.Contains(c.Aliases, word)) {
			return c
		}
	}
	return nil
}

// flags lists those that may be given here, without hidden ones.
func (p *position) flags() []*kong.Flag { return slices.Concat(p.node.AllFlags(true)...) }

func (p *position) flag(name string) *kong.Flag {
	for _, f := range p.flags() {
		if f.Name == name || f.Short != 0 && string(f.Short) == name || slices.Contains(f.Aliases, name) {
			return f
		}
	}
	return nil
}

// offers lists what may stand here, begun as word.
func (p *position) offers(word string) (found candidates) {
	if p.lost {
		return found
	}
	if p.awaits != nil {
		found.values(p.awaits.Value, "")
		return found
	}
	if name, _, hasValue := strings.Cut(word, "="); hasValue && strings.HasPrefix(word, "--") && !p.ended {
		if f := p.flag(strings.TrimPrefix(name, "--")); f != nil && !f.IsBool() {
			found.values(f.Value, name+"=")
		}
		return found
	}
	if strings.HasPrefix(word, "-") && !p.ended {
		p.offerFlags(&found)
		return found
	}
	for _, c := range p.node.Children {
		if c.Type == kong.CommandNode && !c.Hidden {
			found.add(c.Name, c.Help)
		}
	}
	if n := len(p.node.Positional); n > 0 && len(p.node.Children) == 0 {
		if i := min(p.argument, n-1); p.argument < n || p.node.Positional[i].IsCumulative() {
			found.values(p.node.Positional[i], "")
		}
	}
	return found
}

// offerFlags lists flags that were not given yet, or may be given again.
func (p *position) offerFlags(found *candidates) {
	for _, f := range p.flags() {
		if slices.Contains(p.used, f.Name) && !f.IsSlice() {
			continue
		}
		found.add("--"+f.Name, f.Help)
		if f.Tag.Negatable != "" {
			found.add("--no-"+f.Name, f.Help)
		}
	}
}

// values lists what a flag or an argument may be, each with before in front of it:
// its words, or files where it names one.
func (c *candidates) values(v *kong.Value, before string) {
	words := v.Tag.Get("words")
	if v.Enum != "" {
		words = v.Enum
	}
	if words == "" {
		c.files = namesFile(v)
		return
	}
	for word := range strings.SplitSeq(words, ",") {
		c.add(before+strings.TrimSpace(word), "")
	}
}

// namesFile reports whether a value is a file or a folder.
func namesFile(v *kong.Value) bool {
	holder := v.Name
	if v.Flag != nil {
		holder = v.Flag.PlaceHolder
	}
	return slices.Contains([]string{"file", "FILE", "DIR", "dir", "folder", "FOLDER"}, holder)
}
