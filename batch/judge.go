package batch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"hongyan"
)

// judge holds rows against the rules: the engine's own, so that a row is refused for
// what a single message would be refused for, and those of a batch.
type judge struct {
	desk *Desk
	b    *hongyan.Batch
	p    *program
	keys []string // of the template, as far as they are known
	now  time.Time
	seen *seen
	// allowTwice: one recipient may be given several times.
	allowTwice bool
	foreign    bool // there are other accounts, whose users may be among the recipients
}

// everywhere are the fields whose faults are not one row's: all rows would have them.
var everywhere = []string{"/appid", "/kind", "/template_id"}

// rows judges rows, of which the first has that number, and returns their hashes and
// recipients. The error is not about a row.
func (j *judge) rows(ctx context.Context, rows []Row, first int64) (hashes []uint64, users []string, err error) {
	hashes, users = make([]uint64, len(rows)), make([]string, len(rows))
	for i := range rows {
		if users[i], err = j.row(ctx, &rows[i], first+int64(i)); err != nil {
			return nil, nil, err
		}
		hashes[i] = hashOf(users[i])
	}
	if j.foreign {
		if err := j.owners(ctx, rows, users); err != nil {
			return nil, nil, err
		}
	}
	return hashes, users, nil
}

// row judges one row and returns its recipient.
func (j *judge) row(ctx context.Context, r *Row, n int64) (string, error) {
	f, problems := j.p.fields(r)
	if len(r.Problems) == 0 { // else whoever read it has said what is wrong
		r.Problems = append(problems, j.unknownKeys(r)...)
	}
	if len(r.Problems) > 0 {
		return f.ToUser, nil
	}
	m := messageOf(j.b, f, n, r.RetryOf, j.now)
	err := j.desk.engine.Check(ctx, &m)
	if err == nil {
		return f.ToUser, nil
	}
	e, ok := errors.AsType[*hongyan.Error](err)
	if !ok || e.Kind != hongyan.Invalid || aboutAll(e) {
		return "", err
	}
	r.Problems = j.p.problems(e, &f)
	return f.ToUser, nil
}

// unknownKeys finds the keys of a line of JSON that the template does not have. WeChat would
// ignore them; of a table they are refused, too, because they are keys mistyped.
func (j *judge) unknownKeys(r *Row) (problems []Problem) {
	if r.decoded == nil {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(r.decoded.Data)) {
		var f faults
		f.fieldName("", dataPrefix+key, false, j.keys)
		for _, x := range f.fields {
			problems = append(problems, Problem{Column: dataPrefix + key, Rule: f.code, Detail: x.Detail, DetailZH: x.DetailZH, Value: clip(r.decoded.Data[key].Value)})
		}
	}
	return problems
}

// aboutAll reports whether an error is not about one row but about the batch.
func aboutAll(e *hongyan.Error) bool {
	return slices.ContainsFunc(e.Fields, func(f hongyan.FieldError) bool { return slices.Contains(everywhere, f.Pointer) })
}

// problems turns an error about fields into problems of columns.
func (p *program) problems(e *hongyan.Error, f *Fields) []Problem {
	rule := e.Code
	if rule == "" {
		rule = e.Kind.String()
	}
	if len(e.Fields) == 0 {
		return []Problem{{Rule: rule, Detail: e.Message}}
	}
	all := make([]Problem, len(e.Fields))
	for i, x := range e.Fields {
		field := fieldOf(x.Pointer)
		all[i] = Problem{Column: p.columnOf(field), Rule: rule, Detail: x.Detail, DetailZH: x.DetailZH, Value: clip(valueAt(f, field))}
	}
	return all
}

// owners finds the recipients that are another account's users: an openid belongs to
// one account, and WeChat accepted messages to some before.
func (j *judge) owners(ctx context.Context, rows []Row, users []string) error {
	owners, err := j.desk.store.OwnersOf(ctx, j.b.AppID, users)
	if err != nil {
		return fmt.Errorf("look for the accounts of recipients: %w", err)
	}
	for i := range rows {
		if owner := owners[users[i]]; owner != "" && owner != j.b.AppID && len(rows[i].Problems) == 0 {
			rows[i].Problems = []Problem{{Column: j.p.columnOf("touser"), Rule: "openid_of_another_account",
				Detail:   fmt.Sprintf("this openid is a user's of %s, not of %s: WeChat accepted messages to it from there", owner, j.b.AppID),
				DetailZH: fmt.Sprintf("该 openid 属于 %s，不属于 %s：微信曾受理从那里发给它的消息", owner, j.b.AppID), Value: clip(users[i])}}
		}
	}
	return nil
}

// twice finds recipients that are given twice, and completes the hashes of bad rows.
// What it knows grows by the rows.
func (j *judge) twice(rows []Row, hashes []uint64, users []string) {
	for i := range rows {
		r := &rows[i]
		if first := j.seen.first(hashes[i]); first != 0 && !j.allowTwice {
			r.Problems = append(r.Problems, Problem{Column: j.p.columnOf("touser"), Rule: "duplicate_openid",
				Detail:   fmt.Sprintf("row %d has this openid already", first),
				DetailZH: fmt.Sprintf("第 %d 行已有该 openid", first), Value: clip(users[i])})
		}
		if len(r.Problems) > 0 && hashes[i] != 0 {
			hashes[i] |= isBad
		}
		j.seen.add(hashes[i])
	}
}
