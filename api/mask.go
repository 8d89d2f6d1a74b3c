package api

import (
	"context"
	"encoding/json"

	"hongyan"
	"hongyan/access"
	"hongyan/client"
)

// masked stands for a value that the caller need not see.
const masked = "***"

// masks reports whether openids and values of messages are hidden from the caller: a
// reader, unless the key was made to see them.
func masks(ctx context.Context) bool {
	return infoOf(ctx).caller.Role == access.Reader && !infoOf(ctx).caller.Personal
}

// maskOpenID keeps the ends of an openid, enough to tell two users apart in a list.
func maskOpenID(s string) string {
	const keep = 4
	if len(s) <= 2*keep {
		return masked
	}
	return s[:keep] + "…" + s[len(s)-keep:]
}

// maskText hides a text; that there is none may be seen.
func maskText(s string) string {
	if s == "" {
		return ""
	}
	return masked
}

// maskMessage hides whom a message is for and what it says.
func maskMessage(m *client.Message) {
	m.ToUser, m.Metadata = maskOpenID(m.ToUser), nil
	if m.ClientMsgID != m.ID {
		m.ClientMsgID = masked // the caller's own word for it, which may be about the person
	}
	if m.Payload != nil {
		m.Payload = maskPayload(m.Payload)
	}
}

// maskPayload keeps the shape of WeChat's body and its template.
func maskPayload(raw json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return nil
	}
	shown := make(map[string]any, len(fields))
	for name, value := range fields {
		var inside map[string]json.RawMessage
		switch {
		case name == "template_id":
			shown[name] = value
		case name == "data" && json.Unmarshal(value, &inside) == nil:
			values := make(map[string]any, len(inside))
			for key := range inside {
				values[key] = map[string]string{"value": masked}
			}
			shown[name] = values
		default:
			shown[name] = masked
		}
	}
	out, err := json.Marshal(shown)
	if err != nil {
		return nil
	}
	return out
}

// maskPush hides whom a push is about and what it says.
func maskPush(e *client.Push) { e.OpenID, e.Body = maskOpenID(e.OpenID), masked }

// maskNews hides whom news are about.
func maskNews(n *hongyan.News) {
	if m := n.Message; m != nil {
		m.ToUser, m.Metadata = maskOpenID(m.ToUser), nil
		if m.ClientMsgID != n.MessageID {
			m.ClientMsgID = masked
		}
	}
	var data any
	if json.Unmarshal(n.Data, &data) != nil || !maskPeople(data) {
		return
	}
	if raw, err := json.Marshal(data); err == nil {
		n.Data = raw
	}
}

// maskPeople hides the openids inside a JSON value and reports whether there were any.
func maskPeople(value any) (found bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			if text, ok := inner.(string); ok && (name == "touser" || name == "openid") {
				v[name], found = maskOpenID(text), true
				continue
			}
			found = maskPeople(inner) || found
		}
	case []any:
		for _, inner := range v {
			found = maskPeople(inner) || found
		}
	}
	return found
}
