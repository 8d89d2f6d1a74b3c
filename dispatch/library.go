package dispatch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// library keeps accounts' templates with their content parsed, and the words that
// stand for them. It is safe for concurrent use.
type library struct {
	store store.Templates

	mu      sync.RWMutex
	known   map[string]map[string]*entry // by AppID, then template_id
	aliases map[string]map[string]string // template_id by AppID, then alias; all of an account's, or it is not there
	changes int                          // calls of forget
	read    map[string]*reading          // the last one because of a template unknown or refused
}

// entry is a template ready to check messages against.
type entry struct {
	hongyan.Template
	content wechat.Content
	params  []string
	rules   wechat.RuleSet
}

// lookup is what find said.
type lookup struct {
	entry *entry
	err   error // NotFound where there is none
}

// serves reports whether messages of kind k are made from the template. A mini
// program's one that was registered by hand is of form_ids or of consents: its
// keys tell.
func (en *entry) serves(k hongyan.MessageKind) bool {
	switch k {
	case hongyan.KindNotice:
		return en.Kind == hongyan.KindNotice
	case hongyan.KindSubscribe:
		return en.Kind == hongyan.KindSubscribe || en.Kind != hongyan.KindNotice && en.rules != wechat.RulesHistorical
	}
	return en.Kind != hongyan.KindNotice && en.Kind != hongyan.KindSubscribe
}

const (
	// syncEvery bounds how often an unknown template makes us ask WeChat.
	syncEvery = 30 * time.Second
	// resyncEvery bounds how often a template that WeChat refused does. Should its
	// list and its refusals disagree, that many messages find out, and no more.
	resyncEvery = 10 * time.Minute
	// retryEvery bounds how often WeChat is asked while it does not answer.
	retryEvery = 2 * time.Second
)

func newLibrary(s store.Templates) *library {
	return &library{store: s, known: make(map[string]map[string]*entry), aliases: make(map[string]map[string]string), read: make(map[string]*reading)}
}

// resolve returns the template_id that name stands for: itself, unless it is an alias.
// An alias wins over a template registered under the same word.
func (l *library) resolve(ctx context.Context, appID, name string) (string, error) {
	if len(name) == hongyan.TemplateIDLen || name == "" {
		return name, nil
	}
	l.mu.RLock()
	aliases, read := l.aliases[appID]
	changes := l.changes
	l.mu.RUnlock()
	if !read {
		all, err := l.store.TemplateAliases(ctx, appID)
		if err != nil {
			return name, fmt.Errorf("load the template aliases of %s: %w", appID, err)
		}
		aliases = make(map[string]string, len(all))
		for _, a := range all {
			aliases[a.Alias] = a.TemplateID
		}
		l.keepAliases(appID, aliases, changes)
	}
	if id, ok := aliases[name]; ok {
		return id, nil
	}
	return name, nil
}

// TemplateID returns the template_id that name stands for, name itself unless it is an
// alias of the account's. Whether there is such a template is not looked at.
func (e *Engine) TemplateID(ctx context.Context, appID, name string) (string, error) {
	return e.library.resolve(ctx, appID, name)
}

// keepAliases remembers what was read, unless something changed since.
func (l *library) keepAliases(appID string, aliases map[string]string, changes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changes == changes {
		l.aliases[appID] = aliases
	}
}

// find returns a template of an account; NotFound when the store has none.
func (l *library) find(ctx context.Context, appID, templateID string) (*entry, error) {
	l.mu.RLock()
	en, changes := l.known[appID][templateID], l.changes
	l.mu.RUnlock()
	if en != nil {
		return en, nil
	}
	t, err := l.store.Template(ctx, appID, templateID)
	if err != nil {
		return nil, err
	}
	content := wechat.ParseContent(t.Content)
	en = &entry{Template: t, content: content, params: content.Params(), rules: wechat.RulesOf(content)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changes != changes {
		return en, nil // what was read may be old already
	}
	if l.known[appID] == nil {
		l.known[appID] = make(map[string]*entry)
	}
	l.known[appID][templateID] = en
	return en, nil
}

// forget drops what is kept of an account's templates and aliases.
func (l *library) forget(appID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes++
	delete(l.known, appID)
	delete(l.aliases, appID)
}

// forgetAll is forget for every account.
func (l *library) forgetAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes++
	clear(l.known)
	clear(l.aliases)
}

// reading is one look at WeChat's list of an account's templates.
type reading struct {
	at   time.Time     // begun
	done chan struct{} // closed when it has ended
	err  error         // what came of it, once it has
}

// begin returns the reading of an account's templates that is under way, or starts
// one if the last was so long ago; nil = it was not. Whoever is told that it is
// theirs reads, and calls end.
func (l *library) begin(appID string, now time.Time, every time.Duration) (r *reading, mine bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := l.read[appID]; last != nil {
		select {
		case <-last.done:
		default:
			return last, false
		}
		if last.err != nil {
			every = retryEvery
		}
		if now.Sub(last.at) < every {
			return last.failed(), false
		}
	}
	r = &reading{at: now, done: make(chan struct{})}
	l.read[appID] = r
	return r, true
}

// failed returns a reading that has ended without success; nil = this one did not.
func (r *reading) failed() *reading {
	if r.err == nil {
		return nil
	}
	return r
}

func (r *reading) end(err error) {
	r.err = err
	close(r.done)
}

// template finds a message's template, asking WeChat when found, which library.find
// said of it, is that it is not known yet. Everybody who names it meanwhile waits for
// the answer. While WeChat cannot be asked, nobody can tell whether there is such a
// template: Unavailable.
func (e *Engine) template(ctx context.Context, a *hongyan.Account, templateID string, found lookup) (*entry, error) {
	en, err := found.entry, found.err
	if err == nil || !hongyan.IsKind(err, hongyan.NotFound) || e.cfg.SyncTemplates == nil || a.Kind == hongyan.MiniProgram {
		return en, err
	}
	r, mine := e.library.begin(a.AppID, e.cfg.Store.Now(), syncEvery)
	if r == nil { // a reading that ended lately, maybe after found was looked up
		return e.library.find(ctx, a.AppID, templateID)
	}
	if mine {
		e.readTemplates(ctx, a.AppID, r, "an unknown one")
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r.err != nil {
		return nil, &hongyan.Error{Kind: hongyan.Unavailable, Code: "templates_unread", Err: r.err,
			Message: fmt.Sprintf("template %q is not known here, and WeChat could not be asked for the templates of %s", clip(templateID), a.AppID)}
	}
	return e.library.find(ctx, a.AppID, templateID)
}

// readTemplates carries a reading out.
func (e *Engine) readTemplates(ctx context.Context, appID string, r *reading, why string) {
	err := e.cfg.SyncTemplates(context.WithoutCancel(ctx), appID) // others wait for it, too
	if err != nil {
		e.log.Warn("sync templates", "because_of", why, "appid", appID, "err", err)
	}
	e.library.forget(appID)
	r.end(err)
}

// resync asks WeChat for an account's templates after it refused one: whatever
// took that one may have taken others (spec §9).
func (e *Engine) resync(a *hongyan.Account) {
	if e.cfg.SyncTemplates == nil || a.Kind == hongyan.MiniProgram {
		return
	}
	if r, mine := e.library.begin(a.AppID, e.cfg.Store.Now(), resyncEvery); mine {
		e.readTemplates(e.sendCtx, a.AppID, r, "a refused one")
	}
}
