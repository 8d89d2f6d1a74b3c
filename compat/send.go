package compat

import (
	"errors"
	"net/http"
	"strconv"

	"hongyan"
	"hongyan/dispatch"
	"hongyan/wechat"
)

// maxSend bounds the body of a send, in bytes: a message of WeChat's stays below a
// few kilobytes.
const maxSend = 1 << 20

// callerID is who posted the messages that come this way. The token they come with
// is the account's, the same for everybody.
const callerID = hongyan.CallerCompat

// sendPath is one of the five paths whose messages go through the engine.
type sendPath struct {
	kind  hongyan.MessageKind
	path  wechat.Endpoint
	msgID bool // WeChat's answer has a msgid (spec §4.5, §6.2, §7)
}

var sends = byPath(
	sendPath{hongyan.KindTemplate, wechat.EndpointTemplateSend, true},
	sendPath{hongyan.KindMiniTemplate, wechat.EndpointMiniTemplateSend, false},
	sendPath{hongyan.KindSubscribe, wechat.EndpointSubscribeSend, true},
	sendPath{hongyan.KindNotice, wechat.EndpointNoticeSend, false},
	sendPath{hongyan.KindOneTime, wechat.EndpointOneTimeSend, false},
)

func byPath(all ...sendPath) map[string]*sendPath {
	table := make(map[string]*sendPath, len(all))
	for i := range all {
		table[string(all[i].path)] = &all[i]
	}
	return table
}

// serveSend takes one message: the token is looked at first, so that the same body
// with the next token is not a second message (design §9.7).
func (g *Gate) serveSend(x *exchange, s *sendPath) error {
	x.label = string(s.path)
	if x.r.Method != http.MethodPost {
		return refuse(wechat.CodeRequirePOST)
	}
	appID, err := g.owner(x, readQuery(x.r.URL.RawQuery).get("access_token"))
	if err != nil {
		return err
	}
	body, err := x.readAll(maxSend)
	if err != nil {
		return err
	}
	var b sendBody
	if err := decode(body, &b); err != nil {
		return err
	}
	req := b.request(appID, s.kind)
	if s.kind == hongyan.KindMiniTemplate && req.FormID == "" { // as WeChat; stored form_ids are for callers of /v1
		return refuse(wechat.CodeInvalidFormID)
	}
	done, err := g.cfg.Engine.SubmitAndWait(x.ctx(), req, g.cfg.Wait)
	if err == nil {
		err = done.Err
	}
	if err != nil {
		return g.refusedMessage(x, &req, err)
	}
	return g.answerSend(x, s, &done.Message)
}

// request keeps what belongs to the kind and drops the rest: WeChat ignores it, and
// SDKs that have one structure for all kinds send it empty.
func (b *sendBody) request(appID string, kind hongyan.MessageKind) dispatch.Request {
	r := dispatch.Request{
		AppID: appID, Kind: kind, ToUser: string(b.ToUser), TemplateID: string(b.TemplateID),
		ClientMsgID: string(b.ClientMsgID), Data: dispatch.Data(b.Data),
		Priority: hongyan.Normal, CallerID: callerID,
	}
	switch kind {
	case hongyan.KindTemplate:
		r.URL, r.MiniProgram, r.TopColor = string(b.URL), b.MiniProgram.jump(), string(b.TopColor)
		if r.TopColor == "" {
			r.TopColor = string(b.Color)
		}
	case hongyan.KindMiniTemplate:
		r.Page, r.FormID, r.EmphasisKeyword, r.Color = string(b.Page), string(b.FormID), string(b.EmphasisKeyword), string(b.Color)
	case hongyan.KindSubscribe:
		r.Page, r.MiniProgramState, r.Lang = string(b.Page), string(b.State), string(b.Lang)
	case hongyan.KindNotice:
		r.Page, r.MiniProgram = string(b.Page), b.MiniProgram.jump()
	case hongyan.KindOneTime:
		r.URL, r.MiniProgram, r.Scene, r.Title = string(b.URL), b.MiniProgram.jump(), string(b.Scene), string(b.Title)
	}
	return r
}

// answerSend answers for a stored message: with what WeChat said, or, while that is
// not known, as if it had accepted it, with a number of ours that the event will
// carry. It is never -1: some SDKs would send the message again.
func (g *Gate) answerSend(x *exchange, s *sendPath, m *hongyan.Message) error {
	if no := whatWeChatRefused(m); no != nil {
		return no
	}
	if s.msgID && m.MsgID == 0 && m.OwnMsgID == 0 {
		var err error
		if m, err = g.ownMsgID(x, m); err != nil {
			g.log.WarnContext(x.ctx(), "a caller was answered with a msgid that could not be kept", "appid", m.AppID, "id", m.ID, "err", err)
		}
		if no := whatWeChatRefused(m); no != nil { // it came meanwhile
			return no
		}
	}
	x.write(sentBody(s, callersMsgID(m)))
	return nil
}

// ownMsgID keeps that the caller is answered with a number of ours, and returns the
// message as it is now. On an error that is m as it was.
func (g *Gate) ownMsgID(x *exchange, m *hongyan.Message) (*hongyan.Message, error) {
	now, err := g.cfg.Store.AnswerMsgID(x.ctx(), m.ID)
	if err != nil {
		return m, err
	}
	return &now, nil
}

// callersMsgID is the number a caller knows the message by, which the event handed on
// carries as well: one that was answered once stays, whoever asks again.
func callersMsgID(m *hongyan.Message) int64 {
	switch {
	case m.OwnMsgID != 0:
		return m.OwnMsgID
	case m.MsgID != 0:
		return m.MsgID
	case m.Receipt != nil && m.Receipt.MsgID != 0:
		return m.Receipt.MsgID // the answer was lost, and the event told what it was
	}
	return hongyan.OwnMsgID(m.Seq) // it has ended, and no event will ask for it
}

// whatWeChatRefused returns WeChat's refusal of a message: it ended with an errcode,
// or went into review, which WeChat says with one, too; a refusal of the request itself,
// which has none, is a body that cannot be read. nil = there is none.
func whatWeChatRefused(m *hongyan.Message) error {
	last := &m.Last
	ended := m.State == hongyan.Failed || m.State == hongyan.Accepted && m.InReview
	if !ended || last.Outcome != hongyan.Answered {
		return nil
	}
	if last.Errcode == 0 { // refused by the front end, with an HTTP status
		return refuseWith(wechat.CodeDataFormatError, "%s: %s", textOf(wechat.CodeDataFormatError), last.Errmsg)
	}
	if last.Errcode == int(wechat.CodeSystemError) { // -1 again and again, and given up
		return nil
	}
	return &refusal{code: wechat.Code(last.Errcode), text: last.Errmsg, rid: last.RID, bare: last.RID == ""}
}

const okBody = `{"errcode":0,"errmsg":"ok"}`

// sentBody is the success of a send: msgid is a JSON number.
func sentBody(s *sendPath, msgID int64) []byte {
	if !s.msgID {
		return []byte(okBody)
	}
	body := append(make([]byte, 0, 64), `{"errcode":0,"errmsg":"ok","msgid":`...)
	return append(strconv.AppendInt(body, msgID, 10), '}')
}

// refusedMessage answers for a message that was not stored: it breaks a rule that
// WeChat has as well, or nothing could be stored.
func (g *Gate) refusedMessage(x *exchange, r *dispatch.Request, err error) error {
	e, ok := errors.AsType[*hongyan.Error](err)
	if !ok || e.Kind != hongyan.Invalid {
		return err
	}
	code, text := g.wording(x, r, e)
	return &refusal{code: code, text: text}
}
