package sandbox

import (
	"fmt"
	"slices"
	"strings"
)

// libraryTemplate is a template of the platform's library that accounts can add
// by its short id.
type libraryTemplate struct {
	title    string
	keywords []libraryKeyword // category templates: what may be chosen
	primary  string           // historical templates: their industries and content
	deputy   string
	content  string
}

type libraryKeyword struct{ name, kind, example string }

// library is the part of the template library that the sandbox knows. Digits are
// ids of category templates, TM and OPENTM those of the historical library, which
// answers 40247 today (spec §4.2.3). The ids and the wording are invented.
var library = map[string]libraryTemplate{
	"43217": {title: "订单支付成功通知", keywords: []libraryKeyword{
		{"订单编号", "character_string", "A1001"}, {"商品名称", "thing", "巧克力"},
		{"支付金额", "amount", "￥39.80"}, {"下单时间", "time", "2026-11-20 10:15"}}},
	"43218": {title: "订单发货通知", keywords: []libraryKeyword{
		{"订单编号", "character_string", "A1001"}, {"快递公司", "thing", "鸿雁快递"},
		{"快递单号", "character_string", "HY20261120"}, {"发货时间", "time", "2026-11-20 16:00"}}},
	"50311": {title: "挂号成功通知", keywords: []libraryKeyword{
		{"就诊人", "thing", "王小明"}, {"就诊科室", "thing", "口腔科"},
		{"就诊时间", "time", "2026-11-21 09:30"}, {"就诊序号", "character_string", "A012"}}},
	"51902": {title: "停车缴费通知", keywords: []libraryKeyword{
		{"车牌号码", "car_number", "京A12345"}, {"停车场", "thing", "人民路停车场"},
		{"缴费金额", "amount", "8元"}, {"入场时间", "time", "2026-11-20 10:15"}}},
	"52044": {title: "课程开始提醒", keywords: []libraryKeyword{
		{"课程名称", "thing", "少儿编程"}, {"上课时间", "time", "2026-11-22 14:00"},
		{"上课状态", "phrase", "即将开始"}, {"联系电话", "phone_number", "010-88880000"}}},
	"TM00015": {title: "订单支付成功", primary: "IT科技", deputy: "互联网|电子商务",
		content: "{{first.DATA}}\n支付金额：{{orderMoneySum.DATA}}\n商品信息：{{orderProductName.DATA}}\n{{Remark.DATA}}"},
	"OPENTM200565259": {title: "订单发货提醒", primary: "IT科技", deputy: "互联网|电子商务",
		content: "{{first.DATA}}\n订单编号：{{keyword1.DATA}}\n物流公司：{{keyword2.DATA}}\n物流单号：{{keyword3.DATA}}\n{{remark.DATA}}"},
}

func isHistoricalID(short string) bool {
	return strings.HasPrefix(short, "TM") || strings.HasPrefix(short, "OPENTM")
}

// compose makes the private template of the chosen keywords, in the order
// chosen: each parameter is its type and its place, thing1, amount2 (spec §4.2.6).
// ok is false when a name is not among the keywords, or none or one twice was given.
func (lib libraryTemplate) compose(id string, names []string) (t *template, ok bool) {
	if len(names) == 0 {
		return nil, false
	}
	content, example := make([]string, len(names)), make([]string, len(names))
	for i, name := range names {
		at := slices.IndexFunc(lib.keywords, func(k libraryKeyword) bool { return k.name == name })
		if at < 0 || slices.Contains(names[:i], name) {
			return nil, false
		}
		k := lib.keywords[at]
		content[i] = fmt.Sprintf("%s：{{%s%d.DATA}}", k.name, k.kind, i+1)
		example[i] = k.name + "：" + k.example
	}
	return newTemplate(template{
		id: id, family: familyTemplate, title: lib.title,
		content: strings.Join(content, "\n"), example: strings.Join(example, "\n"),
	}), true
}

func (lib libraryTemplate) historical(id string) *template {
	return newTemplate(template{
		id: id, family: familyTemplate, title: lib.title,
		primaryIndustry: lib.primary, deputyIndustry: lib.deputy, content: lib.content,
	})
}
