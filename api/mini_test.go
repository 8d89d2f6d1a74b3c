package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/client"
	"hongyan/sandbox"
)

const formsPath = "/v1/accounts/" + sandbox.SeedMiniAppID + "/form_ids"

func TestFormIDsAreStoredOneByOneInListsAndInLines(t *testing.T) {
	g := newGateway(t)
	g.seed()
	user, other := sandbox.OpenID("", 1), sandbox.OpenID("", 2)
	entry := func(openID, id string) string { return fmt.Sprintf(`{"openid":%q,"form_id":%q}`, openID, id) }
	stored := func(a answer) (s client.FormIDsStored) {
		t.Helper()
		if err := json.Unmarshal([]byte(a.body), &s); err != nil || a.status != 200 {
			t.Fatalf("status %d, body %s", a.status, a.body)
		}
		return s
	}
	if s := stored(g.do("POST", formsPath, entry(user, "f1"))); s.Rows != 1 || s.Stored != 1 || s.Bad != 0 || s.Problems == nil {
		t.Errorf("one: %+v", s)
	}
	p := g.do("POST", formsPath, entry("me", "f1"))
	if got := p.problem(t); p.status != 422 || got.Code != "invalid_row" || got.Errors[0].Pointer != "/openid" {
		t.Errorf("one that is bad: %d %+v", p.status, got)
	}
	s := stored(g.do("POST", formsPath, `{"items":[`+entry(user, "f1")+","+entry(user, "f2")+","+entry("me", "f3")+","+entry(other, "f1")+`]}`))
	want := client.FormIDsStored{Rows: 4, Stored: 1, Known: 1, Bad: 2}
	if rows := []int{s.Problems[0].Row, s.Problems[1].Row}; rows[0] != 3 || rows[1] != 4 {
		t.Errorf("problems in rows %v", rows)
	}
	if s.Problems = nil; !cmp.Equal(s, want) {
		t.Errorf("a list: %+v", s)
	}
	var lines strings.Builder
	for i := range 1203 {
		lines.WriteString(entry(other, fmt.Sprint("line-", i)) + "\n")
		switch i {
		case 700:
			lines.WriteString("\n{\"openid\":1}\n") // an empty line, and one that is bad
		case 1100:
			lines.WriteString(entry("me", "x") + "\n")
		}
	}
	s = stored(g.do("POST", formsPath, strings.TrimSuffix(lines.String(), "\n"), "Content-Type", "application/x-ndjson"))
	if s.Rows != 1205 || s.Stored != 1203 || s.Bad != 2 || s.Problems[0].Row != 702 || s.Problems[1].Row != 1103 {
		t.Errorf("lines: %+v", s)
	}
	list, err := g.admin.FormIDs(t.Context(), sandbox.SeedMiniAppID, client.ListFilter{OpenID: user, Limit: 1})
	if err != nil || list.Left != 2 || list.Usable != 2 || *list.Waiting != 0 || len(list.Items) != 1 || list.Items[0].FormID != "f2" || list.Items[0].State != "usable" {
		t.Fatalf("%v: %+v", err, list)
	}
	list, err = g.admin.FormIDs(t.Context(), sandbox.SeedMiniAppID, client.ListFilter{OpenID: user, Cursor: *list.NextCursor})
	if err != nil || len(list.Items) != 1 || list.Items[0].FormID != "f1" || list.NextCursor != nil {
		t.Errorf("%v: %+v", err, list)
	}
	list, err = g.admin.FormIDs(t.Context(), sandbox.SeedMiniAppID, client.ListFilter{})
	if err != nil || list.Left != 1205 || list.Users != 2 || list.Waiting != nil {
		t.Errorf("%v: %d left of %d users", err, list.Left, list.Users)
	}
}

func TestWhatIsNoListOfFormIDsIsRefused(t *testing.T) {
	g := newGateway(t)
	g.seed()
	ndjson := []string{"Content-Type", "application/x-ndjson; charset=utf-8"}
	for _, c := range []struct {
		name, path, body string
		headers          []string
		status           int
		code             string
	}{
		{"no JSON", formsPath, "f1", nil, 400, "bad_json"},
		{"an unknown field", formsPath, `{"openid":"o","formid":"x"}`, nil, 400, "unknown_field"},
		{"an unknown field beside the list", formsPath, `{"items":[],"openid":"o"}`, nil, 400, "unknown_field"},
		{"a list in a list", formsPath, `{"items":[[]]}`, nil, 400, "wrong_type"},
		{"a line without end", formsPath, strings.Repeat("x", maxRowLine+1), ndjson, 422, "line_too_long"},
		{"a service account", "/v1/accounts/shop/form_ids", `{"openid":"o","form_id":"x"}`, nil, 422, "wrong_kind"},
		{"no account", "/v1/accounts/nobody/form_ids", `{"openid":"o","form_id":"x"}`, nil, 404, "unknown_account"},
		{"no key", formsPath, `{}`, []string{"Authorization", ""}, 401, "missing_key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := g.do("POST", c.path, c.body, c.headers...)
			if p := a.problem(t); a.status != c.status || p.Code != c.code {
				t.Errorf("status %d, code %s (%s); want %d, %s", a.status, p.Code, p.Detail, c.status, c.code)
			}
		})
	}
	limited := g.client(g.key("sender", sandbox.SeedServiceAppID).Key)
	if _, err := limited.AddFormID(t.Context(), sandbox.SeedMiniAppID, client.FormIDRequest{}); err == nil || !strings.Contains(err.Error(), "does not cover") {
		t.Errorf("a key of another account: %v", err)
	}
	reader := g.client(g.key("reader").Key)
	if _, err := reader.AddFormID(t.Context(), sandbox.SeedMiniAppID, client.FormIDRequest{}); err == nil || !strings.Contains(err.Error(), "sender") {
		t.Errorf("a reader's key: %v", err)
	}
}

func TestConsentsAreReportedAndShown(t *testing.T) {
	g := newGateway(t)
	g.seed()
	user := sandbox.OpenID("", 1)
	at := time.Now().Add(-time.Hour)
	done, err := g.admin.ReportConsents(t.Context(), sandbox.SeedMiniAppID, []client.ConsentReport{
		{OpenID: user, TemplateID: sandbox.SeedTemplateSubscribePickup, Answer: "accept", Times: 2, At: at},
		{OpenID: user, TemplateID: sandbox.SeedTemplateSubscribeRefund, Answer: "reject", Always: "reject"},
		{OpenID: "me", TemplateID: "t", Answer: "accept"},
	})
	if err != nil || done.Stored != 2 || done.Bad != 1 || done.Problems[0].Row != 3 {
		t.Fatalf("%v: %+v", err, done)
	}
	list, err := g.admin.Consents(t.Context(), sandbox.SeedMiniAppID, client.ListFilter{OpenID: user, TemplateID: sandbox.SeedTemplateSubscribePickup})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%v: %+v", err, list)
	}
	if c := list.Items[0]; *c.Left != 2 || c.Certainty != "at_least" || c.Type != "one_time" || c.ByReports != 2 || *c.OnTheWay != 0 || c.UsedUp || !c.AcceptedAt.Or().Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("consent %+v", c)
	}
	list, err = g.admin.Consents(t.Context(), sandbox.SeedMiniAppID, client.ListFilter{Limit: 1})
	if err != nil || len(list.Items) != 1 || list.Items[0].Always != "reject" || list.Items[0].OnTheWay != nil || list.NextCursor == nil {
		t.Errorf("%v: %+v", err, list)
	}
}

func TestTheSettingsOfMiniPrograms(t *testing.T) {
	g := newGateway(t)
	g.seed()
	a, err := g.admin.Account(t.Context(), sandbox.SeedMiniAppID)
	if want := (client.MiniRules{PrepaySends: 1, ConsentCheck: "off"}); err != nil || a.Mini != want {
		t.Errorf("%v: by default %+v", err, a.Mini)
	}
	a, err = g.admin.UpdateAccount(t.Context(), sandbox.SeedMiniAppID, client.AccountPatch{Mini: &client.MiniInput{PrepaySends: new(3), ConsentLow: new(2)}})
	if err != nil {
		t.Fatal(err)
	}
	a, err = g.admin.UpdateAccount(t.Context(), sandbox.SeedMiniAppID, client.AccountPatch{Mini: &client.MiniInput{ConsentCheck: new("warn")}})
	if want := (client.MiniRules{PrepaySends: 3, ConsentCheck: "warn", ConsentLow: 2}); err != nil || a.Mini != want {
		t.Errorf("%v: %+v", err, a.Mini)
	}
	p := g.do("PATCH", "/v1/accounts/"+sandbox.SeedMiniAppID, `{"mini":{"prepay_sends":2,"consent_check":"maybe","consent_low":-1}}`).problem(t)
	var got []string
	for _, e := range p.Errors {
		got = append(got, e.Pointer)
	}
	if diff := cmp.Diff([]string{"/mini/consent_check", "/mini/consent_low", "/mini/prepay_sends"}, got); diff != "" {
		t.Errorf("pointers (-want +got):\n%s", diff)
	}
}

func TestAMessageWithoutConsentIsWarnedOfOrRefused(t *testing.T) {
	g := newGateway(t)
	g.seed()
	user := sandbox.OpenID("", 1)
	order := client.MessageRequest{AppID: sandbox.SeedMiniAppID, Kind: "subscribe", ToUser: user, TemplateID: sandbox.SeedTemplateSubscribePickup,
		Data: map[string]client.Field{"character_string1": {Value: "27"}, "thing2": {Value: "人民路店"}, "time3": {Value: "10:15"}}}
	check := func(word string) {
		t.Helper()
		if _, err := g.admin.UpdateAccount(t.Context(), sandbox.SeedMiniAppID, client.AccountPatch{Mini: &client.MiniInput{ConsentCheck: &word}}); err != nil {
			t.Fatal(err)
		}
	}
	g.refusedByWeChat(user)
	check("warn")
	sent, err := g.admin.Send(t.Context(), order)
	if err != nil || !strings.Contains(sent.Message.Warning, "no send") {
		t.Errorf("%v: warning %q", err, sent.Message.Warning)
	}
	if m, err := g.admin.Message(t.Context(), sent.Message.ID); err != nil || m.Warning != "" {
		t.Errorf("%v: read later, warning %q", err, m.Warning)
	}
	check("refuse")
	if _, err := g.admin.Send(t.Context(), order); err == nil || !strings.Contains(err.Error(), "43101") {
		t.Errorf("got %v, want a refusal that names 43101", err)
	}
}

// refusedByWeChat lets the ledger know that the user has no send left.
func (g *gateway) refusedByWeChat(openID string) {
	g.t.Helper()
	err := g.store.ApplyConsents(g.t.Context(), []hongyan.ConsentChange{{AppID: sandbox.SeedMiniAppID, OpenID: openID,
		TemplateID: sandbox.SeedTemplateSubscribePickup, Act: hongyan.ConsentRefused, At: g.store.Now()}})
	if err != nil {
		g.t.Fatal(err)
	}
}

func TestAnOldTemplateIsConverted(t *testing.T) {
	g := newGateway(t)
	g.seed()
	_, err := g.admin.PutTemplate(t.Context(), sandbox.SeedMiniAppID, sandbox.SeedTemplateMini, client.TemplatePut{
		Title: "取餐提醒", Content: "取餐号：{{keyword1.DATA}}\n门店：{{keyword2.DATA}}\n下单时间：{{keyword3.DATA}}",
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := g.admin.ConvertTemplate(t.Context(), sandbox.SeedMiniAppID, sandbox.SeedTemplateMini, client.TemplateOld{Example: "取餐号：27\n门店：人民路店\n下单时间：10:15"})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Lines) != 3 || len(c.Held) == 0 || *c.Held[0].TemplateID != sandbox.SeedTemplateSubscribePickup || c.Held[0].TID != nil ||
		c.Held[0].Sample["thing2"] != "人民路店" || len(c.Library) == 0 || c.Library[0].TemplateID != nil || c.Library[0].TID == nil {
		t.Errorf("conversion %+v", c)
	}
	a := g.do("POST", "/v1/accounts/"+sandbox.SeedMiniAppID+"/templates/none/convert", "{}")
	if p := a.problem(t); a.status != 404 || p.Code != "unknown_template" {
		t.Errorf("an unknown one: %d %s", a.status, p.Code)
	}
}

func TestBadRowsOfFormIDsAreInOrderAndInChineseToo(t *testing.T) {
	g := newGateway(t)
	g.seed()
	rows := []string{`{"openid":"me","form_id":"a"}`, `{"what":1}`, "", `{"openid":"me","form_id":"the formId is a mock one"}`, `nope`, `{"openid":1}`,
		`{"openid":"` + sandbox.OpenID("", 1) + `","prepay_id":"wx1","sends":2}`, `{"openid":"me","openid":"me"}`}
	done, err := g.admin.AddFormLines(t.Context(), sandbox.SeedMiniAppID, []byte(strings.Join(rows, "\n")))
	if err != nil || done.Rows != 7 || done.Bad != 7 {
		t.Fatalf("%v: %+v", err, done)
	}
	for i, p := range done.Problems {
		if p.Row != i+1 {
			t.Errorf("problem %d is of row %d", i+1, p.Row)
		}
		for _, e := range p.Errors {
			if !hasChinese(e.DetailZH) {
				t.Errorf("row %d: %q has no Chinese: %q", p.Row, e.Detail, e.DetailZH)
			}
		}
	}
}
