package server

import (
	"context"

	"hongyan/batch"
	"hongyan/dispatch"
	"hongyan/store"
)

// batchEngine is the engine as package batch sees it.
type batchEngine struct{ *dispatch.Engine }

// Check asks the engine about a row.
func (e batchEngine) Check(ctx context.Context, m *batch.Message) error {
	r := requestOfRow(m)
	err := e.Engine.Check(ctx, &r)
	m.TemplateID = r.TemplateID
	return err
}

// Feed hands rows to the engine.
func (e batchEngine) Feed(ctx context.Context, ms []batch.Message, commit func(context.Context, []store.NewMessage, []error) ([]store.Inserted, error)) error {
	rs := make([]dispatch.Request, len(ms))
	for i := range ms {
		rs[i] = requestOfRow(&ms[i])
	}
	return e.Engine.Feed(ctx, rs, commit)
}

// requestOfRow is a row of a batch as a message to send.
func requestOfRow(m *batch.Message) dispatch.Request {
	return dispatch.Request{
		AppID: m.AppID, Kind: m.Kind, ToUser: m.ToUser, TemplateID: m.TemplateID, URL: m.URL, MiniProgram: m.MiniProgram, TopColor: m.TopColor,
		Page: m.Page, FormID: m.FormID, EmphasisKeyword: m.EmphasisKeyword, Color: m.Color, MiniProgramState: m.MiniProgramState, Lang: m.Lang,
		Scene: m.Scene, Title: m.Title, Data: m.Data, ExpiresAt: m.ExpiresAt, Priority: m.Priority, Metadata: m.Metadata,
		CallerID: m.CallerID, RetryOf: m.RetryOf, Batch: m.Batch, BatchRow: m.Row,
	}
}

var _ batch.Engine = batchEngine{}

// buildBatches ties batches to the engine.
func (w *works) buildBatches() {
	w.batches = batch.New(batch.Config{Store: w.store, Tell: w.tell, Engine: batchEngine{w.engine}, Registerer: w.metrics.registry, Logger: w.log.With("part", "batch")})
}

// BatchEngine is an engine as package batch wants it, for programs that put the parts
// together by themselves.
func BatchEngine(e *dispatch.Engine) batch.Engine { return batchEngine{e} }
