package mini_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongyan"
	"hongyan/mini"
	"hongyan/sandbox"
	"hongyan/wechat"
)

func TestAnOldTemplateFindsItsSuccessors(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		c, err := w.keeper.Convert(t.Context(), w.account(), mini.Old{
			Title:   "取餐提醒",
			Content: "取餐号码：{{keyword1.DATA}}\n取餐门店：{{keyword2.DATA}}\n下单时间：{{keyword3.DATA}}\n备注：{{keyword4.DATA}}",
			Example: "取餐号码：27\n取餐门店：人民路店\n下单时间：2026年11月20日 10:15\n备注：请凭取餐号在人民路店的前台窗口取餐，谢谢您的惠顾",
		})
		w.must(err)
		var types []string
		for _, l := range c.Lines {
			types = append(types, l.Keyword+" "+l.Name+" "+l.Type)
		}
		want := []string{"keyword1 取餐号码 character_string", "keyword2 取餐门店 thing", "keyword3 下单时间 time", "keyword4 备注 thing"}
		if diff := cmp.Diff(want, types); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
		if !strings.Contains(c.Lines[3].Note, "20 characters") {
			t.Errorf("note on a long example: %q", c.Lines[3].Note)
		}
		if len(c.Held) == 0 {
			t.Fatalf("no held template fits: %+v", c)
		}
		held := c.Held[0]
		if held.TemplateID != pickup || held.Fits < 0.5 || held.Fits > 1 {
			t.Errorf("best held template %s, fits %f", held.TemplateID, held.Fits)
		}
		mapping := map[string]string{"keyword1": "character_string1", "keyword2": "thing2", "keyword3": "time3"}
		sample := map[string]string{"character_string1": "27", "thing2": "人民路店", "time3": "2026年11月20日 10:15"}
		if diff := cmp.Diff([]any{mapping, sample, []string{"keyword4"}, []string(nil)}, []any{held.Mapping, held.Sample, held.Unmapped, held.Missing}); diff != "" {
			t.Errorf("best held template (-want +got):\n%s", diff)
		}
		w.librarySuccessor(&c)
	})
}

// librarySuccessor adds the best template of the library as proposed, and sends its sample.
func (w *world) librarySuccessor(c *mini.Conversion) {
	w.t.Helper()
	if len(c.Library) == 0 {
		w.t.Fatalf("the library has nothing: %v", c.Notes)
	}
	best := c.Library[0]
	if best.TID == 0 || best.TemplateID != "" || len(best.KIDs) < 2 || len(best.KIDs) > 5 || len(best.Mapping) != len(best.KIDs) {
		w.t.Fatalf("best of the library: %+v", best)
	}
	client := w.client()
	id, err := client.AddSubscribeTemplate(w.t.Context(), wechat.AddSubscribeTemplateRequest{TID: best.TID, KIDList: best.KIDs, SceneDesc: "转换"})
	w.must(err)
	held, err := client.ListSubscribeTemplates(w.t.Context())
	w.must(err)
	i := slices.IndexFunc(held, func(t wechat.SubscribeTemplate) bool { return t.PriTmplID == id })
	keys := wechat.ParseContent(held[i].Content).Params()
	for _, key := range best.Mapping {
		if !slices.Contains(keys, key) {
			w.t.Errorf("the mapping names %s; the template has %v", key, keys)
		}
	}
	user := sandbox.OpenID("", 1)
	w.must(w.box.Sandbox.Consent(miniID, user, []sandbox.ConsentAnswer{{TemplateID: id, Accept: true}}, 0))
	r := order(user)
	r.TemplateID, r.Data = id, wechat.Data{}
	for key, value := range best.Sample {
		r.Data[key] = wechat.Field{Value: value}
	}
	done := w.submit(r)
	w.must(done.Err)
	w.sleep(5e9)
	m, err := w.store.Message(w.t.Context(), done.Message.ID)
	w.must(err)
	if m.State != hongyan.Delivered {
		w.t.Errorf("the sample of %q: %s, errcode %d %s", best.Title, m.State, m.Last.Errcode, m.Last.Errmsg)
	}
}

func TestWhatCannotBeLookedUpIsSaid(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.box.Sandbox.AddFault(sandbox.Fault{Path: "/wxaapi/newtmpl/gettemplate", ErrCode: 45009})
		w.box.Sandbox.AddFault(sandbox.Fault{Path: "/wxaapi/newtmpl/getcategory", ErrCode: 200100})
		c, err := w.keeper.Convert(t.Context(), w.account(), mini.Old{Title: "预约成功通知", Content: "预约项目：{{keyword1.DATA}}\n时间：{{keyword2.DATA}}\na：{{keyword3.DATA}}\nb：{{keyword4.DATA}}\nc：{{keyword5.DATA}}\nd：{{keyword6.DATA}}"})
		w.must(err)
		if len(c.Lines) != 6 || len(c.Held)+len(c.Library) != 0 || len(c.Notes) != 3 {
			t.Errorf("conversion %+v", c)
		}
		for i, word := range []string{"at most 5", "45009", "200100"} {
			if !strings.Contains(c.Notes[i], word) {
				t.Errorf("note %q, want %s in it", c.Notes[i], word)
			}
		}
		_, err = w.keeper.Convert(t.Context(), w.account(), mini.Old{Content: "没有参数"})
		if !hongyan.IsKind(err, hongyan.Invalid) {
			t.Errorf("a content without keys: %v", err)
		}
	})
}
