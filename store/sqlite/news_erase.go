package sqlite

import (
	"encoding/json"
	"slices"
	"strings"

	"hongyan/store"
)

// forgetAnswersSQL takes what endpoints answered from deliveries, and errors that may quote
// it, and lets the outcome of an attempt under way bring no answer: they may answer with
// what they were told.
var forgetAnswersSQL = `UPDATE webhook_deliveries SET last_answer = '', erased = 1, last_error = ` + ownErrorSQL("last_error") + `,
	earlier = (SELECT json_group_array(json_set(value, '$.answer', '', '$.error', ` + ownErrorSQL("value ->> 'error'") + `) ORDER BY key)
	FROM json_each(earlier)) WHERE `

func ownErrorSQL(column string) string {
	return "CASE WHEN " + column + " = '' OR " + column + " GLOB '" + store.AnsweredError + "*' THEN " + column + " ELSE '" + store.ErasedError + "' END"
}

// news takes the data of what was told that names the person: a receipt nobody owns, few
// sends that are left. What was told of a message shows the message as it is now.
func (x *erasing) news() error {
	for after := int64(0); ; {
		var named []int64
		looked := 0
		err := x.read(x.ctx, func(c *conn) error {
			return c.query(x.ctx, func(r *row) error {
				id, data := r.int64(), r.text()
				looked, after = looked+1, id
				if names(data, x.e.OpenID) {
					named = append(named, id)
				}
				return nil
			}, "SELECT id, data FROM news WHERE id > ? ORDER BY id LIMIT ? + 0", after, eraseLook)
		})
		for some := range slices.Chunk(named, eraseBatch) {
			if err == nil {
				err = x.gently(len(some), func(t *tx) error {
					for _, id := range some {
						if _, err := t.exec(forgetAnswersSQL+"news = ?", id); err != nil {
							return err
						}
					}
					return t.execSeqs("UPDATE news SET data = '{}' WHERE id IN ", some)
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
