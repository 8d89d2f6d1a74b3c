package dispatch

import (
	"context"
	"net/http"
	"testing"
	"time"

	"hongyan"
	"hongyan/template"
)

// shelf keeps the templates beside the engine, as package server ties them.
func (d *desk) shelf() *template.Shelf {
	return template.New(template.Config{
		Store: d.store, Tokens: d.tokens, Changed: d.AccountChanged, HTTPClient: &http.Client{Transport: d.wechat},
		Released: func(ctx context.Context, appID, id string) error {
			_, err := d.ReleaseTemplate(ctx, appID, id)
			return err
		},
		Gone: func(ctx context.Context, t *hongyan.Template, why string) error { return d.TemplateGone(ctx, t, why) },
	})
}

// TestARegisteredTemplateLetsGoWhatWasHeldForIt: a mini program's template that
// nobody had registered, until WeChat refused it.
func TestARegisteredTemplateLetsGoWhatWasHeldForIt(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		later := miniOrder()
		later.SendAt = time.Now().Add(time.Minute)
		waiting := d.submit(later)
		d.wechat.say(miniPath, `{"errcode":40037,"errmsg":"template_id not right"}`, 0)
		d.submit(miniOrder())
		d.sleep(time.Second)
		d.want(waiting.ID, hongyan.Held, hongyan.HoldTemplate)
		d.wechat.say(miniPath, `{"errcode":0,"errmsg":"ok"}`, 0)
		_, err := d.shelf().Register(d.Context(), hongyan.Template{AppID: miniID, TemplateID: later.TemplateID, Content: "{{keyword1.DATA}}"})
		d.must(err)
		d.sleep(time.Minute)
		d.want(waiting.ID, hongyan.Accepted, "")
	})
}

// TestATemplateFoundByASyncLetsGoWhatWasHeldForIt: it had been deleted here
// since WeChat refused it, so the sync knows it as a new one.
func TestATemplateFoundByASyncLetsGoWhatWasHeldForIt(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		waiting := d.later()
		d.wechat.say(sendPath, `{"errcode":40037,"errmsg":"invalid template_id"}`, 0)
		d.submit(order())
		d.sleep(time.Second)
		d.want(waiting.ID, hongyan.Held, hongyan.HoldTemplate)
		d.must(d.store.DeleteTemplate(d.Context(), serviceID, typed))
		d.wechat.say(sendPath, taken, 0)
		d.wechat.say("/cgi-bin/template/get_all_private_template", `{"template_list":[{"template_id":"`+typed+`","title":"订单","content":"{{thing2.DATA}}"}]}`, 0)
		_, err := d.shelf().Sync(d.Context(), serviceID)
		d.must(err)
		d.want(waiting.ID, hongyan.Queued, "") // released, and still scheduled
		d.sleep(time.Hour)
		d.want(waiting.ID, hongyan.Accepted, "")
	})
}

// TestARefusedTemplateMakesUsLookAtTheOthers: a change of category deletes many
// at once, and WeChat says so of one.
func TestARefusedTemplateMakesUsLookAtTheOthers(t *testing.T) {
	atDesk(t, nil, func(d *desk) {
		d.stop()
		syncs := 0
		d.sync = func(ctx context.Context, appID string) error {
			syncs++
			_, err := d.shelf().Sync(ctx, appID)
			return err
		}
		d.start()
		d.wechat.say("/cgi-bin/template/get_all_private_template", `{"template_list":[]}`, 0)
		d.wechat.say(sendPath, `{"errcode":40037,"errmsg":"invalid template_id"}`, 0)
		d.submit(order())
		d.submit(order())
		d.sleep(time.Minute)
		if syncs != 1 {
			d.Errorf("syncs: got %d, want 1", syncs)
		}
		r := order()
		r.TemplateID, r.Data = free, Data{"first": {Value: "x"}, "keyword1": {Value: "x"}, "remark": {Value: "x"}}
		d.wantError(submitOne(d.T, d.Engine, r).Err, hongyan.Invalid, "template_removed")
	})
}
