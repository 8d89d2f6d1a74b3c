package postgres

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

// lockForms keeps apart who stores, takes, returns and misses form_ids of the same
// users: a message must not be held for want of one that comes at that moment.
func (t *tx) lockForms(keys ...string) error {
	var b batch
	b.lockAll(lockFormIDs, keys)
	return t.run(&b)
}

func formKey(appID, openID string) string { return appID + " " + openID }

// PutForms stores form_ids and queues again who waits for them; see store.Forms.
func (s *Store) PutForms(ctx context.Context, fs []hongyan.FormID) (done []store.FormStored, released int, err error) {
	if len(fs) == 0 {
		return nil, 0, nil
	}
	var keys, appIDs []string
	for i := range fs {
		keys, appIDs = append(keys, formKey(fs[i].AppID, fs[i].OpenID)), append(appIDs, fs[i].AppID)
	}
	first := func(b *batch) {
		b.exec(nil, "SELECT pg_advisory_xact_lock_shared($1, 0)", lockAccounts)
		b.lockAll(lockFormIDs, keys)
	}
	err = s.transact(ctx, first, func(t *tx) error {
		accounts, err := t.accounts(appIDs)
		if err != nil {
			return err
		}
		done, released, err = t.putForms(fs, accounts)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return done, released, nil
}

func (t *tx) putForms(fs []hongyan.FormID, accounts map[string]bool) (done []store.FormStored, released int, err error) {
	done = make([]store.FormStored, len(fs))
	for i := range fs {
		f := &fs[i]
		if !accounts[f.AppID] {
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
	n, err := t.exec(`INSERT INTO form_ids (appid, openid, form_id, source, sends, left_sends, obtained_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $5, $6, $7) ON CONFLICT (appid, form_id) DO NOTHING`,
		f.AppID, f.OpenID, f.FormID, string(f.Source), f.Sends, millis(f.ObtainedAt), millis(f.ExpiresAt))
	if err != nil || n > 0 {
		return store.FormNew, err
	}
	outcome := store.FormOfAnother
	_, err = t.queryOne(func(r *row) error {
		if r.text() == f.OpenID {
			outcome = store.FormKnown
		}
		return nil
	}, "SELECT openid FROM form_ids WHERE appid = $1 AND form_id = $2", f.AppID, f.FormID)
	return outcome, err
}

// releaseForms queues again the messages that wait for a form_id of the user, due
// now, and returns how many.
func (t *tx) releaseForms(appID, openID string) (n int, err error) {
	n, err = t.exec(`UPDATE messages SET state = 0, reason = '', hold = NULL, due_at = (SELECT hongyan_now()), updated_at = (SELECT hongyan_now())
		WHERE touser = $1 AND appid = $2 AND state = 1 AND reason = '`+hongyan.HoldNoFormID+`'`, openID, appID)
	if err == nil && n > 0 {
		t.moved(appID, hongyan.KindMiniTemplate, hongyan.Held, hongyan.Queued, int64(n))
		t.notices.add(store.NoticeMessages, appID)
	}
	return n, err
}

const heldFormSQL = "SELECT " + formColumns + " FROM form_ids WHERE id = (SELECT form FROM form_takes WHERE message = $1)"

// usableFormSQL finds the form_id that a message takes.
const usableFormSQL = "SELECT " + formColumns + ` FROM form_ids
	WHERE appid = $1 AND openid = $2 AND expires_at > (SELECT hongyan_now()) AND left_sends > 0 ORDER BY expires_at, id LIMIT 1`

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
	leased, err := t.queryOne(func(r *row) error {
		id, openID = r.text(), r.text()
		return nil
	}, `SELECT id, touser FROM messages WHERE seq = $1 AND epoch = $2 AND attempts = $3 AND appid = $4 AND state = 2
		AND epoch IN (SELECT epoch FROM nodes WHERE NOT dead) FOR UPDATE`, f.Seq, f.Epoch, f.Attempts, appID)
	if err != nil {
		return form, false, err
	}
	if !leased {
		return form, false, fenced(f.Epoch)
	}
	if err := t.lockForms(formKey(appID, openID)); err != nil {
		return form, false, err
	}
	read := func(r *row) error {
		form, ok = scanForm(r), true
		return nil
	}
	if _, err = t.queryOne(read, heldFormSQL, id); err != nil || ok {
		return form, ok, err
	}
	if _, err = t.queryOne(read, usableFormSQL, appID, openID); err != nil || !ok {
		return form, ok, err
	}
	form.Left--
	if err = t.execAll(1, "UPDATE form_ids SET left_sends = left_sends - 1 WHERE id = $1", form.ID); err != nil {
		return form, false, err
	}
	return form, true, t.execAll(1, "INSERT INTO form_takes (message, form) VALUES ($1, $2)", id, form.ID)
}

// settleForms does what the applied results mean for the form_ids of their messages.
func (f *flushing) settleForms(t *tx) error {
	var all []*settling
	var keys []string
	for i := range f.all {
		if r := &f.all[i]; r.done && r.Form != nil && r.Form.Outcome != store.FormKept {
			all, keys = append(all, r), append(keys, formKey(r.AppID, r.Form.ToUser))
		}
	}
	if len(all) == 0 {
		return nil
	}
	if err := t.lockForms(keys...); err != nil {
		return err
	}
	for _, r := range all {
		if err := t.settleForm(r); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) settleForm(r *settling) error {
	switch r.Form.Outcome {
	case store.FormReturned:
		return t.returnForm(r.Seq)
	case store.FormRefused:
		_, err := t.exec(`UPDATE form_ids SET left_sends = 0, refused = $2
			WHERE id = (SELECT form FROM form_takes WHERE message = (SELECT id FROM messages WHERE seq = $1))`, r.Seq, r.Form.Errcode)
		if err == nil {
			_, err = t.exec("DELETE FROM form_takes WHERE message = (SELECT id FROM messages WHERE seq = $1)", r.Seq)
		}
		return err
	case store.FormMissing:
		return t.missingForm(r)
	}
	return nil
}

// returnForm gives back what a message has taken, and queues again who waits for it.
func (t *tx) returnForm(seq int64) error {
	var form int64
	err := t.query(func(r *row) error {
		form = r.int64()
		return nil
	}, "DELETE FROM form_takes WHERE message = (SELECT id FROM messages WHERE seq = $1) RETURNING form", seq)
	if err != nil || form == 0 {
		return err
	}
	var appID, openID string
	err = t.query(func(r *row) error {
		appID, openID = r.text(), r.text()
		return nil
	}, "UPDATE form_ids SET left_sends = left_sends + 1 WHERE id = $1 AND refused = 0 AND left_sends < sends RETURNING appid, openid", form)
	if err != nil || appID == "" {
		return err
	}
	_, err = t.releaseForms(appID, openID)
	return err
}

// missingForm queues a message that is held for want of a form_id, if one has come
// since it looked.
func (t *tx) missingForm(r *settling) error {
	if r.out.State != hongyan.Held {
		return nil
	}
	found, err := t.queryOne(func(*row) error { return nil }, usableFormSQL, r.AppID, r.Form.ToUser)
	if err != nil || !found {
		return err
	}
	r.out.State = hongyan.Queued
	t.moved(r.AppID, hongyan.KindMiniTemplate, hongyan.Held, hongyan.Queued, 1)
	return t.execAll(1, "UPDATE messages SET state = 0, reason = '', hold = NULL, due_at = $2 WHERE seq = $1", r.Seq, t.now)
}

// returned is a message that was given back untried, with the form_id it may hold.
type returned struct {
	seq int64
	key string
}

// returnForms gives back the form_ids of messages that were given back.
func (t *tx) returnForms(all []returned) error {
	if len(all) == 0 {
		return nil
	}
	keys := make([]string, len(all))
	for i := range all {
		keys[i] = all[i].key
	}
	if err := t.lockForms(keys...); err != nil {
		return err
	}
	for i := range all {
		if err := t.returnForm(all[i].seq); err != nil {
			return err
		}
	}
	return nil
}

// FormOf returns the form_id that a message holds; see store.Forms.
func (s *Store) FormOf(ctx context.Context, messageID string) (form hongyan.FormID, ok bool, err error) {
	err = s.read(ctx, func(c conn) (err error) {
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
	err = s.snapshot(ctx, func(c conn) error {
		all = nil
		q := listQuery{from: "form_ids"}
		q.and("appid = " + q.arg(appID))
		q.andIfSet("openid", openID)
		text, args := q.by("id", formColumns, beforeOrNewest(before), limit)
		if err := c.query(ctx, collectForms(&all), text, args...); err != nil || len(all) == 0 {
			return err
		}
		place := make(map[int64]*hongyan.FormID, len(all))
		ids := make([]int64, len(all))
		for i := range all {
			ids[i], place[all[i].ID] = all[i].ID, &all[i]
		}
		return c.query(ctx, func(r *row) error {
			f := place[r.int64()]
			f.Messages = append(f.Messages, r.text())
			return nil
		}, `SELECT form, message FROM form_takes WHERE form = ANY($1) ORDER BY message COLLATE "C"`, ids)
	})
	return all, err
}

// CountForms counts usable form_ids; see store.Forms.
func (s *Store) CountForms(ctx context.Context, appID, openID string) (n hongyan.FormCounts, err error) {
	now := millis(s.Now())
	err = s.read(ctx, func(c conn) error {
		return c.query(ctx, func(r *row) error {
			n = hongyan.FormCounts{Users: r.int64(), Forms: r.int64(), Sends: r.int64(), Next: r.time(), Within: r.int64()}
			return nil
		}, `SELECT count(DISTINCT openid), count(*), coalesce(sum(left_sends), 0), coalesce(min(expires_at), 0),
			coalesce(sum(left_sends) FILTER (WHERE expires_at <= $2), 0)
			FROM form_ids WHERE left_sends > 0 AND expires_at > $1 AND appid = $3 AND $4 IN (openid, '')`,
			now, now+day.Milliseconds(), appID, openID)
	})
	return n, err
}
