package server

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/sandbox"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
)

// TestACapRaisedInTheFileLetsGoWhatItHeld when the gateway starts with it.
func TestACapRaisedInTheFileLetsGoWhatItHeld(t *testing.T) {
	s := newTestStore(t)
	if err := apply(t, s, "    care:\n      user_cap: 1\n"); err != nil {
		t.Fatal(err)
	}
	until := hongyan.PeriodEnd("day", s.Now())
	var waiting []store.NewMessage
	for range 3 {
		waiting = append(waiting, store.NewMessage{Message: hongyan.Message{ID: hongyan.NewMessageID(), AppID: sandbox.SeedServiceAppID, Kind: hongyan.KindTemplate, ToUser: sandbox.OpenID("", 1),
			TemplateID: "t", Payload: []byte("{}"), CreatedAt: s.Now(), State: hongyan.Held, Reason: hongyan.HoldUserCap, Hold: &hongyan.Hold{Reason: hongyan.HoldUserCap, Until: until}, DueAt: until}})
	}
	if _, err := s.InsertMessages(t.Context(), waiting); err != nil {
		t.Fatal(err)
	}
	for _, most := range []int{2, 1} { // raised, and lowered again
		if err := apply(t, s, fmt.Sprintf("    care:\n      user_cap: %d\n", most)); err != nil {
			t.Fatal(err)
		}
		counts, err := s.Counts(t.Context())
		if got := counts[sandbox.SeedServiceAppID][hongyan.Queued]; err != nil || got != 2 {
			t.Errorf("with a cap of %d: %d are queued, %v, want 2", most, got, err)
		}
	}
}

func newTestStore(t *testing.T) store.Store {
	t.Helper()
	keyring, err := store.NewKeyring(bytes.Repeat([]byte{7}, store.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: sqlitetest.File(t, t.TempDir(), sqlite.Migrate), Keyring: keyring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

const accountHead = "accounts:\n  - appid: " + sandbox.SeedServiceAppID + "\n    secret: " + sandbox.SeedServiceSecret + "\n"

// apply starts, as far as accounts go, with a file that has rest below its account.
func apply(t *testing.T, s store.Store, rest string) error {
	t.Helper()
	c, err := Load(writeFile(t, accountHead+rest), noEnvironment, nil)
	if err != nil {
		t.Fatal(err)
	}
	return applyAccounts(t.Context(), s, c.Accounts)
}

// TestTheFileLeavesSecretsToTheStore goes from start to start: a key that is left
// out keeps what is stored, an empty one clears it.
func TestTheFileLeavesSecretsToTheStore(t *testing.T) {
	s := newTestStore(t)
	for _, step := range []struct{ name, rest, want string }{
		{"all given", "    token_source: external\n    token_url: https://t.example.com\n    egress_proxy: http://u:p@10.0.0.5:3128\n    downstreams:\n      - {name: crm, url: http://10.0.0.8, token: 1234567, paused: true}\n",
			"external https://t.example.com http://u:p@10.0.0.5:3128 [crm 1234567 true]"},
		{"all left out", "    token_source: external\n    downstreams:\n      - {name: crm, url: http://10.0.0.8}\n",
			"external https://t.example.com http://u:p@10.0.0.5:3128 [crm 1234567 true]"},
		{"keys without a value", "    token_source: external\n    token_url:\n    downstreams:\n      - name: crm\n        url: http://10.0.0.8\n        token:\n",
			"external https://t.example.com http://u:p@10.0.0.5:3128 [crm 1234567 true]"},
		{"another source, resumed", "    downstreams:\n      - {name: crm, url: http://10.0.0.8, paused: false}\n",
			"stable  http://u:p@10.0.0.5:3128 [crm 1234567 false]"},
		{"cleared", "    egress_proxy: \"\"\n    downstreams:\n      - {name: crm, url: http://10.0.0.8, token: \"\"}\n", "stable   [crm  false]"},
		{"another name", "    downstreams:\n      - {name: erp, url: http://10.0.0.8}\n", "stable   [erp  false]"},
		{"none", "", "stable   []"},
	} {
		if err := apply(t, s, step.rest); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		a, err := s.Account(t.Context(), sandbox.SeedServiceAppID)
		if err != nil {
			t.Fatal(err)
		}
		var downstreams []string
		for _, d := range a.Downstreams {
			downstreams = append(downstreams, fmt.Sprintf("%s %s %v", d.Name, d.Token.Reveal(), d.Paused))
		}
		got := fmt.Sprintf("%s %s %s %v", a.TokenSource, a.TokenURL.Reveal(), a.EgressProxy.Reveal(), downstreams)
		if got != step.want {
			t.Errorf("%s: got %q, want %q", step.name, got, step.want)
		}
	}
}

// TestASecretThatIsNowhereIsNamedAtTheStart: whether the store has what the file
// leaves out is known only then.
func TestASecretThatIsNowhereIsNamedAtTheStart(t *testing.T) {
	s := newTestStore(t)
	const safe = "    downstreams:\n      - {name: crm, url: http://10.0.0.8, mode: safe%s}\n"
	err := apply(t, s, fmt.Sprintf(safe, ""))
	found, ok := errors.AsType[*ConfigError](err)
	if !ok || len(found.Problems) != 2 || found.Problems[0].Key != "accounts[0].downstreams[0].aes_key" || found.Problems[1].Key != "accounts[0].downstreams[0].token" {
		t.Fatalf("got %v, want the key and the token named", err)
	}
	if _, err := s.Account(t.Context(), sandbox.SeedServiceAppID); !hongyan.IsKind(err, hongyan.NotFound) {
		t.Errorf("the account: %v, want none stored", err)
	}
	if err := apply(t, s, fmt.Sprintf(safe, ", token: crmtoken, aes_key: "+strings.Repeat("a", 43))); err != nil {
		t.Fatal(err)
	}
	if err := apply(t, s, fmt.Sprintf(safe, "")); err != nil {
		t.Errorf("with both stored: %v", err)
	}
}

func TestWhatWaitsForARemovedDownstreamIsDropped(t *testing.T) {
	s := newTestStore(t)
	if err := apply(t, s, "    downstreams:\n      - {name: crm, url: http://10.0.0.8}\n      - {name: erp, url: http://10.0.0.9}\n"); err != nil {
		t.Fatal(err)
	}
	id, _, err := s.InsertEvent(t.Context(), hongyan.Event{AppID: sandbox.SeedServiceAppID, DedupeKey: "1", Type: "text", ReceivedAt: s.Now()})
	if err != nil {
		t.Fatal(err)
	}
	crm, erp := hongyan.DownstreamTarget(sandbox.SeedServiceAppID, "crm"), hongyan.DownstreamTarget(sandbox.SeedServiceAppID, "erp")
	if err := s.FinishEvents(t.Context(), []store.EventDone{{EventID: id, Deliveries: []store.NewDelivery{{Target: crm}, {Target: erp}}}}); err != nil {
		t.Fatal(err)
	}
	if err := apply(t, s, "    downstreams:\n      - {name: erp, url: http://10.0.0.9}\n"); err != nil {
		t.Fatal(err)
	}
	left, err := s.DeliveryCounts(t.Context(), sandbox.SeedServiceAppID)
	if err != nil || left[crm].Pending != 0 || left[erp].Pending != 1 {
		t.Errorf("%v, %v, want one pending for erp alone", left, err)
	}
	entries, err := s.AuditLog(t.Context(), store.AuditFilter{Action: "downstream.remove", Limit: 10})
	if err != nil || len(entries) != 1 || entries[0].Detail != "name crm, 1 pushes waited for it" {
		t.Errorf("audit log %v, %v, want what was lost", entries, err)
	}
}

// TestTheAuditLogHasWhatTheFileChanged: a start that changes nothing leaves no trace.
func TestTheAuditLogHasWhatTheFileChanged(t *testing.T) {
	s := newTestStore(t)
	for _, rest := range []string{"", "    name: shop\n", "    name: shop\n", "    name: shop\n    downstreams:\n      - {name: crm, url: http://10.0.0.8}\n",
		"    name: shop\n    downstreams:\n      - {name: crm, url: http://10.0.0.8}\n"} {
		if err := apply(t, s, rest); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := s.AuditLog(t.Context(), store.AuditFilter{Actor: "config", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries { // newest first
		got = append(got, e.Action+" "+e.Target+" "+e.Outcome)
	}
	id := sandbox.SeedServiceAppID
	want := []string{"account.update " + id + " ok", "account.update " + id + " ok", "account.create " + id + " ok"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}
}
