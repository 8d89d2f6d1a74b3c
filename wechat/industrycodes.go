package wechat

// IndustryCode is an industry that an official account may choose, with its number.
type IndustryCode struct {
	Code string // "1" to "41", as SetIndustryRequest wants it
	Industry
}

// industryCodes is spec §4.2.2, by number.
var industryCodes = []IndustryCode{
	{"1", Industry{"IT科技", "互联网|电子商务"}}, {"2", Industry{"IT科技", "IT软件与服务"}}, {"3", Industry{"IT科技", "IT硬件与设备"}},
	{"4", Industry{"IT科技", "电子技术"}}, {"5", Industry{"IT科技", "通信与运营商"}}, {"6", Industry{"IT科技", "网络游戏"}},
	{"7", Industry{"金融业", "银行"}}, {"8", Industry{"金融业", "证券|基金|理财|信托"}}, {"9", Industry{"金融业", "保险"}},
	{"10", Industry{"餐饮", "餐饮"}}, {"11", Industry{"酒店旅游", "酒店"}}, {"12", Industry{"酒店旅游", "旅游"}},
	{"13", Industry{"运输与仓储", "快递"}}, {"14", Industry{"运输与仓储", "物流"}}, {"15", Industry{"运输与仓储", "仓储"}},
	{"16", Industry{"教育", "培训"}}, {"17", Industry{"教育", "院校"}},
	{"18", Industry{"政府与公共事业", "学术科研"}}, {"19", Industry{"政府与公共事业", "交警"}},
	{"20", Industry{"政府与公共事业", "博物馆"}}, {"21", Industry{"政府与公共事业", "公共事业非盈利机构"}},
	{"22", Industry{"医药护理", "医药医疗"}}, {"23", Industry{"医药护理", "护理美容"}}, {"24", Industry{"医药护理", "保健与卫生"}},
	{"25", Industry{"交通工具", "汽车相关"}}, {"26", Industry{"交通工具", "摩托车相关"}},
	{"27", Industry{"交通工具", "火车相关"}}, {"28", Industry{"交通工具", "飞机相关"}},
	{"29", Industry{"房地产", "房地产|建筑"}}, {"30", Industry{"房地产", "物业"}}, {"31", Industry{"消费品", "消费品"}},
	{"32", Industry{"商业服务", "法律"}}, {"33", Industry{"商业服务", "会展"}}, {"34", Industry{"商业服务", "中介服务"}},
	{"35", Industry{"商业服务", "认证"}}, {"36", Industry{"商业服务", "审计"}},
	{"37", Industry{"文体娱乐", "传媒"}}, {"38", Industry{"文体娱乐", "体育"}}, {"39", Industry{"文体娱乐", "娱乐休闲"}},
	{"40", Industry{"印刷", "印刷"}}, {"41", Industry{"其它", "其它"}},
}

// IndustryCodes lists the industries by number. The names are for people: the platform
// spells some of them differently from page to page, so compare by Code.
func IndustryCodes() []IndustryCode { return append([]IndustryCode(nil), industryCodes...) }

// CodeOfIndustry finds the number of an industry that the platform names; "" when it
// spells it in a way that is not known here.
func CodeOfIndustry(i Industry) string {
	for _, c := range industryCodes {
		if c.Industry == i {
			return c.Code
		}
	}
	return ""
}
