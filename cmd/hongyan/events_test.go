package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"hongyan/client"
)

// TestARuleThatFiredIsShownByItsName, and with the refusal if it sent nothing.
func TestARuleThatFiredIsShownByItsName(t *testing.T) {
	asked := 0
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("X-Request-Id", "req_1")
		if r.URL.Path != "/v1/accounts/wx1/rules" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, `{"items":[{"id":"rul_1","name":"welcome"}]}`)
	}))
	defer gateway.Close()
	c := &client.Client{BaseURL: gateway.URL}
	names := ruleNames{}
	at := client.Time{Time: time.Now()}
	when := at.Time.Local().Format("15:04:05.000")
	for _, tt := range []struct{ typ, data, want string }{
		{"rule.fired", `{"appid":"wx1","rule_id":"rul_1","event_id":7,"message_id":"msg_1"}`, "wx1 rule=welcome msg_1"},
		{"rule.fired", `{"appid":"wx1","rule_id":"rul_1","event_id":8,"code":"invalid_data","refusal":"thing2 is empty"}`, "wx1 rule=welcome code=invalid_data refusal=thing2 is empty"},
		{"rule.fired", `{"appid":"wx2","rule_id":"rul_gone"}`, "wx2 rule=rul_gone"},
		{"rule.fired", `{"appid":"wx2","rule_id":"rul_gone"}`, "wx2 rule=rul_gone"},
		{"batch.finished", `{"appid":"wx1","name":"autumn"}`, "wx1 name=autumn"},
	} {
		e := client.Event{Type: tt.typ, Timestamp: at, Data: json.RawMessage(tt.data)}
		got := eventLine(printerFor(&bytes.Buffer{}, func(string) string { return "" }), &e, names.of(t.Context(), c, &e))
		if want := when + fmt.Sprintf(" %-20s ", tt.typ) + tt.want; got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times, want once for each rule", asked)
	}
}
