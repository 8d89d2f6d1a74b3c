package dispatch

import (
	"context"
	"sync"
	"time"

	"hongyan"
	"hongyan/store"
	"hongyan/wechat"
)

// library keeps accounts' templates with their content parsed. It is safe for
// concurrent use.
type library struct {
	store store.Templates

	mu      sync.RWMutex
	known   map[string]map[string]*entry // by AppID, then template_id
	changes int                          // calls of forget
	synced  map[string]time.Time         // last sync asked for because of a template unknown or refused
}

// entry is a template ready to check messages against.
type entry struct {
	hongyan.Template
	content wechat.Content
	params  []string
	rules   wechat.RuleSet
}

const (
	// syncEvery bounds how often an unknown template makes us ask WeChat.
	syncEvery = 30 * time.Second
	// resyncEvery bounds how often a template that WeChat refused does. Should its
	// list and its refusals disagree, that many messages find out, and no more.
	resyncEvery = 10 * time.Minute
)

func newLibrary(s store.Templates) *library {
	return &library{store: s, known: make(map[string]map[string]*entry), synced: make(map[string]time.Time)}
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

// forget drops what is kept of an account's templates.
func (l *library) forget(appID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes++
	delete(l.known, appID)
}

// maySync reports whether WeChat may be asked for the account's templates now,
// the last time being so long ago, and takes note of it.
func (l *library) maySync(appID string, now time.Time, every time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, ok := l.synced[appID]; ok && now.Sub(last) < every {
		return false
	}
	l.synced[appID] = now
	return true
}

// template finds a message's template, asking WeChat when it is not known yet.
func (e *Engine) template(ctx context.Context, a *hongyan.Account, templateID string) (*entry, error) {
	en, err := e.library.find(ctx, a.AppID, templateID)
	if err == nil || !hongyan.IsKind(err, hongyan.NotFound) {
		return en, err
	}
	if e.cfg.SyncTemplates == nil || a.Kind == hongyan.MiniProgram || !e.library.maySync(a.AppID, e.cfg.Store.Now(), syncEvery) {
		return nil, err
	}
	if syncErr := e.cfg.SyncTemplates(ctx, a.AppID); syncErr != nil {
		e.log.Warn("sync templates for an unknown one", "appid", a.AppID, "err", syncErr)
		return nil, err
	}
	e.library.forget(a.AppID)
	return e.library.find(ctx, a.AppID, templateID)
}

// resync asks WeChat for an account's templates after it refused one: whatever
// took that one may have taken others (spec §9).
func (e *Engine) resync(a *hongyan.Account) {
	if e.cfg.SyncTemplates == nil || a.Kind == hongyan.MiniProgram || !e.library.maySync(a.AppID, e.cfg.Store.Now(), resyncEvery) {
		return
	}
	if err := e.cfg.SyncTemplates(e.sendCtx, a.AppID); err != nil {
		e.log.Warn("sync templates after one was refused", "appid", a.AppID, "err", err)
	}
	e.library.forget(a.AppID)
}
