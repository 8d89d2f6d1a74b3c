package storetest

import (
	"slices"
	"time"

	"hongyan"
	"hongyan/store"
)

var listCases = []testCase{
	{name: "go from the newest to the oldest, page by page", run: listsPages},
	{name: "contain what each filter asks for", bubble: true, run: listsFilters},
	{name: "find what a person pastes", run: listsQuery},
	{name: "of states go page by page across accounts", run: listsStatePages},
	{name: "hold whole messages", run: listsWhole},
}

func (f *fixture) list(filter store.Filter) store.Page {
	f.Helper()
	page, err := f.s.Messages(f.ctx, filter)
	f.must(err)
	return page
}

// walk reads all pages of a filter.
func (f *fixture) walk(filter store.Filter) []string {
	f.Helper()
	all := []string{}
	for {
		page := f.list(filter)
		if len(page.Items) > filter.Limit {
			f.Fatalf("page of %d for a limit of %d", len(page.Items), filter.Limit)
		}
		all = append(all, ids(page.Items)...)
		if page.Next == 0 {
			return all
		}
		filter.Before = page.Next
	}
}

func listsPages(f *fixture) {
	same(f, "empty", f.list(store.Filter{Limit: 3}).Next, int64(0))
	var want []string
	for range 7 {
		want = append(want, f.insert().ID)
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 3, 6, 7, 8, 1000} {
		same(f, "all", f.walk(store.Filter{Limit: limit}), want)
		same(f, "of the account", f.walk(store.Filter{Limit: limit, AppIDs: []string{appA}}), want)
		same(f, "of the user", f.walk(store.Filter{Limit: limit, ToUser: userA}), want)
	}
}

func listsFilters(f *fixture) {
	start := f.s.Now()
	names := map[string]string{}
	add := func(name string, change ...func(*hongyan.Message)) {
		names[f.insert(change...).ID] = name
		time.Sleep(time.Minute)
	}
	add("a0")
	add("a1-tmpl2", func(m *hongyan.Message) { m.TemplateID = "tmpl-2" })
	add("b2", func(m *hongyan.Message) { m.AppID = appB })
	add("a3-other", func(m *hongyan.Message) { m.ToUser = "oOther" })
	add("a4-failed", func(m *hongyan.Message) { m.State = hongyan.Failed })
	add("b5-failed", func(m *hongyan.Message) { m.State, m.AppID = hongyan.Failed, appB })
	for _, c := range []struct {
		name   string
		filter store.Filter
		want   []string
	}{
		{"none", store.Filter{}, []string{"b5-failed", "a4-failed", "a3-other", "b2", "a1-tmpl2", "a0"}},
		{"account", store.Filter{AppIDs: []string{appB}}, []string{"b5-failed", "b2"}},
		{"no account", store.Filter{AppIDs: []string{"wxnone"}}, []string{}},
		{"user", store.Filter{ToUser: "oOther"}, []string{"a3-other"}},
		{"user and account", store.Filter{ToUser: userA, AppIDs: []string{appB}}, []string{"b5-failed", "b2"}},
		{"template", store.Filter{TemplateID: "tmpl-2"}, []string{"a1-tmpl2"}},
		{"template and account", store.Filter{TemplateID: "tmpl-2", AppIDs: []string{appA, appB}}, []string{"a1-tmpl2"}},
		{"state", store.Filter{States: []hongyan.State{hongyan.Failed}}, []string{"b5-failed", "a4-failed"}},
		{"states and account", store.Filter{States: []hongyan.State{hongyan.Failed, hongyan.Queued}, AppIDs: []string{appB}}, []string{"b5-failed", "b2"}},
		{"state of nobody", store.Filter{States: []hongyan.State{hongyan.Delivered}}, []string{}},
		{"user and state", store.Filter{ToUser: userA, States: []hongyan.State{hongyan.Failed}}, []string{"b5-failed", "a4-failed"}},
		{"since", store.Filter{Since: start.Add(4 * time.Minute)}, []string{"b5-failed", "a4-failed"}},
		{"until", store.Filter{Until: start.Add(time.Minute)}, []string{"a0"}},
		{"span of an account", store.Filter{AppIDs: []string{appA}, Since: start.Add(time.Minute), Until: start.Add(4 * time.Minute)}, []string{"a3-other", "a1-tmpl2"}},
	} {
		c.filter.Limit = 2
		got := []string{}
		for _, id := range f.walk(c.filter) {
			got = append(got, names[id])
		}
		same(f, c.name, got, c.want)
	}
}

func listsQuery(f *fixture) {
	f.insert(func(m *hongyan.Message) { m.ToUser = "oNobody" })
	chosen := f.insert(func(m *hongyan.Message) { m.ClientMsgID, m.CallerMsgID, m.ToUser = "order-77", true, "oChosen" })
	sent := f.lease(func(m *hongyan.Message) { m.ToUser = "oSent" })
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(sent, 2101))
	for word, want := range map[string][]string{
		chosen.ID: {chosen.ID}, "order-77": {chosen.ID}, "2101": {sent.ID}, "oSent": {sent.ID},
		"nothing": {}, "0": {}, "order": {},
	} {
		same(f, "query "+word, f.walk(store.Filter{Query: word, Limit: 5}), want)
	}
	same(f, "with another filter", f.walk(store.Filter{Query: "2101", States: []hongyan.State{hongyan.Failed}, Limit: 5}), []string{})
	same(f, "with another account", f.walk(store.Filter{Query: "2101", AppIDs: []string{appB}, Limit: 5}), []string{})
}

func listsStatePages(f *fixture) {
	f.must(f.s.CreateAccount(f.ctx, hongyan.Account{AppID: "wxcccc"}))
	var want []string
	for i := range 30 {
		m := f.insert(func(m *hongyan.Message) {
			m.AppID = []string{appA, appB, "wxcccc"}[i%3]
			m.State = []hongyan.State{hongyan.Failed, hongyan.Queued, hongyan.Expired, hongyan.Failed, hongyan.Undelivered}[i%5]
		})
		if m.State == hongyan.Failed || m.State == hongyan.Undelivered {
			want = append(want, m.ID)
		}
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 4, 50} {
		got := f.walk(store.Filter{States: []hongyan.State{hongyan.Failed, hongyan.Undelivered}, Limit: limit})
		same(f, "problems", got, want)
	}
}

func listsWhole(f *fixture) {
	f.insert(func(m *hongyan.Message) { m.Metadata = []byte(`{"a":1}`) })
	m := f.lease()
	f.finish(store.Settled{Applied: true, State: hongyan.Accepted}, f.accepted(m, 9))
	for _, item := range f.list(store.Filter{Limit: 10}).Items {
		same(f, "item", item, f.get(item.ID))
	}
}
