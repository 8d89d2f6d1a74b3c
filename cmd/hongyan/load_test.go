package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

// The load of the tests that kill a gateway under it.
const (
	crashMessages = 20_000
	crashCallers  = 64
	crashSlots    = 256 // and so the most that one crash may leave in doubt
)

// crashGateway is a gateway that is killed and comes back at the same address.
type crashGateway struct {
	t                      *testing.T
	exe, listen, data, key string
	current                *program
	lives                  []*program
}

func (g *crashGateway) start() {
	g.t.Helper()
	env := []string{"HONGYAN_ADMIN_KEY=" + g.key, "HONGYAN_SLOTS=" + strconv.Itoa(crashSlots)}
	g.current = startProgram(g.t, g.exe, env, "serve", "--listen", g.listen, "--data", g.data)
	g.lives = append(g.lives, g.current)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// furnish adds the sandbox's service account and tells the sandbox where to push.
func furnish(t *testing.T, api *client.Client, boxURL, listen string) {
	t.Helper()
	ctx := t.Context()
	_, err := api.CreateAccount(ctx, client.AccountRequest{
		AppID: sandbox.SeedServiceAppID, Secret: sandbox.SeedServiceSecret, Kind: "service", BaseURL: boxURL,
		Callback: &client.CallbackInput{Token: new(sandbox.SeedCallbackToken), Mode: new("plain")},
	})
	if err != nil {
		t.Fatalf("add account: %v", err)
	}
	if _, err := api.SyncTemplates(ctx, sandbox.SeedServiceAppID); err != nil {
		t.Fatalf("sync templates: %v", err)
	}
	body := fmt.Sprintf(`{"server_url":"http://%s/callback/%s"}`, listen, sandbox.SeedServiceAppID)
	resp, err := http.Post(boxURL+"/sandbox/v1/accounts/"+sandbox.SeedServiceAppID, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		t.Fatalf("set server_url: status %d", resp.StatusCode)
	}
}

// promises is what the callers were told: a message id for each of theirs.
type promises struct {
	mu  sync.Mutex
	ids map[int]string // by message number
}

// post posts every message until it is answered with success, always with the
// same Idempotency-Key.
func (p *promises) post(t *testing.T, url, key string) {
	p.ids = make(map[int]string, crashMessages)
	var next atomic.Int64
	var callers sync.WaitGroup
	for range crashCallers {
		callers.Go(func() {
			api := client.New(url, key)
			api.Retries.Tries = 1
			for {
				i := int(next.Add(1)) - 1
				if i >= crashMessages {
					return
				}
				id := postUntilAnswered(t, api, i)
				p.mu.Lock()
				p.ids[i] = id
				p.mu.Unlock()
			}
		})
	}
	callers.Wait()
}

func postUntilAnswered(t *testing.T, api *client.Client, i int) string {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		sent, err := api.Send(ctx, client.MessageRequest{
			AppID: sandbox.SeedServiceAppID, ToUser: sandbox.OpenID("", i), TemplateID: sandbox.SeedTemplateOrder,
			Data: map[string]client.Field{
				"character_string1": {Value: "A" + strconv.Itoa(i)}, "thing2": {Value: "巧克力"},
				"amount3": {Value: "￥39.80"}, "time4": {Value: "2026-11-20 10:15"},
			},
			IdempotencyKey: "crash-" + strconv.Itoa(i),
		})
		if err == nil {
			return sent.Message.ID
		}
		if ctx.Err() != nil {
			t.Errorf("message %d was never taken: %v", i, err)
			return ""
		}
		time.Sleep(20 * time.Millisecond) // a real caller's pause; the gateway is being restarted
	}
}

// checkShown asks the sandbox's ledger whether any user saw a message twice.
func checkShown(t *testing.T, boxURL string) {
	t.Helper()
	shown := map[string]int{}
	eachLedgerEntry(t, boxURL, func(e sandbox.LedgerEntry) {
		if e.Fate == "shown" && e.DuplicateOf == "" {
			shown[e.ToUser]++
		}
	})
	for user, n := range shown {
		if n > 1 {
			t.Errorf("%s was shown a message %d times", user, n)
		}
	}
	if len(shown) == 0 {
		t.Error("the sandbox showed nothing at all")
	}
	t.Logf("users who saw their message: %d", len(shown))
}

// eachLedgerEntry reads the sandbox's ledger to its end.
func eachLedgerEntry(t *testing.T, boxURL string, each func(sandbox.LedgerEntry)) {
	t.Helper()
	for after := int64(0); ; {
		resp, err := http.Get(fmt.Sprintf("%s/sandbox/v1/ledger?after=%d&limit=10000", boxURL, after))
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Items []sandbox.LedgerEntry `json:"items"`
			Next  int64                 `json:"next_after"`
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			each(e)
		}
		if len(page.Items) == 0 || page.Next <= after {
			return
		}
		after = page.Next
	}
}
