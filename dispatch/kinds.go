package dispatch

import (
	"encoding/json"
	"slices"
	"strconv"

	"hongyan"
	"hongyan/wechat"
)

// family is what the engine knows of one kind of message.
type family struct {
	endpoint wechat.Endpoint
	senders  []hongyan.AccountKind // the accounts that may send it
	sender   string                // what such an account is called
	// repeats: a call that is made again cannot show the user a second message,
	// since WeChat knows it by its client_msg_id or form_id. Without that, one
	// call without an answer is the last (design §5.4).
	repeats bool
	// shelved: the store may hold its templates, so that one that WeChat refuses
	// can be marked, and let go again when it is registered or listed anew.
	shelved bool
	// body makes WeChat's own body.
	body func(*Request, *hongyan.Message) any
	// read is body the other way: the request a stored body came from.
	read func(body []byte, r *Request) error
}

var officialAccounts = []hongyan.AccountKind{hongyan.ServiceAccount, hongyan.SubscriptionAccount, hongyan.TestAccount}

// families is the one table of kinds; who may send which is of spec §4 to §7.
var families = map[hongyan.MessageKind]family{
	hongyan.KindTemplate: {
		endpoint: wechat.EndpointTemplateSend, repeats: true, shelved: true, body: templateBody, read: readTemplate,
		senders: []hongyan.AccountKind{hongyan.ServiceAccount, hongyan.TestAccount}, sender: "a verified service account",
	},
	hongyan.KindMiniTemplate: {
		endpoint: wechat.EndpointMiniTemplateSend, repeats: true, shelved: true, body: miniTemplateBody, read: readMiniTemplate,
		senders: []hongyan.AccountKind{hongyan.MiniProgram}, sender: "a mini program",
	},
	hongyan.KindSubscribe: {
		endpoint: wechat.EndpointSubscribeSend, shelved: true, body: subscribeBody, read: readSubscribe,
		senders: []hongyan.AccountKind{hongyan.MiniProgram}, sender: "a mini program",
	},
	hongyan.KindNotice: { // test accounts get 48001 (spec §4.6)
		endpoint: wechat.EndpointNoticeSend, shelved: true, body: noticeBody, read: readNotice,
		senders: []hongyan.AccountKind{hongyan.ServiceAccount}, sender: "a verified service account",
	},
	hongyan.KindOneTime: {
		endpoint: wechat.EndpointOneTimeSend, body: oneTimeBody, read: readOneTime,
		senders: officialAccounts, sender: "an official account",
	},
}

// ownField is a field that only some kinds have.
type ownField struct {
	name  string
	given func(*Request) bool
	kinds []hongyan.MessageKind
}

// ownFields are all of them, in the order in which they are told of. What is not
// here, every kind takes; color is harmless everywhere.
var ownFields = []ownField{
	{"url", func(r *Request) bool { return r.URL != "" }, []hongyan.MessageKind{hongyan.KindTemplate, hongyan.KindOneTime}},
	{"miniprogram", func(r *Request) bool { return !emptyMini(r.MiniProgram) },
		[]hongyan.MessageKind{hongyan.KindTemplate, hongyan.KindNotice, hongyan.KindOneTime}},
	{"topcolor", func(r *Request) bool { return r.TopColor != "" }, []hongyan.MessageKind{hongyan.KindTemplate}},
	{"page", func(r *Request) bool { return r.Page != "" },
		[]hongyan.MessageKind{hongyan.KindMiniTemplate, hongyan.KindSubscribe, hongyan.KindNotice}},
	{"form_id", func(r *Request) bool { return r.FormID != "" }, []hongyan.MessageKind{hongyan.KindMiniTemplate}},
	{"emphasis_keyword", func(r *Request) bool { return r.EmphasisKeyword != "" }, []hongyan.MessageKind{hongyan.KindMiniTemplate}},
	{"miniprogram_state", func(r *Request) bool { return r.MiniProgramState != "" }, []hongyan.MessageKind{hongyan.KindSubscribe}},
	{"lang", func(r *Request) bool { return r.Lang != "" }, []hongyan.MessageKind{hongyan.KindSubscribe}},
	{"scene", func(r *Request) bool { return r.Scene != "" }, []hongyan.MessageKind{hongyan.KindOneTime}},
	{"title", func(r *Request) bool { return r.Title != "" }, []hongyan.MessageKind{hongyan.KindOneTime}},
}

func (f *ownField) foreignTo(k hongyan.MessageKind) bool { return !slices.Contains(f.kinds, k) }

func emptyMini(mp *MiniProgram) bool { return mp == nil || mp.AppID == "" && mp.PagePath == "" }

// jump is mp, or nil when it is empty: some callers send an empty one for none (design §9).
func jump(mp *MiniProgram) *MiniProgram {
	if emptyMini(mp) {
		return nil
	}
	return mp
}

// payload writes WeChat's own body: what is sent, byte for byte.
func payload(r *Request, m *hongyan.Message) ([]byte, error) {
	return wechat.MarshalBody(families[m.Kind].body(r, m))
}

// dataOf is the request's data, which the platform wants even where it is empty.
func dataOf(r *Request) Data {
	if r.Data == nil {
		return Data{}
	}
	return r.Data
}

func templateBody(r *Request, m *hongyan.Message) any {
	return &wechat.TemplateMessage{
		ToUser: m.ToUser, TemplateID: m.TemplateID, URL: r.URL, TopColor: r.TopColor, MiniProgram: jump(r.MiniProgram),
		ClientMsgID: m.ClientMsgID, Data: dataOf(r),
	}
}

func readTemplate(body []byte, r *Request) error {
	var w wechat.TemplateMessage
	err := json.Unmarshal(body, &w)
	r.URL, r.TopColor, r.MiniProgram, r.Data = w.URL, w.TopColor, w.MiniProgram, w.Data
	return err
}

func miniTemplateBody(r *Request, m *hongyan.Message) any {
	return &wechat.MiniTemplateMessage{
		ToUser: m.ToUser, TemplateID: m.TemplateID, Page: r.Page, FormID: r.FormID, Data: dataOf(r),
		Color: r.Color, EmphasisKeyword: r.EmphasisKeyword,
	}
}

func readMiniTemplate(body []byte, r *Request) error {
	var w wechat.MiniTemplateMessage
	err := json.Unmarshal(body, &w)
	r.Page, r.FormID, r.Data, r.Color, r.EmphasisKeyword = w.Page, w.FormID, w.Data, w.Color, w.EmphasisKeyword
	return err
}

func subscribeBody(r *Request, m *hongyan.Message) any {
	return &wechat.SubscribeMessage{
		ToUser: m.ToUser, TemplateID: m.TemplateID, Page: r.Page, State: wechat.MiniProgramState(r.MiniProgramState),
		Lang: r.Lang, Data: dataOf(r),
	}
}

func readSubscribe(body []byte, r *Request) error {
	var w wechat.SubscribeMessage
	err := json.Unmarshal(body, &w)
	r.Page, r.MiniProgramState, r.Lang, r.Data = w.Page, string(w.State), w.Lang, w.Data
	return err
}

func noticeBody(r *Request, m *hongyan.Message) any {
	return &wechat.NoticeMessage{
		ToUser: m.ToUser, TemplateID: m.TemplateID, Page: r.Page, MiniProgram: jump(r.MiniProgram), Data: dataOf(r),
	}
}

func readNotice(body []byte, r *Request) error {
	var w wechat.NoticeMessage
	err := json.Unmarshal(body, &w)
	r.Page, r.MiniProgram, r.Data = w.Page, w.MiniProgram, w.Data
	return err
}

// onlyContent is the one key of a one-time message's data.
const onlyContent = "content"

// oneTimeBody leaves a scene that is no number at 0: checkScene has told of it.
func oneTimeBody(r *Request, m *hongyan.Message) any {
	scene, _ := strconv.Atoi(r.Scene)
	return &wechat.OneTimeMessage{
		ToUser: m.ToUser, TemplateID: m.TemplateID, URL: r.URL, MiniProgram: jump(r.MiniProgram),
		Scene: wechat.Scene(scene), Title: r.Title, Data: wechat.OneTimeData{Content: r.Data[onlyContent]},
	}
}

func readOneTime(body []byte, r *Request) error {
	var w wechat.OneTimeMessage
	err := json.Unmarshal(body, &w)
	r.URL, r.MiniProgram, r.Scene, r.Title = w.URL, w.MiniProgram, strconv.Itoa(int(w.Scene)), w.Title
	r.Data = Data{onlyContent: w.Data.Content}
	return err
}
