package api

import (
	"context"
	"io"

	"hongyan"
	"hongyan/batch"
	"hongyan/internal/sheet"
)

// writeResultsXLSX writes the same cells as results.csv. Each is text, so that an openid
// or a msgid of 19 digits stays as it is.
func (a *API) writeResultsXLSX(ctx context.Context, b *hongyan.Batch, to io.Writer) error {
	w := sheet.NewWriter(to, "results", ResultHead())
	if err := a.cfg.Batches.Results(ctx, b, func(r batch.Result) error { return w.Write(shownCells(ctx, b, &r)) }); err != nil {
		return err
	}
	return w.Close()
}
