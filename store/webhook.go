package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"hongyan"
)

// storedSecret is a webhook's secret as it is sealed: a plain string, for a
// hongyan.Secret encodes as "[redacted]". Until is Unix milliseconds, 0 = for good.
type storedSecret struct {
	Secret string `json:"secret"`
	Until  int64  `json:"until,omitempty"`
}

// EncodeSecrets returns a webhook's secrets as they are sealed, "" when there are none.
func EncodeSecrets(secrets []hongyan.WebhookSecret) string {
	if len(secrets) == 0 {
		return ""
	}
	all := make([]storedSecret, len(secrets))
	for i, s := range secrets {
		all[i].Secret = s.Secret.Reveal()
		if !s.Until.IsZero() {
			all[i].Until = s.Until.UnixMilli()
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic("encode secrets") // strings and numbers always encode
	}
	return string(text)
}

// DecodeSecrets reads what EncodeSecrets wrote. Its error quotes nothing.
func DecodeSecrets(text string) ([]hongyan.WebhookSecret, error) {
	if text == "" {
		return nil, nil
	}
	var all []storedSecret
	if json.Unmarshal([]byte(text), &all) != nil {
		return nil, errors.New("a webhook's secrets cannot be read")
	}
	secrets := make([]hongyan.WebhookSecret, len(all))
	for i, s := range all {
		secrets[i].Secret = hongyan.Secret(s.Secret)
		if s.Until != 0 {
			secrets[i].Until = time.UnixMilli(s.Until).UTC()
		}
	}
	return secrets, nil
}

// EarlierAnswer is how much is kept of the answers to all attempts but the latest, in
// characters: an endpoint that is down for days says the same many times.
const EarlierAnswer = 256

// LostAttempt stands for the outcome of an attempt that nobody recorded.
const LostAttempt = "what came of it was not recorded: the gateway ended meanwhile, or the database could not be written"

// ErasedError stands for the error of an attempt that an erasure took: one that does not
// begin with AnsweredError may have been written when errors still quoted endpoints.
const (
	ErasedError   = "the error went with the data of a person who was erased"
	AnsweredError = "answered "
)

// storedAttempt is an attempt before the latest, as a delivery's row has it. Times are in
// milliseconds. The stores' SQL writes it too.
type storedAttempt struct {
	At     int64  `json:"at"`
	Status int    `json:"status"`
	Error  string `json:"error"`
	Answer string `json:"answer"`
	Took   int64  `json:"took"`
}

// DecodeHistory puts the attempts of a delivery together: those before the latest that
// ended, a JSON array, and that. lastAt is when it began; zero = none has ended.
func DecodeHistory(earlier string, lastAt time.Time, d *hongyan.WebhookDelivery) error {
	var all []storedAttempt
	if err := json.Unmarshal([]byte(earlier), &all); err != nil {
		return fmt.Errorf("read the attempts of delivery %d: %w", d.ID, err)
	}
	for _, a := range all {
		d.History = append(d.History, hongyan.WebhookAttempt{At: time.UnixMilli(a.At).UTC(), Status: a.Status, Error: a.Error, Answer: a.Answer,
			Took: time.Duration(a.Took) * time.Millisecond})
	}
	if !lastAt.IsZero() {
		d.History = append(d.History, hongyan.WebhookAttempt{At: lastAt, Status: d.LastStatus, Error: d.LastError, Answer: d.LastAnswer, Took: d.LastTook})
	}
	return nil
}

// WebhookAAD names the place of a webhook's secret column, to which it is sealed.
func WebhookAAD(column, id string) string { return "webhooks." + column + ":" + id }

// WebhookNameTaken is the Conflict of a name that another endpoint has.
func WebhookNameTaken(name string) error {
	return hongyan.Errorf(hongyan.Conflict, "webhook_exists", "there is a webhook named %q already", name)
}

// UnknownWebhook is the NotFound of an id that no endpoint has.
func UnknownWebhook(id string) error {
	return hongyan.Errorf(hongyan.NotFound, "unknown_webhook", "there is no webhook %q", id)
}
