// Command receive takes webhooks of a gateway and believes those that are signed with the
// endpoint's secret. Settings are in the environment: WEBHOOK_SECRET (whsec_…) and
// LISTEN, by default a free port of loopback.
package main

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("WEBHOOK_SECRET"), "whsec_"))
	if err != nil || len(secret) == 0 {
		log.Fatal("WEBHOOK_SECRET is not whsec_ and base64")
	}
	l, err := net.Listen("tcp", cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:0"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening http://%s\n", l.Addr())
	log.Fatal(http.Serve(l, receiver(secret)))
}

// maxBody is more than a webhook has, in bytes.
const maxBody = 64 << 10

// receiver answers 204 to what it believes. Anything else is sent again later.
func receiver(secret []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			return
		}
		if err := verify(secret, r.Header, body, time.Now()); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			fmt.Println("refused", err)
			return
		}
		var news struct {
			Type string
			Data struct{ ID string }
		}
		if err := json.Unmarshal(body, &news); err != nil {
			http.Error(w, "not JSON", http.StatusBadRequest)
			return
		}
		// The same webhook may come twice: remember r.Header.Get("webhook-id") with what it led to.
		fmt.Println("webhook", news.Type, news.Data.ID)
		w.WriteHeader(http.StatusNoContent)
	}
}

// tolerance is how old, or from the future, a webhook may be. An older one may be a
// recording that somebody plays again.
const tolerance = 5 * time.Minute

// verify says why a webhook is not to be believed; nil = it is. See standardwebhooks.com.
func verify(secret []byte, header http.Header, body []byte, now time.Time) error {
	seconds, err := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		return errors.New("no timestamp")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return errors.New("too old, or from the future")
	}
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%d.%s", header.Get("webhook-id"), seconds, body)
	want := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	for signature := range strings.FieldsSeq(header.Get("webhook-signature")) { // while a secret is rotated there is one for each
		if hmac.Equal([]byte(signature), want) {
			return nil
		}
	}
	return errors.New("the signature is not the gateway's")
}
