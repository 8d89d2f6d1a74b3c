package wechat

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEventFields(t *testing.T) {
	tests := []struct {
		name, body string
		want       map[string]string // nil = refused
	}{
		{"XML", "<xml><ToUserName><![CDATA[gh_1]]></ToUserName>\n<CreateTime>1</CreateTime><EventKey> a b </EventKey></xml>", map[string]string{"ToUserName": "gh_1", "CreateTime": "1", "EventKey": "a b"}},
		{"inside another", "<xml><ScanCodeInfo><ScanType>qrcode</ScanType><ScanResult>x</ScanResult></ScanCodeInfo></xml>", map[string]string{"ScanCodeInfo.ScanType": "qrcode", "ScanCodeInfo.ScanResult": "x"}},
		{"the first of several", "<xml><List><Id>1</Id></List><List><Id>2</Id></List></xml>", map[string]string{"List.Id": "1"}},
		{"JSON", `{"Event":"CLICK","CreateTime":1790000000,"Info":{"A":true},"List":[{"Id":"1"},{"Id":"2"}]}`, map[string]string{"Event": "CLICK", "CreateTime": "1790000000", "Info.A": "true", "List.Id": "1"}},
		{"empty elements", "<xml><EventKey></EventKey><A/></xml>", map[string]string{"EventKey": "", "A": ""}},
		{"a document type", `<!DOCTYPE a [<!ENTITY b "c">]><xml><A>&b;</A></xml>`, nil},
		{"two documents", "<xml></xml><xml></xml>", nil},
		{"broken off", "<xml><A>", nil},
		{"nothing", "", nil},
		{"a text", "success", nil},
		{"too deep", "<a><a><a><a><a><a><a><a><a><a>1</a></a></a></a></a></a></a></a></a></a>", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := EventFields([]byte(tt.body))
			if (err == nil) != (tt.want != nil) {
				t.Fatalf("got %v, %v", got, err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// FuzzEventFields: whatever a body is, it is refused or read into a bounded number of named fields.
func FuzzEventFields(f *testing.F) {
	f.Add([]byte("<xml><EventKey>a</EventKey><MsgType>event</MsgType></xml>"))
	f.Add([]byte(`{"EventKey":"a","List":[1,[2]],"":{"":1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		fields, err := EventFields(body)
		if _, unnamed := fields[""]; unnamed || len(fields) > maxEventFields || err != nil && fields != nil {
			t.Errorf("%d fields, one without a name: %v, %v", len(fields), unnamed, err)
		}
	})
}
