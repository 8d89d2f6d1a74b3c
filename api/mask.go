package api

import (
	"context"
	"encoding/json"

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

// maskEvent hides whom a push is about and what it says.
func maskEvent(e *client.Event) { e.OpenID, e.Body = maskOpenID(e.OpenID), masked }
