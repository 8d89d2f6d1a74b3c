package interop

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan/sandbox"
)

// The stories are what a client does whoever answers it: the sandbox, or a gateway
// in front of it. They judge by what has arrived at the platform and what the user
// sees, and look at the client only for what it tells its caller.

const (
	pathSend      = "/cgi-bin/message/template/send"
	pathMini      = "/cgi-bin/message/wxopen/template/send"
	pathSubscribe = "/cgi-bin/message/subscribe/send"
	pathOneTime   = "/cgi-bin/message/template/subscribe"
)

// sent is what a client says of a send.
type sent struct {
	ErrCode int
	MsgID   string
}

func TestClientsSpeakWithTheSandbox(t *testing.T) {
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) { tellStories(t, c, theSandbox(t, sandbox.Options{})) })
	}
}

// tellStories tells every story the client can be in.
func tellStories(t *testing.T, c client, at target) {
	service := c.forService(t, at)
	t.Run("lists its templates", func(t *testing.T) { storyList(t, service) })
	t.Run("reads its industries", func(t *testing.T) { storyIndustries(t, service) })
	t.Run("sends a template message", func(t *testing.T) { storySend(t, c, at, service) })
	t.Run("learns why a message is refused", func(t *testing.T) { storyRefused(t, c, at, service) })
	if !c.mini {
		return
	}
	t.Run("sends a one-time message", func(t *testing.T) { storyOneTime(t, at, service) })
	mini := c.forMini(t, at)
	t.Run("sends a mini program's template message", func(t *testing.T) { storyMini(t, at, mini) })
	t.Run("sends a subscribe message", func(t *testing.T) { storySubscribe(t, c, at, mini) })
}

func storyList(t *testing.T, s *script) {
	var got []string
	s.must(t, "list", nil, &got)
	slices.Sort(got)
	want := []string{sandbox.SeedTemplateHistorical, sandbox.SeedTemplateOrder, sandbox.SeedTemplateQueue}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("templates (-want +got):\n%s", diff)
	}
}

func storyIndustries(t *testing.T, s *script) {
	var got []string
	s.must(t, "industries", nil, &got)
	if diff := cmp.Diff([]string{"互联网|电子商务", "餐饮"}, got); diff != "" {
		t.Errorf("industries (-want +got):\n%s", diff)
	}
}

// order is a template message with everything that a careless client spoils on the
// way: Chinese, a full-width sign, and what HTML would escape.
func order(openid string, more map[string]any) map[string]any {
	message := map[string]any{
		"openid": openid, "template": sandbox.SeedTemplateOrder, "color": "#173177",
		"data": fields("character_string1", "A1001", "thing2", "巧克力 <&>", "amount3", "￥39.80", "time4", "2026-11-20 10:15"),
	}
	for key, value := range more {
		message[key] = value
	}
	return message
}

// fields is WeChat's data member, of alternating keys and values.
func fields(pairs ...string) map[string]any {
	data := map[string]any{}
	for pair := range slices.Chunk(pairs, 2) {
		data[pair[0]] = map[string]string{"value": pair[1], "color": "#173177"}
	}
	return data
}

func storySend(t *testing.T, c client, at target, s *script) {
	const url = "https://example.com/order?id=1001&from=wechat"
	openid := sandbox.OpenID("", 1)
	page := map[string]string{"appid": at.mini.appID, "pagepath": "pages/order?id=1001"}
	var got [2]sent
	s.must(t, "send", order(openid, map[string]any{"url": url}), &got[0])
	s.must(t, "send", order(openid, map[string]any{"url": url, "miniprogram": page}), &got[1])

	rows := at.arrived(pathSend, openid)
	if len(rows) != 2 {
		t.Fatalf("%d calls arrived, want 2: %+v", len(rows), rows)
	}
	for i, row := range rows {
		if row.ErrCode != 0 || row.TemplateID != sandbox.SeedTemplateOrder || row.Fate != "shown" {
			t.Errorf("call %d arrived as %+v, want the order template, errcode 0, shown", i, row)
		}
		if want := (sent{0, c.sees(row.MsgID)}); got[i] != want {
			t.Errorf("the client says of send %d: %+v, want %+v (msgid %s)", i, got[i], want, row.MsgID)
		}
	}
	card := []string{"订单支付通知", "订单编号=A1001", "商品名称=巧克力 <&>", "支付金额=￥39.80", "支付时间=2026-11-20 10:15"}
	want := [][]string{
		append(slices.Clone(card), "→ url "+url),
		append(slices.Clone(card), "→ miniprogram "+at.mini.appID+" pages/order?id=1001"),
	}
	if diff := cmp.Diff(want, at.seen(openid)); diff != "" {
		t.Errorf("the user sees (-want +got):\n%s", diff)
	}
}

func storyRefused(t *testing.T, c client, at target, s *script) {
	stranger := sandbox.OpenID("NOFOL", 1)
	c.mustBeRefused(t, s.step(t, "send", order(stranger, nil)), "43004")
	incomplete := order(sandbox.OpenID("", 2), map[string]any{"data": fields("thing2", "巧克力")})
	c.mustBeRefused(t, s.step(t, "send", incomplete), "47003")
	for _, openid := range []string{stranger, sandbox.OpenID("", 2)} {
		if got := at.seen(openid); got != nil {
			t.Errorf("%s sees %q, want nothing", openid, got)
		}
	}
}

// mustBeRefused checks that the errcode reaches the client's caller, in the
// client's way.
func (c client) mustBeRefused(t *testing.T, r reply, errcode string) {
	t.Helper()
	if r.Error != nil {
		if got := string(r.Error.Code); !c.raises || got != errcode {
			t.Errorf("the client raised %s (%s), want errcode %s, raised: %t", got, r.Error.Message, errcode, c.raises)
		}
		return
	}
	var got struct{ ErrCode json.Number }
	mustNil(t, json.Unmarshal(r.Result, &got))
	if c.raises || got.ErrCode.String() != errcode {
		t.Errorf("the client answered errcode %s, want %s, raised: %t", got.ErrCode, errcode, c.raises)
	}
}

func storyMini(t *testing.T, at target, s *script) {
	openid := sandbox.OpenID("", 3)
	form := at.platform.GiveForm(at.mini.appID, openid)
	var got sent
	s.must(t, "send_mini", map[string]any{
		"openid": openid, "template": sandbox.SeedTemplateMini, "page": "pages/visit?id=7", "form_id": form,
		"data":     fields("keyword1", "理发", "keyword2", "11月20日 10:15", "keyword3", "人民路店", "keyword4", "请提前五分钟到店"),
		"emphasis": "keyword1.DATA",
	}, &got)
	rows := at.arrived(pathMini, openid)
	if len(rows) != 1 || rows[0].ErrCode != 0 || rows[0].FormID != form || got.ErrCode != 0 {
		t.Errorf("arrived %+v, the client says %+v, want one call with form_id %s and errcode 0", rows, got, form)
	}
	want := [][]string{{
		"预约成功通知", "预约项目=理发 (large)", "预约时间=11月20日 10:15", "预约地点=人民路店", "备注=请提前五分钟到店",
		"→ miniprogram " + at.mini.appID + " pages/visit?id=7",
	}}
	if diff := cmp.Diff(want, at.seen(openid)); diff != "" {
		t.Errorf("the user sees (-want +got):\n%s", diff)
	}
}

// storyOneTime: the answer of a one-time message has no msgid.
func storyOneTime(t *testing.T, at target, s *script) {
	const template = "OneTimeTemplateOfTheInteropTests00000000007"
	const scene = 1001
	openid := sandbox.OpenID("", 4)
	mustNil(t, at.platform.UpdateAccount(at.service.appID, sandbox.AccountSpec{
		OneTimeRules: sandbox.OneTimeRules{OneTimeTemplate: template},
	}))
	mustNil(t, at.platform.ConfirmOneTime(at.service.appID, openid, scene))
	var got sent
	s.must(t, "send_one_time", map[string]any{
		"openid": openid, "template": template, "url": "https://example.com/ticket", "scene": scene, "title": "取票提醒",
		"data": fields("content", "您的票已备好，请凭号码 A1001 领取"),
	}, &got)
	rows := at.arrived(pathOneTime, openid)
	if len(rows) != 1 || rows[0].ErrCode != 0 || rows[0].TemplateID != template || got != (sent{}) {
		t.Errorf("arrived %+v, the client says %+v, want one call with errcode 0 and no msgid", rows, got)
	}
	want := [][]string{{"取票提醒", "=您的票已备好，请凭号码 A1001 领取", "→ url https://example.com/ticket"}}
	if diff := cmp.Diff(want, at.seen(openid)); diff != "" {
		t.Errorf("the user sees (-want +got):\n%s", diff)
	}
}

// storySubscribe: one acceptance is one message, and the second is refused.
func storySubscribe(t *testing.T, c client, at target, s *script) {
	openid := sandbox.OpenID("", 5)
	accepted := []sandbox.ConsentAnswer{{TemplateID: sandbox.SeedTemplateSubscribePickup, Accept: true}}
	mustNil(t, at.platform.Consent(at.mini.appID, openid, accepted, 0))
	message := map[string]any{
		"openid": openid, "template": sandbox.SeedTemplateSubscribePickup, "page": "pages/pickup?id=27",
		"data": fields("character_string1", "27", "thing2", "人民路店", "time3", "2026年11月20日 10:15"),
	}
	var got sent
	s.must(t, "send_subscribe", message, &got)
	rows := at.arrived(pathSubscribe, openid)
	if len(rows) != 1 || rows[0].ErrCode != 0 || rows[0].TemplateID != sandbox.SeedTemplateSubscribePickup {
		t.Fatalf("arrived %+v, want one call with the pickup template and errcode 0", rows)
	}
	if want := (sent{0, c.sees(rows[0].MsgID)}); got != want {
		t.Errorf("the client says %+v, want %+v (msgid %s)", got, want, rows[0].MsgID)
	}
	c.mustBeRefused(t, s.step(t, "send_subscribe", message), "43101")
	want := [][]string{{
		"取餐提醒", "取餐号=27", "门店=人民路店", "下单时间=2026年11月20日 10:15",
		"→ miniprogram " + at.mini.appID + " pages/pickup?id=27",
	}}
	if diff := cmp.Diff(want, at.seen(openid)); diff != "" {
		t.Errorf("the user sees (-want +got):\n%s", diff)
	}
}
