package sqlite

import (
	"context"
	"strconv"

	"hongyan"
	"hongyan/store"
)

// keyCheck is the name of a sealed constant that only the right master key opens.
const keyCheck = "key_check"

const keyCheckAAD = "meta.value:" + keyCheck

// checkKey refuses a master key other than the one this database began with.
func checkKey(ctx context.Context, c *conn, keys *store.Keyring) error {
	var sealed []byte
	found, err := c.queryOne(ctx, func(r *row) error {
		sealed = r.bytes()
		return nil
	}, "SELECT value FROM meta WHERE name = ?", keyCheck)
	if err != nil {
		return explain(err)
	}
	if !found {
		t := &tx{conn: c}
		return explain(t.setMeta(keyCheck, keys.Seal("hongyan", keyCheckAAD)))
	}
	if _, err := keys.Open(sealed, keyCheckAAD); err != nil {
		return &hongyan.Error{
			Kind: hongyan.Invalid, Code: "master_key",
			Message: "the master key is not the one this database was made with",
			Hint:    "give the earlier key in HONGYAN_MASTER_KEY or HONGYAN_MASTER_KEY_FILE, or put its file (master.key) back beside the database",
			Err:     err,
		}
	}
	return nil
}

func (t *tx) setMeta(name string, value []byte) error {
	_, err := t.exec(`INSERT INTO meta (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}

// seqFloor is the name of the least number the next message may have. Numbers are
// not used twice though the newest messages are gone: callers were answered with them
// (hongyan.OwnMsgID).
const seqFloor = "seq_floor"

func (t *tx) setNumber(name string, n int64) error {
	return t.setMeta(name, strconv.AppendInt(nil, n, 10))
}

// loadNumber reads what setNumber wrote; 0 when there is nothing.
func loadNumber(ctx context.Context, c *conn, name string) (n int64, err error) {
	_, err = c.queryOne(ctx, func(r *row) (err error) {
		n, err = strconv.ParseInt(string(r.bytes()), 10, 64)
		return err
	}, "SELECT value FROM meta WHERE name = ?", name)
	return n, err
}
