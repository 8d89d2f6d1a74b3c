package api

import (
	"context"
	"crypto/sha256"
	"net/http"

	"hongyan"
	"hongyan/access"
	"hongyan/dispatch"
	"hongyan/store"
)

// sendMessage is POST /v1/messages. It is a plain handler because it is the
// one path whose own work shows in the benchmark.
func (a *API) sendMessage(w http.ResponseWriter, r *http.Request) {
	if err := a.send(w, r); err != nil {
		a.writeError(w, r, err)
	}
}

func (a *API) send(w http.ResponseWriter, r *http.Request) error {
	c, err := a.authenticate(r, sender)
	if err != nil {
		return err
	}
	key, err := idempotencyKey(r.Header)
	if err != nil {
		return err
	}
	buf := getBuffer()
	defer putBuffer(buf)
	if err := readBody(w, r, buf); err != nil {
		return err
	}
	var b messageBody
	if err := decodeStrict(buf.Bytes(), &b); err != nil {
		return err
	}
	req, err := b.request()
	if err != nil {
		return err
	}
	if err := a.mayUse(r.Context(), c, req.AppID); err != nil {
		return err
	}
	req.IdempotencyKey, req.BodyHash, req.CallerID = key, sha256.Sum256(buf.Bytes()), c.ID
	submitted, err := a.submit(r.Context(), req)
	if err != nil {
		return err
	}
	buf.Reset()
	view := viewMessage(&submitted.Message, a.cfg.Store.Now())
	view.Warning = submitted.Warning
	if err := encode(buf, view); err != nil {
		return err
	}
	writeSubmitted(w, submitted)
	_, _ = w.Write(buf.Bytes())
	return nil
}

// submit hands one request to the engine and returns its answer, or why there is none.
func (a *API) submit(ctx context.Context, req dispatch.Request) (*dispatch.Submitted, error) {
	all, err := a.cfg.Engine.Submit(ctx, []dispatch.Request{req})
	if err != nil {
		return nil, err
	}
	one := &all[0]
	if one.Outcome == store.InsertedMismatch {
		return nil, &hongyan.Error{Kind: hongyan.Invalid, Code: "idempotency_key_reused",
			Message: "this Idempotency-Key was used for another body within 24 hours", Hint: "Use a new key for a new message."}
	}
	if one.Err != nil {
		return nil, one.Err
	}
	return one, nil
}

// writeSubmitted writes headers and status: 202 for a new message, 200 for an earlier one.
func writeSubmitted(w http.ResponseWriter, s *dispatch.Submitted) {
	h := w.Header()
	h["Content-Type"] = jsonContent
	h["Location"] = []string{"/v1/messages/" + s.Message.ID}
	if s.Outcome == store.InsertedReplay {
		h["Idempotency-Replayed"] = []string{"true"}
	}
	if s.Outcome == store.InsertedNew {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.WriteHeader(http.StatusOK)
}

var jsonContent = []string{"application/json"}

// maxIdempotencyKey bounds the caller's key, in bytes.
const maxIdempotencyKey = 255

// idempotencyKey reads the header; "" when there is none.
func idempotencyKey(h http.Header) (string, error) {
	values := h["Idempotency-Key"]
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	valid := len(values) == 1 && len(key) >= 1 && len(key) <= maxIdempotencyKey
	for _, c := range []byte(key) {
		valid = valid && c > ' ' && c < 0x7f
	}
	if !valid {
		return "", badField("bad_idempotency_key", "/header/Idempotency-Key", "Idempotency-Key must be given once, with 1 to %d visible ASCII characters", maxIdempotencyKey)
	}
	return key, nil
}

// mayUse checks that a caller may act on the account named by appid or alias.
func (a *API) mayUse(ctx context.Context, c *access.Caller, appID string) error {
	if c.Covers(appID) {
		return nil
	}
	if account, err := a.cfg.Store.Account(ctx, appID); err == nil && c.Covers(account.AppID) {
		return nil
	}
	return notCovered
}

var notCovered = &hongyan.Error{Kind: hongyan.Forbidden, Code: "account_not_covered", Message: "this API key does not cover that account"}
