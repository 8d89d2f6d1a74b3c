// Command receive takes webhooks of a gateway and believes those that are signed with the
// endpoint's secret. Settings are in the environment: WEBHOOK_SECRET (whsec_…) and
// LISTEN, by default a free port of loopback.
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"hongyan/client"
)

func main() {
	log.SetFlags(0)
	l, err := net.Listen("tcp", cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:0"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening http://%s\n", l.Addr())
	log.Fatal(http.Serve(l, receiver(os.Getenv("WEBHOOK_SECRET"))))
}

// maxBody is more than a webhook has, in bytes.
const maxBody = 64 << 10

// receiver answers 204 to what it believes. Anything else is sent again later.
func receiver(secret string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			return
		}
		if err := client.VerifyWebhook(r.Header, body, secret); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			fmt.Println("refused", err)
			return
		}
		var event struct {
			Type string
			Data struct {
				MessageID string `json:"message_id"`
			}
		}
		if err := json.Unmarshal(body, &event); err != nil {
			http.Error(w, "not JSON", http.StatusBadRequest)
			return
		}
		// The same webhook may come twice: remember r.Header.Get("webhook-id") with what it led to.
		fmt.Println("webhook", event.Type, event.Data.MessageID)
		w.WriteHeader(http.StatusNoContent)
	}
}
