package storetest

import (
	"strings"
	"time"

	"hongyan"
	"hongyan/store"
)

var accountCases = []testCase{
	{name: "come back as they were given, found by AppID and by alias", run: accountsRoundTrip},
	{name: "keep their creation time when replaced", bubble: true, run: accountsUpdate},
	{name: "refuse an AppID or alias that exists", run: accountsConflict},
	{name: "are unknown when they are not there", run: accountsUnknown},
	{name: "are deleted with what is theirs, but not while messages are under way", run: accountsDelete},
	{name: "never show a secret in an error", run: accountsSecrets},
}

func fullAccount(f *fixture) hongyan.Account {
	now := f.s.Now()
	return hongyan.Account{
		AppID: appA, Kind: hongyan.ServiceAccount, Name: "服务号", Alias: "shop", BaseURL: "http://127.0.0.1:7900",
		Secret: "s3cret",
		Callback: hongyan.Callback{Token: "tok", PreviousToken: "tok0", AESKey: hongyan.Secret(strings.Repeat("k", 43)),
			PreviousAESKey: hongyan.Secret(strings.Repeat("j", 43)), Mode: "safe"},
		TokenSource: hongyan.TokenPlain, TokenURL: "https://center.example.com/token?key=k1", EgressProxy: "socks5://u:p@127.0.0.1:1080",
		Paths: hongyan.PathRules{Allow: []string{"/cgi-bin/*"}, Deny: []string{"/cgi-bin/menu/*"}},
		Downstreams: []hongyan.Downstream{
			{Name: "shop", URL: "https://shop.example.com/wx", Sync: true, Events: []string{"text", "subscribe"}, Mode: "safe",
				Token: "down-tok", AESKey: hongyan.Secret(strings.Repeat("d", 43))},
			{Name: "log", URL: "http://127.0.0.1:9/", Ordered: true, Paused: true},
		},
		RatePerSecond: 12.5, MaxInFlight: 7,
		Quotas:          []hongyan.QuotaRule{{Scope: "template", Period: "month", Limit: 5}},
		UncertainPolicy: hongyan.UncertainResend, ExpireAfter: 90 * time.Minute,
		QuietHours: hongyan.QuietHours{From: 60, To: 120}, CutValues: true, CreatedAt: now, UpdatedAt: now,
	}
}

func accountsRoundTrip(f *fixture) {
	full, bare := fullAccount(f), hongyan.Account{AppID: appB, CreatedAt: f.s.Now(), UpdatedAt: f.s.Now()}
	f.must(f.s.CreateAccount(f.ctx, full))
	f.must(f.s.CreateAccount(f.ctx, bare))
	for _, name := range []string{appA, "shop"} {
		got, err := f.s.Account(f.ctx, name)
		f.must(err)
		same(f, "account "+name, got, full)
	}
	all, err := f.s.Accounts(f.ctx)
	f.must(err)
	same(f, "accounts", all, []hongyan.Account{full, bare})
}

func accountsUpdate(f *fixture) {
	a := fullAccount(f)
	f.must(f.s.CreateAccount(f.ctx, a))
	time.Sleep(time.Hour)
	changed := a
	changed.Name, changed.Alias, changed.Secret, changed.CreatedAt = "new", "", "other", time.Time{}
	changed.Downstreams, changed.Paths, changed.EgressProxy = changed.Downstreams[1:], hongyan.PathRules{}, ""
	f.must(f.s.UpdateAccount(f.ctx, changed))
	got, err := f.s.Account(f.ctx, appA)
	f.must(err)
	changed.CreatedAt, changed.UpdatedAt = a.CreatedAt, f.s.Now()
	same(f, "account", got, changed)
}

func accountsConflict(f *fixture) {
	f.must(f.s.CreateAccount(f.ctx, fullAccount(f)))
	f.wantKind(f.s.CreateAccount(f.ctx, fullAccount(f)), hongyan.Conflict)
	f.wantKind(f.s.CreateAccount(f.ctx, hongyan.Account{AppID: appB, Alias: "shop"}), hongyan.Conflict)
	f.wantKind(f.s.CreateAccount(f.ctx, hongyan.Account{AppID: appB, Alias: appA}), hongyan.Conflict)
	f.must(f.s.CreateAccount(f.ctx, hongyan.Account{AppID: appB}))
	f.wantKind(f.s.UpdateAccount(f.ctx, hongyan.Account{AppID: appB, Alias: "shop"}), hongyan.Conflict)
}

func accountsUnknown(f *fixture) {
	_, err := f.s.Account(f.ctx, appA)
	f.wantKind(err, hongyan.NotFound)
	_, err = f.s.Account(f.ctx, "")
	f.wantKind(err, hongyan.NotFound)
	f.wantKind(f.s.UpdateAccount(f.ctx, hongyan.Account{AppID: appA}), hongyan.NotFound)
	f.wantKind(f.s.DeleteAccount(f.ctx, appA), hongyan.NotFound)
}

func accountsDelete(f *fixture) {
	f.must(f.s.CreateAccount(f.ctx, fullAccount(f)))
	f.must(f.s.PutTemplates(f.ctx, []hongyan.Template{{AppID: appA, TemplateID: "tmpl-1"}}))
	_, err := f.s.SaveToken(f.ctx, hongyan.Token{AppID: appA, Generation: 1, AccessToken: "t"})
	f.must(err)
	f.must(f.s.PutTemplateAlias(f.ctx, hongyan.TemplateAlias{AppID: appA, Alias: "order", TemplateID: "tmpl-1"}))
	f.must(f.s.PutHold(f.ctx, hongyan.Hold{AppID: appA, Reason: hongyan.HoldPaused}))
	f.lend(appA, "node-1", time.Hour, true)
	f.must(f.s.NoteTokenCallers(f.ctx, []hongyan.TokenCaller{{AppID: appA, CallerID: "key_1", Endpoint: "token", Requests: 1}}))
	f.handOn(targetA, 3, "")
	m := f.insert()
	f.wantKind(f.s.DeleteAccount(f.ctx, appA), hongyan.Conflict)
	_, err = f.s.Cancel(f.ctx, m.ID)
	f.must(err)
	f.must(f.s.DeleteAccount(f.ctx, appA))
	templates, err := f.s.Templates(f.ctx, appA)
	f.must(err)
	same(f, "templates left", len(templates), 0)
	aliases, err := f.s.TemplateAliases(f.ctx, appA)
	f.must(err)
	same(f, "template aliases left", len(aliases), 0)
	token, err := f.s.Token(f.ctx, appA)
	f.must(err)
	same(f, "token left", token, hongyan.Token{})
	holds, err := f.s.Holds(f.ctx)
	f.must(err)
	same(f, "holds left", len(holds), 0)
	f.wantState(m.ID, hongyan.Cancelled, "")
	_, err = f.s.IssuedToken(f.ctx, store.HashKey("t"))
	f.wantKind(err, hongyan.NotFound)
	f.lend(appA, "node-2", time.Hour, true)
	callers, err := f.s.TokenCallers(f.ctx, appA)
	f.must(err)
	same(f, "callers left", len(callers), 0)
	same(f, "deliveries left", len(f.deliveries(store.DeliveryFilter{})), 0)
	f.handOn(targetA, 1, "") // the events of an account that is gone are for nobody
	f.must(f.s.AnswerDelivery(f.ctx, hongyan.Delivery{AppID: appA, Target: targetA, EventID: 1}))
	_, _, err = f.s.ReplayDeliveries(f.ctx, store.Replay{AppID: appA, Target: targetA, Limit: 10})
	f.wantKind(err, hongyan.NotFound)
	same(f, "deliveries begun", len(f.deliveries(store.DeliveryFilter{})), 0)
}

func accountsSecrets(f *fixture) {
	f.must(f.s.CreateAccount(f.ctx, fullAccount(f)))
	err := f.s.CreateAccount(f.ctx, fullAccount(f))
	if strings.Contains(err.Error(), "s3cret") {
		f.Fatalf("the error shows the secret: %v", err)
	}
}

var keyCases = []testCase{
	{name: "are found by hash until they are revoked", run: keysLife},
	{name: "refuse an id or hash that exists", run: keysConflict},
}

func keysLife(f *fixture) {
	now := f.s.Now()
	k := hongyan.Key{ID: "key_1", Kind: hongyan.KeyGateway, Name: "shop", Hash: []byte("hash-1"), Hint: "hys_ab", Role: "sender", AppIDs: []string{appA}, CreatedAt: now}
	admin := hongyan.Key{ID: "key_2", Hash: []byte("hash-2"), Role: "admin", CreatedAt: now}
	f.must(f.s.CreateKey(f.ctx, k))
	f.must(f.s.CreateKey(f.ctx, admin))
	admin.Kind = hongyan.KeyAPI // what no kind means
	got, err := f.s.KeyByHash(f.ctx, k.Hash)
	f.must(err)
	same(f, "key", got, k)
	k.LastUsedAt = now.Add(time.Minute)
	f.must(f.s.TouchKeys(f.ctx, map[string]time.Time{"key_1": k.LastUsedAt, "key_gone": now}))
	all, err := f.s.Keys(f.ctx)
	f.must(err)
	same(f, "keys", all, []hongyan.Key{k, admin})
	f.must(f.s.RevokeKey(f.ctx, "key_1"))
	f.must(f.s.RevokeKey(f.ctx, "key_1"))
	_, err = f.s.KeyByHash(f.ctx, k.Hash)
	f.wantKind(err, hongyan.NotFound)
	f.wantKind(f.s.RevokeKey(f.ctx, "key_gone"), hongyan.NotFound)
	all, err = f.s.Keys(f.ctx)
	f.must(err)
	same(f, "revoked keys stay listed", all[0].RevokedAt.IsZero(), false)
}

func keysConflict(f *fixture) {
	f.must(f.s.CreateKey(f.ctx, hongyan.Key{ID: "key_1", Hash: []byte("a")}))
	f.wantKind(f.s.CreateKey(f.ctx, hongyan.Key{ID: "key_1", Hash: []byte("b")}), hongyan.Conflict)
	f.wantKind(f.s.CreateKey(f.ctx, hongyan.Key{ID: "key_2", Hash: []byte("a")}), hongyan.Conflict)
}
