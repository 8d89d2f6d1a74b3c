package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// webhookTolerance is how old, or from the future, a webhook may be. An older one may be
// a recording that somebody plays again.
const webhookTolerance = 5 * time.Minute

// ErrForgedWebhook says that a webhook is not signed with any of the secrets, or is not
// of now.
var ErrForgedWebhook = errors.New("not a webhook of the gateway")

// VerifyWebhook checks that a request came from the gateway and is new: that it is signed
// (https://www.standardwebhooks.com) with one of the endpoint's secrets, whsec_…, and not more than five
// minutes old. While a secret is rotated, give both. Body is the request's
// as it came; decode it as an Event afterwards. The same webhook may come
// twice, with the same webhook-id. The error wraps ErrForgedWebhook unless a
// secret is none.
func VerifyWebhook(header http.Header, body []byte, secrets ...string) error {
	stamp := header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: no webhook-timestamp", ErrForgedWebhook)
	}
	if age := time.Since(time.Unix(seconds, 0)); age > webhookTolerance || age < -webhookTolerance {
		return fmt.Errorf("%w: its time is %v off", ErrForgedWebhook, age.Abs().Round(time.Second))
	}
	signed := append([]byte(header.Get("webhook-id")+"."+stamp+"."), body...)
	for _, secret := range secrets {
		text, isSecret := strings.CutPrefix(secret, "whsec_")
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || !isSecret || len(key) == 0 {
			return errors.New("client: the secret of a webhook is whsec_ and base64")
		}
		mac := hmac.New(sha256.New, key)
		mac.Write(signed)
		want := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		for signature := range strings.FieldsSeq(header.Get("webhook-signature")) {
			if hmac.Equal([]byte(signature), want) {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: no signature fits", ErrForgedWebhook)
}
