package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	stateName    = "sandbox.state"
	lockName     = "sandbox.lock"
	stateMagic   = "hongyan sandbox state"
	stateVersion = 1
)

// StateError is a data folder that cannot be used: which file, what is wrong with
// it, and what to do.
type StateError struct {
	File, Problem, Cure string
	Err                 error // the cause; nil = none
}

// Error says all of it in one line.
func (e *StateError) Error() string { return e.File + " " + e.Problem + "; " + e.Cure }

// Unwrap returns the cause.
func (e *StateError) Unwrap() error { return e.Err }

// stateFile is where a sandbox keeps its state.
type stateFile struct {
	dir   string
	lock  io.Closer
	saved int64 // the sandbox's changes that are in the file
}

func (f *stateFile) path() string { return filepath.Join(f.dir, stateName) }

// Open returns a sandbox that keeps its state in dir, which is made if it is not
// there. What an earlier one left there is taken up again, in place of the seed;
// without it the sandbox begins as [New] does. The state is written by Run, at most
// once a second when something has changed, and by Close, which lets go of dir.
// An error is a [*StateError]: another process holds dir, or the file is damaged or
// of another version.
//
// Kept are accounts, templates, users, tokens, forms, consents, quotas, the dedupe
// window (its last 100,000 entries), pending deliveries and pushes, faults, presets,
// counters, the clock, and the last 10,000 entries of the ledger and messages in
// inboxes. Traffic and rids are not. Ids leap over those that might have been given
// out after the last write.
func Open(opts Options, dir string) (*Sandbox, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &StateError{File: dir, Problem: "cannot be made", Cure: "choose another folder", Err: err}
	}
	lock, err := lockFile(filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	s := New(opts)
	s.file = &stateFile{dir: dir, lock: lock, saved: -1}
	st, err := s.file.read()
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if st != nil {
		s.opts.Seed = st.Seed
		s.p = st.restore(s.opts, s.feed)
	}
	return s, nil
}

// RandSeed is the seed that the sandbox's random choices began with.
func (s *Sandbox) RandSeed() int64 { return s.opts.Seed }

// Close writes the state down for the last time and lets go of the data folder of
// [Open]; without one it does nothing. Run must have ended, and so must all calls.
func (s *Sandbox) Close() error {
	if s.file == nil {
		return nil
	}
	_, err := s.saveState()
	return errors.Join(err, s.file.lock.Close())
}

// inUse is the refusal of a second process.
func inUse(path string, err error) error {
	problem := "is held by another hongyan"
	if owner, readErr := os.ReadFile(path); readErr == nil && len(bytes.TrimSpace(owner)) > 0 {
		problem += " (process " + string(bytes.TrimSpace(owner)) + ")"
	}
	return &StateError{File: path, Problem: problem, Cure: "stop it first, or choose another folder", Err: err}
}

// read returns the state, nil when there is none.
func (f *stateFile) read() (*state, error) {
	content, err := os.ReadFile(f.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, &StateError{File: f.path(), Problem: "cannot be read", Cure: "make it readable, or choose another folder", Err: err}
	}
	body, wrong := checkState(content)
	if wrong != nil {
		wrong.File = f.path()
		return nil, wrong
	}
	st := new(state)
	if err := readGraph(body, st); err != nil {
		return nil, &StateError{File: f.path(), Problem: "is damaged", Cure: cureMove, Err: err}
	}
	return st, nil
}

const cureMove = "move it away to begin anew"

// checkState takes off the head: magic, version, fingerprint, checksum.
func checkState(content []byte) ([]byte, *StateError) {
	head, body, found := bytes.Cut(content, []byte("\n"))
	rest, ours := strings.CutPrefix(string(head), stateMagic+" ")
	if !found || !ours {
		return nil, &StateError{Problem: "is damaged: it is no state of a sandbox", Cure: cureMove}
	}
	var version int
	var types, sum string
	if _, err := fmt.Sscanf(rest, "%d %s %s", &version, &types, &sum); err != nil {
		return nil, &StateError{Problem: "is damaged in its first line", Cure: cureMove}
	}
	actual := sha256.Sum256(body)
	switch {
	case version > stateVersion:
		return nil, &StateError{Problem: fmt.Sprintf("is of a newer hongyan (format %d, this one reads %d)", version, stateVersion), Cure: "use that one, or " + cureMove}
	case sum != hex.EncodeToString(actual[:]):
		return nil, &StateError{Problem: "is damaged: its checksum is wrong", Cure: cureMove}
	case version < stateVersion || types != stateFingerprint:
		return nil, &StateError{Problem: "was written by another version of hongyan", Cure: "use that one, or " + cureMove}
	}
	return body, nil
}

// write replaces the file as a whole: whoever dies meanwhile leaves the old one.
func (f *stateFile) write(body []byte) error {
	sum := sha256.Sum256(body)
	head := fmt.Sprintf("%s %d %s %s\n", stateMagic, stateVersion, stateFingerprint, hex.EncodeToString(sum[:]))
	temp, err := os.OpenFile(f.path()+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // it holds secrets and tokens
	if err != nil {
		return err
	}
	_, err = temp.WriteString(head)
	if err == nil {
		_, err = temp.Write(body)
	}
	if err == nil {
		err = temp.Sync()
	}
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.path()+".new", f.path()); err != nil {
		return err
	}
	return syncDir(f.dir)
}

// syncDir makes a rename last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync() // not every system can; the file itself is safe
	return d.Close()
}

// saveState writes the state if anything has changed, and returns how long that took.
func (s *Sandbox) saveState() (took time.Duration, err error) {
	begin := time.Now()
	s.mu.Lock()
	if s.changes == s.file.saved {
		s.mu.Unlock()
		return 0, nil
	}
	changes := s.changes
	body := writeGraph(s.p.save())
	s.mu.Unlock()
	if err = s.file.write(body); err == nil {
		s.file.saved = changes
	}
	return time.Since(begin), err
}

// keepState saves until ctx ends. A failure is logged and tried again.
func (s *Sandbox) keepState(ctx context.Context) {
	if s.file == nil {
		return
	}
	pause := time.NewTimer(saveEvery)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		took, err := s.saveState()
		if err != nil {
			s.opts.Logger.Error("state not saved", "file", s.file.path(), "error", err)
		}
		pause.Reset(max(saveEvery-took, (saveShare-1)*took))
	}
}
