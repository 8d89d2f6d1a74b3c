package examples

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
	"hongyan/server/servertest"
)

// secret is the key of an endpoint, and as it is shown.
var (
	secret      = []byte("a secret of twenty-four.")
	shownSecret = "whsec_" + base64.StdEncoding.EncodeToString(secret)
)

// receiver is a program under way that takes webhooks.
type receiver struct {
	url   string
	lines chan string
}

// start runs a language's receiver until the test ends.
func (l language) start(t *testing.T, secret string) *receiver {
	t.Helper()
	cmd := l.command(t, l.receive, []string{"WEBHOOK_SECRET=" + secret})
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &receiver{lines: make(chan string)}
	done := make(chan struct{})
	go func() {
		defer close(r.lines)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			select {
			case r.lines <- scanner.Text():
			case <-done:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(done)
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // says that it was killed
	})
	url, listens := strings.CutPrefix(<-r.lines, "listening ")
	if !listens {
		t.Fatalf("%s does not listen: %s", l.name, stderr.String())
	}
	r.url = url
	return r
}

// sign is the header of Standard Webhooks.
func sign(id string, at time.Time, body string) string {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%d.%s", id, at.Unix(), body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// post sends a webhook, and returns the status it was answered with.
func (r *receiver) post(t *testing.T, at time.Time, signature, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/hooks", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("webhook-id", "evt_1")
	req.Header.Set("webhook-timestamp", fmt.Sprint(at.Unix()))
	req.Header.Set("webhook-signature", signature)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

const event = `{"id":"evt_1","type":"message.delivered","timestamp":"2026-11-20T01:30:00.120Z","data":{"message_id":"msg_1","errmsg":"巧克力"}}`

func TestEachBelievesWhatIsSigned(t *testing.T) {
	now := time.Now()
	old := now.Add(-10 * time.Minute)
	webhooks := []struct {
		name      string
		at        time.Time
		signature string
		body      string
		status    int
		said      string
	}{
		{"signed", now, sign("evt_1", now, event), event, 204, "webhook message.delivered msg_1"},
		{"signed with two secrets", now, "v1,AAAA " + sign("evt_1", now, event), event, 204, "webhook message.delivered msg_1"},
		{"not signed", now, "", event, 401, "refused"},
		{"signed with another secret", now, "v1,AAAA", event, 401, "refused"},
		{"another body", now, sign("evt_1", now, event), strings.Replace(event, "msg_1", "msg_2", 1), 401, "refused"},
		{"a recording", old, sign("evt_1", old, event), event, 401, "refused"},
	}
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			if l.receive == nil {
				for _, w := range webhooks {
					l.verifies(t, w.name, w.at, w.signature, w.body, w.status == 204)
				}
				return
			}
			r := l.start(t, shownSecret)
			for _, w := range webhooks {
				status := r.post(t, w.at, w.signature, w.body)
				if said := <-r.lines; status != w.status || !strings.HasPrefix(said, w.said) {
					t.Errorf("%s: status %d, %q; want %d, %q", w.name, status, said, w.status, w.said)
				}
			}
		})
	}
}

// verifies runs curl/verify.sh, which has no server.
func (l language) verifies(t *testing.T, name string, at time.Time, signature, body string, believed bool) {
	t.Helper()
	cmd := l.command(t, []string{"curl/verify.sh"}, []string{
		"WEBHOOK_SECRET=" + shownSecret, "WEBHOOK_ID=evt_1", "WEBHOOK_TIMESTAMP=" + fmt.Sprint(at.Unix()), "WEBHOOK_SIGNATURE=" + signature})
	cmd.Stdin = strings.NewReader(body)
	said, err := cmd.CombinedOutput()
	if (err == nil) != believed || strings.Contains(string(said), shownSecret) {
		t.Errorf("%s: %v, %s; want it believed: %v", name, err, said, believed)
	}
}

// TestEachHearsOfAMessage: what the gateway sends is believed, and says what became of a message.
func TestEachHearsOfAMessage(t *testing.T) {
	world := servertest.New(t)
	c := client.New(world.URL, world.Key)
	for i, l := range languages {
		if l.receive == nil {
			continue // curl has no server; what it verifies is tried above
		}
		t.Run(l.name, func(t *testing.T) {
			r := l.start(t, shownSecret)
			hook, err := c.CreateWebhook(t.Context(), client.WebhookRequest{
				Name: l.name, URL: r.url + "/hooks", Secret: shownSecret, Events: []string{"message.delivered"}})
			if err != nil {
				t.Fatal(err)
			}
			sent, err := c.Send(t.Context(), client.NewMessage(servertest.Alias, sandbox.OpenID("", i+1), sandbox.SeedTemplateQueue,
				client.Values{"thing1": "人民路店", "character_string2": "27", "time3": "10:15"}))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := <-r.lines, "webhook message.delivered "+sent.ID; got != want {
				t.Errorf("it said %q, want %q", got, want)
			}
			if err := c.DeleteWebhook(t.Context(), hook.Webhook.ID); err != nil {
				t.Error(err)
			}
		})
	}
}
