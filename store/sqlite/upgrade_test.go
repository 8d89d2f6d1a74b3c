package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"hongyan"
	"hongyan/store"
)

const (
	oldAppID = "wx0123456789abcdef"
	oldToken = "token-of-before"
)

// oldRows are what versions 1 and 2 of the schema wrote, in their own words. The
// words between braces are filled in by fillOld.
const oldRows = `
INSERT INTO meta (name, value) VALUES ('key_check', {key_check});
INSERT INTO accounts VALUES ('wx0123456789abcdef', 'service', '服务号', 'shop', '', {secret}, {callback_token}, NULL, NULL, NULL, 'plain', 'stable',
	5.5, 10, '[]', 'hold', 0, '', 0, {now}, {now});
INSERT INTO templates VALUES ('wx0123456789abcdef', 'tmpl-1', 'title', '', '', '{{thing1.DATA}}', '', 'template', 'active', '', {now});
INSERT INTO tokens VALUES ('wx0123456789abcdef', 'stable', {access_token}, 4, {now}, {now} + 7200000, 'node-1', NULL, 4);
INSERT INTO keys VALUES ('key_1', 'shop', x'0102', 'hyk_ab', 'sender', '["wx0123456789abcdef"]', {now}, 0, 0);
INSERT INTO nodes VALUES (3, 'node-1', {now}, {now} + 60000);
INSERT INTO streams VALUES (1, 'wx0123456789abcdef', 'template');
INSERT INTO counts VALUES ('wx0123456789abcdef', 'template', 0, 1), ('wx0123456789abcdef', 'template', 1, 1), ('wx0123456789abcdef', 'template', 2, 1),
	('wx0123456789abcdef', 'template', 4, 1), ('wx0123456789abcdef', 'template', 5, 1), ('wx0123456789abcdef', 'template', 8, 1);
INSERT INTO messages (seq, id, stream, appid, kind, touser, template_id, caller_msg_id, priority, retry_of, caller_id, state, reason,
	created_at, due_at, expires_at, updated_at, epoch, attempts, first_at, msgid, accepted_at, hold, receipt, payload) VALUES
	(1, 'msg_queued', 1, 'wx0123456789abcdef', 'template', 'oUser', 'tmpl-1', 0, 1, '', 'key_1', 0, '', {now}, {now}, {now} + 86400000, {now}, 0, 0, 0, 0, 0, NULL, NULL, x'7b7d'),
	(2, 'msg_held', 1, 'wx0123456789abcdef', 'template', 'oUser', 'tmpl-2', 0, 1, '', 'key_1', 1, 'template', {now}, 0, {now} + 86400000, {now}, 0, 0, 0, 0, 0, '{"reason":"template"}', NULL, x'7b7d'),
	(3, 'msg_sending', 1, 'wx0123456789abcdef', 'template', 'oUser', 'tmpl-1', 0, 1, '', 'key_1', 2, '', {now}, {now}, {now} + 86400000, {now}, 3, 1, {now}, 0, 0, NULL, NULL, x'7b7d'),
	(4, 'msg_accepted', 1, 'wx0123456789abcdef', 'template', 'oUser', 'tmpl-1', 0, 1, '', 'key_1', 4, '', {now}, {now}, {now} + 86400000, {now}, 0, 1, {now}, 2104, {now}, NULL, NULL, x'7b7d'),
	(5, 'msg_failed', 1, 'wx0123456789abcdef', 'template', 'oUser', 'tmpl-1', 0, 1, '', 'key_1', 5, 'errcode', {now}, {now}, {now} + 86400000, {now}, 0, 1, {now}, 0, 0, NULL, NULL, x'7b7d'),
	(6, 'msg_delivered', 1, 'wx0123456789abcdef', 'template', 'oUser', 'tmpl-1', 0, 1, '', 'key_1', 8, '', {now}, {now}, {now} + 86400000, {now}, 0, 1, {now}, 2106, {now}, NULL,
		'{"appid":"wx0123456789abcdef","msgid":2106,"touser":"oUser","status":"success","raw":"success","at":{now},"joined_by":"msgid"}', x'7b7d');
INSERT INTO idempotency VALUES ('key_1', 'order-1', zeroblob(32), 1, {now} + 86400000);
INSERT INTO events VALUES (1, 'wx0123456789abcdef', 'e1', 'templatesendjobfinish', 'oUser', {now}, 2106, {now}, {now}, 0, CAST('<xml/>' AS BLOB)),
	(2, 'wx0123456789abcdef', 'e2', 'templatesendjobfinish', 'oUser', {now}, 2104, {now}, 0, 0, CAST('<xml/>' AS BLOB));
INSERT INTO orphans VALUES (1, 'wx0123456789abcdef', 77, 'oUser', 'success', 'success', {now}, {now});
`

// newOldDatabase makes a database of an earlier version with rows in it.
func newOldDatabase(t *testing.T, version int64, now time.Time) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "hongyan.db")
	db, err := sql.Open("sqlite", writerDSN(path))
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = provider.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	if _, err = db.ExecContext(t.Context(), fillOld(newTestKeyring(t, 7), now)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// fillOld seals the secrets of oldRows, at the places where those versions had them.
func fillOld(keys *store.Keyring, now time.Time) string {
	sealed := func(plain, aad string) string { return fmt.Sprintf("x'%x'", keys.Seal(plain, aad)) }
	return strings.NewReplacer(
		"{key_check}", sealed("hongyan", "meta.value:key_check"),
		"{secret}", sealed("s3cret", "accounts.secret:"+oldAppID),
		"{callback_token}", sealed("cb-token", "accounts.callback_token:"+oldAppID),
		"{access_token}", sealed(oldToken, "tokens.access_token:"+oldAppID),
		"{now}", fmt.Sprint(now.UnixMilli())).Replace(oldRows)
}

// TestOldDatabases opens databases of each earlier version: what they hold reads
// back, goes on as before, and takes part in what is new.
func TestOldDatabases(t *testing.T) {
	for version := int64(1); version <= 2; version++ {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			now := hongyan.Millis(time.Now())
			path := newOldDatabase(t, version, now)
			current, _, err := SchemaVersion(t.Context(), path)
			if err != nil || current != version {
				t.Fatalf("before: got version %d, %v, want %d", current, err, version)
			}
			s := openTestStore(t, path)
			if diff := cmp.Diff(schema(t, newTestStore(t)), schema(t, s)); diff != "" {
				t.Errorf("schema (-new +upgraded):\n%s", diff)
			}
			t.Run("reads back", func(t *testing.T) { oldReadsBack(t, s, now) })
			t.Run("sends", func(t *testing.T) { oldSends(t, s) })
			t.Run("hands on", func(t *testing.T) { oldHandsOn(t, s) })
			t.Run("knows its token", func(t *testing.T) { oldKnowsToken(t, s, now) })
			// A second opening finds nothing to do.
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			oldKnowsReplaced(t, openTestStore(t, path))
		})
	}
}

func mustDo(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func oldReadsBack(t *testing.T, s *Store, now time.Time) {
	ctx := t.Context()
	a, err := s.Account(ctx, "shop")
	mustDo(t, err)
	want := hongyan.Account{AppID: oldAppID, Kind: hongyan.ServiceAccount, Name: "服务号", Alias: "shop", Secret: "s3cret",
		Callback: hongyan.Callback{Token: "cb-token", Mode: "plain"}, TokenSource: hongyan.TokenStable, RatePerSecond: 5.5, MaxInFlight: 10,
		UncertainPolicy: hongyan.UncertainHold, CreatedAt: now, UpdatedAt: now}
	if diff := cmp.Diff(want, a); diff != "" || a.Secret.Reveal() != "s3cret" {
		t.Errorf("account (-want +got):\n%s", diff)
	}
	k, err := s.KeyByHash(ctx, []byte{1, 2})
	if diff := cmp.Diff(hongyan.Key{ID: "key_1", Kind: hongyan.KeyAPI, Name: "shop", Hash: []byte{1, 2}, Hint: "hyk_ab", Role: "sender",
		AppIDs: []string{oldAppID}, Personal: true, CreatedAt: now}, k); err != nil || diff != "" {
		t.Errorf("key: %v (-want +got):\n%s", err, diff)
	}
	for id, state := range map[string]hongyan.State{"msg_queued": hongyan.Queued, "msg_held": hongyan.Held, "msg_sending": hongyan.Sending,
		"msg_accepted": hongyan.Accepted, "msg_failed": hongyan.Failed, "msg_delivered": hongyan.Delivered} {
		m, err := s.Message(ctx, id)
		if err != nil || m.State != state || m.OwnMsgID != 0 || len(m.Payload) == 0 || m.ClientMsgID != id {
			t.Errorf("%s: got %+v, %v", id, m, err)
		}
	}
	page, err := s.Messages(ctx, store.Filter{AppIDs: []string{oldAppID}, Limit: 10})
	if err != nil || len(page.Items) != 6 {
		t.Errorf("list: got %d, %v, want 6", len(page.Items), err)
	}
	if _, found, err := s.Replay(ctx, "key_1", "order-1", [32]byte{}); err != nil || !found {
		t.Errorf("idempotency key: got %v, %v, want it known", found, err)
	}
}

func oldSends(t *testing.T, s *Store) {
	ctx := t.Context()
	epoch, err := s.Join(ctx, "node-2", time.Minute)
	mustDo(t, err)
	stray, err := s.TakeOver(ctx, epoch, 10)
	if err != nil || len(stray) != 1 || stray[0].ID != "msg_sending" {
		t.Fatalf("taken over: got %v, %v", stray, err)
	}
	own, err := s.AnswerMsgID(ctx, "msg_sending")
	if err != nil || own.OwnMsgID != hongyan.OwnMsgID(3) {
		t.Errorf("own number: got %d, %v", own.OwnMsgID, err)
	}
	claimed, err := s.Claim(ctx, epoch, []store.Want{{AppID: oldAppID, Kind: hongyan.KindTemplate, Max: 10}})
	if err != nil || len(claimed) != 1 || claimed[0].ID != "msg_queued" {
		t.Fatalf("claimed: got %v, %v", claimed, err)
	}
	held, err := s.ClaimOne(ctx, epoch, "msg_held")
	mustDo(t, err)
	settled, err := s.FinishAttempts(ctx, benchResults([]hongyan.Message{stray[0], claimed[0], held}))
	want := store.Settled{Applied: true, State: hongyan.Accepted}
	if diff := cmp.Diff([]store.Settled{want, want, want}, settled); err != nil || diff != "" {
		t.Errorf("settled: %v (-want +got):\n%s", err, diff)
	}
	added, err := s.InsertMessages(ctx, benchMessages(1, epoch))
	if err != nil || added[0].Message.Seq != 7 || added[0].Outcome != store.InsertedNew {
		t.Errorf("a new message: got %v, %v", added, err)
	}
	counts, err := s.Counts(ctx)
	wantCounts := map[hongyan.State]int64{hongyan.Sending: 1, hongyan.Accepted: 4, hongyan.Failed: 1, hongyan.Delivered: 1}
	for state, n := range counts[oldAppID] {
		if n != wantCounts[state] {
			t.Errorf("%v: counted %d, %v, want %d", state, n, err, wantCounts[state])
		}
	}
}

func oldHandsOn(t *testing.T, s *Store) {
	ctx := t.Context()
	a, err := s.Account(ctx, oldAppID)
	mustDo(t, err)
	a.Downstreams = []hongyan.Downstream{{Name: "shop", URL: "https://shop.example.com/", Token: "down"}}
	mustDo(t, s.UpdateAccount(ctx, a))
	pending, err := s.PendingEvents(ctx, 10)
	if err != nil || len(pending) != 1 || pending[0].ID != 2 {
		t.Fatalf("pending events: got %v, %v", pending, err)
	}
	target := a.Downstreams[0].Target(oldAppID)
	mustDo(t, s.FinishEvents(ctx, []store.EventDone{{EventID: 2, Deliveries: []store.NewDelivery{{Target: target, Key: "oUser"}},
		Receipts: []hongyan.Receipt{{AppID: oldAppID, MsgID: 2104, ToUser: "oUser", Status: "user_block"}}}}))
	m, err := s.Message(ctx, "msg_accepted")
	if err != nil || m.State != hongyan.Undelivered {
		t.Errorf("receipt: got %v, %v", m.State, err)
	}
	own, open, err := s.HandedOnMsgID(ctx, oldAppID, 2104, "oUser")
	if err != nil || own != 0 || open {
		t.Errorf("handed on: got %d, %v, %v, want WeChat's number", own, open, err)
	}
	n, last, err := s.ReplayDeliveries(ctx, store.Replay{AppID: oldAppID, Target: target, Limit: 10})
	if err != nil || n != 1 || last != 0 {
		t.Errorf("replay: got %d, %d, %v, want the other event", n, last, err)
	}
	claimed, err := s.ClaimDeliveries(ctx, store.DeliveryClaim{Target: target, Ordered: true, Max: 10, Lease: time.Minute})
	if err != nil || len(claimed) != 1 || claimed[0].EventID != 1 || string(claimed[0].Event.Body) != "<xml/>" {
		t.Errorf("claimed deliveries: got %v, %v, want the first event's", claimed, err)
	}
}

func oldKnowsToken(t *testing.T, s *Store, now time.Time) {
	ctx := t.Context()
	k, err := s.Token(ctx, oldAppID)
	if err != nil || k.AccessToken.Reveal() != oldToken || k.Generation != 4 {
		t.Errorf("token: got generation %d, %v", k.Generation, err)
	}
	issued, err := s.IssuedToken(ctx, store.HashKey(oldToken))
	if diff := cmp.Diff(hongyan.IssuedToken{AppID: oldAppID, Generation: 4, IssuedAt: now}, issued); err != nil || diff != "" {
		t.Errorf("issued: %v (-want +got):\n%s", err, diff)
	}
	saved, err := s.SaveToken(ctx, hongyan.Token{AppID: oldAppID, Generation: 5, AccessToken: "next"})
	if err != nil || !saved {
		t.Errorf("the next token: got %v, %v", saved, err)
	}
}

func oldKnowsReplaced(t *testing.T, s *Store) {
	t.Helper()
	k, err := s.IssuedToken(t.Context(), store.HashKey(oldToken))
	if err != nil || k.ReplacedAt.IsZero() {
		t.Errorf("replaced token: got %+v, %v", k, err)
	}
}
