package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"hongyan"
	"hongyan/access"
	"hongyan/client"
)

// maxKeyName bounds the name of a key, in characters.
const maxKeyName = 64

func (a *API) createKey(ctx context.Context, in *struct{ Body body[client.KeyRequest] }) (*created[client.NewKey], error) {
	if !infoOf(ctx).caller.Everything() {
		return nil, limitedKey
	}
	key, err := a.newKey(ctx, &in.Body.Value)
	if err != nil {
		return nil, err
	}
	secret := access.NewSecret(key.Kind)
	hash := sha256.Sum256([]byte(secret))
	key.Hash, key.Hint = hash[:], access.HintOf(secret)
	infoOf(ctx).changes(key.ID, "%s", keyWords(key))
	if err := a.cfg.Store.CreateKey(ctx, *key); err != nil {
		return nil, err
	}
	v := viewKey(key)
	return &created[client.NewKey]{"/v1/keys/" + key.ID, client.NewKey{
		ID: v.ID, Kind: v.Kind, Name: v.Name, Hint: v.Hint, Role: v.Role, AppIDs: v.AppIDs, Personal: v.Personal, CreatedAt: v.CreatedAt, Key: secret,
	}}, nil
}

// newKey checks a request and makes a key of it that lacks its secret; aliases
// of accounts are resolved.
func (a *API) newKey(ctx context.Context, want *client.KeyRequest) (*hongyan.Key, error) {
	var f faults
	if n := utf8.RuneCountInString(want.Name); n == 0 || n > maxKeyName {
		f.add("/name", "must have 1 to %d characters, has %d", maxKeyName, n)
	}
	key := &hongyan.Key{ID: hongyan.NewKeyID(), Name: want.Name, Kind: hongyan.KeyKind(cmp.Or(want.Kind, string(hongyan.KeyAPI))),
		Role: want.Role, Personal: want.Personal, CreatedAt: hongyan.Millis(a.cfg.Store.Now())}
	checkKeyRole(key, &f)
	for i, name := range want.AppIDs {
		account, err := a.cfg.Store.Account(ctx, name)
		switch {
		case hongyan.IsKind(err, hongyan.NotFound):
			f.add("/appids/"+itoa(i), "there is no account %q", clip(name))
		case err != nil:
			return nil, err
		case !slices.Contains(key.AppIDs, account.AppID):
			key.AppIDs = append(key.AppIDs, account.AppID)
		}
	}
	return key, f.err("invalid_key_request")
}

// checkKeyRole checks kind and role, and fills in a gateway secret's role.
func checkKeyRole(key *hongyan.Key, f *faults) {
	switch key.Kind {
	case hongyan.KeyAPI:
		if rule := hongyan.OneOf(key.Role, "admin", "sender", "reader"); rule != "" {
			f.add("/role", "%s", rule)
		}
	case hongyan.KeyGateway:
		key.Role = cmp.Or(key.Role, sender.String())
		if key.Role != sender.String() {
			f.add("/role", "%q is not for a gateway secret: the access_token it gets is the account's, which knows no roles; leave it out, or say sender", clip(key.Role))
		}
	default:
		f.add("/kind", "%s", hongyan.OneOf(string(key.Kind), string(hongyan.KeyAPI), string(hongyan.KeyGateway)))
	}
}

// keyWords says in the audit log what key was made.
func keyWords(k *hongyan.Key) string {
	accounts := "all accounts"
	if len(k.AppIDs) > 0 {
		accounts = strings.Join(k.AppIDs, " ")
	}
	return fmt.Sprintf("%s %s, %s, %q, %s", k.Kind, k.Hint, k.Role, k.Name, accounts)
}

func (a *API) listKeys(ctx context.Context, _ *none) (*out[client.List[client.Key]], error) {
	if !infoOf(ctx).caller.Everything() {
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
	if !infoOf(ctx).caller.Everything() {
		return nil, limitedKey
	}
	if err := a.cfg.Store.RevokeKey(ctx, in.ID); err != nil {
		return nil, err
	}
	a.cfg.Access.Forget(in.ID)
	return nil, nil
}

func viewKey(k *hongyan.Key) client.Key {
	return client.Key{
		ID: k.ID, Kind: string(k.Kind), Name: k.Name, Hint: k.Hint, Role: k.Role, AppIDs: append([]string{}, k.AppIDs...), Personal: k.Personal || k.Role != reader.String(),
		CreatedAt: client.Time{Time: k.CreatedAt}, RevokedAt: client.At(k.RevokedAt), LastUsedAt: client.At(k.LastUsedAt),
	}
}
