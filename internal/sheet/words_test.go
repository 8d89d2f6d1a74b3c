package sheet

import (
	"archive/zip"
	"compress/flate"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestWhatBreaksAWorkbookIsChineseThroughout(t *testing.T) {
	for _, c := range []struct {
		cause error
		want  string
	}{
		{zip.ErrFormat, "工作簿已损坏：不是完整的 zip 文件"},
		{&Error{Words: Words{"inner", "内层"}, Err: zip.ErrChecksum}, "工作簿已损坏：内层：校验和不符"},
		{flate.CorruptInputError(7), "工作簿已损坏：压缩数据已损坏"},
		{&xml.SyntaxError{Line: 3, Msg: "unexpected EOF"}, "工作簿已损坏：第 3 行不是正确的 XML"},
		{io.ErrUnexpectedEOF, "工作簿已损坏：内容提前结束"},
		{errors.New("no space left on device"), "工作簿已损坏"},
	} {
		e := because(c.cause, "broken", "工作簿已损坏").(*Error)
		if got := e.InChinese(); got != c.want {
			t.Errorf("%v: %q, want %q", c.cause, got, c.want)
		}
	}
	_, err := Open(strings.NewReader("PK\x03\x04 and no more"), Options{Format: "xlsx"})
	if e, ok := errors.AsType[*Error](err); !ok || e.InChinese() != "工作簿不完整，或不是 .xlsx：不是完整的 zip 文件" {
		t.Errorf("half a zip: %v", err)
	}
}
