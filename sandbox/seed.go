package sandbox

import (
	"fmt"
	"strings"
)

// The built-in seed: what every sandbox knows from the start and after a reset.
// None of it is secret; docs/sandbox.md prints it.
const (
	SeedServiceAppID  = "wxa1a1a1a1a1a1a1a1"
	SeedServiceSecret = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
	SeedMiniAppID     = "wxb2b2b2b2b2b2b2b2" // linked to the service account
	SeedMiniSecret    = "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"

	SeedCallbackToken = "sandboxtoken"
	SeedAESKey        = "hongyanSandboxEncodingAESKey0123456789abcdE"

	// SeedTemplateHistorical is of the old library: first, keyword1 to keyword3, remark.
	SeedTemplateHistorical = "SandboxHistorical-OrderPaid-000000000000001"
	// SeedTemplateOrder is a category template: character_string1, thing2, amount3, time4.
	SeedTemplateOrder = "SandboxTyped-OrderPaid-00000000000000000002"
	// SeedTemplateQueue is a category template: thing1, character_string2, time3.
	SeedTemplateQueue = "SandboxTyped-QueueNumber-000000000000000003"
	// SeedTemplateMini is the mini program's: keyword1 to keyword4.
	SeedTemplateMini = "SandboxMini-Appointment-0000000000000000004"
	// SeedTemplateSubscribePickup and SeedTemplateSubscribeRefund are the mini
	// program's subscribe templates.
	SeedTemplateSubscribePickup = "SandboxSubscribe-Pickup-0000000000000000005"
	SeedTemplateSubscribeRefund = "SandboxSubscribe-Refund-0000000000000000006"
)

// plantSeed fills an empty platform.
func (p *platform) plantSeed() {
	service := p.mustCreate(AccountSpec{
		AppID: SeedServiceAppID, Secret: SeedServiceSecret, Kind: kindService,
		Name: "鸿雁商城 Hongyan Shop", OriginalID: "gh_a1a1a1a1a1a1", Linked: &[]string{SeedMiniAppID},
		Subjects: Subjects{Industries: &[]int{1, 10}}, // 互联网|电子商务, 餐饮
	})
	mini := p.mustCreate(AccountSpec{
		AppID: SeedMiniAppID, Secret: SeedMiniSecret, Kind: kindMiniProgram,
		Name: "鸿雁小店 Hongyan Mini", OriginalID: "gh_b2b2b2b2b2b2",
	})
	for _, t := range serviceTemplates() {
		service.addTemplate(t)
	}
	for _, t := range miniTemplates() {
		mini.addTemplate(t)
	}
}

func (p *platform) mustCreate(spec AccountSpec) *account {
	a, err := p.createAccount(spec)
	if err != nil {
		panic("sandbox: built-in seed: " + err.Error()) // constants of this file
	}
	return a
}

func serviceTemplates() []*template {
	return []*template{
		newTemplate(template{
			id: SeedTemplateHistorical, family: familyTemplate, title: "订单支付成功通知",
			primaryIndustry: "IT科技", deputyIndustry: "互联网|电子商务", industry: 1,
			content: "{{first.DATA}}\n订单编号：{{keyword1.DATA}}\n支付金额：{{keyword2.DATA}}\n支付时间：{{keyword3.DATA}}\n{{remark.DATA}}",
			example: "您好，您的订单已支付成功\n订单编号：A1001\n支付金额：39.80元\n支付时间：2026-11-20 10:15\n感谢您的惠顾",
		}),
		newTemplate(template{
			id: SeedTemplateOrder, family: familyTemplate, title: "订单支付通知",
			content: "订单编号：{{character_string1.DATA}}\n商品名称：{{thing2.DATA}}\n支付金额：{{amount3.DATA}}\n支付时间：{{time4.DATA}}",
			example: "订单编号：A1001\n商品名称：巧克力\n支付金额：￥39.80\n支付时间：2026-11-20 10:15",
		}),
		newTemplate(template{
			id: SeedTemplateQueue, family: familyTemplate, title: "排队叫号通知",
			content: "门店名称：{{thing1.DATA}}\n排队号码：{{character_string2.DATA}}\n取号时间：{{time3.DATA}}",
			example: "门店名称：人民路店\n排队号码：B27\n取号时间：2026-11-20 18:05",
		}),
	}
}

func miniTemplates() []*template {
	return []*template{
		newTemplate(template{
			id: SeedTemplateMini, family: familyMini, title: "预约成功通知",
			content: "预约项目：{{keyword1.DATA}}\n预约时间：{{keyword2.DATA}}\n预约地点：{{keyword3.DATA}}\n备注：{{keyword4.DATA}}",
			example: "预约项目：理发\n预约时间：11月20日 10:15\n预约地点：人民路店\n备注：请提前五分钟到店",
		}),
		newTemplate(template{
			id: SeedTemplateSubscribePickup, family: familySubscribe, title: "取餐提醒",
			content: "取餐号:{{character_string1.DATA}}\n门店:{{thing2.DATA}}\n下单时间:{{time3.DATA}}",
			example: "取餐号:27\n门店:人民路店\n下单时间:2026年11月20日 10:15",
		}),
		newTemplate(template{
			id: SeedTemplateSubscribeRefund, family: familySubscribe, title: "退款通知",
			content: "退款金额:{{amount1.DATA}}\n退款状态:{{phrase2.DATA}}\n订单编号:{{character_string3.DATA}}",
			example: "退款金额:￥39.80\n退款状态:已退款\n订单编号:A1001",
		}),
	}
}

// openIDLength is the length of every openid (spec §1).
const openIDLength = 28

// OpenID is the nth well-formed openid of a fate: "" for an ordinary follower,
// or one of BLOCK, SYSFL, FREQL, NOFOL, BADID, FROZE, NOEVT, NOSUB (docs/sandbox.md
// says what each means). n counts from any number of up to 15 digits; the same
// arguments give the same openid.
func OpenID(fate string, n int) string {
	prefix := "o" + fate
	if fate == "" {
		prefix = "oUser"
	}
	digits := fmt.Sprintf("%d", n)
	return prefix + strings.Repeat("0", max(0, openIDLength-len(prefix)-len(digits))) + digits
}
