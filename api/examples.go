package api

import (
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"
)

// example is the body of a request, for the document. A test sends each to a gateway
// in front of a sandbox, as they are.
type example struct {
	name string // a word
	text string // what it shows, English / 中文
	body string // JSON
}

// exampleBodies are the examples of each operation, by its id.
var exampleBodies = map[string][]example{
	"sendMessage": {
		{"template", "A template message / 模板消息", `{"appid":"wxa1a1a1a1a1a1a1a1","touser":"oUser00000000000000000000001","template_id":"SandboxTyped-OrderPaid-00000000000000000002",
			"url":"https://shop.example.com/orders/1001","data":{"character_string1":"A1001","thing2":"巧克力","amount3":"￥39.80","time4":"2026-11-20 10:15"},
			"metadata":{"order":1001}}`},
		{"jump", "A tap opens a mini program / 跳转小程序", `{"appid":"wxa1a1a1a1a1a1a1a1","touser":"oUser00000000000000000000001","template_id":"SandboxTyped-QueueNumber-000000000000000003",
			"miniprogram":{"appid":"wxb2b2b2b2b2b2b2b2","pagepath":"pages/queue?shop=7"},"priority":"urgent",
			"data":{"thing1":{"value":"人民路店","color":"#173177"},"character_string2":"27","time3":"10:15"}}`},
		{"subscribe", "A subscribe message of a mini program / 小程序订阅消息", `{"appid":"wxb2b2b2b2b2b2b2b2","kind":"subscribe","touser":"oUser00000000000000000000001","template_id":"SandboxSubscribe-Pickup-0000000000000000005",
			"page":"pages/pickup?id=27","miniprogram_state":"formal","lang":"zh_CN","data":{"character_string1":"27","thing2":"人民路店","time3":"10:15"}}`},
		{"one_time", "A one-time message / 一次性订阅消息", `{"appid":"wxa1a1a1a1a1a1a1a1","kind":"one_time","touser":"oUser00000000000000000000001","template_id":"one-time-template","scene":"1000","title":"取餐",
			"data":{"content":"您的餐已好，请到 3 号窗口取餐。"}}`},
	},
	"createAccount": {
		{"service", "A service account / 服务号", `{"appid":"wx0f1e2d3c4b5a6978","secret":"0123456789abcdef0123456789abcdef","name":"鸿雁商城","alias":"mall",
			"callback":{"token":"callbacktoken","mode":"plain"},"quiet_hours":"22:00-08:00","rate":{"per_second":200}}`},
		{"central_server", "An account whose tokens come from a central server / 由中控服务器推送凭据的账号", `{"appid":"wx1f1e2d3c4b5a6978","secret":"0123456789abcdef0123456789abcdef","token_source":"external"}`},
	},
	"updateAccount": {
		{"limits", "Other limits / 修改限额", `{"rate":{"per_second":100},"quotas":[{"scope":"account","period":"day","limit":100000,"urgent_reserve":1000}],"max_in_flight":20}`},
		{"downstream", "Hand pushes on to a server / 转发推送", `{"downstreams":[{"name":"crm","url":"http://10.0.0.8:8080/wechat","events":["templatesendjobfinish","text"],"token":"downstreamtoken"}]}`},
		{"rotation", "A new callback token, the old one stays valid / 轮换令牌", `{"callback":{"token":"anothertoken"}}`},
	},
	"addTemplate": {
		{"category", "A category template with the keywords it shall have / 类目模板", `{"template_id_short":"43218","keyword_name_list":["订单编号","快递单号"]}`},
	},
	"putTemplate": {
		{"mini_program", "A mini program's template / 小程序模板", `{"title":"预约成功通知","content":"预约项目：{{keyword1.DATA}}\n预约时间：{{keyword2.DATA}}"}`},
	},
	"pushToken":    {{"token", "The token that is valid now / 当前有效的凭据", `{"access_token":"39_token-from-the-central-server","expires_in":7200}`}},
	"refreshToken": {{"compare", "Only if this is still the current token / 仅当其仍为当前凭据时刷新", `{"failed_token":"39_token-that-wechat-refused"}`}},
	"createKey": {
		{"sender", "A key that sends for one account / 发送密钥", `{"name":"shop-backend","role":"sender","appids":["wxa1a1a1a1a1a1a1a1"]}`},
		{"gateway", "A secret in place of the AppSecret / 替代 AppSecret 的密钥", `{"name":"shop-backend","kind":"gateway","appids":["wxa1a1a1a1a1a1a1a1"]}`},
	},
}

// describeExamples puts an operation's examples where the document has them.
func describeExamples(op *huma.Operation) {
	all := exampleBodies[op.OperationID]
	if op.RequestBody == nil || len(all) == 0 {
		return
	}
	shown := map[string]*huma.Example{}
	for _, e := range all {
		shown[e.name] = &huma.Example{Summary: e.text, Value: json.RawMessage(e.body)}
	}
	op.RequestBody.Content["application/json"].Examples = shown
}
