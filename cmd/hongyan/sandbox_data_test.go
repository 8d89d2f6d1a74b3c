package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hongyan/sandbox"
)

// TestAKilledSandboxGoesOnFromItsLastWrite kills the program itself with -9 while
// callers send, three times: what its file held at the kill is there in the next
// life, without a gap, and the file is never found half written.
func TestAKilledSandboxGoesOnFromItsLastWrite(t *testing.T) {
	dir := t.TempDir()
	exe, data := buildProgram(t), filepath.Join(dir, "data")
	sent := int64(0) // the seq of the newest call remembered
	for kill := range 3 {
		box := startProgram(t, exe, nil, "sandbox", "--listen", "127.0.0.1:0", "--data", data, "--delivery-delay", "10ms")
		ctx, leave := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		token := sandboxToken(t, box.url)
		mark := fmt.Sprintf("mark-%d", kill)
		if err := sandboxSend(ctx, box.url, token, mark); err != nil {
			t.Fatal(err)
		}
		for n := range 4 {
			callers.Go(func() {
				// Fewer in all than the file keeps, or the mark would be gone from it by the kill.
				for i := 0; i < 2000 && sandboxSend(ctx, box.url, token, fmt.Sprintf("k%d-c%d-%d", kill, n, i)) == nil; i++ {
				}
			})
		}
		awaitInFile(t, filepath.Join(data, "sandbox.state"), mark)
		if err := box.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = box.cmd.Wait() // killed
		leave()
		callers.Wait()

		again := startProgram(t, exe, nil, "sandbox", "--listen", "127.0.0.1:0", "--data", data)
		rows := sandboxLedger(t, again.url)
		marked := false
		for i, row := range rows {
			if row.Seq != rows[0].Seq+int64(i) {
				t.Fatalf("kill %d: seq %d follows %d", kill+1, row.Seq, rows[max(0, i-1)].Seq)
			}
			marked = marked || row.ClientMsgID == mark
		}
		last := rows[len(rows)-1].Seq
		if !marked || last <= sent {
			t.Errorf("kill %d: calls up to %d remembered after %d, with what was written before the kill: %t", kill+1, last, sent, marked)
		}
		sent = last
		if err := sandboxSend(t.Context(), again.url, token, mark+"-after"); err != nil {
			t.Errorf("kill %d: the token of the life before: %v", kill+1, err)
		}
		again.stop()
	}
}

func sandboxToken(t *testing.T, url string) string {
	t.Helper()
	body := fmt.Sprintf(`{"grant_type":"client_credential","appid":%q,"secret":%q}`, sandbox.SeedServiceAppID, sandbox.SeedServiceSecret)
	res, err := http.Post(url+"/cgi-bin/stable_token", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var v struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&v); err != nil || v.AccessToken == "" {
		t.Fatalf("token: %v", err)
	}
	return v.AccessToken
}

// sandboxSend makes one send that must be accepted.
func sandboxSend(ctx context.Context, url, token, id string) error {
	body := fmt.Sprintf(`{"touser":%q,"template_id":%q,"client_msg_id":%q,"data":{"thing1":{"value":"x"},"character_string2":{"value":"1"},"time3":{"value":"18:05"}}}`,
		sandbox.OpenID("", 1), sandbox.SeedTemplateQueue, id)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/cgi-bin/message/template/send?access_token="+token, strings.NewReader(body))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && !bytes.HasPrefix(answer, []byte(`{"errcode":0,`)) {
		err = fmt.Errorf("send %s: %s", id, answer)
	}
	return err
}

// awaitInFile waits until the state holds the text; texts are in it as they are.
func awaitInFile(t *testing.T, file, text string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if content, err := os.ReadFile(file); err == nil && bytes.Contains(content, []byte(text)) {
			return
		}
	}
	t.Fatalf("%s never held %s", file, text)
}

func sandboxLedger(t *testing.T, url string) []sandbox.LedgerEntry {
	t.Helper()
	res, err := http.Get(url + "/sandbox/v1/ledger?limit=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var page struct {
		Items []sandbox.LedgerEntry `json:"items"`
	}
	if err := json.NewDecoder(res.Body).Decode(&page); err != nil {
		t.Fatal(err)
	}
	return page.Items
}
