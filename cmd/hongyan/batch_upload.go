package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"hongyan/client"
)

// uploadFile is what is sent. A file can be read again from its start, standard input
// cannot.
type uploadFile struct {
	name        string
	contentType string
	size        int64    // 0 = not known
	file        *os.File // nil = standard input
	stream      io.Reader
	read        *atomic.Int64 // bytes given to the upload under way
}

// contentTypes are the types of a body by the endings of files' names.
var contentTypes = map[string]string{
	"csv": client.CSV, "txt": client.CSV, "tsv": client.CSV, "xlsx": client.XLSX, "xlsm": client.XLSX, "ndjson": client.NDJSON, "jsonl": client.NDJSON,
}

func baseName(path string) string { return filepath.Base(path) }

// openUpload opens the file that is named, or standard input for "-".
func openUpload(w *surroundings, name, format string) (*uploadFile, error) {
	u := &uploadFile{name: name, contentType: contentTypes[format], read: new(atomic.Int64)}
	if name == "-" {
		u.stream = w.stdin
	} else if err := u.open(name); err != nil {
		return nil, unreadable("FILE", name, err)
	}
	if u.contentType == "" && name != "-" {
		u.contentType = contentTypes[strings.ToLower(strings.TrimPrefix(filepath.Ext(name), "."))]
	}
	if u.contentType == "" {
		if err := u.sniff(); err != nil {
			return nil, unreadable("FILE", name, err)
		}
	}
	return u, nil
}

func (u *uploadFile) open(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("it is a folder")
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if !info.Mode().IsRegular() { // a pipe
		u.stream = f
		return nil
	}
	u.file, u.size = f, info.Size()
	return nil
}

// sniff decides the type by the first bytes.
func (u *uploadFile) sniff() error {
	start := make([]byte, 512)
	var n int
	var err error
	if u.file != nil {
		n, err = u.file.ReadAt(start, 0)
	} else {
		n, err = io.ReadFull(u.stream, start)
		u.stream = io.MultiReader(bytes.NewReader(start[:n]), u.stream)
	}
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	start = start[:n]
	u.contentType = client.CSV
	switch {
	case bytes.HasPrefix(start, []byte("PK\x03\x04")):
		u.contentType = client.XLSX
	case bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(start, []byte("\uFEFF")), " \r\n\t"), []byte("{")):
		u.contentType = client.NDJSON
	}
	return nil
}

func (u *uploadFile) close() {
	if u.file != nil {
		u.file.Close()
	}
}

// body is the file from its start, counted anew: what an earlier upload still reads does
// not count.
func (u *uploadFile) body() io.Reader {
	u.read = new(atomic.Int64)
	if u.file == nil {
		return &countedReader{u.stream, u.read}
	}
	return &countedReader{io.NewSectionReader(u.file, 0, u.size), u.read}
}

type countedReader struct {
	io.Reader
	n *atomic.Int64
}

func (r *countedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n.Add(int64(n))
	return n, err
}

// upload sends a file into a batch. When the connection is lost it goes on: rows that
// are stored are passed over when the same file comes again.
type upload struct {
	gateway *client.Client
	batch   string
	file    *uploadFile
	what    client.Upload
	names   flagNames // of the fields of the batch
	bar     *progressBar
}

const (
	// lostFor is how long a gateway may be away.
	lostFor = 5 * time.Minute
	// firstPause is how soon is tried again; the pauses grow to lastPause.
	firstPause = 500 * time.Millisecond
	lastPause  = 10 * time.Second
)

func (u *upload) run(ctx context.Context) (client.BatchReport, error) {
	lost, pause := time.Time{}, firstPause
	for {
		report, err := u.once(ctx)
		if err == nil {
			u.bar.clear()
			return report, nil
		}
		if ctx.Err() != nil || !passing(err) || u.file.file == nil {
			return report, u.ended(ctx, err)
		}
		now := time.Now()
		if lost.IsZero() || u.file.read.Load() > 0 && pause == firstPause {
			lost = now
		}
		if now.Sub(lost) > lostFor {
			return report, u.ended(ctx, err)
		}
		u.bar.say("the connection is lost (%s): trying again", shortly(err))
		if sleep(ctx, pause) != nil {
			return report, u.ended(ctx, ctx.Err())
		}
		pause = min(2*pause, lastPause)
	}
}

// once is one try. The bar is drawn here, what is read counted elsewhere.
func (u *upload) once(ctx context.Context) (client.BatchReport, error) {
	type answer struct {
		report client.BatchReport
		err    error
	}
	answered, began, body := make(chan answer, 1), time.Now(), u.file.body()
	go func() {
		report, err := u.gateway.UploadRecipients(ctx, u.batch, body, u.what)
		answered <- answer{report, err}
	}()
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case a := <-answered:
			return a.report, a.err
		case <-tick.C:
			u.bar.show(u.progress(time.Since(began)))
		}
	}
}

func (u *upload) progress(since time.Duration) progress {
	read := u.file.read.Load()
	p := progress{what: "checking", done: read, of: u.file.size}
	perSecond := float64(read) / max(since.Seconds(), 0.001)
	p.tail = fmt.Sprintf("%s read, %s/s", megabytes(float64(read)), megabytes(perSecond))
	if u.file.size > 0 {
		p.tail = fmt.Sprintf("%s of %s, %s/s", megabytes(float64(read)), megabytes(float64(u.file.size)), megabytes(perSecond))
		if left := float64(u.file.size-read) / max(perSecond, 1); read > 0 && left >= 1 {
			p.tail += ", " + time.Duration(left*float64(time.Second)).Round(time.Second).String() + " left"
		}
	}
	return p
}

func megabytes(n float64) string { return fmt.Sprintf("%.1f MB", n/1e6) }

// ended says what is left of an upload that came to no end.
func (u *upload) ended(ctx context.Context, err error) error {
	u.bar.clear()
	if u.what.DryRun {
		return u.names.apiError(u.gateway, err)
	}
	if ctx.Err() == nil && !passing(err) {
		return u.names.apiError(u.gateway, err)
	}
	what := "the upload broke off: " + shortly(err)
	if ctx.Err() != nil {
		what = "interrupted: the upload broke off"
	}
	return &commandError{what: what, cure: "go on with hongyan batch submit " + u.file.name + " --resume " + u.batch}
}

// passing reports whether an error may be gone when the same is tried again. No upload
// here names its first row, so a gap is another upload of the batch that just stored rows:
// what the lost connection brought, for one.
func passing(err error) bool {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p.Code == string(client.CodeBodyNotRead) || p.Code == string(client.CodeRowsGap) || p.Retryable || p.Status >= http.StatusInternalServerError
	}
	_, network := errors.AsType[*url.Error](err)
	return network
}

// shortly is an error in a few words.
func shortly(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return err.Error()
}

// sleep waits, unless ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
