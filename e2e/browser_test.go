package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// startChromium starts a browser that lives until the test ends. It resolves no
// name and asks no proxy, so whatever it wanted beyond this machine would fail.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(mustBeInstalled(t)), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1440, 900),
		chromedp.Flag("headless", "new"), chromedp.Flag("accept-lang", "zh-CN"),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	}
	for _, flag := range []string{
		"no-sandbox", // it opens our own pages only, and containers seldom let it build one
		"disable-gpu", "disable-quic", "no-first-run", "no-proxy-server", "disable-background-networking", "disable-component-update", "disable-sync",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	// Not t.Context: that ends before the cleanups, which take pictures.
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v; .ci/need chromium says whether it works here", err)
	}
	return ctx
}

// mustBeInstalled returns the browser's path.
func mustBeInstalled(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("Chromium is missing; run: .ci/need chromium")
	return ""
}

// reader is somebody in front of the phone: a window with cookies of its own.
type reader struct {
	t   *testing.T
	ctx context.Context
	box string // where the sandbox is

	mu    sync.Mutex
	wrong []string // what the page did that no page of ours may do
}

// newReader opens a window, which ends with the test: with a picture should the
// test have failed, and with an error if the page broke or asked for anything
// beyond the sandbox.
func newReader(t *testing.T, chromium context.Context, w *world) *reader {
	t.Helper()
	ctx, stop := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	t.Cleanup(stop)
	r := &reader{t: t, ctx: ctx, box: w.box.url}
	mustNil(t, chromedp.Listen(ctx, r.notice))
	t.Cleanup(r.leave)
	return r
}

// notice keeps what is wrong with the page; chromedp calls it for every event.
func (r *reader) notice(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, r.box+"/") {
			r.complain("asked for " + e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		what := e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			what += " " + thrown.Description // an Error's holds where it was thrown
		}
		r.complain(what)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			r.complain(e.Entry.Text + " " + e.Entry.URL)
		}
	}
}

func (r *reader) complain(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = append(r.wrong, what)
}

func (r *reader) leave() {
	r.mu.Lock()
	wrong := slices.Clone(r.wrong)
	r.mu.Unlock()
	for _, what := range wrong {
		r.t.Errorf("the page: %s", what)
	}
	if r.t.Failed() {
		r.takePicture()
	}
}

// takePicture says what the reader saw last.
func (r *reader) takePicture() {
	picture, err := chromedp.Run(r.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		r.t.Logf("no picture of the page: %v", err)
		return
	}
	file := filepath.Join(pictures(r.t), strings.ReplaceAll(r.t.Name(), "/", "-")+".png")
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		r.t.Logf("no picture of the page: %v", err)
		return
	}
	address, _ := evaluate[string](r, "location.href")
	r.t.Logf("the page at the end (%s): %s", address, file)
}

// pictures is a folder that is still there after the test; ArtifactDir is only if
// it was asked for.
func pictures(t *testing.T) string {
	if f := flag.Lookup("test.artifacts"); f != nil && f.Value.String() == "true" {
		return t.ArtifactDir()
	}
	dir, err := os.MkdirTemp("", "hongyan-e2e-")
	mustNil(t, err)
	return dir
}

// open goes to the page of a user, with more of its address behind, and waits until
// it listens for changes.
func (r *reader) open(openid, more string) {
	r.t.Helper()
	mustNil(r.t, chromedp.Do(r.ctx, chromedp.Navigate(r.box+"/?user="+openid+more)))
	r.awaits("#live[data-state=open]")
}

// reload loads the page again as the reader's browser does.
func (r *reader) reload() {
	r.t.Helper()
	mustNil(r.t, chromedp.Do(r.ctx, chromedp.Reload()))
	r.awaits("#live[data-state=open]")
}

// prefers makes the reader's system a dark or a light one.
func (r *reader) prefers(scheme string) {
	r.t.Helper()
	_, err := chromedp.Call(r.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	mustNil(r.t, err)
}

// evaluate is the value of a JavaScript expression, in which $ and $$ find elements.
func evaluate[T any](r *reader, expression string) (T, error) {
	const finders = "(s => document.querySelector(s), s => [...document.querySelectorAll(s)])"
	return chromedp.Run(r.ctx, chromedp.Evaluate[T]("(($, $$) => ("+expression+"))"+finders))
}

// read is evaluate where nothing can be in the way.
func read[T any](r *reader, expression string) T {
	r.t.Helper()
	value, err := evaluate[T](r, expression)
	if err != nil {
		r.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// until waits for an expression to be true. An error counts as false: between two
// pages there is none.
func (r *reader) until(expression, otherwise string) {
	r.t.Helper()
	await(r.t, func() (bool, string) {
		holds, err := evaluate[bool](r, expression)
		if err != nil {
			return false, fmt.Sprintf("%s: %v", otherwise, err)
		}
		return holds, otherwise
	})
}

// awaits waits until the page has an element.
func (r *reader) awaits(selector string) {
	r.t.Helper()
	r.until("$("+quote(selector)+") !== null", "the page never had "+selector)
}

// loses waits until the page has no such element.
func (r *reader) loses(selector string) {
	r.t.Helper()
	r.until("$("+quote(selector)+") === null", "the page still has "+selector)
}

// text waits until an element says exactly this.
func (r *reader) text(selector, want string) {
	r.t.Helper()
	await(r.t, func() (bool, string) {
		got, err := evaluate[string](r, "$("+quote(selector)+")?.textContent.trim() ?? '(nothing)'")
		return err == nil && got == want, fmt.Sprintf("%s says %q, want %q (%v)", selector, got, want, err)
	})
}

// spot is the middle of an element, or why a pointer does not touch it there.
type spot struct {
	X, Y float64
	Why  string
}

const (
	// spotOf is a function of an element.
	spotOf = `((e) => {
		if (!e) return {why: "it is not there"};
		const box = e.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
		const top = document.elementFromPoint(x, y);
		return e.contains(top) ? {x, y} : {why: "the pointer touches " + (top ? top.outerHTML.slice(0, 120) : "nothing")};
	})`
	// aimAt is a function of an element and the selector that found it. It notes where
	// the next click goes.
	aimAt = `((e, selector) => {
		e?.scrollIntoView({block: "nearest"});
		window.clicked = "nothing";
		addEventListener("click", (c) => { window.clicked = c.target.closest(selector) ? selector : "something else"; }, {capture: true, once: true});
	})`
)

// locate is where an element is, once more JavaScript has run.
func (r *reader) locate(selector, first string) spot {
	at, err := evaluate[spot](r, "("+first+", "+spotOf+"($("+quote(selector)+")))")
	if err != nil {
		return spot{Why: err.Error()}
	}
	return at
}

// sees waits until an element is what a pointer at its middle touches.
func (r *reader) sees(selector string) {
	r.t.Helper()
	await(r.t, func() (bool, string) {
		at := r.locate(selector, "null")
		return at.Why == "", fmt.Sprintf("%s cannot be seen: %s", selector, at.Why)
	})
}

// presses clicks the middle of an element with the mouse; again if the click went
// to something else, because a part of the page was replaced under the pointer.
func (r *reader) presses(selector string) {
	r.t.Helper()
	aim := aimAt + "($(" + quote(selector) + "), " + quote(selector) + ")"
	await(r.t, func() (bool, string) {
		at := r.locate(selector, aim)
		if at.Why != "" {
			return false, fmt.Sprintf("%s cannot be pressed: %s", selector, at.Why)
		}
		mustNil(r.t, chromedp.Do(r.ctx, chromedp.MouseClickXY(at.X, at.Y)))
		clicked, err := evaluate[string](r, "window.clicked ?? 'gone'")
		left := err != nil || clicked == "gone" // the click led to another page
		return left || clicked == selector, fmt.Sprintf("a click at %s reached %s", selector, clicked)
	})
}

// types presses keys, one after the other.
func (r *reader) types(keys ...string) {
	r.t.Helper()
	for _, key := range keys {
		mustNil(r.t, chromedp.Do(r.ctx, chromedp.KeyEvent(key)))
	}
}

// wantAll compares an expression's list of texts.
func (r *reader) wantAll(what, expression string, want ...string) {
	r.t.Helper()
	if diff := cmp.Diff(want, read[[]string](r, expression)); diff != "" {
		r.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// quote makes a string of JavaScript.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // no string does that
	}
	return string(b)
}
