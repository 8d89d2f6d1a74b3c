package sandbox_test

import (
	"fmt"
	"strings"
	"testing"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

const pathUniform = "/cgi-bin/message/wxopen/template/uniform_send"

func uniformOfficial(appid, template, openid string) string {
	return fmt.Sprintf(`{"touser":%q,"mp_template_msg":{"appid":%q,"template_id":%q,"url":"https://e.example/o","data":{"keyword1":{"value":"A1"}}}}`, openid, appid, template)
}

func uniformMini(form string) string {
	return fmt.Sprintf(`{"touser":%q,"weapp_template_msg":{"template_id":%q,"form_id":%q,"page":"index","data":{"keyword1":{"value":"理发"}},`+
		`"emphasis_keyword":"keyword1.DATA"},"mp_template_msg":{"appid":"wx"}}`, user, sandbox.SeedTemplateMini, form)
}

func TestUniformSendBeforeAndAfterItWasWithdrawn(t *testing.T) {
	bubble(t, "", "", func(t *testing.T, s *sandboxtest.Server, g *gateway) {
		official := func(template, openid string) string {
			return uniformOfficial(sandbox.SeedServiceAppID, template, openid)
		}
		token := miniTokens(t, s)
		exchangeAll(t, s, token, []exchange{{"today", pathUniform, official(sandbox.SeedTemplateHistorical, user),
			`{"errcode":45109,"errmsg":"This API has been unsupported. For more details, please view ` +
				`https://developers.weixin.qq.com/community/develop/doc/000ae8d6348af08e7030bc2546bc01?blockType=1 rid"}`}})
		setMini(t, s, sandbox.AccountSpec{RetiredRules: sandbox.RetiredRules{UniformSendRetired: new(false)}})
		exchangeAll(t, s, token, []exchange{
			{"no openid", pathUniform, `{}`, `40003`},
			{"an account that is not bound", pathUniform, uniformOfficial("wxcccccccccccccccc", sandbox.SeedTemplateHistorical, user), `40013`},
			{"not a follower", pathUniform, official(sandbox.SeedTemplateHistorical, sandbox.OpenID("NOFOL", 1)), `43004`},
			{"a typed template", pathUniform, official(sandbox.SeedTemplateOrder, user), `40037`},
			{"no form", pathUniform, uniformMini("x"), `41028`},
			{"the mini program's message goes first", pathUniform, uniformMini(s.Sandbox.GiveForm("", user)), wireOK},
			{"the official account's", pathUniform, official(sandbox.SeedTemplateHistorical, user), wireOK},
		})
		got := s.Sandbox.Inbox(user)
		if len(got) != 2 || got[0].AppID != sandbox.SeedMiniAppID || got[0].Jump.PagePath != "index" ||
			got[1].AppID != sandbox.SeedServiceAppID || got[1].Jump.URL != "https://e.example/o" {
			t.Errorf("inbox = %+v, want one of each account", got)
		}
		wantEvent(t, g, "<Status><![CDATA[success]]></Status>\n</xml>")
		if n := len(g.got()); n != 1 || !strings.Contains(g.got()[0].body, lastRow(t, s).MsgID) {
			t.Errorf("%d events, want the official account's alone", n)
		}
	})
	s := sandboxtest.New(t)
	exchangeAll(t, s, serviceToken(t, s), []exchange{{"an official account", pathUniform, `{}`, `48001`}})
}
