package api

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"hongyan"
	"hongyan/client"
	"hongyan/deliver"
	"hongyan/store"
)

const (
	// keepSecret and maxKeepSecret are how long a replaced secret signs beside the new one.
	keepSecret    = 24 * time.Hour
	maxKeepSecret = 30 * 24 * time.Hour
)

type webhookPath struct {
	ID string `path:"id" doc:"The webhook's id, whk_…, or its name."`
}

func (a *API) createWebhook(ctx context.Context, in *struct{ Body body[client.WebhookRequest] }) (*created[client.NewWebhook], error) {
	want := &in.Body.Value
	w := hongyan.Webhook{ID: hongyan.NewWebhookID(), Name: strings.TrimSpace(want.Name), Kind: hongyan.WebhookKind(cmp.Or(want.Kind, string(hongyan.WebhookStandard))),
		URL: hongyan.Secret(want.URL), Events: want.Events, Language: want.Language}
	var f faults
	if err := a.setWebhookApps(ctx, &w, want.AppIDs, &f); err != nil {
		return nil, err
	}
	secret := hongyan.Secret(want.Secret)
	if secret == "" && !w.Kind.Robot() {
		secret = hongyan.NewWebhookSecret()
	}
	if secret != "" {
		w.Secrets = []hongyan.WebhookSecret{{Secret: secret}}
	}
	setWebhookEvents(&w)
	f = append(f, w.Check()...)
	if err := f.err("invalid_webhook"); err != nil {
		return nil, err
	}
	if all, err := a.cfg.Store.Webhooks(ctx); err != nil || len(all) >= hongyan.MaxWebhooks {
		return nil, cmp.Or(err, error(hongyan.Errorf(hongyan.Conflict, "too_many_webhooks", "there are %d webhooks; at most %d", len(all), hongyan.MaxWebhooks)))
	}
	w.CreatedAt = hongyan.Millis(a.cfg.Store.Now())
	w.UpdatedAt = w.CreatedAt
	if err := a.cfg.Store.CreateWebhook(ctx, w); err != nil {
		return nil, err
	}
	a.webhooksChanged()
	infoOf(ctx).changes(w.ID, "%s %q", w.Kind, w.Name)
	v := client.NewWebhook{Webhook: a.viewWebhook(&w, store.DeliveryCount{})}
	if !w.Kind.Robot() {
		v.Secret = secret.Reveal()
	}
	return &created[client.NewWebhook]{"/v1/webhooks/" + w.ID, v}, nil
}

// setWebhookEvents fills in what a robot is told when nothing else is said.
func setWebhookEvents(w *hongyan.Webhook) {
	if len(w.Events) == 0 && w.Kind.Robot() {
		w.Events = hongyan.AlarmTypes()
	}
}

// setWebhookApps resolves accounts. A key that covers some accounts makes endpoints
// that hear of those alone.
func (a *API) setWebhookApps(ctx context.Context, w *hongyan.Webhook, names []string, f *faults) error {
	w.AppIDs = nil
	caller := infoOf(ctx).caller
	for i, name := range names {
		account, err := a.cfg.Store.Account(ctx, name)
		switch {
		case hongyan.IsKind(err, hongyan.NotFound), err == nil && !caller.Covers(account.AppID):
			f.add("/appids/"+itoa(i), "there is no account %q", clip(name))
		case err != nil:
			return err
		case !slices.Contains(w.AppIDs, account.AppID):
			w.AppIDs = append(w.AppIDs, account.AppID)
		}
	}
	if len(names) == 0 {
		w.AppIDs = caller.AppIDs
	}
	return nil
}

// webhook finds an endpoint, by id or name, that the caller may see: one of whose
// accounts is not covered by the key does not exist for it.
func (a *API) webhook(ctx context.Context, id string) (hongyan.Webhook, error) {
	all, err := a.cfg.Store.Webhooks(ctx)
	if err != nil {
		return hongyan.Webhook{}, err
	}
	for i := range all {
		if (all[i].ID == id || all[i].Name == id) && coversWebhook(ctx, &all[i]) {
			return all[i], nil
		}
	}
	return hongyan.Webhook{}, store.UnknownWebhook(clip(id))
}

func coversWebhook(ctx context.Context, w *hongyan.Webhook) bool {
	caller := infoOf(ctx).caller
	if caller.Everything() {
		return true
	}
	return len(w.AppIDs) > 0 && !slices.ContainsFunc(w.AppIDs, func(appID string) bool { return !caller.Covers(appID) })
}

func (a *API) webhooksChanged() {
	if a.cfg.Herald != nil {
		a.cfg.Herald.WebhooksChanged()
	}
}

func (a *API) listWebhooks(ctx context.Context, _ *none) (*out[client.List[client.Webhook]], error) {
	all, err := a.cfg.Store.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := a.cfg.Store.WebhookCounts(ctx)
	if err != nil {
		return nil, err
	}
	list := client.List[client.Webhook]{Items: make([]client.Webhook, 0, len(all))}
	for i := range all {
		if coversWebhook(ctx, &all[i]) {
			list.Items = append(list.Items, a.viewWebhook(&all[i], counts[all[i].ID]))
		}
	}
	return &out[client.List[client.Webhook]]{list}, nil
}

func (a *API) getWebhook(ctx context.Context, in *webhookPath) (*out[client.Webhook], error) {
	w, err := a.webhook(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return a.shownWebhook(ctx, &w)
}

// shownWebhook answers with an endpoint and how it does.
func (a *API) shownWebhook(ctx context.Context, w *hongyan.Webhook) (*out[client.Webhook], error) {
	counts, err := a.cfg.Store.WebhookCounts(ctx)
	if err != nil {
		return nil, err
	}
	return &out[client.Webhook]{a.viewWebhook(w, counts[w.ID])}, nil
}

// alterWebhook changes an endpoint as it is stored, and shows it.
func (a *API) alterWebhook(ctx context.Context, id string, change func(*hongyan.Webhook) error) (hongyan.Webhook, error) {
	w, err := a.webhook(ctx, id)
	if err != nil {
		return w, err
	}
	if w, err = a.cfg.Store.UpdateWebhook(ctx, w.ID, change); err == nil {
		a.webhooksChanged()
	}
	return w, err
}

type webhookPatchInput struct {
	ID   string `path:"id" doc:"The webhook's id, whk_…, or its name."`
	Body body[client.WebhookPatch]
}

func (a *API) updateWebhook(ctx context.Context, in *webhookPatchInput) (*out[client.Webhook], error) {
	p := &in.Body.Value
	var f faults
	var apps hongyan.Webhook // what the names of accounts lead to, found before the change
	if p.AppIDs != nil {
		if err := a.setWebhookApps(ctx, &apps, *p.AppIDs, &f); err != nil {
			return nil, err
		}
	}
	w, err := a.alterWebhook(ctx, in.ID, func(w *hongyan.Webhook) error {
		broken := slices.Clone(f)
		a.patchWebhook(w, p, apps.AppIDs, &broken)
		broken = append(broken, w.Check()...)
		return broken.err("invalid_webhook")
	})
	if err != nil {
		return nil, err
	}
	return a.shownWebhook(ctx, &w)
}

// patchWebhook changes what p sets.
func (a *API) patchWebhook(w *hongyan.Webhook, p *client.WebhookPatch, appIDs []string, f *faults) {
	set(&w.Name, p.Name)
	set(&w.Language, p.Language)
	if p.URL != nil {
		w.URL = hongyan.Secret(*p.URL)
	}
	if p.Events != nil {
		w.Events = *p.Events
		setWebhookEvents(w)
	}
	if p.AppIDs != nil {
		w.AppIDs = appIDs
	}
	if p.Secret != nil {
		switch {
		case !w.Kind.Robot():
			f.add("/secret", "the secret of a webhook is changed by rotate, so that the old one signs beside it for a while")
		case *p.Secret == "":
			w.Secrets = nil
		default:
			w.Secrets = []hongyan.WebhookSecret{{Secret: hongyan.Secret(*p.Secret)}}
		}
	}
	if p.Disabled != nil {
		switch {
		case !*p.Disabled:
			w.Disabled, w.DisabledAt = "", time.Time{}
		case w.Disabled == "":
			w.Disabled, w.DisabledAt = hongyan.DisabledByOperator, hongyan.Millis(a.cfg.Store.Now())
		}
	}
}

func (a *API) deleteWebhook(ctx context.Context, in *webhookPath) (*none, error) {
	w, err := a.webhook(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	infoOf(ctx).changes(w.ID, "%s %q", w.Kind, w.Name)
	if err := a.cfg.Store.DeleteWebhook(ctx, w.ID); err != nil {
		return nil, err
	}
	a.webhooksChanged()
	return nil, nil
}

type webhookRotateInput struct {
	ID   string `path:"id" doc:"The webhook's id, whk_…, or its name."`
	Body body[client.WebhookRotation]
}

func (a *API) rotateWebhook(ctx context.Context, in *webhookRotateInput) (*out[client.NewWebhook], error) {
	want := &in.Body.Value
	keep := keepSecret
	if want.KeepSeconds != nil {
		keep = time.Duration(*want.KeepSeconds) * time.Second
		if *want.KeepSeconds < 0 || *want.KeepSeconds > int64(maxKeepSecret/time.Second) {
			return nil, badField("invalid_webhook", "/keep_seconds", "%d is not between 0 and %d", *want.KeepSeconds, int64(maxKeepSecret/time.Second))
		}
	}
	secret := cmp.Or(hongyan.Secret(want.Secret), hongyan.NewWebhookSecret())
	w, err := a.alterWebhook(ctx, in.ID, func(w *hongyan.Webhook) error {
		if w.Kind.Robot() {
			return hongyan.Errorf(hongyan.Conflict, "not_rotated", "the secret of a robot is changed where the robot is, and then with PATCH")
		}
		w.Secrets = rotated(w.Secrets, secret, hongyan.Millis(a.cfg.Store.Now()), keep)
		return faults(w.Check()).err("invalid_webhook")
	})
	if err != nil {
		return nil, err
	}
	shown, err := a.shownWebhook(ctx, &w)
	if err != nil {
		return nil, err
	}
	return &out[client.NewWebhook]{client.NewWebhook{Webhook: shown.Body, Secret: secret.Reveal()}}, nil
}

// rotated puts a new secret in front; of the old ones the newest signs on for a while.
func rotated(old []hongyan.WebhookSecret, secret hongyan.Secret, now time.Time, keep time.Duration) []hongyan.WebhookSecret {
	all := []hongyan.WebhookSecret{{Secret: secret}}
	if len(old) == 0 || keep == 0 || old[0].Secret == secret {
		return all
	}
	return append(all, hongyan.WebhookSecret{Secret: old[0].Secret, Until: now.Add(keep)})
}

func (a *API) pauseWebhook(ctx context.Context, in *webhookPath) (*out[client.Webhook], error) {
	return a.steerWebhook(ctx, in.ID, true)
}

func (a *API) resumeWebhook(ctx context.Context, in *webhookPath) (*out[client.Webhook], error) {
	return a.steerWebhook(ctx, in.ID, false)
}

func (a *API) steerWebhook(ctx context.Context, id string, pause bool) (*out[client.Webhook], error) {
	w, err := a.alterWebhook(ctx, id, func(w *hongyan.Webhook) error {
		if w.Disabled != "" && !pause {
			return errWebhookDisabled(w, "Use it again first: hongyan webhook set "+w.Name+` --enable, or PATCH with {"disabled":false}.`)
		}
		w.Paused = pause
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a.shownWebhook(ctx, &w)
}

func errWebhookDisabled(w *hongyan.Webhook, hint string) error {
	return &hongyan.Error{Kind: hongyan.Conflict, Code: "webhook_disabled", Message: "the webhook is disabled: " + w.Disabled, Hint: hint}
}

// errNoHerald: the gateway tells nobody anything; tests alone are such.
var errNoHerald = &hongyan.Error{Kind: hongyan.Unavailable, Message: "this gateway sends no events at the moment"}

func (a *API) testWebhook(ctx context.Context, in *webhookPath) (*out[client.WebhookTrial], error) {
	w, err := a.webhook(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if a.cfg.Herald == nil {
		return nil, errNoHerald
	}
	t := a.cfg.Herald.Try(ctx, &w)
	v := client.WebhookTrial{OK: t.Error == "", EventID: t.EventID, Answer: t.Answer, Error: t.Error, TookMS: t.Took.Milliseconds(), Request: client.WebhookCall(t.Request)}
	if t.Status != 0 {
		v.Status = &t.Status
	}
	return &out[client.WebhookTrial]{v}, nil
}

type redeliverInput struct {
	ID   string `path:"id" doc:"The webhook's id, whk_…, or its name."`
	Body body[client.Redelivery]
}

func (a *API) redeliverWebhook(ctx context.Context, in *redeliverInput) (*out[client.Replayed], error) {
	w, err := a.webhook(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if w.Disabled != "" {
		return nil, errWebhookDisabled(&w, `Use it again first: PATCH with {"disabled":false}.`)
	}
	r, err := redelivery(&in.Body.Value)
	if err != nil {
		return nil, err
	}
	if a.cfg.Herald == nil {
		return nil, errNoHerald
	}
	r.WebhookID = w.ID
	n, err := a.cfg.Herald.Redeliver(ctx, r)
	if err != nil {
		return nil, err
	}
	return &out[client.Replayed]{client.Replayed{Count: n}}, nil
}

func redelivery(want *client.Redelivery) (r store.Redelivery, err error) {
	var f faults
	checkNewsTypes("/type", want.Types, &f)
	r.Types, r.From, r.Until = want.Types, want.Since.Or().UTC(), want.Until.Or().UTC()
	if want.Until != nil && !r.Until.After(r.From) {
		f.add("/until", "%s is not after since, %s", want.Until, want.Since)
	}
	for i, word := range want.States {
		states, err := parseDeliveryStates(word)
		if err != nil || len(states) != 1 {
			f.add("/state/"+itoa(i), "%q is not one of pending, delivered, gave_up", clip(word))
			continue
		}
		r.States = append(r.States, states[0])
	}
	return r, f.err("invalid_redelivery")
}

// checkNewsTypes names the words that are no types; those of a query have one place.
func checkNewsTypes(pointer string, words []string, f *faults) {
	for i, word := range words {
		at := pointer
		if !strings.HasPrefix(pointer, "/query/") {
			at += "/" + itoa(i)
		}
		if rule := hongyan.NewsTypeFault(word); rule != "" {
			f.add(at, "%s", rule)
		}
	}
}

func (a *API) viewWebhook(w *hongyan.Webhook, n store.DeliveryCount) client.Webhook {
	v := client.Webhook{
		ID: w.ID, Name: w.Name, Kind: string(w.Kind), URL: w.ShownURL(), Events: append([]string{}, w.Events...), AppIDs: append([]string{}, w.AppIDs...),
		Language: w.Language, Paused: w.Paused, Disabled: w.Disabled != "", DisabledReason: w.Disabled, DisabledReasonZH: w.DisabledZH(), DisabledAt: client.At(w.DisabledAt),
		Secrets: []client.WebhookSecret{}, Pending: n.Pending, Delivered: n.Done, GaveUp: n.GaveUp, OldestPendingAt: client.At(n.Oldest), LastError: n.Error,
		CreatedAt: client.Time{Time: w.CreatedAt}, UpdatedAt: client.Time{Time: w.UpdatedAt},
	}
	now := a.cfg.Store.Now()
	for _, s := range w.Secrets {
		if s.Until.IsZero() || now.Before(s.Until) {
			v.Secrets = append(v.Secrets, client.WebhookSecret{Hint: secretHint(s.Secret), Until: client.At(s.Until)})
		}
	}
	return v
}

// secretHint is enough of a secret to tell it from another, and too little to use it.
func secretHint(s hongyan.Secret) string {
	text := s.Reveal()
	if rest, ok := strings.CutPrefix(text, hongyan.WebhookSecretPrefix); ok {
		return hongyan.WebhookSecretPrefix + rest[:min(4, len(rest))] + "…"
	}
	return text[:min(3, len(text))] + "…"
}

type webhookDeliveryList struct {
	ID     string `path:"id" doc:"The webhook's id, whk_…, or its name."`
	Type   string `query:"type" doc:"Types of event, such as message.delivered or message.*; several with commas."`
	State  string `query:"state" doc:"pending, delivered, gave_up; several with commas."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

func (a *API) listWebhookDeliveries(ctx context.Context, in *webhookDeliveryList) (*out[client.List[client.WebhookDelivery]], error) {
	w, err := a.webhook(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	f := store.WebhookDeliveryFilter{WebhookID: w.ID, Limit: in.Limit, Types: splitWords(in.Type)}
	var broken faults
	checkNewsTypes("/query/type", f.Types, &broken)
	if err := broken.err("bad_parameter"); err != nil {
		return nil, err
	}
	if f.States, err = parseDeliveryStates(in.State); err != nil {
		return nil, err
	}
	if f.Before, err = readCursor("w", in.Cursor); err != nil {
		return nil, err
	}
	found, err := a.cfg.Store.WebhookDeliveries(ctx, f)
	if err != nil {
		return nil, err
	}
	list := client.List[client.WebhookDelivery]{Items: make([]client.WebhookDelivery, 0, len(found))}
	for i := range found {
		list.Items = append(list.Items, viewWebhookDelivery(ctx, &found[i]))
	}
	if len(found) == in.Limit {
		list.NextCursor = cursorFor("w", found[len(found)-1].WebhookDelivery.ID)
	}
	return &out[client.List[client.WebhookDelivery]]{list}, nil
}

// splitWords reads words separated by commas; nil for none.
func splitWords(text string) (words []string) {
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}

type webhookDeliveryPath struct {
	ID       string `path:"id" doc:"The webhook's id, whk_…, or its name."`
	Delivery int64  `path:"delivery" minimum:"1" doc:"The delivery's id."`
}

func (a *API) getWebhookDelivery(ctx context.Context, in *webhookDeliveryPath) (*out[client.WebhookDelivery], error) {
	w, err := a.webhook(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	found, err := a.cfg.Store.WebhookDeliveries(ctx, store.WebhookDeliveryFilter{ID: in.Delivery, WebhookID: w.ID, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, hongyan.Errorf(hongyan.NotFound, "unknown_delivery", "webhook %s has no delivery %d", w.ID, in.Delivery)
	}
	v := viewWebhookDelivery(ctx, &found[0])
	if masks(ctx) {
		maskNews(&found[0].News)
	}
	call := client.WebhookCall(deliver.ShowRequest(&w, &found[0]))
	v.Request = &call
	v.History = viewHistory(ctx, found[0].History)
	return &out[client.WebhookDelivery]{v}, nil
}

func viewWebhookDelivery(ctx context.Context, c *store.ClaimedNews) client.WebhookDelivery {
	d := &c.WebhookDelivery
	v := client.WebhookDelivery{
		ID: id64(d.ID), WebhookID: d.WebhookID, EventID: c.News.EventID(), Type: d.Type, AppID: d.AppID, State: d.State.String(),
		Attempts: d.Attempts, LastAt: client.At(d.LastAt), LastError: d.LastError, LastTookMS: d.LastTook.Milliseconds(), Answer: d.LastAnswer,
		CreatedAt: client.Time{Time: d.CreatedAt}, EndedAt: client.At(d.EndedAt), LastStatus: httpStatus(d.LastStatus),
	}
	if c.News.MessageID != "" {
		v.MessageID = &c.News.MessageID
	}
	if masks(ctx) {
		v.Answer = maskText(v.Answer) // endpoints may echo what they were told
	}
	if d.State == hongyan.DeliveryPending {
		v.DueAt = client.At(d.DueAt)
	}
	return v
}

func viewHistory(ctx context.Context, all []hongyan.WebhookAttempt) (views []client.WebhookAttempt) {
	hide := masks(ctx)
	for _, a := range all {
		v := client.WebhookAttempt{At: client.Time{Time: a.At}, Status: httpStatus(a.Status), Error: a.Error, Answer: a.Answer, TookMS: a.Took.Milliseconds()}
		if hide {
			v.Answer = maskText(v.Answer)
		}
		views = append(views, v)
	}
	return views
}

// httpStatus is a status on the wire: null when there was no answer.
func httpStatus(status int) *int {
	if status == 0 {
		return nil
	}
	return &status
}

// maxTimeline is how many events of one message are shown beside it.
const maxTimeline = 200

// webhooksOf tells which endpoints heard of a message, oldest first.
func (a *API) webhooksOf(ctx context.Context, m *hongyan.Message) ([]client.MessageWebhook, error) {
	found, err := a.cfg.Store.WebhookDeliveries(ctx, store.WebhookDeliveryFilter{MessageSeq: m.Seq, Limit: maxTimeline})
	if err != nil {
		return nil, err
	}
	var all []client.MessageWebhook
	for i := len(found) - 1; i >= 0; i-- {
		d := &found[i].WebhookDelivery
		all = append(all, client.MessageWebhook{
			DeliveryID: id64(d.ID), WebhookID: d.WebhookID, EventID: found[i].News.EventID(), Type: d.Type, State: d.State.String(), Attempts: d.Attempts,
			LastStatus: httpStatus(d.LastStatus), LastError: d.LastError, At: client.Time{Time: found[i].News.At}, EndedAt: client.At(d.EndedAt),
		})
	}
	return all, nil
}
