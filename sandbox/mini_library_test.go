package sandbox_test

import (
	"strings"
	"testing"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

const (
	pathMiniLibrary = "/cgi-bin/wxopen/template/library/list"
	pathMiniGet     = "/cgi-bin/wxopen/template/library/get"
	pathMiniAdd     = "/cgi-bin/wxopen/template/add"
	pathMiniList    = "/cgi-bin/wxopen/template/list"
	pathMiniDel     = "/cgi-bin/wxopen/template/del"
)

var pathsMini = []string{pathMiniLibrary, pathMiniGet, pathMiniAdd, pathMiniList, pathMiniDel, pathMiniSend}

func TestTheMiniProgramLibrary(t *testing.T) {
	s := sandboxtest.New(t)
	const badCount, badKeyword = `{"errcode":45076,"errmsg":"invalid count rid"}`, `{"errcode":45075,"errmsg":"invalid keyword id rid"}`
	const badSize = `{"errcode":45100,"errmsg":"invalid size of keyword_id_list rid"}`
	exchangeAll(t, s, miniTokens(t, s), []exchange{
		{"two of all", pathMiniLibrary, `{"offset":0,"count":2}`,
			`{"errcode":0,"errmsg":"ok","list":[{"id":"AT0001","title":"预约成功通知"},{"id":"AT0002","title":"订单支付成功通知"}],"total_count":26}`},
		{"beyond the end", pathMiniLibrary, `{"offset":99,"count":20}`, `{"errcode":0,"errmsg":"ok","list":[],"total_count":26}`},
		{"too many", pathMiniLibrary, `{"offset":0,"count":21}`, badCount},
		{"no count", pathMiniLibrary, `{"offset":0}`, badCount},
		{"no offset", pathMiniLibrary, `{"count":2}`, `{"errcode":45164,"errmsg":"invalid offset rid"}`},
		{"an unknown title", pathMiniGet, `{"id":"AT9999"}`, `40037`},
		{"adding an unknown title", pathMiniAdd, `{"id":"AT9999","keyword_id_list":[1]}`, `40037`},
		{"no keywords", pathMiniAdd, `{"id":"AT0001"}`, badSize},
		{"eleven", pathMiniAdd, `{"id":"AT0001","keyword_id_list":[1,2,3,4,5,6,7,8,9,10,11]}`, badSize},
		{"one that it has not", pathMiniAdd, `{"id":"AT0001","keyword_id_list":[1,99]}`, badKeyword},
		{"one twice", pathMiniAdd, `{"id":"AT0001","keyword_id_list":[1,1]}`, badKeyword},
		{"not its own kind", pathMiniDel, body(member("template_id", sandbox.SeedTemplateSubscribePickup)), `40037`},
	})
	if got, want := do(t, s, with(pathMiniGet, miniToken(t, s)), `{"id":"AT0001"}`).body,
		`{"errcode":0,"errmsg":"ok","id":"AT0001","title":"预约成功通知","keyword_list":[{"keyword_id":1,"name":"预约项目","example":"理发"},`; !strings.HasPrefix(got, want) {
		t.Errorf("get = %s, want %s…", got, want)
	}
	exchangeAll(t, s, serviceToken(t, s), []exchange{{"an official account", pathMiniLibrary, `{"offset":0,"count":2}`, `48001`}})
}

func TestAddingUsingAndDeletingAMiniTemplate(t *testing.T) {
	s := sandboxtest.New(t)
	setMini(t, s, sandbox.AccountSpec{TemplateLimit: new(2)})
	token := miniToken(t, s)
	var added struct {
		TemplateID string `json:"template_id"`
	}
	got := do(t, s, with(pathMiniAdd, token), `{"id":"AT0001","keyword_id_list":[3,"1"]}`)
	mustDecode(t, got, &added)
	wantBody(t, got, `{"errcode":0,"errmsg":"ok","template_id":"`+added.TemplateID+`"}`)
	mine := `{"template_id":"` + added.TemplateID + `","title":"预约成功通知","content":"预约地点：{{keyword1.DATA}}\n预约项目：{{keyword2.DATA}}",` +
		`"example":"预约地点：人民路店\n预约项目：理发"}`
	send := func(form string) string {
		return body(toUser, member("template_id", added.TemplateID), member("form_id", form), `"data":{"keyword1":{"value":"A"}}`)
	}
	remove := body(member("template_id", added.TemplateID))
	exchangeAll(t, s, func() string { return token }, []exchange{
		{"the limit", pathMiniAdd, `{"id":"AT0001","keyword_id_list":[1]}`, `{"errcode":45026,"errmsg":"template num exceeds limit rid"}`},
		{"the second of two", pathMiniList, `{"offset":1,"count":20}`, `{"errcode":0,"errmsg":"ok","list":[` + mine + `]}`},
		{"sending", pathMiniSend, send(s.Sandbox.GiveForm("", user)), wireOK},
		{"deleting", pathMiniDel, remove, wireOK},
		{"again", pathMiniDel, remove, `40037`},
		{"sending it", pathMiniSend, send(s.Sandbox.GiveForm("", user)), `40037`},
	})
}

func TestTheMiniFamilyRetiresAsAWhole(t *testing.T) {
	s := sandboxtest.New(t)
	retire := func(retired bool, code string) {
		setMini(t, s, sandbox.AccountSpec{Switches: sandbox.Switches{MiniTemplateRetired: &retired},
			RetiredRules: sandbox.RetiredRules{MiniRetiredCode: code}})
	}
	for _, path := range pathsMini {
		retire(true, "46101")
		exchangeAll(t, s, miniTokens(t, s), []exchange{{"retired", path, `{}`,
			`{"errcode":46101,"errmsg":"this api have been not supported since 2020-01-11 00:00:00, please use new api(subscribeMessage)! rid"}`}})
		retire(true, "45103")
		exchangeAll(t, s, miniTokens(t, s), []exchange{{"retired", path, `{}`, `{"errcode":45103,"errmsg":"This API has been unsupported rid"}`}})
		retire(false, "")
		if got := codeOf(t, do(t, s, with(path, miniToken(t, s)), `{}`)); got == 45103 || got == 46101 {
			t.Errorf("%s answers %d, want something else", path, got)
		}
	}
}
