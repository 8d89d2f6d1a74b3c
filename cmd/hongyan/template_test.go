package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestABarredTemplateIsShownWithTheBatchesThatWait: their rows are no messages yet.
func TestABarredTemplateIsShownWithTheBatchesThatWait(t *testing.T) {
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "req_1")
		switch r.URL.String() {
		case "/v1/accounts/shop/templates":
			fmt.Fprint(w, `{"items":[{"template_id":"T1","status":"active"},{"template_id":"T2","status":"banned","status_reason":"errcode 43116"}]}`)
		case "/v1/batches?appid=shop&limit=1000&state=paused":
			fmt.Fprint(w, `{"items":[{"id":"bat_1","template_id":"T2","reason":"template_banned","remaining":29},`+
				`{"id":"bat_2","template_id":"T2","reason":"batch_paused","remaining":5},{"id":"bat_3","template_id":"T1","reason":"template_banned","remaining":7}]}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer gateway.Close()
	var out bytes.Buffer
	w := &surroundings{stdout: &out, stderr: &out, environ: []string{"HONGYAN_KEY=k"}}
	c := templateList{gatewayFlags: gatewayFlags{URL: gateway.URL}, AppID: "shop"}
	err := c.Run(t.Context(), w)
	want := "\nT2 is banned: errcode 43116; waiting for it: 0 messages, bat_1 with 29 rows to go\nnext: "
	if err != nil || !strings.Contains(out.String(), want) {
		t.Errorf("%v:\n%s\nwant it to have %q", err, out.String(), want)
	}
}
