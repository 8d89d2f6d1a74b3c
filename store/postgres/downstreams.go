package postgres

import (
	"encoding/json"
	"fmt"

	"hongyan"
	"hongyan/store"
)

// storedDownstream is a Downstream in an account's row. Its secrets are plain
// strings, for a hongyan.Secret encodes as "[redacted]"; the whole is sealed.
type storedDownstream struct {
	Name    string   `json:"name"`
	URL     string   `json:"url"`
	Sync    bool     `json:"sync,omitempty"`
	Ordered bool     `json:"ordered,omitempty"`
	Paused  bool     `json:"paused,omitempty"`
	Events  []string `json:"events,omitempty"`
	Mode    string   `json:"mode,omitempty"`
	Token   string   `json:"token,omitempty"`
	AESKey  string   `json:"aes_key,omitempty"`
}

// encodeDownstreams returns the JSON of downstreams, "" when there are none.
func encodeDownstreams(ds []hongyan.Downstream) string {
	if len(ds) == 0 {
		return ""
	}
	all := make([]storedDownstream, len(ds))
	for i, d := range ds {
		all[i] = storedDownstream{d.Name, d.URL, d.Sync, d.Ordered, d.Paused, d.Events, d.Mode, d.Token.Reveal(), d.AESKey.Reveal()}
	}
	return mustJSON(all)
}

// openDownstreams unseals and decodes what encodeDownstreams gave.
func openDownstreams(keys *store.Keyring, sealed []byte, appID string) ([]hongyan.Downstream, error) {
	text, err := keys.Open(sealed, accountAAD("downstreams", appID))
	if err != nil || text == "" {
		return nil, err
	}
	var all []storedDownstream
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		// Without err: it might quote a secret.
		return nil, fmt.Errorf("its downstreams cannot be read")
	}
	ds := make([]hongyan.Downstream, len(all))
	for i, d := range all {
		ds[i] = hongyan.Downstream{Name: d.Name, URL: d.URL, Sync: d.Sync, Ordered: d.Ordered, Paused: d.Paused,
			Events: d.Events, Mode: d.Mode, Token: hongyan.Secret(d.Token), AESKey: hongyan.Secret(d.AESKey)}
	}
	return ds, nil
}
