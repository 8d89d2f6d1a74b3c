package storetest

import (
	"errors"

	"hongyan"
)

var templateCases = []testCase{
	{name: "come back as they were given, by title", run: templatesRoundTrip},
	{name: "are updated by a second put", run: templatesUpdate},
	{name: "are unknown with a code of their own", run: templatesUnknown},
	{name: "keep their policy through a second put", run: templatesPolicy},
	{name: "are counted by status", run: templatesCounted},
	{name: "tell how many messages wait for them", run: templatesHeld},
}

func templatesRoundTrip(f *fixture) {
	second := hongyan.Template{AppID: appA, TemplateID: "t-1", Title: "b", PrimaryIndustry: "IT", DeputyIndustry: "soft", Content: "{{thing1.DATA}}",
		Example: "x", Kind: hongyan.KindSubscribe, Status: "active", SyncedAt: f.s.Now(), SubscribeType: 2, Policy: "split",
		Enums: map[string][]string{"enum1": {"已发货", "已签收"}}}
	first := hongyan.Template{AppID: appA, TemplateID: "t-2", Title: "a", Status: "banned", StatusReason: "rules"}
	f.must(f.s.PutTemplates(f.ctx, []hongyan.Template{second, first, {AppID: appB, TemplateID: "t-1"}}))
	all, err := f.s.Templates(f.ctx, appA)
	f.must(err)
	same(f, "templates", all, []hongyan.Template{first, second})
	one, err := f.s.Template(f.ctx, appA, "t-1")
	f.must(err)
	same(f, "template", one, second)
}

func templatesUpdate(f *fixture) {
	f.must(f.s.PutTemplates(f.ctx, []hongyan.Template{{AppID: appA, TemplateID: "t-1", Title: "a"}}))
	f.must(f.s.PutTemplates(f.ctx, []hongyan.Template{{AppID: appA, TemplateID: "t-1", Title: "b", Status: "active"}}))
	f.must(f.s.SetTemplateStatus(f.ctx, appA, "t-1", "banned", "abuse"))
	one, err := f.s.Template(f.ctx, appA, "t-1")
	f.must(err)
	same(f, "template", one, hongyan.Template{AppID: appA, TemplateID: "t-1", Title: "b", Status: "banned", StatusReason: "abuse"})
	f.must(f.s.DeleteTemplate(f.ctx, appA, "t-1"))
	_, err = f.s.Template(f.ctx, appA, "t-1")
	f.wantKind(err, hongyan.NotFound)
}

func templatesUnknown(f *fixture) {
	_, err := f.s.Template(f.ctx, appA, "nope")
	f.wantKind(err, hongyan.NotFound)
	if e, ok := errors.AsType[*hongyan.Error](err); !ok || e.Code != "unknown_template" {
		f.Fatalf("got %v, want code unknown_template", err)
	}
	f.wantKind(f.s.DeleteTemplate(f.ctx, appA, "nope"), hongyan.NotFound)
	f.wantKind(f.s.SetTemplateStatus(f.ctx, appA, "nope", "active", ""), hongyan.NotFound)
	f.wantKind(f.s.SetTemplatePolicy(f.ctx, appA, "nope", "cut"), hongyan.NotFound)
}

func templatesPolicy(f *fixture) {
	f.must(f.s.PutTemplates(f.ctx, []hongyan.Template{{AppID: appA, TemplateID: "t-1", Title: "a"}}))
	f.must(f.s.SetTemplatePolicy(f.ctx, appA, "t-1", "cut"))
	f.must(f.s.PutTemplates(f.ctx, []hongyan.Template{{AppID: appA, TemplateID: "t-1", Title: "b", Policy: "split"}}))
	one, err := f.s.Template(f.ctx, appA, "t-1")
	f.must(err)
	same(f, "template", one, hongyan.Template{AppID: appA, TemplateID: "t-1", Title: "b", Policy: "cut"})
	f.must(f.s.SetTemplatePolicy(f.ctx, appA, "t-1", ""))
	one, err = f.s.Template(f.ctx, appA, "t-1")
	f.must(err)
	same(f, "policy taken back", one.Policy, hongyan.LengthPolicy(""))
}

func templatesCounted(f *fixture) {
	f.must(f.s.PutTemplates(f.ctx, []hongyan.Template{
		{AppID: appA, TemplateID: "t-1", Status: "active"}, {AppID: appA, TemplateID: "t-2", Status: "active"},
		{AppID: appA, TemplateID: "t-3", Status: "banned"}, {AppID: appB, TemplateID: "t-1", Status: "removed"},
	}))
	counts, err := f.s.TemplateCounts(f.ctx)
	f.must(err)
	same(f, "counts", counts, map[string]map[string]int{appA: {"active": 2, "banned": 1}, appB: {"removed": 1}})
}

func templatesHeld(f *fixture) {
	first := f.insert()
	f.insert()
	f.must(f.s.PutHold(f.ctx, hongyan.Hold{AppID: appA, Reason: hongyan.HoldPaused})) // another matter
	hold := hongyan.Hold{AppID: appA, Reason: hongyan.HoldTemplate, Errcode: 43116}
	if n, err := f.s.HoldTemplate(f.ctx, first.TemplateID, hold, 10); err != nil || n != 2 {
		f.Fatalf("held %d, %v, want 2", n, err)
	}
	held, err := f.s.HeldForTemplates(f.ctx, appA, 10)
	f.must(err)
	same(f, "held", held, map[string]int{first.TemplateID: 2})
	held, err = f.s.HeldForTemplates(f.ctx, appA, 1)
	f.must(err)
	same(f, "held, one looked at", held, map[string]int{first.TemplateID: 1})
	held, err = f.s.HeldForTemplates(f.ctx, appB, 10)
	f.must(err)
	same(f, "held of another account", held, map[string]int{})
	_, err = f.s.ReleaseTemplate(f.ctx, appA, first.TemplateID, hongyan.HoldTemplate, f.s.Now(), 10)
	f.must(err)
	held, err = f.s.HeldForTemplates(f.ctx, appA, 10)
	f.must(err)
	same(f, "held after the release", held, map[string]int{})
}

var aliasCases = []testCase{
	{name: "stand for a template until they are put anew or deleted", run: aliasesLife},
}

func aliasesLife(f *fixture) {
	paid := hongyan.TemplateAlias{AppID: appA, Alias: "order_paid", TemplateID: "t-1", UpdatedAt: f.s.Now()}
	capital := hongyan.TemplateAlias{AppID: appA, Alias: "Order_paid", TemplateID: "t-2", UpdatedAt: f.s.Now()}
	for _, a := range []hongyan.TemplateAlias{paid, capital, {AppID: appB, Alias: "order_paid", TemplateID: "t-9"}} {
		f.must(f.s.PutTemplateAlias(f.ctx, a))
	}
	all, err := f.s.TemplateAliases(f.ctx, appA)
	f.must(err)
	same(f, "aliases", all, []hongyan.TemplateAlias{capital, paid})
	paid.TemplateID = "t-3"
	f.must(f.s.PutTemplateAlias(f.ctx, paid))
	f.must(f.s.DeleteTemplateAlias(f.ctx, appA, capital.Alias))
	all, err = f.s.TemplateAliases(f.ctx, appA)
	f.must(err)
	same(f, "aliases after the changes", all, []hongyan.TemplateAlias{paid})
	err = f.s.DeleteTemplateAlias(f.ctx, appA, capital.Alias)
	f.wantKind(err, hongyan.NotFound)
	if e, ok := errors.AsType[*hongyan.Error](err); !ok || e.Code != "unknown_alias" {
		f.Fatalf("got %v, want code unknown_alias", err)
	}
}
