package compat

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"hongyan/wechat"
)

// maxPeek is how much of an answer is looked at, in bytes. Refusals are shorter;
// what is longer is a result, and goes its way unread.
const maxPeek = 16 << 10

// glance is the beginning of WeChat's answer and what it says.
type glance struct {
	head  []byte
	whole bool // head is all of it
	err   error
	code  wechat.Code
	rid   string
}

// peek reads as much of an answer as it takes to know whether it is a refusal: a
// short JSON object with an errcode, whatever its Content-Type says.
func peek(resp *http.Response) (g glance) {
	if resp.ContentLength > maxPeek {
		return g
	}
	buf := make([]byte, maxPeek+1)
	for !g.whole && g.err == nil && len(g.head) < len(buf) && mayBeRefusal(resp, g.head) {
		n, err := resp.Body.Read(buf[len(g.head):])
		g.head = buf[:len(g.head)+n]
		if err == io.EOF {
			g.whole = true
		} else {
			g.err = err
		}
	}
	if g.whole {
		g.code, g.rid = refusalIn(plain(resp, g.head))
	}
	return g
}

// mayBeRefusal looks at the first bytes: JSON objects begin with a brace. What is
// packed may be anything.
func mayBeRefusal(resp *http.Response, head []byte) bool {
	head = bytes.TrimLeft(head, " \t\r\n")
	return len(head) == 0 || head[0] == '{' || packed(resp)
}

func packed(resp *http.Response) bool { return resp.Header.Get("Content-Encoding") == "gzip" }

// maxUnpacked bounds what is unpacked of an answer to look at it, in bytes.
const maxUnpacked = 64 << 10

// plain is the answer as text. The caller gets it as it came.
func plain(resp *http.Response, head []byte) []byte {
	if !packed(resp) {
		return head
	}
	r, err := gzip.NewReader(bytes.NewReader(head))
	if err != nil {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(r, maxUnpacked))
	if err != nil {
		return nil
	}
	return text
}

// refusalIn reads errcode and rid; 0 for whatever is no refusal.
func refusalIn(text []byte) (wechat.Code, string) {
	var answer struct {
		Code json.Number `json:"errcode"`
		Msg  string      `json:"errmsg"`
	}
	if !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) || json.Unmarshal(text, &answer) != nil {
		return 0, ""
	}
	code, err := answer.Code.Int64()
	if err != nil {
		return 0, ""
	}
	return wechat.Code(code), ridOf(answer.Msg)
}

// ridOf is the request id at the end of an errmsg; "" = there is none.
func ridOf(msg string) string {
	_, rid, _ := strings.Cut(msg, "rid: ")
	return rid
}

// deadToken reports whether WeChat refused the access_token itself.
func deadToken(code wechat.Code) bool {
	switch code {
	case wechat.CodeInvalidCredential, wechat.CodeAccessTokenExpired, wechat.CodeInvalidAccessToken:
		return true
	}
	return false
}
