package mini

import "testing"

func TestTypesAreGuessedFromNameAndExample(t *testing.T) {
	for _, c := range []struct{ name, example, want string }{
		{"订单编号", "A1001", "character_string"},
		{"订单编号", "第一单", "thing"}, // its example has Chinese characters
		{"支付金额", "￥39.80", "amount"},
		{"支付金额", "三十九元", "thing"},
		{"预约时间", "2026年11月20日 10:15", "time"},
		{"预约时间", "11月20日 10:15", "thing"}, // no form that a time may have
		{"预约日期", "2026-11-20", "date"},
		{"开课时间", "2026年11月20日", "date"},
		{"联系电话", "0571-88888888", "phone_number"},
		{"车牌号码", "浙A12345", "car_number"},
		{"退款状态", "已退款", "phrase"},
		{"退款状态", "已退款，请查收", "thing"},
		{"数量", "3", "number"},
		{"收货人", "张三", "name"},
		{"备注", "请提前五分钟到店", "thing"},
		{"合计", "￥12.00", "amount"}, // told by its example alone
		{"开始", "10:15", "time"},
		{"项目", "", "thing"},
		{"金额", "", "amount"},
	} {
		if got, note := guess(c.name, c.example); got != c.want {
			t.Errorf("%s %q: got %s (%s), want %s", c.name, c.example, got, note, c.want)
		}
	}
}

func TestAlike(t *testing.T) {
	if alike("预约时间", "预约时间") != 1 || alike("", "x") != 0 || alike("金额", "时间") != 0 {
		t.Error("the ends of the scale")
	}
	for _, c := range [][3]string{{"支付金额", "付款金额", "支付时间"}, {"取餐门店", "门店", "取餐号"}, {"订单号", "订单编号", "商品名称"}} {
		if near, far := alike(c[0], c[1]), alike(c[0], c[2]); near <= far {
			t.Errorf("%s is %f like %s and %f like %s", c[0], near, c[1], far, c[2])
		}
	}
}

func TestLinesOfAContent(t *testing.T) {
	lines := linesOf("{{first.DATA}}\n时间：{{keyword1.DATA}}\n地点: {{keyword2.DATA}}（{{keyword3.DATA}}）", "您好\n时间：10:15\n地点:人民路（三楼）")
	want := []struct{ keyword, name, example string }{{"first", "", ""}, {"keyword1", "时间", "10:15"}, {"keyword2", "地点", "人民路（三楼）"}, {"keyword3", "", ""}}
	if len(lines) != len(want) {
		t.Fatalf("lines %+v", lines)
	}
	for i, w := range want {
		if l := lines[i]; l.Keyword != w.keyword || l.Name != w.name || l.Example != w.example {
			t.Errorf("line %d: %+v, want %+v", i, l, w)
		}
	}
}
