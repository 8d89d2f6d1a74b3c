package postgres

import (
	"hongyan"
	"hongyan/store"
)

// keyCheck is the name of a sealed constant that only the right master key opens.
const keyCheck = "key_check"

const keyCheckAAD = "meta.value:" + keyCheck

// checkKey refuses a master key other than the one this database began with. Of two
// processes that begin with it at once, one was first.
func (t *tx) checkKey(keys *store.Keyring) error {
	_, err := t.exec("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", keyCheck, keys.Seal("hongyan", keyCheckAAD))
	if err != nil {
		return err
	}
	var sealed []byte
	_, err = t.queryOne(func(r *row) error {
		sealed = r.bytes()
		return nil
	}, "SELECT value FROM meta WHERE name = $1", keyCheck)
	if err != nil {
		return err
	}
	if _, err := keys.Open(sealed, keyCheckAAD); err != nil {
		return &hongyan.Error{
			Kind: hongyan.Invalid, Code: "master_key",
			Message: "the master key is not the one this database was made with",
			Hint:    "give the earlier key in HONGYAN_MASTER_KEY or HONGYAN_MASTER_KEY_FILE",
			Err:     err,
		}
	}
	return nil
}

func (t *tx) setMeta(name string, value []byte) error {
	_, err := t.exec(`INSERT INTO meta (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}
