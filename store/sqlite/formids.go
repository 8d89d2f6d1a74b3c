package sqlite

import (
	"context"

	"hongyan"
	"hongyan/store"
)

const formColumns = "id, appid, openid, form_id, source, sends, left_sends, obtained_at, expires_at, refused"

func scanForm(r *row) hongyan.FormID {
	return hongyan.FormID{
		ID: r.int64(), AppID: r.text(), OpenID: r.text(), FormID: r.text(), Source: hongyan.FormSource(r.text()),
		Sends: r.int(), Left: r.int(), ObtainedAt: r.time(), ExpiresAt: r.time(), Refused: r.int(),
	}
}

func collectForms(all *[]hongyan.FormID) func(*row) error {
	return func(r *row) error {
		*all = append(*all, scanForm(r))
		return nil
	}
}

// PutForms stores form_ids and queues again who waits for them; see store.Forms.
func (s *Store) PutForms(ctx context.Context, fs []hongyan.FormID) (done []store.FormStored, released int, err error) {
	err = s.submit(ctx, &op{weight: len(fs), run: func(t *tx) (err error) {
		done, released, err = t.putForms(fs)
		return err
	}})
	if err != nil {
		return nil, 0, err
	}
	return done, released, nil
}

func (t *tx) putForms(fs []hongyan.FormID) (done []store.FormStored, released int, err error) {
	done = make([]store.FormStored, len(fs))
	for i := range fs {
		f := &fs[i]
		if !t.accounts[f.AppID] {
			done[i] = store.FormNoAccount
			continue
		}
		if done[i], err = t.putForm(f); err != nil {
			return nil, 0, err
		}
		if done[i] != store.FormNew {
			continue
		}
		n, err := t.releaseForms(f.AppID, f.OpenID)
		if released += n; err != nil {
			return nil, 0, err
		}
	}
	return done, released, nil
}

func (t *tx) putForm(f *hongyan.FormID) (store.FormStored, error) {
	_, isNew, err := t.insert(`INSERT INTO form_ids (appid, openid, form_id, source, sends, left_sends, obtained_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (appid, form_id) DO NOTHING`,
		f.AppID, f.OpenID, f.FormID, string(f.Source), f.Sends, f.Sends, millis(f.ObtainedAt), millis(f.ExpiresAt))
	if err != nil || isNew {
		return store.FormNew, err
	}
	outcome := store.FormOfAnother
	_, err = t.queryOne(func(r *row) error {
		if r.text() == f.OpenID {
			outcome = store.FormKnown
		}
		return nil
	}, "SELECT openid FROM form_ids WHERE appid = ? AND form_id = ?", f.AppID, f.FormID)
	return outcome, err
}

// waitingForFormSQL finds a user's messages that wait for a form_id.
const waitingForFormSQL = `SELECT seq FROM messages INDEXED BY messages_touser
	WHERE touser = ? AND appid = ? AND state = 1 AND reason = '` + hongyan.HoldNoFormID + `'`

// releaseForms queues again the messages that wait for a form_id of the user, due
// now, and returns how many.
func (t *tx) releaseForms(appID, openID string) (int, error) {
	var seqs []int64
	err := t.query(func(r *row) error {
		seqs = append(seqs, r.int64())
		return nil
	}, waitingForFormSQL, openID, appID)
	if err != nil || len(seqs) == 0 {
		return 0, err
	}
	err = t.execSeqs("UPDATE messages SET state = 0, reason = '', hold = NULL, due_at = ?, updated_at = ? WHERE seq IN ", seqs, t.now, t.now)
	t.moved(appID, hongyan.KindMiniTemplate, hongyan.Held, hongyan.Queued, int64(len(seqs)))
	return len(seqs), err
}

const heldFormSQL = "SELECT " + formColumns + " FROM form_ids WHERE id = (SELECT form FROM form_takes WHERE message = ?)"

// usableFormSQL finds the form_id that a message takes.
const usableFormSQL = "SELECT " + formColumns + ` FROM form_ids INDEXED BY form_ids_usable
	WHERE appid = ? AND openid = ? AND expires_at > ? AND left_sends > 0 ORDER BY expires_at, id LIMIT 1`

// TakeForm gives a leased message a form_id of its user; see store.Forms.
func (s *Store) TakeForm(ctx context.Context, f store.Fence, appID string) (form hongyan.FormID, ok bool, err error) {
	err = s.write(ctx, func(t *tx) (err error) {
		form, ok, err = t.takeForm(f, appID)
		return err
	})
	if err != nil {
		return hongyan.FormID{}, false, err
	}
	return form, ok, nil
}

func (t *tx) takeForm(f store.Fence, appID string) (form hongyan.FormID, ok bool, err error) {
	var id, openID string
	leased := false
	if f.Epoch != 0 && f.Epoch == t.epoch {
		leased, err = t.queryOne(func(r *row) error {
			id, openID = r.text(), r.text()
			return nil
		}, "SELECT id, touser FROM messages WHERE seq = ? AND epoch = ? AND attempts = ? AND appid = ? AND state = 2", f.Seq, f.Epoch, f.Attempts, appID)
	}
	if err != nil {
		return form, false, err
	}
	if !leased {
		return form, false, fenced(f.Epoch)
	}
	read := func(r *row) error {
		form, ok = scanForm(r), true
		return nil
	}
	if _, err = t.queryOne(read, heldFormSQL, id); err != nil || ok {
		return form, ok, err
	}
	if _, err = t.queryOne(read, usableFormSQL, appID, openID, t.now); err != nil || !ok {
		return form, ok, err
	}
	form.Left--
	if err = t.execAll(1, "UPDATE form_ids SET left_sends = left_sends - 1 WHERE id = ?", form.ID); err != nil {
		return form, false, err
	}
	return form, true, t.execAll(1, "INSERT INTO form_takes (message, form) VALUES (?, ?)", id, form.ID)
}

// settleForm does what a result means for the form_id of its message.
func (t *tx) settleForm(r *store.Result, out *store.Settled) error {
	switch r.Form.Outcome {
	case store.FormReturned:
		_, err := t.returnForm(r.Seq)
		return err
	case store.FormRefused:
		_, err := t.exec("UPDATE form_ids SET left_sends = 0, refused = ? WHERE id = (SELECT form FROM form_takes WHERE message = (SELECT id FROM messages WHERE seq = ?))",
			r.Form.Errcode, r.Seq)
		if err == nil {
			_, err = t.exec("DELETE FROM form_takes WHERE message = (SELECT id FROM messages WHERE seq = ?)", r.Seq)
		}
		return err
	case store.FormMissing:
		return t.missingForm(r, out)
	}
	return nil
}

// returnForm gives back what a message has taken, and queues again who waits for it.
func (t *tx) returnForm(seq int64) (released int, err error) {
	var form int64
	err = t.change(func(r *row) error {
		form = r.int64()
		return nil
	}, "DELETE FROM form_takes WHERE message = (SELECT id FROM messages WHERE seq = ?) RETURNING form", seq)
	if err != nil || form == 0 {
		return 0, err
	}
	var appID, openID string
	err = t.change(func(r *row) error {
		appID, openID = r.text(), r.text()
		return nil
	}, "UPDATE form_ids SET left_sends = left_sends + 1 WHERE id = ? AND refused = 0 AND left_sends < sends RETURNING appid, openid", form)
	if err != nil || appID == "" {
		return 0, err
	}
	return t.releaseForms(appID, openID)
}

// missingForm queues a message that is held for want of a form_id, if one has come
// since it looked.
func (t *tx) missingForm(r *store.Result, out *store.Settled) error {
	if out.State != hongyan.Held {
		return nil
	}
	found, err := t.queryOne(func(*row) error { return nil }, usableFormSQL, r.AppID, r.Form.ToUser, t.now)
	if err != nil || !found {
		return err
	}
	out.State = hongyan.Queued
	t.moved(r.AppID, hongyan.KindMiniTemplate, hongyan.Held, hongyan.Queued, 1)
	return t.execAll(1, "UPDATE messages SET state = 0, reason = '', hold = NULL, due_at = ? WHERE seq = ?", t.now, r.Seq)
}

// FormOf returns the form_id that a message holds; see store.Forms.
func (s *Store) FormOf(ctx context.Context, messageID string) (form hongyan.FormID, ok bool, err error) {
	err = s.read(ctx, func(c *conn) (err error) {
		ok, err = c.queryOne(ctx, func(r *row) error {
			form = scanForm(r)
			return nil
		}, heldFormSQL, messageID)
		return err
	})
	return form, ok, err
}

// Forms lists form_ids newest first; see store.Forms.
func (s *Store) Forms(ctx context.Context, appID, openID string, before int64, limit int) (all []hongyan.FormID, err error) {
	query, args := "SELECT "+formColumns+" FROM form_ids INDEXED BY form_ids_openid WHERE appid = ? AND ", []any{appID}
	if openID != "" {
		query, args = query+"openid = ? AND ", append(args, openID)
	}
	err = s.snapshot(ctx, func(c *conn) error {
		err := c.query(ctx, collectForms(&all), query+"id < ? ORDER BY id DESC LIMIT ? + 0", append(args, beforeOrNewest(before), limit)...)
		for i := 0; err == nil && i < len(all); i++ {
			f := &all[i]
			err = c.query(ctx, func(r *row) error {
				f.Messages = append(f.Messages, r.text())
				return nil
			}, "SELECT message FROM form_takes INDEXED BY form_takes_form WHERE form = ? ORDER BY message", f.ID)
		}
		return err
	})
	return all, err
}

// CountForms counts usable form_ids; see store.Forms.
func (s *Store) CountForms(ctx context.Context, appID, openID string) (n hongyan.FormCounts, err error) {
	now := millis(s.Now())
	query, args := `SELECT count(DISTINCT openid), count(*), coalesce(sum(left_sends), 0), coalesce(min(expires_at), 0),
		coalesce(sum(CASE WHEN expires_at <= ? THEN left_sends END), 0)
		FROM form_ids INDEXED BY form_ids_usable WHERE left_sends > 0 AND expires_at > ? AND appid = ?`, []any{now + day.Milliseconds(), now, appID}
	if openID != "" {
		query, args = query+" AND openid = ?", append(args, openID)
	}
	err = s.read(ctx, func(c *conn) error {
		return c.query(ctx, func(r *row) error {
			n = hongyan.FormCounts{Users: r.int64(), Forms: r.int64(), Sends: r.int64(), Next: r.time(), Within: r.int64()}
			return nil
		}, query, args...)
	})
	return n, err
}

// sweepForms removes form_ids that expired long ago, and who took them.
func (t *tx) sweepForms() (int, error) {
	before := t.before(store.FormKeep)
	_, err := t.exec(`DELETE FROM form_takes WHERE form IN (SELECT id
		FROM form_ids INDEXED BY form_ids_expiry WHERE expires_at <= ? ORDER BY expires_at, id LIMIT ? + 0)`, before, sweepBatch)
	if err != nil {
		return 0, err
	}
	return t.exec(`DELETE FROM form_ids WHERE id IN (SELECT id
		FROM form_ids INDEXED BY form_ids_expiry WHERE expires_at <= ? ORDER BY expires_at, id LIMIT ? + 0)`, before, sweepBatch)
}
