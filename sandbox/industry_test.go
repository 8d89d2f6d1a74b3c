package sandbox_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hongyan/sandbox"
	"hongyan/sandbox/sandboxtest"
)

const (
	pathSetIndustry = "/cgi-bin/template/api_set_industry"
	pathGetIndustry = "/cgi-bin/template/get_industry"
)

// setService changes the seed's service account.
func setService(t *testing.T, s *sandboxtest.Server, spec sandbox.AccountSpec) {
	t.Helper()
	mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedServiceAppID, spec))
}

// setMini changes the seed's mini program.
func setMini(t *testing.T, s *sandboxtest.Server, spec sandbox.AccountSpec) {
	t.Helper()
	mustNil(t, s.Sandbox.UpdateAccount(sandbox.SeedMiniAppID, spec))
}

func TestIndustriesAreSetOnceAMonth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at 08:00 on 1 January 2000, Beijing time
		s := sandboxtest.NewInMemory(t)
		gone := body(toUser, member("template_id", sandbox.SeedTemplateHistorical), `"data":{}`)
		exchangeAll(t, s, serviceToken(t, s), []exchange{
			{"from the start", pathGetIndustry, "", `{"primary_industry":{"first_class":"IT科技","second_class":"互联网|电子商务"},` +
				`"secondary_industry":{"first_class":"餐饮","second_class":"餐饮"}}`},
			{"with GET", pathSetIndustry, "", `{"errcode":43002,"errmsg":"require POST method rid"}`},
			{"a form", pathSetIndustry, "industry_id1=1&industry_id2=4", `{"errcode":40103,"errmsg":"invalid industry index rid"}`},
			{"one id", pathSetIndustry, `{"industry_id1":"1"}`, `{"errcode":40103,"errmsg":"invalid industry index rid"}`},
			{"an unknown id", pathSetIndustry, `{"industry_id1":"1","industry_id2":"42"}`, `{"errcode":40102,"errmsg":"invalid industry id rid"}`},
			{"no number", pathSetIndustry, `{"industry_id1":"IT","industry_id2":"4"}`, `{"errcode":40102,"errmsg":"invalid industry id rid"}`},
			{"before the change", pathSend, gone, `0`},
			{"two known ones", pathSetIndustry, `{"industry_id1":"16","industry_id2":8}`, `{"errcode":0,"errmsg":"ok"}`},
			{"again", pathSetIndustry, `{"industry_id1":"1","industry_id2":"4"}`, `{"errcode":43100,"errmsg":"change template too frequently rid"}`},
			{"the new ones", pathGetIndustry, "", `{"primary_industry":{"first_class":"教育","second_class":"培训"},` +
				`"secondary_industry":{"first_class":"金融业","second_class":"证券|基金|理财|信托"}}`},
			{"a template of an abandoned industry", pathSend, gone, `40037`},
			{"a template of none", pathSend, orderBody(user, ""), `0`},
		})
		set := func() reply {
			return do(t, s, with(pathSetIndustry, serviceToken(t, s)()), `{"industry_id1":"1","industry_id2":"4"}`)
		}
		time.Sleep(31*24*time.Hour - 8*time.Hour - time.Second)
		wantCode(t, set(), 43100)
		time.Sleep(time.Second)
		wantCode(t, set(), 0)
	})
}

func TestTheLibraryGivesTheChosenSubjectsOnly(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	historical, typed := `{"template_id_short":"TM00015"}`, `{"template_id_short":"43217","keyword_name_list":["订单编号"]}`
	for _, tt := range []struct {
		name string
		spec sandbox.AccountSpec
		body string
		want int
	}{
		{"the industry is chosen", sandbox.AccountSpec{Era: "D", Subjects: sandbox.Subjects{Industries: &[]int{2, 1}}}, historical, 0},
		{"none is chosen", sandbox.AccountSpec{Subjects: sandbox.Subjects{Industries: &[]int{}}}, historical, 0},
		{"other industries are", sandbox.AccountSpec{Subjects: sandbox.Subjects{Industries: &[]int{2, 3}}}, historical, 45027},
		{"no category is chosen", sandbox.AccountSpec{Era: "F"}, typed, 0},
		{"the category is chosen", sandbox.AccountSpec{Subjects: sandbox.Subjects{Categories: &[]int{101}}}, typed, 0},
		{"other categories are", sandbox.AccountSpec{Subjects: sandbox.Subjects{Categories: &[]int{102, 103}}}, typed, 45027},
	} {
		t.Run(tt.name, func(t *testing.T) {
			setService(t, s, tt.spec)
			wantCode(t, do(t, s, with(pathAdd, token), tt.body), tt.want)
		})
	}
}

func TestAChangeOfCategoriesDeletesTemplatesAndAMonthHasFive(t *testing.T) {
	s := sandboxtest.New(t)
	token := plainToken(t, s).AccessToken
	set := func(ids string) reply {
		return do(t, s, control+"accounts/"+sandbox.SeedServiceAppID, `{"categories":`+ids+`}`)
	}
	held := func() int { return len(list(t, s, token).Templates) }
	before := held()
	set(`[101,102]`) // the first choice is no change
	do(t, s, with(pathAdd, token), `{"template_id_short":"43217","keyword_name_list":["订单编号"]}`)
	set(`[102,101]`) // nor is another order
	if got := held(); got != before+1 {
		t.Fatalf("%d templates, want %d", got, before+1)
	}
	set(`[102]`)
	if got := held(); got != before {
		t.Errorf("%d templates after the category has gone, want %d", got, before)
	}
	for n := range 4 {
		if got := set(fmt.Sprintf(`[%d]`, 201+n%2)); got.status != 200 {
			t.Errorf("change %d: %s", n+2, got.body)
		}
	}
	if got, want := set(`[101]`).body, `{"error":"sandbox: categories: must not be changed more than 5 times a month, got [101]","field":"categories","rule":"must not be changed more than 5 times a month","value":[101]}`; got != want+"\n" {
		t.Errorf("sixth change = %s, want %s", got, want)
	}
	advance(t, s, 31*24*time.Hour)
	if got := set(`[101]`); got.status != 200 {
		t.Errorf("next month: %s", got.body)
	}
	for _, bad := range []string{`{"categories":[1]}`, `{"categories":[101,101]}`, `{"categories":[101,102,103,104,105,201]}`, `{"industries":[1]}`, `{"industries":[1,42]}`} {
		if got := do(t, s, control+"accounts/"+sandbox.SeedServiceAppID, bad); got.status != 400 {
			t.Errorf("%s: status %d, want 400", bad, got.status)
		}
	}
}
