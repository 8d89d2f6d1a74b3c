package deliver

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

var (
	errNoAnswer = errors.New("the connection was closed without an answer")
	errNotHTTP  = errors.New("the answer is not HTTP, or broke off")
)

// do makes a call. Its errors quote nothing that came back: errors are shown to people who
// may not see what endpoints say, and outlive the erasure of whom they speak of. net/http
// quotes the status line or the header it does not understand.
func do(client *http.Client, req *http.Request) (*http.Response, error) {
	var connected atomic.Bool // a request may need a second connection
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	resp, err := client.Do(req.WithContext(ctx))
	if err == nil || !connected.Load() {
		return resp, withoutURL(err) // who was told nothing has nothing to repeat
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return nil, e
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errNoAnswer
	}
	return nil, errNotHTTP
}
