package batch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hongyan"
	"hongyan/store"
)

// Draft is a batch to make.
type Draft struct {
	AppID         string // or alias
	Name          string
	Kind          hongyan.MessageKind // "" = what the account sends
	TemplateID    string
	Fields        Fields            // the messages' defaults; texts may hold {{column}}
	Columns       map[string]string // field → column
	RatePerSecond float64           // 0 = no limit of its own
	QuietHours    string            // "", "account", or as hongyan.ParseQuietHours reads it
	SendAt        time.Time         // zero or past = when it is started
	ExpiresAfter  time.Duration     // 0 = the account's
	Priority      hongyan.Priority
	Duplicates    string // "refuse" (also "") or "allow"
	Metadata      []byte
	CallerID      string
}

// Bounds of a batch.
const (
	maxName     = 200 // bytes
	maxRate     = 10_000
	maxAhead    = 90 * 24 * time.Hour
	maxMetadata = 16 << 10 // bytes
)

// Create makes an open batch. What can be told without a row is checked: the account,
// the template, and every text that is the same for all.
func (d *Desk) Create(ctx context.Context, in Draft) (hongyan.Batch, error) {
	return d.create(ctx, in, store.Once{})
}

// CreateOnce is Create for a call that may be repeated. A key that is known answers the
// batch its first call made, as that is now and whatever would be refused by now; Invalid
// (idempotency_key_reused) if that call had another body.
func (d *Desk) CreateOnce(ctx context.Context, in Draft, once store.Once) (b hongyan.Batch, replayed bool, err error) {
	if once.Key == "" {
		b, err = d.Create(ctx, in)
		return b, false, err
	}
	if b, replayed, err = d.replay(ctx, in.CallerID, once); replayed || err != nil {
		return b, replayed, err
	}
	b, err = d.create(ctx, in, once)
	if hongyan.IsKind(err, hongyan.Conflict) { // the same call was faster, on its other way here
		if first, known, failed := d.replay(ctx, in.CallerID, once); known || failed != nil {
			return first, known, failed
		}
	}
	return b, false, err
}

func (d *Desk) replay(ctx context.Context, callerID string, once store.Once) (b hongyan.Batch, known bool, err error) {
	b, out, err := d.store.ReplayBatch(ctx, callerID, once)
	if out == store.InsertedMismatch {
		e := hongyan.Errorf(hongyan.Invalid, "idempotency_key_reused", "this Idempotency-Key was used for another body within 24 hours")
		e.Hint = "Use a new key for a new batch."
		return b, false, e
	}
	return b, out == store.InsertedReplay, err
}

func (d *Desk) create(ctx context.Context, in Draft, once store.Once) (hongyan.Batch, error) {
	account, err := d.account(ctx, in.AppID)
	if err != nil {
		return hongyan.Batch{}, err
	}
	b := hongyan.Batch{
		ID: hongyan.NewBatchID(), AppID: account.AppID, Name: in.Name, Kind: in.Kind, TemplateID: in.TemplateID,
		Priority: in.Priority, CallerID: in.CallerID, Metadata: in.Metadata, RatePerSecond: in.RatePerSecond,
		QuietHours: in.QuietHours, ExpiresAfter: in.ExpiresAfter, SendAt: hongyan.Millis(in.SendAt),
	}
	if !b.SendAt.After(d.store.Now()) {
		b.SendAt = time.Time{} // it is due by now, as a message would be
	}
	sp := spec{Fields: in.Fields, Columns: in.Columns, Duplicates: in.Duplicates}
	if err := d.checkDraft(ctx, &b, &sp); err != nil {
		return hongyan.Batch{}, err
	}
	if b.Kind == "" {
		b.Kind = d.kindOf(ctx, &b, &account)
	}
	if b.Spec, err = json.Marshal(sp); err != nil {
		return hongyan.Batch{}, fmt.Errorf("write the spec of a batch: %w", err)
	}
	return d.store.CreateBatch(ctx, b, once)
}

func (d *Desk) account(ctx context.Context, name string) (hongyan.Account, error) {
	if name == "" {
		return hongyan.Account{}, hongyan.InvalidField("missing_field", "/appid", "appid is missing").InChinese("缺少 appid")
	}
	account, err := d.store.Account(ctx, name)
	if hongyan.IsKind(err, hongyan.NotFound) {
		err = hongyan.InvalidField("unknown_account", "/appid", "no account has the appid or alias %q", clip(name)).InChinese("没有 appid 或别名为 %q 的账号", clip(name))
	}
	return account, err
}

// kindOf is what the engine takes a batch's messages for that names no kind: what its
// template is for, or else what the account sends.
func (d *Desk) kindOf(ctx context.Context, b *hongyan.Batch, account *hongyan.Account) hongyan.MessageKind {
	t, err := d.store.Template(ctx, b.AppID, b.TemplateID)
	if err == nil && (t.Kind == hongyan.KindNotice || t.Kind == hongyan.KindSubscribe) {
		return t.Kind
	}
	return account.Kind.MessageKind()
}

// faults collects broken rules.
type faults struct {
	code   string
	fields []hongyan.FieldError
}

// add notes one in English and in Chinese, of the same arguments.
func (f *faults) add(code, pointer, en, zh string, args ...any) {
	f.code = cmp.Or(f.code, code)
	f.fields = append(f.fields, hongyan.FieldError{Pointer: pointer, Detail: fmt.Sprintf(en, args...), DetailZH: fmt.Sprintf(zh, args...)})
}

func (f *faults) addError(err error) {
	if e, ok := errors.AsType[*hongyan.Error](err); ok {
		f.code = cmp.Or(f.code, e.Code)
		f.fields = append(f.fields, e.Fields...)
	}
}

func (f *faults) err() error {
	if len(f.fields) == 0 {
		return nil
	}
	return &hongyan.Error{Kind: hongyan.Invalid, Code: f.code, Message: f.fields[0].Detail, Fields: f.fields}
}

// checkDraft checks what a batch says for all of its rows.
func (d *Desk) checkDraft(ctx context.Context, b *hongyan.Batch, sp *spec) error {
	var f faults
	f.settings(b)
	if b.SendAt.Sub(d.store.Now()) > maxAhead {
		f.add("send_at_too_late", "/send_at", "send_at %s is more than 90 days ahead", "send_at %s 在 90 天以后", b.SendAt.Format(time.RFC3339))
	}
	if len(b.Metadata) > maxMetadata {
		f.add("metadata_too_long", "/metadata", "metadata has %d bytes; at most %d", "metadata 有 %d 字节，最多 %d 字节", len(b.Metadata), maxMetadata)
	}
	switch sp.Duplicates {
	case "", "refuse", "allow":
	default:
		f.add("invalid_field", "/duplicates", "duplicates %q is neither refuse nor allow", "duplicates %q 不是 refuse 或 allow", clip(sp.Duplicates))
	}
	for field, column := range sp.Columns {
		if strings.TrimSpace(column) == "" || strings.Contains(column, "}}") {
			f.add("invalid_field", "/columns/"+strings.TrimPrefix(pointerOf(field), "/"), "%q is no name of a column", "%q 不是列名", clip(column))
		}
	}
	p, err := sp.compile(nil, nil)
	f.addError(err)
	if err := f.err(); err != nil {
		return err
	}
	if err := d.probe(ctx, b, p); err != nil {
		return err
	}
	return sp.checkNames(d.keysOf(ctx, b)) // now that an alias is the template it stands for
}

// settings checks what an operator may change later, too.
func (f *faults) settings(b *hongyan.Batch) {
	if len(b.Name) > maxName {
		f.add("invalid_field", "/name", "name has %d bytes; at most %d", "name 有 %d 字节，最多 %d 字节", len(b.Name), maxName)
	}
	if b.RatePerSecond < 0 || b.RatePerSecond > maxRate || b.RatePerSecond != b.RatePerSecond {
		f.add("invalid_field", "/rate_per_second", "rate_per_second %v is not between 0 and %d", "rate_per_second %v 不在 0 到 %d 之间", b.RatePerSecond, maxRate)
	}
	if b.QuietHours != "" && b.QuietHours != "account" {
		_, err := hongyan.ParseQuietHours(b.QuietHours)
		f.addError(err)
	}
	if b.ExpiresAfter != 0 && (b.ExpiresAfter < time.Minute || b.ExpiresAfter > 30*24*time.Hour) {
		f.add("invalid_field", "/expires_after", "expires_after %d is not between 60 and 2592000 seconds", "expires_after %d 不在 60 到 2592000 秒之间", int64(b.ExpiresAfter/time.Second))
	}
}

// probeUser is an openid that nobody has.
const probeUser = "o000000000000000000000000000"

// probe asks the engine about a message with the batch's own texts, and passes over
// what rows are to bring: a recipient, columns, and the keys of data. An alias becomes
// the template_id that it stands for now: what rows are judged by is what is sent.
func (d *Desk) probe(ctx context.Context, b *hongyan.Batch, p *program) error {
	f := p.resolve(make([]string, len(p.names)))
	f.ToUser = probeUser
	m := messageOf(b, f, 1, "", d.store.Now())
	err := d.engine.Check(ctx, &m)
	b.TemplateID = m.TemplateID
	e, ok := errors.AsType[*hongyan.Error](err)
	if !ok || e.Kind != hongyan.Invalid {
		return err
	}
	own := *e
	own.Fields = slices.DeleteFunc(slices.Clone(e.Fields), func(x hongyan.FieldError) bool { return p.brought(&f, fieldOf(x.Pointer)) })
	if len(own.Fields) == 0 && len(e.Fields) > 0 {
		return nil
	}
	if len(own.Fields) > 0 {
		own.Message = own.Fields[0].Detail
	}
	return &own
}

// brought reports whether rows may bring a field: it is a column's, or not there yet.
func (p *program) brought(f *Fields, field string) bool {
	return field == "touser" || field == "data" || valueAt(f, field) == "" && !slices.Contains([]string{"kind", "template_id", "appid"}, field) ||
		slices.ContainsFunc(p.slots, func(s slot) bool { return s.field == field })
}
