package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnknownVariables(t *testing.T) {
	got := UnknownVariables([]string{
		"HOME=/root", "HONGYAN_LISTN=1", "HONGYAN_LISTEN=127.0.0.1:1", "HONGYAN_LOG_LEVEL=info", "HONGYAN_ADMIN_KEY=x",
		"HONGYAN_MASTER_KEY_FILE=x", "HONGYAN_URL=x", "HONGYAN_KEY=x", "HONGYAN_ADMINKEY=s3cret", "HONGYAN_COLOUR_SCHEME=x", "HONGYAN_data=x", "HONGYAN_LISTNE=",
		"HONGYAN_PORT=tcp://10.0.0.1:80", "HONGYAN_PORT_7800_TCP_ADDR=x", "HONGYAN_SERVICE_HOST=x", "HONGYAN_API_SERVICE_PORT_HTTP=x",
	})
	want := []string{
		"HONGYAN_ADMINKEY is no setting and is ignored; did you mean HONGYAN_ADMIN_KEY?",
		"HONGYAN_COLOUR_SCHEME is no setting and is ignored",
		"HONGYAN_LISTN is no setting and is ignored; did you mean HONGYAN_LISTEN?",
		"HONGYAN_data is no setting and is ignored; did you mean HONGYAN_DATA?",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
