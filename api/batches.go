package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"hongyan"
	"hongyan/batch"
	"hongyan/client"
	"hongyan/store"
	"hongyan/wechat"
)

// batchBody is client.BatchRequest as the gateway reads it.
type batchBody struct {
	AppID            string            `json:"appid"`
	Name             string            `json:"name"`
	Kind             string            `json:"kind"`
	TemplateID       string            `json:"template_id"`
	URL              string            `json:"url"`
	MiniProgram      *jump             `json:"miniprogram"`
	TopColor         string            `json:"topcolor"`
	Page             string            `json:"page"`
	FormID           string            `json:"form_id"`
	EmphasisKeyword  string            `json:"emphasis_keyword"`
	Color            string            `json:"color"`
	MiniProgramState string            `json:"miniprogram_state"`
	Lang             string            `json:"lang"`
	Scene            string            `json:"scene"`
	Title            string            `json:"title"`
	Data             messageData       `json:"data"`
	Columns          map[string]string `json:"columns"`
	RatePerSecond    float64           `json:"rate_per_second"`
	QuietHours       string            `json:"quiet_hours"`
	SendAt           time.Time         `json:"send_at"`
	ExpiresAfter     int64             `json:"expires_after"`
	Priority         string            `json:"priority"`
	Duplicates       string            `json:"duplicates"`
	Metadata         jsontext.Value    `json:"metadata"`
}

type batchRequest struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Makes repeating the request safe for 24 hours: 1 to 255 visible ASCII characters." example:"statements-2026-11"`
	Body           batchCreate
}

// Resolve checks the key as POST /v1/messages does. A header that is not there once is
// not what huma has put into the field.
func (in *batchRequest) Resolve(ctx huma.Context) []error {
	all := http.Header{}
	ctx.EachHeader(func(name, value string) { all.Add(name, value) })
	if _, err := idempotencyKey(all); err != nil {
		return []error{err}
	}
	return nil
}

// batchMade is the answer about a new batch, or again about one that the key has made.
type batchMade struct {
	Status   int
	Location string `header:"Location"`
	Replayed string `header:"Idempotency-Replayed" enum:"true" doc:"true when the batch that the key made is answered."`
	Body     client.Batch
}

// noIdempotencyKey refuses a header that would promise what is not kept.
func noIdempotencyKey(key, instead string) error {
	if key == "" {
		return nil
	}
	e := &hongyan.Error{Kind: hongyan.Invalid, Code: "idempotency_key_not_taken", Hint: instead,
		Message: fmt.Sprintf("this takes no Idempotency-Key, got %q", clip(key))}
	e.Fields = []hongyan.FieldError{{Pointer: "/header/Idempotency-Key", Detail: e.Message}}
	return e
}

// batchCreate is body for a batch, which is decoded into WeChat's shapes.
type batchCreate struct {
	value batchBody
	hash  [32]byte // of the body's bytes
	err   error
}

func (b *batchCreate) decode(data []byte) {
	b.hash, b.err = sha256.Sum256(data), decodeStrict(data, &b.value)
}

// Schema documents client's form of it.
func (*batchCreate) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[client.BatchRequest](), true, "")
}

// Resolve reports what was wrong with the body.
func (b *batchCreate) Resolve(huma.Context) []error {
	if b.err == nil {
		return nil
	}
	return []error{b.err}
}

type batchPath struct {
	ID string `path:"id" doc:"The batch's id."`
}

// batch reads a batch the caller may see. One of an account that the key does not
// cover does not exist for it.
func (a *API) batch(ctx context.Context, id string) (hongyan.Batch, error) {
	b, err := a.cfg.Batches.Get(ctx, id)
	if err == nil && !infoOf(ctx).caller.Covers(b.AppID) || hongyan.IsKind(err, hongyan.NotFound) {
		err = hongyan.Errorf(hongyan.NotFound, "unknown_batch", "there is no batch %q", clip(id))
	}
	return b, err
}

func (a *API) createBatch(ctx context.Context, in *batchRequest) (*batchMade, error) {
	info, asked := infoOf(ctx), &in.Body.value
	d, err := asked.draft()
	if err != nil {
		return nil, err
	}
	if err := a.mayUse(ctx, info.caller, asked.AppID); err != nil {
		return nil, err
	}
	d.CallerID = info.caller.ID
	b, replayed, err := a.cfg.Batches.CreateOnce(ctx, d, store.Once{Key: in.IdempotencyKey, BodyHash: in.Body.hash})
	if err != nil {
		return nil, err
	}
	answer := &batchMade{Status: http.StatusCreated, Location: "/v1/batches/" + b.ID}
	if info.changes(b.ID, "%s, template %s", b.AppID, b.TemplateID); replayed {
		info.change.action = "" // nothing changed
		answer.Status, answer.Replayed = http.StatusOK, "true"
	}
	v, err := a.viewBatch(ctx, &b)
	if err != nil {
		return nil, err
	}
	answer.Body = *v
	return answer, nil
}

// draft checks the little that is not package batch's to check, and translates.
func (in *batchBody) draft() (batch.Draft, error) {
	if in.AppID == "" || in.TemplateID == "" {
		var f faults
		if in.AppID == "" {
			f.add("/appid", "appid is missing: the account, by appid or alias")
		}
		if in.TemplateID == "" {
			f.add("/template_id", "template_id is missing: a template the account holds")
		}
		return batch.Draft{}, &hongyan.Error{Kind: hongyan.Invalid, Code: "missing_field", Message: f[0].Detail, Fields: f}
	}
	priority := hongyan.Bulk
	if in.Priority != "" {
		var err error
		if priority, err = hongyan.ParsePriority(in.Priority); err != nil {
			return batch.Draft{}, err
		}
	}
	if in.Kind != "" && !slices.Contains(hongyan.MessageKinds(), hongyan.MessageKind(in.Kind)) {
		return batch.Draft{}, hongyan.UnknownKind(clip(in.Kind))
	}
	metadata, err := metadataObject(in.Metadata)
	if err != nil {
		return batch.Draft{}, err
	}
	const longest = 366 * 24 * time.Hour // what is beyond is refused where it is judged
	d := batch.Draft{
		AppID: in.AppID, Name: in.Name, Kind: hongyan.MessageKind(in.Kind), TemplateID: in.TemplateID, Columns: in.Columns,
		Fields: batch.Fields{URL: in.URL, TopColor: in.TopColor, Page: in.Page, FormID: in.FormID, EmphasisKeyword: in.EmphasisKeyword,
			Color: in.Color, MiniProgramState: in.MiniProgramState, Lang: in.Lang, Scene: in.Scene, Title: in.Title, Data: wechat.Data(in.Data)},
		RatePerSecond: in.RatePerSecond, QuietHours: in.QuietHours, SendAt: in.SendAt, Priority: priority, Duplicates: in.Duplicates, Metadata: slices.Clone(metadata),
		ExpiresAfter: time.Duration(max(-1, min(in.ExpiresAfter, int64(longest/time.Second)))) * time.Second,
	}
	if in.MiniProgram != nil && *in.MiniProgram != (jump{}) {
		d.Fields.MiniProgram = &wechat.MiniProgram{AppID: in.MiniProgram.AppID, PagePath: in.MiniProgram.PagePath}
	}
	return d, nil
}

type batchList struct {
	AppID  string `query:"appid" doc:"An account, by appid or alias."`
	State  string `query:"state" doc:"One or more states, separated by commas." example:"running,paused"`
	Cursor string `query:"cursor" doc:"next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

func (a *API) listBatches(ctx context.Context, in *batchList) (*out[client.List[client.Batch]], error) {
	f := store.BatchFilter{Limit: in.Limit, NoVoid: in.State == ""}
	var err error
	if f.AppIDs, err = a.filterAccounts(ctx, in.AppID); err != nil {
		return nil, err
	}
	if f.States, err = parseBatchStates(in.State); err != nil {
		return nil, err
	}
	if f.Before, err = readCursor("b", in.Cursor); err != nil {
		return nil, err
	}
	batches, err := a.cfg.Batches.List(ctx, f)
	if err != nil {
		return nil, err
	}
	list := client.List[client.Batch]{Items: make([]client.Batch, 0, len(batches))}
	for i := range batches {
		list.Items = append(list.Items, *plainBatch(&batches[i]))
	}
	if len(batches) == in.Limit {
		list.NextCursor = cursorFor("b", batches[len(batches)-1].Seq)
	}
	return &out[client.List[client.Batch]]{list}, nil
}

func parseBatchStates(words string) (states []hongyan.BatchState, err error) {
	if words == "" {
		return nil, nil
	}
	for word := range strings.SplitSeq(words, ",") {
		s, err := hongyan.ParseBatchState(strings.TrimSpace(word))
		if err != nil {
			var known []string
			for _, s := range hongyan.BatchStates() {
				known = append(known, s.String())
			}
			return nil, badField("unknown_state", "/query/state", "unknown state %q; states of a batch are %s", clip(word), strings.Join(known, ", "))
		}
		states = append(states, s)
	}
	return states, nil
}

func (a *API) getBatch(ctx context.Context, in *batchPath) (*out[client.Batch], error) {
	b, err := a.batch(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return a.shownBatch(ctx, b, nil)
}

// shownBatch is the answer of everything that ends with a batch.
func (a *API) shownBatch(ctx context.Context, b hongyan.Batch, err error) (*out[client.Batch], error) {
	if err != nil {
		return nil, err
	}
	v, err := a.viewBatch(ctx, &b)
	if err != nil {
		return nil, err
	}
	return &out[client.Batch]{*v}, nil
}

// actOnBatch does something to a batch the caller may see and shows it afterwards.
func (a *API) actOnBatch(ctx context.Context, id string, do func(context.Context, string) (hongyan.Batch, error)) (*out[client.Batch], error) {
	if _, err := a.batch(ctx, id); err != nil {
		return nil, err
	}
	b, err := do(ctx, id)
	return a.shownBatch(ctx, b, err)
}

func (a *API) pauseBatch(ctx context.Context, in *batchPath) (*out[client.Batch], error) {
	return a.actOnBatch(ctx, in.ID, a.cfg.Batches.Pause)
}

func (a *API) resumeBatch(ctx context.Context, in *batchPath) (*out[client.Batch], error) {
	return a.actOnBatch(ctx, in.ID, a.cfg.Batches.Resume)
}

func (a *API) cancelBatch(ctx context.Context, in *batchPath) (*out[client.Batch], error) {
	return a.actOnBatch(ctx, in.ID, a.cfg.Batches.Cancel)
}

type batchStart struct {
	ID   string `path:"id" doc:"The batch's id."`
	Body body[client.BatchStart]
}

func (a *API) startBatch(ctx context.Context, in *batchStart) (*out[client.Batch], error) {
	return a.actOnBatch(ctx, in.ID, func(ctx context.Context, id string) (hongyan.Batch, error) {
		return a.cfg.Batches.Start(ctx, id, in.Body.Value.At.Or(), in.Body.Value.SkipBad)
	})
}

type batchUpdate struct {
	ID   string `path:"id" doc:"The batch's id."`
	Body body[client.BatchUpdate]
}

func (a *API) updateBatch(ctx context.Context, in *batchUpdate) (*out[client.Batch], error) {
	return a.actOnBatch(ctx, in.ID, func(ctx context.Context, id string) (hongyan.Batch, error) {
		return a.cfg.Batches.Change(ctx, id, batch.Change(in.Body.Value))
	})
}

type batchRetry struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Refused: POST /v1/messages and POST /v1/batches take it."`
	ID             string `path:"id" doc:"The batch's id."`
	Body           body[client.BatchRetry]
}

func (a *API) retryBatch(ctx context.Context, in *batchRetry) (*created[client.Batch], error) {
	if _, err := a.batch(ctx, in.ID); err != nil {
		return nil, err
	}
	if err := noIdempotencyKey(in.IdempotencyKey, "Leave it out: a second retry of the same batch is refused by itself (retried_already)."); err != nil {
		return nil, err
	}
	r := batch.Retry{Errcodes: in.Body.Value.Errcodes, Name: in.Body.Value.Name, Again: in.Body.Value.Again, CallerID: infoOf(ctx).caller.ID}
	for _, word := range in.Body.Value.States {
		s, err := hongyan.ParseState(word)
		if err != nil {
			return nil, badField("unknown_state", "/states", "unknown state %q; states are %s", clip(word), stateWords())
		}
		r.States = append(r.States, s)
	}
	b, err := a.cfg.Batches.Retry(ctx, in.ID, r)
	if err != nil {
		return nil, err
	}
	infoOf(ctx).changes(in.ID, "made %s with %d rows", b.ID, b.Rows)
	v, err := a.viewBatch(ctx, &b)
	if err != nil {
		return nil, err
	}
	return &created[client.Batch]{"/v1/batches/" + b.ID, *v}, nil
}

// batchNotice is WeChat's rule, said where it matters: S1–S3 of the spec.
var batchNotice = client.Notice{
	EN: "Template messages are important service notices to users in qualifying service scenes. WeChat forbids advertising, marketing and anything else that may bother users; an account that sends it can lose the interface.",
	ZH: "模板消息仅用于公众号向用户发送重要的服务通知，只能用于符合要求的服务场景；微信不支持广告等营销类消息以及其它所有可能对用户造成骚扰的消息，违规的账号可能被收回接口。",
}

// viewBatch is a batch with what it takes a look at its messages to tell.
func (a *API) viewBatch(ctx context.Context, b *hongyan.Batch) (*client.Batch, error) {
	p, err := a.cfg.Batches.Progress(ctx, b)
	if err != nil {
		return nil, err
	}
	v := plainBatch(b)
	for state, n := range p.Counts {
		if n > 0 {
			v.Counts[state.String()] = n
		}
	}
	v.ForecastAt, v.Hold = client.At(p.Forecast), viewHold(p.Hold)
	return v, nil
}

func plainBatch(b *hongyan.Batch) *client.Batch {
	sp := batch.SpecOf(b)
	v := &client.Batch{
		ID: b.ID, AppID: b.AppID, Name: b.Name, Kind: string(b.Kind), TemplateID: b.TemplateID, State: b.State.String(), Reason: b.Reason, Detail: b.Detail,
		Rows: b.Rows, Good: b.Good, Bad: b.Bad(), NextRow: b.Rows + 1, Fed: b.Fed, Refused: b.Late, Remaining: b.Unfed(), Counts: map[string]int64{},
		Columns: sp.Columns, RatePerSecond: b.RatePerSecond, QuietHours: b.QuietHours, SendAt: client.At(b.SendAt),
		ExpiresAfter: int64(b.ExpiresAfter / time.Second), Priority: b.Priority.String(), Duplicates: sp.Duplicates, SkipBad: b.SkipBad,
		Metadata:  json.RawMessage(b.Metadata),
		CreatedAt: client.Time{Time: b.CreatedAt}, StartedAt: client.At(b.StartedAt), UpdatedAt: client.Time{Time: b.UpdatedAt}, EndedAt: client.At(b.EndedAt),
		Notice: batchNotice,
	}
	if b.State == hongyan.BatchRunning {
		v.Speed = b.Speed
	}
	if b.RetryOf != "" {
		v.RetryOf = &b.RetryOf
	}
	return v
}

// nameBatches adds to messages which batch each is a row of.
func (a *API) nameBatches(ctx context.Context, ms []hongyan.Message, views []client.Message) error {
	var seqs []int64
	for i := range ms {
		if seq := ms[i].Batch; seq != 0 && !slices.Contains(seqs, seq) {
			seqs = append(seqs, seq)
		}
	}
	if len(seqs) == 0 || a.cfg.Batches == nil {
		return nil
	}
	ids, err := a.cfg.Batches.IDs(ctx, seqs)
	if err != nil {
		return err
	}
	for i := range ms {
		if id := ids[ms[i].Batch]; id != "" {
			views[i].Batch = &id
		}
		if ms[i].Batch != 0 {
			views[i].BatchRow = &ms[i].BatchRow
		}
	}
	return nil
}

// problemRow writes a problem as the API shows it.
func problemRow(p batch.RowProblem) client.BatchProblem {
	return client.BatchProblem{Row: p.Row, Column: p.Column, Rule: p.Rule, Detail: p.Detail, DetailZH: p.DetailZH, Value: p.Value}
}

type batchProblems struct {
	ID     string `path:"id" doc:"The batch's id."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

func (a *API) listBatchProblems(ctx context.Context, in *batchProblems) (*out[client.List[client.BatchProblem]], error) {
	b, err := a.batch(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	after, err := readCursor("p", in.Cursor)
	if err != nil {
		return nil, err
	}
	hide := masks(ctx)
	list := client.List[client.BatchProblem]{Items: []client.BatchProblem{}}
	err = a.cfg.Batches.Problems(ctx, &b, after, func(p batch.RowProblem) bool {
		if n := len(list.Items); n >= in.Limit && list.Items[n-1].Row != p.Row { // a row's problems stay together
			list.NextCursor = cursorFor("p", list.Items[n-1].Row)
			return false
		}
		if hide {
			p.Detail, p.DetailZH, p.Value = masked, masked, masked
		}
		list.Items = append(list.Items, problemRow(p))
		return true
	})
	if err != nil {
		return nil, err
	}
	return &out[client.List[client.BatchProblem]]{list}, nil
}

// wantedRow returns the row that a refused upload names, 0 when it names none.
func wantedRow(e *hongyan.Error) int64 {
	row, _ := errors.AsType[batch.NextRow](e.Err)
	return int64(row)
}
