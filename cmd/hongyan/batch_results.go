package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hongyan/client"
)

type batchProblems struct {
	gatewayFlags `embed:""`
	ID           string `arg:"" help:"bat_…"`
	Limit        int    `default:"100" help:"How many; default ${default}."`
	Cursor       string `help:"Continue the list: next_cursor of --json."`
	Output       string `short:"o" placeholder:"FILE" help:"Write all of them to a CSV file; - is standard output."`
}

func (c *batchProblems) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	if c.Output == "-" && c.JSON {
		return wrongUse("leave one of them out", "--output - writes CSV to where --json writes JSON")
	}
	if c.Output == "-" {
		return batchFlags.apiError(gateway, gateway.BatchFile(ctx, c.ID, "problems.csv", w.stdout))
	}
	if c.Output != "" {
		return saveFile(ctx, gateway, c.ID, "problems.csv", c.Output, c.teller(w))
	}
	list, err := gateway.BatchProblems(ctx, c.ID, c.Cursor, c.Limit)
	if err != nil {
		return batchFlags.apiError(gateway, err)
	}
	if c.JSON {
		return w.json(list)
	}
	out := w.out()
	if len(list.Items) == 0 {
		out.line("no problems")
		return nil
	}
	out.problems(list.Items)
	if list.NextCursor != nil {
		out.next("hongyan batch problems %s --output problems.csv", c.ID)
	}
	return nil
}

type batchResults struct {
	gatewayFlags `embed:""`
	ID           string `arg:"" help:"bat_…"`
	Output       string `short:"o" default:"-" placeholder:"FILE" help:"A .csv or .xlsx file; - is standard output, the default: CSV, or with --json an object for each row in items."`
}

func (c *batchResults) Run(ctx context.Context, w *surroundings) error {
	gateway, err := c.client(w)
	if err != nil {
		return err
	}
	if c.Output == "-" && c.JSON {
		return batchFlags.apiError(gateway, resultsJSON(ctx, gateway, c.ID, w.stdout))
	}
	if c.Output == "-" {
		return batchFlags.apiError(gateway, gateway.BatchFile(ctx, c.ID, "results.csv", w.stdout))
	}
	if err := fetchFile(ctx, gateway, c.ID, c.Output, c.teller(w)); err != nil || !c.JSON {
		return err
	}
	return w.json(struct {
		Batch string `json:"batch"`
		File  string `json:"file"`
	}{c.ID, c.Output})
}

// resultsJSON writes a batch's results as one JSON object: items has an object for each
// row, with the names of the columns of the CSV. What is empty there is left out. Rows
// are written as they come: a million are never in memory.
func resultsJSON(ctx context.Context, gateway *client.Client, id string, to io.Writer) error {
	in, out := io.Pipe()
	defer in.Close()
	go func() { out.CloseWithError(gateway.BatchFile(ctx, id, "results.csv", out)) }()
	rows := csv.NewReader(in)
	rows.ReuseRecord = true
	first, err := rows.Read()
	if err != nil {
		return err
	}
	head := slices.Clone(first)
	head[0] = strings.TrimPrefix(head[0], "\uFEFF")
	buffered := bufio.NewWriter(to)
	buffered.WriteString(`{"items":[`) // an error stays with the writer until Flush
	for n := 0; ; n++ {
		cells, err := rows.Read()
		if err == io.EOF {
			buffered.WriteString("]}\n")
			return buffered.Flush()
		}
		if err != nil {
			return errors.Join(err, buffered.Flush())
		}
		line, err := json.Marshal(resultOf(head, cells))
		if err != nil {
			return err
		}
		if n > 0 {
			buffered.WriteString(",\n")
		}
		if _, err := buffered.Write(line); err != nil {
			return err
		}
	}
}

// resultOf is a line of results for programs: row and errcode are numbers.
func resultOf(head, cells []string) map[string]any {
	row := make(map[string]any, len(head))
	for i, name := range head {
		switch v := cells[i]; {
		case v == "":
		case name == "row" || name == "errcode":
			row[name] = json.Number(v)
		default:
			row[name] = v
		}
	}
	return row
}

// resultsFile is the name under which the gateway has results as a file's ending asks for.
func resultsFile(path string) (string, error) {
	switch ending := strings.ToLower(filepath.Ext(path)); ending {
	case ".csv", ".xlsx":
		return "results" + ending, nil
	}
	return "", wrongUse("name it results.csv or results.xlsx", "results are written as .csv or .xlsx, not as %s", path)
}

// fetchFile writes a batch's results to a file.
func fetchFile(ctx context.Context, gateway *client.Client, id, path string, out *printer) error {
	name, err := resultsFile(path)
	if err != nil {
		return err
	}
	return saveFile(ctx, gateway, id, name, path, out)
}

// saveFile writes one of a batch's files beside its place and moves it there when it is
// whole. When the connection is lost it begins again.
func saveFile(ctx context.Context, gateway *client.Client, id, name, path string, out *printer) error {
	began, pause := time.Now(), firstPause
	bar := &progressBar{out: out}
	for {
		n, err := saveOnce(ctx, gateway, id, name, path, bar)
		bar.clear()
		if err == nil {
			out.line("wrote %s (%s)", path, megabytes(float64(n)))
			return nil
		}
		if ctx.Err() != nil || !broken(err) || time.Since(began) > lostFor {
			return batchFlags.apiError(gateway, err)
		}
		out.line("the connection is lost (%s): trying again", shortly(err))
		if sleep(ctx, pause) != nil {
			return ctx.Err()
		}
		pause = min(2*pause, lastPause)
	}
}

// broken reports whether a file that did not arrive may do so when it is asked for again.
func broken(err error) bool {
	return passing(err) || errors.Is(err, io.ErrUnexpectedEOF)
}

func saveOnce(ctx context.Context, gateway *client.Client, id, name, path string, bar *progressBar) (n int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return 0, &commandError{what: fmt.Sprintf("%s cannot be written: %v", path, err), cure: "name a file in a folder that can be written to"}
	}
	defer os.Remove(f.Name()) // gone already when all went well
	counted := &fileProgress{w: f, bar: bar}
	err = errors.Join(gateway.BatchFile(ctx, id, name, counted), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return counted.n, err
}

// fileProgress shows how much has come.
type fileProgress struct {
	w   io.Writer
	bar *progressBar
	n   int64
}

func (p *fileProgress) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.n += int64(n)
	p.bar.show(progress{what: "fetching", tail: megabytes(float64(p.n))})
	return n, err
}
