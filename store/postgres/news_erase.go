package postgres

import (
	"encoding/json"
	"slices"
	"strings"

	"hongyan/store"
)

// forgetAnswersSQL takes what endpoints answered from deliveries, and errors that may quote
// it, and lets the outcome of an attempt under way bring no answer: they may answer with
// what they were told.
var forgetAnswersSQL = `UPDATE webhook_deliveries SET last_answer = '', erased = true, last_error = ` + ownErrorSQL("last_error") + `, earlier = (SELECT
	coalesce(jsonb_agg(one || jsonb_build_object('answer', '', 'error', ` + ownErrorSQL("one ->> 'error'") + `) ORDER BY place), '[]')
	FROM jsonb_array_elements(earlier) WITH ORDINALITY AS each (one, place)) WHERE `

func ownErrorSQL(column string) string {
	return "CASE WHEN " + column + " = '' OR starts_with(" + column + ", '" + store.AnsweredError + "') THEN " + column + " ELSE '" + store.ErasedError + "' END"
}

// news takes the data of what was told that names the person: a receipt nobody owns, few
// sends that are left. What was told of a message shows the message as it is now.
func (x *erasing) news() error {
	for after := int64(0); ; {
		var named []int64
		looked, last := 0, after
		err := x.read(x.ctx, func(c conn) error {
			named, looked, last = nil, 0, after
			return c.query(x.ctx, func(r *row) error {
				id, data := r.int64(), r.text()
				looked, last = looked+1, id
				if names(data, x.e.OpenID) {
					named = append(named, id)
				}
				return nil
			}, "SELECT id, data FROM news WHERE id > $1 ORDER BY id LIMIT $2", after, eraseLook)
		})
		after = last
		for some := range slices.Chunk(named, eraseBatch) {
			if err == nil {
				err = x.gently(func(t *tx) error {
					if _, err := t.exec(forgetAnswersSQL+"news = ANY($1)", some); err != nil {
						return err
					}
					return t.execAll(len(some), "UPDATE news SET data = '{}' WHERE id = ANY($1)", some)
				})
			}
		}
		if err != nil || looked < eraseLook {
			return err
		}
	}
}

// names reports whether a JSON object has the text in a value of its own.
func names(data, text string) bool {
	var fields map[string]any
	if json.Unmarshal([]byte(data), &fields) != nil {
		return false
	}
	for _, v := range fields {
		if v, ok := v.(string); ok && strings.Contains(v, text) {
			return true
		}
	}
	return false
}
