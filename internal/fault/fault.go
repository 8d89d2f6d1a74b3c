// Package fault is where the program can be made to die, to do wrong, or to
// see another time, at a named place and on purpose. `hongyan prove` arms it in
// the processes it starts, through the environment; in any other process every
// call here is one atomic load.
//
// Start with At. The value of [Variable] begins with the process id of the one
// who starts the process, so that a variable left behind in some environment
// arms nothing.
package fault

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Variable is the environment variable that arms: "PPID WORD…", where a word is
// kill=POINT:N (die at the Nth passage), break=DEFECT, clock=DURATION or since=UNIXMILLI.
const Variable = "PROVE_FAULTS"

// Point is a place in the life of a message at which a process may be killed.
type Point string

// The points. Accept is the transaction that stores a new message, call the
// request to WeChat, result the transaction that stores what became of it.
const (
	AcceptBefore Point = "accept.before-commit"
	AcceptAfter  Point = "accept.after-commit" // and before the caller is answered
	CallBefore   Point = "call.before"         // leased, and no byte sent
	CallAfter    Point = "call.after"          // answered, and not recorded
	ResultBefore Point = "result.before-commit"
	ResultAfter  Point = "result.after-commit"
)

// Points lists them in the order a message passes them.
func Points() []Point {
	return []Point{AcceptBefore, AcceptAfter, CallBefore, CallAfter, ResultBefore, ResultAfter}
}

// Defect is a mistake that can be planted, to show that a checker sees it.
type Defect string

// The defects.
const (
	Fence   Defect = "fence"   // results are written whatever their fence says
	Commit  Defect = "commit"  // the caller is answered before the commit
	Dedupe  Defect = "dedupe"  // every attempt has a client_msg_id of its own
	Receipt Defect = "receipt" // one receipt in dropEvery is lost, though WeChat was told success
)

// Defects lists them.
func Defects() []Defect { return []Defect{Fence, Commit, Dedupe, Receipt} }

// plan is what is armed.
type plan struct {
	point  Point
	left   atomic.Int64 // passages until the process dies
	defect Defect
	clock  time.Duration
	since  time.Time    // when the clock began to be off; zero = always was
	count  atomic.Int64 // of Turn
}

// armed is nil in every process that prove did not start.
var armed atomic.Pointer[plan]

func init() {
	p, err := parse(os.Getenv(Variable), os.Getppid())
	if err != nil {
		panic(fmt.Sprintf("%s: %v", Variable, err)) // our parent wrote it
	}
	armed.Store(p)
}

// parse reads the value of Variable; nil when it arms nothing.
func parse(value string, parent int) (*plan, error) {
	words := strings.Fields(value)
	if len(words) == 0 || words[0] != strconv.Itoa(parent) {
		return nil, nil
	}
	p := new(plan)
	for _, word := range words[1:] {
		name, arg, _ := strings.Cut(word, "=")
		if err := p.set(name, arg); err != nil {
			return nil, fmt.Errorf("%s: %w", word, err)
		}
	}
	return p, nil
}

func (p *plan) set(name, arg string) (err error) {
	switch name {
	case "kill":
		point, n, _ := strings.Cut(arg, ":")
		if !slices.Contains(Points(), Point(point)) {
			return fmt.Errorf("there is no point %q", point)
		}
		times, err := strconv.ParseInt(n, 10, 64)
		if err != nil || times < 1 {
			return fmt.Errorf("the number of passages must be 1 or more, got %q", n)
		}
		p.point = Point(point)
		p.left.Store(times)
	case "break":
		if !slices.Contains(Defects(), Defect(arg)) {
			return fmt.Errorf("there is no defect %q", arg)
		}
		p.defect = Defect(arg)
	case "clock":
		p.clock, err = time.ParseDuration(arg)
	case "since":
		var ms int64
		ms, err = strconv.ParseInt(arg, 10, 64)
		p.since = time.UnixMilli(ms)
	default:
		return fmt.Errorf("there is no word %q", name)
	}
	return err
}

// Kill is the word that kills a process at the nth passage of a point.
func Kill(p Point, n int) string { return fmt.Sprintf("kill=%s:%d", p, n) }

// Break is the word that plants a defect.
func Break(d Defect) string { return "break=" + string(d) }

// Clock is the word that puts a process's clock forward by d from since on; a
// zero since means from the beginning.
func Clock(d time.Duration, since time.Time) string {
	if since.IsZero() {
		return "clock=" + d.String()
	}
	return fmt.Sprintf("clock=%s since=%d", d, since.UnixMilli())
}

// Environment is the variable with words, for a child of this process.
func Environment(words ...string) string {
	return Variable + "=" + strings.Join(append([]string{strconv.Itoa(os.Getpid())}, words...), " ")
}

// Armed reports whether anything is armed at all.
func Armed() bool { return armed.Load() != nil }

// At passes a point. If it is the passage that was asked for, the process dies
// as by kill -9 and At does not return.
func At(p Point) {
	if a := armed.Load(); a != nil && a.point == p && a.left.Add(-1) == 0 {
		die()
	}
}

// die kills this process without any ceremony.
func die() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill() // if it fails there is nothing better to do than to hang
	}
	select {} // the signal is on its way
}

// Broken reports whether a defect is planted.
func Broken(d Defect) bool {
	a := armed.Load()
	return a != nil && a.defect == d
}

// dropEvery is how many receipts come for each one that the defect Receipt loses.
const dropEvery = 7

// Drops reports whether the receipt at hand is one that the defect loses.
func Drops() bool {
	a := armed.Load()
	return a != nil && a.defect == Receipt && a.count.Add(1)%dropEvery == 0
}

// Now is the time as this process's clock shows it.
func Now() time.Time {
	now := time.Now()
	if a := armed.Load(); a != nil && a.clock != 0 && !now.Before(a.since) {
		return now.Add(a.clock)
	}
	return now
}
