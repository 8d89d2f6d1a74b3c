package dispatch

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hongyan"
	"hongyan/internal/fault"
	"hongyan/store"
	"hongyan/wechat"
)

// Limits of what is accepted.
const (
	maxClientMsgID = 64       // bytes; the figure of mass sending, the only one published (spec §13.1)
	maxMetadata    = 16 << 10 // bytes
	maxAhead       = 90 * 24 * time.Hour
	maxURL         = 2048 // bytes; WeChat's own limit is unpublished (40039)
)

// prepared is a request that passed every check.
type prepared struct {
	account *account
	message hongyan.Message
	warning string // see Submitted
}

// prepare checks a request and makes the message of it. Every error is a
// *hongyan.Error that names the fields at fault.
func (e *Engine) prepare(ctx context.Context, r *Request) (prepared, error) {
	now := hongyan.Millis(e.cfg.Store.Now())
	if r.AppID == "" {
		return prepared{}, hongyan.InvalidField("missing_field", "/appid", "appid is missing")
	}
	a, err := e.loadAccount(ctx, r.AppID)
	if hongyan.IsKind(err, hongyan.NotFound) {
		return prepared{}, unknownAccount(r.AppID)
	}
	if err != nil {
		return prepared{}, err
	}
	conf := &a.settings().Account
	found, err := e.lookUp(ctx, conf, r)
	if err != nil {
		return prepared{}, err
	}
	m := hongyan.Message{
		ID: hongyan.NewMessageID(), AppID: a.AppID, Kind: found.kindOf(conf, r), ToUser: r.ToUser, TemplateID: r.TemplateID,
		ClientMsgID: r.ClientMsgID, CallerMsgID: r.ClientMsgID != "", Metadata: r.Metadata, Priority: r.Priority,
		RetryOf: r.RetryOf, Batch: r.Batch, BatchRow: r.BatchRow, CallerID: r.CallerID, State: hongyan.Queued, CreatedAt: now, UpdatedAt: now,
	}
	if m.ClientMsgID == "" {
		m.ClientMsgID = m.ID
	}
	var p problems
	p.kind(conf, m.Kind)
	p.recipient(r)
	p.times(r, &m, conf, now)
	p.extras(r)
	p.ownFields(r, &m)
	if err := p.err(); err != nil {
		return prepared{}, err
	}
	if err := e.checkData(ctx, conf, r, m.Kind, found); err != nil {
		return prepared{}, err
	}
	warning, err := e.mayReceive(ctx, conf, &m)
	if err != nil {
		return prepared{}, err
	}
	if m.Payload, err = payload(r, &m); err != nil {
		return prepared{}, hongyan.Errorf(hongyan.Internal, "", "write the body of a message: %w", err)
	}
	e.spareAtOnce(ctx, conf, &m, now)
	return prepared{a, m, warning}, nil
}

func unknownAccount(name string) *hongyan.Error {
	return hongyan.InvalidField("unknown_account", "/appid", "no account has the appid or alias %q", name)
}

// problems collects broken rules.
type problems struct {
	code   string
	fields []hongyan.FieldError
}

func (p *problems) add(code, pointer, format string, args ...any) {
	if p.code == "" {
		p.code = code
	}
	p.fields = append(p.fields, hongyan.FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

// inChinese says what was added last in Chinese, too.
func (p *problems) inChinese(format string, args ...any) {
	p.fields[len(p.fields)-1].DetailZH = fmt.Sprintf(format, args...)
}

// data adds what is wrong with a value of data.
func (p *problems) data(v *wechat.ValueProblem) {
	p.add("invalid_data", dataPointer(v.Key), "%s", v.Detail)
	last := &p.fields[len(p.fields)-1]
	last.Rule, last.DetailZH = v.Rule, v.DetailZH
}

// fault adds the fields of an error about them.
func (p *problems) fault(e *hongyan.Error) {
	if p.code == "" {
		p.code = e.Code
	}
	p.fields = append(p.fields, e.Fields...)
}

func (p *problems) err() error {
	if len(p.fields) == 0 {
		return nil
	}
	return &hongyan.Error{Kind: hongyan.Invalid, Code: p.code, Message: p.fields[0].Detail, Fields: p.fields}
}

func (p *problems) kind(a *hongyan.Account, k hongyan.MessageKind) {
	f, known := families[k]
	switch {
	case !known:
		p.fault(hongyan.UnknownKind(clip(string(k))))
	case !slices.Contains(f.senders, a.Kind):
		p.add("wrong_kind", "/kind", "kind %q needs %s; %s is a %s account", k, f.sender, a.AppID, a.Kind)
	}
}

func (p *problems) recipient(r *Request) {
	switch {
	case r.ToUser == "":
		p.add("missing_field", "/touser", "touser is missing: the openid of the recipient")
		p.inChinese("缺少 touser：接收者的 openid")
	case !hongyan.ValidOpenID(r.ToUser):
		p.add("malformed_openid", "/touser", "touser %q is not an openid: 28 characters, an \"o\" first, then letters, digits, \"-\" and \"_\"", clip(r.ToUser))
		p.inChinese("touser %q 不是 openid：应为 28 个字符，以 \"o\" 开头，其余为字母、数字、\"-\" 和 \"_\"", clip(r.ToUser))
	}
	switch {
	case r.TemplateID == "":
		p.add("missing_field", "/template_id", "template_id is missing")
	case len(r.TemplateID) > 2*hongyan.TemplateIDLen:
		p.add("malformed_template_id", "/template_id", "template_id %q is neither a template_id (%d characters) nor an alias", clip(r.TemplateID), hongyan.TemplateIDLen)
	}
}

// clip keeps an offending value readable in an error.
func clip(s string) string {
	const keep = 60
	if utf8.RuneCountInString(s) <= keep {
		return s
	}
	return string([]rune(s)[:keep]) + "…"
}

func (p *problems) times(r *Request, m *hongyan.Message, a *hongyan.Account, now time.Time) {
	m.DueAt = now
	if r.SendAt.After(now) {
		m.DueAt = hongyan.Millis(r.SendAt)
	}
	if r.SendAt.Sub(now) > maxAhead {
		p.add("send_at_too_late", "/send_at", "send_at %s is more than 90 days ahead", r.SendAt.UTC().Format(time.RFC3339))
	}
	life := a.ExpireAfter
	if life <= 0 {
		life = hongyan.DefaultExpireAfter
	}
	m.ExpiresAt = m.DueAt.Add(life)
	if r.ExpiresAt.IsZero() {
		return
	}
	m.ExpiresAt = hongyan.Millis(r.ExpiresAt)
	switch {
	case !m.ExpiresAt.After(now):
		p.add("expires_at_past", "/expires_at", "expires_at %s has passed (now %s)", m.ExpiresAt.Format(time.RFC3339), now.Format(time.RFC3339))
	case !m.ExpiresAt.After(m.DueAt):
		p.add("expires_at_before_send_at", "/expires_at", "expires_at %s is not after send_at %s", m.ExpiresAt.Format(time.RFC3339), m.DueAt.Format(time.RFC3339))
	}
}

func (p *problems) extras(r *Request) {
	if len(r.ClientMsgID) > maxClientMsgID {
		p.add("client_msg_id_too_long", "/client_msg_id", "client_msg_id has %d bytes; at most %d", len(r.ClientMsgID), maxClientMsgID)
	}
	for _, c := range r.ClientMsgID {
		if c < 0x21 || c > 0x7e {
			p.add("malformed_client_msg_id", "/client_msg_id", "client_msg_id %q may hold visible ASCII characters only", clip(r.ClientMsgID))
			break
		}
	}
	if len(r.Metadata) > maxMetadata {
		p.add("metadata_too_long", "/metadata", "metadata has %d bytes; at most %d", len(r.Metadata), maxMetadata)
		p.inChinese("metadata 有 %d 字节，最多 %d 字节", len(r.Metadata), maxMetadata)
	}
	for _, link := range [...][2]string{{"url", r.URL}, {"page", r.Page}} {
		if n := len(link[1]); n > maxURL {
			p.add("url_too_long", "/"+link[0], "%s has %d bytes; at most %d", link[0], n, maxURL)
			p.inChinese("%s 有 %d 字节，最多 %d 字节", link[0], n, maxURL)
		}
	}
}

// ownFields checks the fields that belong to some kinds alone, and the rules that
// WeChat has published for a kind. Empty optional ones are harmless, as they are
// at WeChat (design §9).
func (p *problems) ownFields(r *Request, m *hongyan.Message) {
	f, known := families[m.Kind]
	if !known {
		return
	}
	for i := range ownFields {
		if own := &ownFields[i]; own.given(r) && own.foreignTo(m.Kind) {
			p.add("field_of_another_kind", "/"+own.name, "%s does not belong to a message of kind %q", own.name, m.Kind)
			p.inChinese("%s 不属于 %q 类消息", own.name, m.Kind)
		}
	}
	if mp := r.MiniProgram; mp != nil && mp.AppID == "" && mp.PagePath != "" && m.Kind != hongyan.KindMiniTemplate && m.Kind != hongyan.KindSubscribe {
		p.add("missing_field", "/miniprogram/appid", "miniprogram.pagepath %q needs miniprogram.appid", clip(mp.PagePath))
		p.inChinese("有 miniprogram.pagepath %q 就需要 miniprogram.appid", clip(mp.PagePath))
	}
	if m.Kind == hongyan.KindOneTime {
		p.oneTime(r)
	}
	p.published(f.body(r, m))
}

// oneTime checks what a one-time message needs and its own Check does not ask for.
func (p *problems) oneTime(r *Request) {
	switch _, err := strconv.Atoi(r.Scene); {
	case r.Scene == "":
		p.add("missing_field", "/scene", "scene is missing: the one the user confirmed, 0 to 10000")
	case err != nil:
		p.add("invalid_field", "/scene", "scene %q is not a whole number from 0 to 10000", clip(r.Scene))
	}
	if r.Title == "" {
		p.add("missing_field", "/title", "title is missing: at most 15 characters")
	}
}

// published applies the rules that package wechat knows of a body.
func (p *problems) published(body any) {
	rules, ok := body.(interface{ Check() []wechat.FieldProblem })
	if !ok {
		return
	}
	for _, f := range rules.Check() {
		p.add("invalid_field", "/"+strings.ReplaceAll(strings.TrimSuffix(f.Field, ".value"), ".", "/"), "%s", f.Detail)
		p.inChinese("%s", f.DetailZH)
	}
}

// Submitted is the answer for one request.
type Submitted struct {
	Message hongyan.Message
	Outcome store.InsertOutcome
	Err     error  // a *hongyan.Error; nothing was stored then
	Warning string // what the caller may want to know of a message that was stored; "" = nothing
}

// Submit checks and stores messages, one Submitted for each request in order.
// A message for which a slot is free is stored already leased and sent at
// once. The error is for a call that failed as a whole, e.g. on a full disk.
func (e *Engine) Submit(ctx context.Context, rs []Request) ([]Submitted, error) {
	return e.submit(ctx, rs, func(string) {})
}

// submit is Submit; before is told the id of each message before it is stored,
// and so before it can leave.
func (e *Engine) submit(ctx context.Context, rs []Request, before func(id string)) ([]Submitted, error) {
	out := make([]Submitted, len(rs))
	rows := make([]store.NewMessage, 0, len(rs))
	index := make([]int, 0, len(rs))
	accounts := make([]*account, 0, len(rs))
	for i := range rs {
		p, err := e.prepare(ctx, &rs[i])
		if err != nil {
			out[i] = e.replay(ctx, &rs[i], err)
			continue
		}
		before(p.message.ID)
		out[i].Warning = p.warning
		rows = append(rows, store.NewMessage{Message: p.message, IdempotencyKey: rs[i].IdempotencyKey, BodyHash: rs[i].BodyHash})
		accounts, index = append(accounts, p.account), append(index, i)
	}
	if len(rows) == 0 {
		return out, nil
	}
	streams := e.leaseAll(ctx, accounts, rows)
	if fault.Broken(fault.Commit) {
		e.promise(rows, streams, index, out)
		return out, nil
	}
	// A caller who goes away must not leave rows leased that nobody knows of.
	inserted, err := e.cfg.Store.InsertMessages(context.WithoutCancel(ctx), rows)
	e.inserted(rows, streams, inserted, err)
	if err != nil {
		return nil, err
	}
	for j, ins := range inserted {
		if ins.Outcome == store.InsertedNoAccount { // deleted while this was under way
			out[index[j]].Err = unknownAccount(rs[index[j]].AppID)
			continue
		}
		e.showHold(streams[j], &ins.Message)
		warning := out[index[j]].Warning
		out[index[j]] = submitted(ins)
		out[index[j]].Warning = warning
	}
	return out, nil
}

// leaseAll is lease for messages about to be stored.
func (e *Engine) leaseAll(ctx context.Context, accounts []*account, rows []store.NewMessage) []*stream {
	e.stockUpAll(ctx, accounts)
	streams := make([]*stream, len(rows))
	for i := range rows {
		streams[i] = e.lease(accounts[i], &rows[i].Message)
	}
	return streams
}

// submitted turns the store's answer into the caller's.
func submitted(ins store.Inserted) Submitted {
	s := Submitted{Message: ins.Message, Outcome: ins.Outcome}
	if ins.Outcome == store.InsertedMismatch {
		s.Err = hongyan.Errorf(hongyan.Invalid, "idempotency_key_reused", "this Idempotency-Key was used with another request body in the last 24 hours")
	}
	return s
}

// replay answers a request that breaks a rule now, but was accepted before:
// its expires_at may have passed since, or its template be gone. Whoever asks
// again with the same key learns what became of the first.
func (e *Engine) replay(ctx context.Context, r *Request, broken error) Submitted {
	if r.IdempotencyKey == "" {
		return Submitted{Err: broken}
	}
	first, found, err := e.cfg.Store.Replay(ctx, r.CallerID, r.IdempotencyKey, r.BodyHash)
	if err != nil || !found {
		return Submitted{Err: broken}
	}
	return submitted(first)
}

// showHold shows a message just stored as every later reading does: held, if
// its account is (store.Messages).
func (e *Engine) showHold(s *stream, m *hongyan.Message) {
	if m.State != hongyan.Queued {
		return
	}
	now := e.cfg.Store.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if h := s.account.covering(m, now); h != nil {
		copied := *h
		m.State, m.Reason, m.Hold = hongyan.Held, h.Reason, &copied
	}
}

// stockUpAll is stockUp for the accounts of messages about to be stored. Those
// of one account come together, nearly always.
func (e *Engine) stockUpAll(ctx context.Context, accounts []*account) {
	for i := 0; i < len(accounts); {
		n := 1
		for i+n < len(accounts) && accounts[i+n] == accounts[i] {
			n++
		}
		e.stockUp(ctx, accounts[i], int64(n), "")
		i += n
	}
}

// lease sets a slot aside for m if it may leave at once and marks it leased.
func (e *Engine) lease(a *account, m *hongyan.Message) *stream {
	now := e.cfg.Store.Now()
	epoch := e.epoch.Load()
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.streamOf(a, m.Kind)
	busy := m.State != hongyan.Queued || epoch == 0 || e.stopping || e.broken || !e.alive() || e.share(s) == 0
	if busy || s.backlog || m.DueAt.After(now) || !s.open(now) || s.room() == 0 || a.rate.available(now) <= 0 || a.covering(m, now) != nil {
		return s
	}
	if all, urgent := a.meter.room(now); all == 0 && (m.Priority != hongyan.Urgent || urgent == 0) {
		return s
	}
	e.reserve(s, 1)
	a.rate.take(1)
	m.Epoch = epoch
	return s
}

// inserted starts what was stored leased, frees the slots of what was not
// stored anew, and notes what waits.
func (e *Engine) inserted(rows []store.NewMessage, streams []*stream, ins []store.Inserted, err error) {
	now := e.cfg.Store.Now()
	e.mu.Lock()
	poke := false
	var untried []job
	for j := range rows {
		s, m := streams[j], &rows[j].Message
		fresh := err == nil && ins[j].Outcome == store.InsertedNew
		asked := m.Epoch != 0
		leased := asked && fresh && ins[j].Message.Epoch == m.Epoch // not if this node was fenced off
		switch {
		case leased && (e.stopping || !s.open(now)):
			untried = append(untried, job{s: s, m: ins[j].Message})
			continue
		case leased:
			s.reserved--
			s.enqueue(ins[j].Message)
			e.startWorkers(s, now)
			continue
		case asked:
			e.reserve(s, -1)
			s.account.rate.take(-1)
		}
		if fresh && !m.DueAt.IsZero() { // else it is held until somebody releases it
			due := m.DueAt
			if h := s.account.covering(m, now); h != nil && !h.Before.IsZero() {
				due = latest(due, h.Until) // a claim would pass it over
			}
			s.scheduled(due, now)
		}
		poke = poke || asked || fresh
	}
	for j := range ins {
		e.metrics.inserted(rows[j].Message.AppID, rows[j].Message.Kind, int(ins[j].Outcome))
	}
	e.mu.Unlock()
	e.giveBack(untried)
	if poke {
		e.poke()
	}
}
