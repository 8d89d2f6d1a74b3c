package api

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hongyan/client"
	"hongyan/sandbox"
)

// TestARefusalIsExplained sends to a user who does not follow the account, and
// from an account whose AppSecret is wrong.
func TestARefusalIsExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.seed()
		g.run()
		synctest.Wait()
		sent, err := g.admin.Send(t.Context(), order(sandbox.OpenID("NOFOL", 1)))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		got, err := g.admin.Message(t.Context(), sent.ID)
		if err != nil || len(got.Attempts) != 1 {
			t.Fatalf("message %+v, %v", got, err)
		}
		for where, info := range map[string]*client.ErrcodeInfo{"message": got.ErrcodeInfo, "attempt": got.Attempts[0].ErrcodeInfo} {
			if info == nil || info.Class != "recipient" || info.Meaning == "" || info.MeaningZH == "" || info.Hint == "" || info.HintZH == "" {
				t.Errorf("%s: errcode_info %+v, want 43004 explained", where, info)
			}
		}

		secret := testSecret
		if _, err := g.admin.UpdateAccount(t.Context(), "shop", client.AccountPatch{Secret: &secret}); err != nil {
			t.Fatal(err)
		}
		if _, err := g.admin.RefreshToken(t.Context(), "shop", ""); err == nil {
			t.Fatal("a token was got with a wrong AppSecret")
		}
		account, err := g.admin.Account(t.Context(), "shop")
		if err != nil || len(account.Holds) != 1 || account.Holds[0].Errcode == nil || *account.Holds[0].Errcode != 40125 {
			t.Errorf("holds %+v, %v, want one with errcode 40125", account.Holds, err)
		}
	})
}

func TestExplainErrcode(t *testing.T) {
	if explainErrcode(nil) != nil || explainErrcode(new(0)) != nil {
		t.Error("success is explained")
	}
	if got := explainErrcode(new(987654)); got.Class != "unknown" || got.Meaning == "" {
		t.Errorf("an unknown code: %+v", got)
	}
	for _, code := range []int{-1, 40001, 43004, 45009, 47003} {
		if got := explainErrcode(&code); got.Class == "unknown" || strings.Contains(got.Meaning, "no known list") {
			t.Errorf("%d: %+v", code, got)
		}
	}
}
