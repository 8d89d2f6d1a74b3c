package access

import (
	"bytes"
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/store/sqlite"
	"hongyan/store/sqlite/sqlitetest"
)

const testAdminKey = "hyk_test-admin-key-0000000000000000000000000000"

// testDesk is a Desk on SQLite.
type testDesk struct {
	*Desk
	t     *testing.T
	store store.Store
	log   bytes.Buffer
}

func newTestDesk(t *testing.T) *testDesk {
	t.Helper()
	keyring, err := store.NewKeyring(bytes.Repeat([]byte{7}, store.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: sqlitetest.File(t, t.TempDir(), sqlite.Migrate), Keyring: keyring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	d := &testDesk{t: t, store: db}
	d.Desk = New(Config{Store: db, AdminKeyHash: sha256.Sum256([]byte(testAdminKey)), Logger: slog.New(slog.NewTextHandler(&d.log, nil))})
	return d
}

// key stores a key and returns it with its secret.
func (d *testDesk) key(kind hongyan.KeyKind, role Role, appIDs ...string) (hongyan.Key, string) {
	d.t.Helper()
	secret := NewSecret(kind)
	hash := sha256.Sum256([]byte(secret))
	k := hongyan.Key{ID: hongyan.NewKeyID(), Kind: kind, Name: "test", Hash: hash[:], Hint: HintOf(secret), Role: role.String(), AppIDs: appIDs}
	if err := d.store.CreateKey(d.t.Context(), k); err != nil {
		d.t.Fatal(err)
	}
	return k, secret
}

// run runs the desk; the function it returns ends it and waits.
func (d *testDesk) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	return func() {
		d.t.Helper()
		cancel()
		if err := <-ended; err != nil {
			d.t.Errorf("Run: %v", err)
		}
	}
}

// refused tells whether the desk knows nobody with that secret.
func (d *testDesk) refused(secret string, kind hongyan.KeyKind) bool {
	d.t.Helper()
	_, err := d.Caller(d.t.Context(), secret, kind)
	if err != nil && !hongyan.IsKind(err, hongyan.NotFound) {
		d.t.Fatal(err)
	}
	return err != nil
}

func TestCallerOfASecret(t *testing.T) {
	d := newTestDesk(t)
	api, apiSecret := d.key(hongyan.KeyAPI, Reader)
	_, gatewaySecret := d.key(hongyan.KeyGateway, Sender, "wx1", "wx2")

	c, err := d.Caller(t.Context(), apiSecret, hongyan.KeyAPI)
	if err != nil || c.ID != api.ID || c.Name != "test" || c.Role != Reader || !c.Everything() || !c.Covers("wx9") {
		t.Errorf("API key: %+v, %v", c, err)
	}
	c, err = d.Caller(t.Context(), gatewaySecret, hongyan.KeyGateway)
	if err != nil || c.Kind != hongyan.KeyGateway || c.Role != Sender || !c.Covers("wx2") || c.Covers("wx9") || c.Everything() {
		t.Errorf("gateway secret: %+v, %v", c, err)
	}
	c, err = d.Caller(t.Context(), testAdminKey, hongyan.KeyAPI)
	if err != nil || c.ID != AdminID || c.Role != Admin {
		t.Errorf("administrator's key: %+v, %v", c, err)
	}

	for name, tt := range map[string]struct {
		secret string
		kind   hongyan.KeyKind
		say    string
	}{
		"a gateway secret at the API":           {gatewaySecret, hongyan.KeyAPI, "this is a gateway secret; the API takes hyk_ keys"},
		"an API key as a gateway secret":        {apiSecret, hongyan.KeyGateway, "this is an API key"},
		"the administrator's as gateway secret": {testAdminKey, hongyan.KeyGateway, "this is an API key"},
		"an unknown one of the other kind":      {NewSecret(hongyan.KeyGateway), hongyan.KeyAPI, "this is a gateway secret"},
		"an unknown one":                        {NewSecret(hongyan.KeyAPI), hongyan.KeyAPI, "no such"},
		"nothing":                               {"", hongyan.KeyAPI, "no such"},
	} {
		_, err := d.Caller(t.Context(), tt.secret, tt.kind)
		if !hongyan.IsKind(err, hongyan.NotFound) || !strings.Contains(err.Error(), tt.say) {
			t.Errorf("%s: %v, want %q", name, err, tt.say)
		}
	}
}

func TestRevokedKeyEndsAtOnceHereAndWithin30sElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here := newTestDesk(t)
		elsewhere := &testDesk{Desk: New(Config{Store: here.store}), t: t, store: here.store}
		k, secret := here.key(hongyan.KeyGateway, Sender)
		if here.refused(secret, hongyan.KeyGateway) || elsewhere.refused(secret, hongyan.KeyGateway) {
			t.Fatal("a good secret is refused")
		}
		if err := here.store.RevokeKey(t.Context(), k.ID); err != nil {
			t.Fatal(err)
		}
		here.Forget(k.ID)
		if !here.refused(secret, hongyan.KeyGateway) {
			t.Error("it works after Forget")
		}
		time.Sleep(keyTTL - time.Millisecond)
		if elsewhere.refused(secret, hongyan.KeyGateway) {
			t.Error("another node asked the store within the TTL")
		}
		time.Sleep(2 * time.Millisecond)
		if !elsewhere.refused(secret, hongyan.KeyGateway) {
			t.Error("another node believes it beyond the TTL")
		}
	})
}

// revokingStore revokes a key right after it was read, as another request may.
type revokingStore struct {
	store.Store
	desk *Desk
}

func (s *revokingStore) KeyByHash(ctx context.Context, hash []byte) (hongyan.Key, error) {
	k, err := s.Store.KeyByHash(ctx, hash)
	if err == nil {
		if err := s.Store.RevokeKey(ctx, k.ID); err != nil {
			return k, err
		}
		s.desk.Forget(k.ID)
	}
	return k, err
}

func TestKeyRevokedWhileItIsReadIsNotRemembered(t *testing.T) {
	d := newTestDesk(t)
	_, secret := d.key(hongyan.KeyAPI, Reader)
	racing := &revokingStore{Store: d.store}
	racing.desk = New(Config{Store: racing})
	if _, err := racing.desk.Caller(t.Context(), secret, hongyan.KeyAPI); err != nil {
		t.Fatal(err) // it was good when the request came
	}
	if _, err := racing.desk.Caller(t.Context(), secret, hongyan.KeyAPI); !hongyan.IsKind(err, hongyan.NotFound) {
		t.Errorf("the next request: %v, want not found", err)
	}
}

func TestRunWritesWhenKeysWereUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newTestDesk(t)
		k, secret := d.key(hongyan.KeyAPI, Reader)
		stop := d.run()
		d.refused(secret, hongyan.KeyAPI)
		time.Sleep(touchEvery)
		synctest.Wait()
		first := d.lastUsed()
		if first.IsZero() {
			t.Fatal("no time of use after a round")
		}
		// Long after the cached key has lapsed it still works; its last use is
		// written when Run ends, though it was revoked meanwhile.
		time.Sleep(time.Hour)
		d.refused(secret, hongyan.KeyAPI)
		d.Forget(k.ID)
		stop()
		if last := d.lastUsed(); last.Sub(first) < 59*time.Minute {
			t.Errorf("last used %v, want an hour after %v", last, first)
		}
	})
}

func (d *testDesk) lastUsed() time.Time {
	d.t.Helper()
	keys, err := d.store.Keys(d.t.Context())
	if err != nil || len(keys) != 1 {
		d.t.Fatalf("keys %v, %v", keys, err)
	}
	return keys[0].LastUsedAt
}

func TestManyKeysAreForgottenAndStillCounted(t *testing.T) {
	d := newTestDesk(t)
	k, secret := d.key(hongyan.KeyAPI, Reader)
	d.refused(secret, hongyan.KeyAPI)
	for i := range maxCachedKeys {
		d.keys.keys[[32]byte{byte(i), byte(i >> 8), 1}] = d.keys.keys[sha256.Sum256([]byte(secret))]
	}
	_, another := d.key(hongyan.KeyAPI, Reader)
	d.refused(another, hongyan.KeyAPI)
	if n := len(d.keys.keys); n != 1 {
		t.Errorf("%d keys remembered, want the new one", n)
	}
	if used := d.keys.used(); used[k.ID].IsZero() {
		t.Errorf("uses %v, want %s among them", used, k.ID)
	}
}

func TestRoles(t *testing.T) {
	for _, r := range []Role{Reader, Sender, Admin} {
		if got, err := ParseRole(r.String()); got != r || err != nil {
			t.Errorf("%v: %v, %v", r, got, err)
		}
	}
	for _, word := range []string{"", "none", "root", "Admin"} {
		if r, err := ParseRole(word); err == nil {
			t.Errorf("%q is %v", word, r)
		}
	}
	if Reader >= Sender || Sender >= Admin {
		t.Error("the order of roles")
	}
}

func TestRemoteOf(t *testing.T) {
	for remoteAddr, want := range map[string]string{
		"192.0.2.1:1234": "192.0.2.1", "[2001:db8::1]:443": "2001:db8::1", "pipe": "pipe",
	} {
		r := &http.Request{RemoteAddr: remoteAddr, Header: http.Header{"X-Forwarded-For": {"198.51.100.1"}}}
		if got := RemoteOf(r); got != want {
			t.Errorf("%s: %q, want %q", remoteAddr, got, want)
		}
	}
}
