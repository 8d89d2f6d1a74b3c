package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"unicode/utf8"

	"hongyan"
	"hongyan/client"
)

// keyPrefix starts every API key, so that a leaked one is recognised.
const keyPrefix = "hyk_"

// keyBytes is the entropy of a key: 256 bits, 43 characters of base64url.
const keyBytes = 32

// hintLen is how much of a key is kept to recognise it by: four characters of
// 43 help nobody to guess the rest.
const hintLen = len(keyPrefix) + 4

// maxKeyName bounds the name of a key, in characters.
const maxKeyName = 64

// NewKey returns a new random API key.
func NewKey() string {
	var b [keyBytes]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return keyPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}

func (a *API) createKey(ctx context.Context, in *struct{ Body body[client.KeyRequest] }) (*created[client.NewKey], error) {
	if !infoOf(ctx).caller.everything() {
		return nil, limitedKey
	}
	want := &in.Body.Value
	appIDs, err := a.checkKey(ctx, want)
	if err != nil {
		return nil, err
	}
	secret := NewKey()
	hash := sha256.Sum256([]byte(secret))
	key := hongyan.Key{ID: hongyan.NewKeyID(), Name: want.Name, Hash: hash[:], Hint: secret[:hintLen], Role: want.Role,
		AppIDs: appIDs, CreatedAt: hongyan.Millis(a.cfg.Store.Now())}
	if err := a.cfg.Store.CreateKey(ctx, key); err != nil {
		return nil, err
	}
	v := viewKey(&key)
	return &created[client.NewKey]{"/v1/keys/" + key.ID, client.NewKey{
		ID: v.ID, Name: v.Name, Hint: v.Hint, Role: v.Role, AppIDs: v.AppIDs, CreatedAt: v.CreatedAt, Key: secret,
	}}, nil
}

// checkKey checks a request and returns its accounts, aliases resolved.
func (a *API) checkKey(ctx context.Context, want *client.KeyRequest) ([]string, error) {
	var f faults
	if n := utf8.RuneCountInString(want.Name); n == 0 || n > maxKeyName {
		f.add("/name", "must have 1 to %d characters, has %d", maxKeyName, n)
	}
	if rule := hongyan.OneOf(want.Role, "admin", "sender", "reader"); rule != "" {
		f.add("/role", "%s", rule)
	}
	var appIDs []string
	for i, name := range want.AppIDs {
		account, err := a.cfg.Store.Account(ctx, name)
		switch {
		case hongyan.IsKind(err, hongyan.NotFound):
			f.add("/appids/"+itoa(i), "there is no account %q", clip(name))
		case err != nil:
			return nil, err
		case !slices.Contains(appIDs, account.AppID):
			appIDs = append(appIDs, account.AppID)
		}
	}
	return appIDs, f.err("invalid_key_request")
}

func (a *API) listKeys(ctx context.Context, _ *none) (*out[client.List[client.Key]], error) {
	if !infoOf(ctx).caller.everything() {
		return nil, limitedKey
	}
	keys, err := a.cfg.Store.Keys(ctx)
	if err != nil {
		return nil, err
	}
	list := client.List[client.Key]{Items: make([]client.Key, 0, len(keys))}
	for i := range keys {
		list.Items = append(list.Items, viewKey(&keys[i]))
	}
	return &out[client.List[client.Key]]{list}, nil
}

type keyPath struct {
	ID string `path:"id"`
}

// revokeKey ends a key at once on this node, and within 30 s on others.
func (a *API) revokeKey(ctx context.Context, in *keyPath) (*none, error) {
	if !infoOf(ctx).caller.everything() {
		return nil, limitedKey
	}
	if err := a.cfg.Store.RevokeKey(ctx, in.ID); err != nil {
		return nil, err
	}
	a.keys.forget(in.ID)
	return nil, nil
}

func viewKey(k *hongyan.Key) client.Key {
	return client.Key{
		ID: k.ID, Name: k.Name, Hint: k.Hint, Role: k.Role, AppIDs: append([]string{}, k.AppIDs...),
		CreatedAt: client.Time{Time: k.CreatedAt}, RevokedAt: client.At(k.RevokedAt), LastUsedAt: client.At(k.LastUsedAt),
	}
}
