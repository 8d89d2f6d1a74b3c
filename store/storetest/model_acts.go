package storetest

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"hongyan"
	"hongyan/store"
)

// insert stores a few messages.
func (m *machine) insert(t *rapid.T) {
	for range rapid.IntRange(1, 3).Draw(t, "messages") {
		m.insertOne(t)
	}
}

// insertOne stores a message: new, leased, with a client_msg_id or an idempotency
// key that may have been used before.
func (m *machine) insertOne(t *rapid.T) {
	now := m.s.Now()
	m.n++
	in := hongyan.Message{
		ID: fmt.Sprintf("msg_%d", m.n), AppID: drawApp(t), Kind: hongyan.KindTemplate, ToUser: userA, TemplateID: modelTemplate,
		Payload: fmt.Appendf(nil, `{"n":%d}`, m.n), CallerID: "key_1", CreatedAt: now,
		Priority:  hongyan.Priority(rapid.IntRange(0, 2).Draw(t, "priority")),
		DueAt:     now.Add(rapid.SampledFrom([]time.Duration{0, 0, time.Hour}).Draw(t, "due in")),
		ExpiresAt: now.Add(rapid.SampledFrom([]time.Duration{30 * time.Minute, 48 * time.Hour}).Draw(t, "expires in")),
	}
	in.ClientMsgID = in.ID
	if in.CallerMsgID = rapid.Bool().Draw(t, "own client_msg_id"); in.CallerMsgID {
		in.ClientMsgID = rapid.SampledFrom([]string{"c1", "c2"}).Draw(t, "client_msg_id")
	}
	if rapid.Bool().Draw(t, "leased") {
		in.Epoch = m.epoch
	}
	n := store.NewMessage{Message: in, IdempotencyKey: rapid.SampledFrom([]string{"", "", "k1", "k2"}).Draw(t, "key")}
	n.BodyHash[0] = byte(rapid.IntRange(0, 1).Draw(t, "body"))
	want, first := m.outcome(&n, now)
	out, err := m.s.InsertMessages(m.ctx, []store.NewMessage{n})
	ok(t, err)
	equal(t, "outcome", out[0].Outcome, want)
	if want == store.InsertedNew {
		first = m.stored(t, in, out[0].Message.Seq, now)
	}
	if n.IdempotencyKey != "" && (want == store.InsertedNew || want == store.InsertedDuplicate) {
		m.keys[n.IdempotencyKey] = modelKey{first.ID, n.BodyHash[0], now.Add(store.IdempotencyTTL)}
	}
	if want != store.InsertedMismatch {
		equal(t, "answer", out[0].Message, first.Message)
	}
}

// outcome predicts what becomes of a message, and which earlier one answers it.
func (m *machine) outcome(n *store.NewMessage, now time.Time) (store.InsertOutcome, *modelRow) {
	if k, known := m.keys[n.IdempotencyKey]; known && k.expires.After(now) {
		if k.hash != n.BodyHash[0] {
			return store.InsertedMismatch, nil
		}
		return store.InsertedReplay, m.find(k.id)
	}
	if n.Message.CallerMsgID {
		for _, r := range m.rows {
			if r.CallerMsgID && r.AppID == n.Message.AppID && r.ClientMsgID == n.Message.ClientMsgID && r.CreatedAt.After(now.Add(-store.ClientMsgIDWindow)) {
				return store.InsertedDuplicate, r
			}
		}
	}
	return store.InsertedNew, nil
}

// stored adds the row of a new message.
func (m *machine) stored(t *rapid.T, in hongyan.Message, seq int64, now time.Time) *modelRow {
	if seq <= m.maxSeq {
		t.Fatalf("number %d was given after %d", seq, m.maxSeq)
	}
	m.maxSeq = seq
	in.Seq, in.UpdatedAt = seq, now
	if in.Epoch != 0 {
		in.State, in.Attempts, in.FirstAt = hongyan.Sending, 1, now
	}
	r := &modelRow{Message: in}
	m.rows = append(m.rows, r)
	return r
}

func (m *machine) claim(t *rapid.T) {
	now, appID, most := m.s.Now(), drawApp(t), rapid.IntRange(1, 4).Draw(t, "most")
	var due []*modelRow
	for _, r := range m.rows {
		if r.AppID == appID && r.State.Waiting() && !r.parked && !r.DueAt.After(now) {
			due = append(due, r)
		}
	}
	slices.SortFunc(due, byTurn)
	due = due[:min(len(due), most)]
	got, err := m.s.Claim(m.ctx, m.epoch, []store.Want{{AppID: appID, Kind: hongyan.KindTemplate, Max: most}})
	ok(t, err)
	want := []string{}
	for _, r := range due {
		want = append(want, r.ID)
		r.leased(m.epoch, now)
	}
	equal(t, "claimed", ids(got), want)
	for i, r := range due {
		equal(t, "claimed message", got[i], r.Message)
	}
}

func (r *modelRow) leased(epoch int64, now time.Time) {
	if r.State == hongyan.Held {
		r.Reason = ""
	}
	if r.FirstAt.IsZero() {
		r.FirstAt = now
	}
	r.State, r.Hold, r.Epoch, r.UpdatedAt = hongyan.Sending, nil, epoch, now
	r.Attempts++
}

func isSending(r *modelRow) bool { return r.State == hongyan.Sending }

// underway: leased, though a receipt may have ended it meanwhile.
func (m *machine) underway(r *modelRow) bool { return r.Epoch != 0 && r.Epoch == m.epoch }

// finish settles a message in any of the ways there are.
func (m *machine) finish(t *rapid.T) {
	r := m.pick(t, m.underway)
	now := m.s.Now()
	res := m.verdict(t, r, now)
	got, err := m.s.FinishAttempts(m.ctx, []store.Result{res})
	ok(t, err)
	m.settled(r, &res, m.s.Now()) // results may wait for company
	equal(t, "settled", got[0], store.Settled{Applied: true, State: r.State})
}

// verdict draws what came of a call, or that there was none.
func (m *machine) verdict(t *rapid.T, r *modelRow, now time.Time) store.Result {
	called := hongyan.Attempt{N: r.Attempts, StartedAt: now, EndedAt: now, Outcome: hongyan.Answered}
	res := store.Result{Fence: fenceOf(r.Message), AppID: r.AppID, DoubtSince: r.DoubtSince, Tries: r.Tries}
	switch rapid.SampledFrom([]string{"accepted", "no msgid", "later", "no answer", "held", "held until", "failed", "uncertain", "expired", "in review"}).Draw(t, "verdict") {
	case "accepted":
		called.Errmsg, called.MsgID = "ok", m.msgID(t)
		res = store.Result{Fence: res.Fence, AppID: r.AppID, State: hongyan.Accepted, MsgID: called.MsgID, AcceptedAt: now}
	case "no msgid":
		res.State, res.AcceptedAt, res.Reason, res.DoubtSince = hongyan.Accepted, now, "duplicate", now
	case "later":
		called.Errcode, called.Errmsg = -1, "system error"
		res.State, res.Reason, res.DueAt, res.Tries = hongyan.Queued, "retrying", now.Add(time.Minute), r.Tries+1
	case "no answer":
		called.Outcome = hongyan.NoAnswer
		res.State, res.Reason, res.DueAt, res.DoubtSince = hongyan.Queued, "no_answer", now.Add(5*time.Second), now
	case "held":
		res.State, res.Reason, res.Hold = hongyan.Held, hongyan.HoldTemplate, &hongyan.Hold{Reason: hongyan.HoldTemplate, Since: now}
	case "held until":
		until := now.Add(time.Hour)
		res.State, res.Reason, res.DueAt, res.Hold = hongyan.Held, hongyan.HoldQuota, until, &hongyan.Hold{Reason: hongyan.HoldQuota, Since: now, Until: until}
	case "failed":
		called.Errcode = 40037
		res.State, res.Reason = hongyan.Failed, "errcode"
	case "uncertain":
		called.Outcome = hongyan.NoAnswer
		res.State, res.Reason, res.DoubtSince = hongyan.Uncertain, "no_answer", now
	case "expired":
		res.State = hongyan.Expired
		return res // no call was made
	case "in review":
		called.Errcode = 40252
		res.State, res.Reason, res.InReview, res.AcceptedAt, res.MayDuplicate = hongyan.Accepted, "in_review", true, now, true
	}
	res.Attempts = []hongyan.Attempt{called}
	return res
}

// msgID draws from a few, so that receipts meet messages and two have the same.
func (m *machine) msgID(t *rapid.T) int64 { return rapid.Int64Range(2001, 2006).Draw(t, "msgid") }

// settled applies a result whose fence holds.
func (m *machine) settled(r *modelRow, res *store.Result, now time.Time) {
	if n := len(res.Attempts); n > 0 {
		r.Last = res.Attempts[n-1]
		r.attempts = append(r.attempts, res.Attempts...)
		r.Attempts += n - 1
	} else {
		if r.Attempts == 1 {
			r.FirstAt = time.Time{}
		}
		r.Attempts--
	}
	ended := r.State != hongyan.Sending // by a receipt, while the call was under way
	r.Epoch, r.UpdatedAt = 0, now
	if res.MsgID != 0 && (!ended || r.MsgID == 0) {
		r.MsgID = res.MsgID
	}
	if !res.AcceptedAt.IsZero() && (!ended || r.AcceptedAt.IsZero()) {
		r.AcceptedAt = res.AcceptedAt
	}
	if !ended {
		r.State, r.Reason, r.Hold, r.Tries, r.DoubtSince = res.State, res.Reason, res.Hold, res.Tries, res.DoubtSince
		r.InReview, r.MayDuplicate = res.InReview, res.MayDuplicate
		if r.State.Waiting() {
			r.DueAt, r.parked = res.DueAt, res.DueAt.IsZero()
		}
	}
	if res.MsgID != 0 {
		for i, o := range m.orphans {
			if o.AppID == r.AppID && o.MsgID == res.MsgID {
				m.orphans = slices.Delete(m.orphans, i, i+1)
				r.receives(o.Receipt, "msgid", now)
				return
			}
		}
	}
}

// receives gives a row a receipt, unless it has one or knows more, and reports whether it did.
func (r *modelRow) receives(got hongyan.Receipt, by string, now time.Time) bool {
	if r.Receipt != nil || got.State().Rank() <= r.State.Rank() {
		return false
	}
	got.JoinedBy = by
	r.State, r.Reason, r.Hold, r.Receipt, r.UpdatedAt, r.parked = got.State(), got.Reason(), nil, &got, now, false
	if r.MsgID == 0 {
		r.MsgID = got.MsgID
	}
	return true
}

// finishOutdated reports what a node has to say that does not hold the message any more.
func (m *machine) finishOutdated(t *rapid.T) {
	r := m.pick(t, func(*modelRow) bool { return true })
	f := fenceOf(r.Message)
	switch {
	case !m.underway(r):
		f.Epoch = m.epoch
	case rapid.Bool().Draw(t, "older attempt"):
		f.Attempts--
	default:
		f.Epoch--
	}
	now := m.s.Now()
	got, err := m.s.FinishAttempts(m.ctx, []store.Result{{Fence: f, AppID: r.AppID, State: hongyan.Accepted, MsgID: 1, AcceptedAt: now,
		Attempts: []hongyan.Attempt{{N: f.Attempts, StartedAt: now, EndedAt: now, Outcome: hongyan.Answered, Errmsg: "ok", MsgID: 1}}}})
	ok(t, err)
	equal(t, "settled", got[0], store.Settled{State: r.State})
}

func (m *machine) giveBack(t *rapid.T) {
	r := m.pick(t, isSending)
	ok(t, m.s.Return(m.ctx, []store.Fence{fenceOf(r.Message)}))
	r.State, r.Epoch, r.UpdatedAt = hongyan.Queued, 0, m.s.Now()
	if r.Attempts == 1 {
		r.FirstAt = time.Time{}
	}
	r.Attempts--
	if r.DueAt.IsZero() {
		r.DueAt = m.s.Now()
	}
}

// receipt takes one in: early, doubled or contradicting, as it comes.
func (m *machine) receipt(t *rapid.T) {
	now := m.s.Now()
	got := hongyan.Receipt{AppID: drawApp(t), MsgID: m.msgID(t), ToUser: userA, At: now,
		Status: rapid.SampledFrom([]string{"success", "user_block", "system_failed"}).Draw(t, "status")}
	got.Raw = got.Status
	m.n++
	id, _, err := m.s.InsertEvent(m.ctx, hongyan.Event{AppID: got.AppID, DedupeKey: fmt.Sprint(m.n), Type: "templatesendjobfinish", Body: []byte("<xml/>")})
	ok(t, err)
	ok(t, m.s.FinishEvents(m.ctx, []store.EventDone{{EventID: id, Receipts: []hongyan.Receipt{got}}}))
	for _, r := range m.rows {
		if r.AppID == got.AppID && r.MsgID == got.MsgID {
			r.receives(got, "msgid", now)
			return
		}
	}
	for _, o := range m.orphans {
		if o.AppID == got.AppID && o.MsgID == got.MsgID {
			return // the first wins
		}
	}
	m.orphans = append(m.orphans, modelOrphan{got, now})
}

// join gives a receipt without an owner to a message, whatever that is.
func (m *machine) join(t *rapid.T) {
	listed, err := m.s.Orphans(m.ctx, 0, 1000)
	ok(t, err)
	if len(listed) == 0 {
		t.Skip("no receipt is without an owner")
	}
	o := listed[rapid.IntRange(0, len(listed)-1).Draw(t, "receipt")]
	r := m.pick(t, func(*modelRow) bool { return true })
	got, err := m.s.JoinOrphan(m.ctx, o.ID, r.ID)
	ok(t, err)
	want := r.AppID == o.Receipt.AppID && r.receives(o.Receipt, "user_and_time", m.s.Now())
	equal(t, "joined", got, want)
	if want {
		m.orphans = slices.DeleteFunc(m.orphans, func(x modelOrphan) bool { return x.AppID == o.Receipt.AppID && x.MsgID == o.Receipt.MsgID })
	}
}

func (m *machine) cancel(t *rapid.T) {
	r := m.pick(t, func(*modelRow) bool { return true })
	_, err := m.s.Cancel(m.ctx, r.ID)
	if !r.State.Waiting() || !r.DoubtSince.IsZero() {
		if !hongyan.IsKind(err, hongyan.Conflict) {
			t.Fatalf("cancel of a message that is %v: got %v, want a conflict", r.State, err)
		}
		return
	}
	ok(t, err)
	r.State, r.Reason, r.Hold, r.UpdatedAt = hongyan.Cancelled, "", nil, m.s.Now()
}

func (m *machine) expire(t *rapid.T) {
	now, want := m.s.Now(), 0
	for _, r := range m.rows {
		if r.State.Waiting() && r.DoubtSince.IsZero() && !r.ExpiresAt.After(now) {
			r.State, r.Hold, r.UpdatedAt = hongyan.Expired, nil, now
			want++
		}
	}
	got, err := m.s.Expire(m.ctx, 1000)
	ok(t, err)
	equal(t, "expired", got, want)
}

func (m *machine) holdTemplate(t *rapid.T) {
	now, appID, want := m.s.Now(), drawApp(t), 0
	h := hongyan.Hold{AppID: appID, Reason: hongyan.HoldTemplate, Since: now}
	if rapid.Bool().Draw(t, "until") {
		h.Until = now.Add(time.Hour)
	}
	for _, r := range m.rows {
		if r.AppID != appID || r.State != hongyan.Queued || !r.DoubtSince.IsZero() {
			continue
		}
		switch {
		case !h.Until.IsZero() && h.Until.After(r.DueAt):
			r.DueAt = h.Until
		case h.Until.IsZero() && !r.DueAt.After(now):
			r.DueAt = time.Time{}
		}
		held := h
		r.State, r.Reason, r.Hold, r.UpdatedAt, r.parked = hongyan.Held, h.Reason, &held, now, h.Until.IsZero()
		want++
	}
	got, err := m.s.HoldTemplate(m.ctx, modelTemplate, h, 1000)
	ok(t, err)
	equal(t, "held", got, want)
}

func (m *machine) releaseTemplate(t *rapid.T) {
	now, appID, want := m.s.Now(), drawApp(t), 0
	for _, r := range m.rows {
		if r.AppID != appID || r.State != hongyan.Held || r.Reason != hongyan.HoldTemplate {
			continue
		}
		if !r.parked || r.DueAt.Before(now) {
			r.DueAt = now
		}
		r.State, r.Reason, r.Hold, r.UpdatedAt, r.parked = hongyan.Queued, "", nil, now, false
		want++
	}
	template := rapid.SampledFrom([]string{modelTemplate, ""}).Draw(t, "template")
	got, err := m.s.ReleaseTemplate(m.ctx, appID, template, hongyan.HoldTemplate, time.Time{}, 1000)
	ok(t, err)
	equal(t, "released", got, want)
}
