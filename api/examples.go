package api

import (
	"cmp"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"hongyan/client"
)

// example is the body of a request, for the document. A test sends each to a gateway
// in front of a sandbox, as they are.
type example struct {
	name  string // a word, unique in its operation
	text  string // what it shows, English / 中文
	body  string
	media string // "" = application/json
}

func (e *example) contentType() string { return cmp.Or(e.media, "application/json") }

// exampleBodies are the examples of each operation, by its id.
var exampleBodies = map[string][]example{
	"sendMessage": {
		{name: "template", text: "A template message / 模板消息", body: `{"appid":"wxa1a1a1a1a1a1a1a1","touser":"oUser00000000000000000000001","template_id":"SandboxTyped-OrderPaid-00000000000000000002",
			"url":"https://shop.example.com/orders/1001","data":{"character_string1":"A1001","thing2":"巧克力","amount3":"￥39.80","time4":"2026-11-20 10:15"},
			"metadata":{"order":1001}}`},
		{name: "jump", text: "A tap opens a mini program / 跳转小程序", body: `{"appid":"wxa1a1a1a1a1a1a1a1","touser":"oUser00000000000000000000001","template_id":"SandboxTyped-QueueNumber-000000000000000003",
			"miniprogram":{"appid":"wxb2b2b2b2b2b2b2b2","pagepath":"pages/queue?shop=7"},"priority":"urgent",
			"data":{"thing1":{"value":"人民路店","color":"#173177"},"character_string2":"27","time3":"10:15"}}`},
		{name: "subscribe", text: "A subscribe message of a mini program / 小程序订阅消息", body: `{"appid":"wxb2b2b2b2b2b2b2b2","kind":"subscribe","touser":"oUser00000000000000000000001","template_id":"SandboxSubscribe-Pickup-0000000000000000005",
			"page":"pages/pickup?id=27","miniprogram_state":"formal","lang":"zh_CN","data":{"character_string1":"27","thing2":"人民路店","time3":"10:15"}}`},
		{name: "one_time", text: "A one-time message / 一次性订阅消息", body: `{"appid":"wxa1a1a1a1a1a1a1a1","kind":"one_time","touser":"oUser00000000000000000000001","template_id":"one-time-template","scene":"1000","title":"取餐",
			"data":{"content":"您的餐已好，请到 3 号窗口取餐。"}}`},
	},
	"createAccount": {
		{name: "service", text: "A service account, at a local sandbox; without base_url, at WeChat / 服务号（本机沙箱；不写 base_url 即微信）",
			body: `{"appid":"wx0f1e2d3c4b5a6978","secret":"0123456789abcdef0123456789abcdef","base_url":"http://127.0.0.1:7900","name":"鸿雁商城","alias":"mall",
			"callback":{"token":"callbacktoken","mode":"plain"},"quiet_hours":"22:00-08:00","rate":{"per_second":200}}`},
		{name: "central_server", text: "An account whose tokens come from a central server / 由中控服务器推送凭据的账号", body: `{"appid":"wx1f1e2d3c4b5a6978","secret":"0123456789abcdef0123456789abcdef","base_url":"http://127.0.0.1:7900","token_source":"external"}`},
	},
	"updateAccount": {
		{name: "limits", text: "Other limits / 修改限额", body: `{"rate":{"per_second":100},"quotas":[{"scope":"account","period":"day","limit":100000,"urgent_reserve":1000}],"max_in_flight":20}`},
		{name: "downstream", text: "Hand pushes on to a server / 转发推送", body: `{"downstreams":[{"name":"crm","url":"http://10.0.0.8:8080/wechat","events":["templatesendjobfinish","text"],"token":"downstreamtoken"}]}`},
		{name: "rotation", text: "A new callback token, the old one stays valid / 轮换令牌", body: `{"callback":{"token":"anothertoken"}}`},
	},
	"addTemplate": {
		{name: "category", text: "A category template with the keywords it shall have / 类目模板", body: `{"template_id_short":"43218","keyword_name_list":["订单编号","快递单号"]}`},
	},
	"putTemplate": {
		{name: "mini_program", text: "A mini program's template / 小程序模板", body: `{"title":"预约成功通知","content":"预约项目：{{keyword1.DATA}}\n预约时间：{{keyword2.DATA}}"}`},
	},
	"pushToken":     {{name: "token", text: "The token that is valid now / 当前有效的凭据", body: `{"access_token":"39_token-from-the-central-server","expires_in":7200}`}},
	"refreshToken":  {{name: "compare", text: "Only if this is still the current token / 仅当其仍为当前凭据时刷新", body: `{"failed_token":"39_token-that-wechat-refused"}`}},
	"putAlias":      {{name: "order_paid", text: "A word for a template / 模板别名", body: `{"template_id":"SandboxTyped-OrderPaid-00000000000000000002"}`}},
	"patchTemplate": {{name: "cut", text: "Cut values that are too long / 超长则截断", body: `{"policy":"cut"}`}},
	"putIndustry":   {{name: "both", text: "Both industries, by code / 主营和副营行业", body: `{"industry_id1":"1","industry_id2":"10"}`}},
	"lintTemplate": {{name: "order", text: "What would be said of this data / 检查数据",
		body: `{"data":{"character_string1":"A1001","thing2":"一块比模板允许的二十个字还要长得多的巧克力蛋糕","amount3":"￥39.80","time4":"2026-11-20 10:15"}}`}},
	"previewTemplate": {{name: "era_a", text: "As a phone of 2014 shows it / 2014 年的样子", body: `{"era":"A","url":"https://shop.example.com/orders/1001"}`}},
	"createBatch": {{name: "orders", text: "One template, texts with columns / 一个模板，文本中引用列",
		body: `{"appid":"wxa1a1a1a1a1a1a1a1","name":"十一月对账单","template_id":"SandboxTyped-OrderPaid-00000000000000000002","url":"https://shop.example.com/orders/{{订单}}",
			"data":{"thing2":"{{商品}}（已付）","time4":"2026-11-20 10:15"},"columns":{"touser":"openid","data.character_string1":"订单","data.amount3":"金额"},
			"rate_per_second":100,"quiet_hours":"22:00-08:00"}`}},
	"uploadRecipients": {
		{name: "csv", text: "A table / 表格", media: client.CSV, body: "openid,订单,商品,金额\noUser00000000000000000000001,A1001,巧克力,￥39.80\noUser00000000000000000000002,A1002,咖啡豆,￥68.00\n"},
		{name: "ndjson", text: "A JSON object a line / 每行一个 JSON 对象", media: client.NDJSON,
			body: `{"touser":"oUser00000000000000000000001","columns":{"订单":"A1001","商品":"巧克力","金额":"￥39.80"}}` + "\n" +
				`{"touser":"oUser00000000000000000000002","data":{"character_string1":"A1002","thing2":"咖啡豆","amount3":"￥68.00","time4":"2026-11-20 10:20"}}` + "\n"},
	},
	"updateBatch": {{name: "slower", text: "Slower / 减速", body: `{"rate_per_second":20}`}},
	"startBatch":  {{name: "skip", text: "At once, without the bad rows / 立即发送，跳过问题行", body: `{"skip_bad":true}`}},
	"retryBatch":  {{name: "failed", text: "Of those that failed / 重发失败的", body: `{"states":["failed","expired"],"name":"十一月对账单，第二次"}`}},
	"addForms": {{name: "one", text: "A form that a user submitted / 用户提交的一个表单", body: `{"openid":"oUser00000000000000000000001","form_id":"1511865000001"}`},
		{name: "lines", text: "One a line / 每行一个", media: client.NDJSON,
			body: `{"openid":"oUser00000000000000000000002","form_id":"1511865000002"}` + "\n" + `{"openid":"oUser00000000000000000000002","prepay_id":"wx201711281838291234567890","sends":3}` + "\n"}},
	"reportConsents": {{name: "list", text: "What requestSubscribeMessage answered / 用户对订阅弹窗的选择",
		body: `{"items":[{"openid":"oUser00000000000000000000001","template_id":"SandboxSubscribe-Pickup-0000000000000000005","answer":"accept"}]}`}},
	"convertTemplate": {{name: "old", text: "An old template / 旧模板",
		body: `{"title":"预约成功通知","content":"预约项目：{{keyword1.DATA}}\n预约时间：{{keyword2.DATA}}","example":"预约项目：洗牙\n预约时间：2026-11-20 10:15"}`}},
	"createRule": {
		{name: "follow", text: "Greet who follows, once / 关注即发，每人一次", body: `{"name":"welcome","on":"follow","once_per":"ever",
			"message":{"template_id":"SandboxTyped-OrderPaid-00000000000000000002","url":"https://shop.example.com/hello?u={{openid}}",
			"data":{"character_string1":"WELCOME","thing2":"欢迎关注","amount3":"￥0.00","time4":"{{time}}"}}}`},
		{name: "scan", text: "After a scan of a shop's QR code, ten minutes later / 扫门店码十分钟后", body: `{"name":"shop-7","on":"scan","delay_seconds":600,"once_per":"24h",
			"filters":[{"field":"Scene","op":"prefix","value":"shop-"}],
			"message":{"template_id":"SandboxTyped-QueueNumber-000000000000000003","data":{"thing1":"{{event.Scene}}","character_string2":"27","time3":"{{time:HH:mm}}"}}}`},
	},
	"updateRule": {{name: "period", text: "At most once a month for a user / 每人每月一次", body: `{"once_per":"30d"}`}},
	"putSuppressions": {{name: "complaint", text: "Somebody who complained / 投诉用户",
		body: `{"items":[{"openid":"oUser00000000000000000000060","note":"complaint 77"}]}`}},
	"createWebhook": {{name: "orders", text: "What becomes of one account's messages / 一个账号的消息结果",
		body: `{"name":"orders","url":"http://127.0.0.1:9000/hooks/hongyan","events":["message.delivered","message.undelivered","message.failed"],"appids":["wxa1a1a1a1a1a1a1a1"]}`}},
	"updateWebhook":    {{name: "more", text: "Everything about messages / 所有消息事件", body: `{"events":["message.*"]}`}},
	"rotateWebhook":    {{name: "hour", text: "Both secrets sign for an hour / 新旧密钥并用一小时", body: `{"keep_seconds":3600}`}},
	"redeliverWebhook": {{name: "lost", text: "What it did not take / 重新投递失败的", body: `{"type":["message.*"],"state":["gave_up"]}`}},
	"createKey": {
		{name: "sender", text: "A key that sends for one account / 发送密钥", body: `{"name":"shop-backend","role":"sender","appids":["wxa1a1a1a1a1a1a1a1"]}`},
		{name: "gateway", text: "A secret in place of the AppSecret / 替代 AppSecret 的密钥", body: `{"name":"shop-backend","kind":"gateway","appids":["wxa1a1a1a1a1a1a1a1"]}`},
	},
}

// describeExamples puts an operation's examples where the document has them.
func describeExamples(op *huma.Operation) {
	all := exampleBodies[op.OperationID]
	if op.RequestBody == nil || len(all) == 0 {
		return
	}
	for _, e := range all {
		media := op.RequestBody.Content[e.contentType()]
		if media.Examples == nil {
			media.Examples = map[string]*huma.Example{}
		}
		shown := &huma.Example{Summary: e.text, Value: e.body}
		if e.media == "" {
			shown.Value = json.RawMessage(e.body)
		}
		media.Examples[e.name] = shown
	}
}
