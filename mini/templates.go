package mini

import (
	"context"
	"time"

	"hongyan"
	"hongyan/wechat"
)

const (
	// shelfKeep is how long an account's list of subscribe templates is kept: the
	// platform allows few such calls a day (spec §7.2).
	shelfKeep = time.Hour
	// shelfRetry is the pause after WeChat could not be asked for it.
	shelfRetry = 10 * time.Minute
	// shelfTimeout bounds the call: a message may wait for it.
	shelfTimeout = 5 * time.Second
)

// shelf is an account's list of subscribe templates, or the call that fetches it.
type shelf struct {
	at   time.Time
	done chan struct{} // closed when the rest is there
	list []wechat.SubscribeTemplate
	err  error
}

// fresh reports whether the shelf need not be fetched anew at now.
func (s *shelf) fresh(now time.Time) bool {
	select {
	case <-s.done:
	default:
		return true // it is being fetched
	}
	if s.err != nil {
		return now.Sub(s.at) < shelfRetry
	}
	return now.Sub(s.at) < shelfKeep
}

// templates returns the account's subscribe templates, asking WeChat at most once an
// hour; whoever asks meanwhile waits for that answer.
func (k *Keeper) templates(ctx context.Context, a *hongyan.Account) ([]wechat.SubscribeTemplate, error) {
	now := k.cfg.Store.Now()
	k.mu.Lock()
	s := k.shelves[a.AppID]
	mine := s == nil || !s.fresh(now)
	if mine {
		s = &shelf{at: now, done: make(chan struct{})}
		k.shelves[a.AppID] = s
	}
	k.mu.Unlock()
	if mine {
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), shelfTimeout) // others wait for it, too
		defer cancel()
		if s.list, s.err = k.client(a).ListSubscribeTemplates(call); s.err != nil {
			k.log.Info("list subscribe templates", "appid", a.AppID, "err", s.err)
		}
		close(s.done)
	}
	select {
	case <-s.done:
		return s.list, s.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// AccountChanged forgets what is kept of an account's templates.
func (k *Keeper) AccountChanged(appID string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.shelves, appID)
}

// typeOf returns for how long one acceptance of a template is good, as the account's
// templates say or, where they do not, WeChat; 0 = WeChat could not be asked, or does
// not list it.
func (k *Keeper) typeOf(ctx context.Context, a *hongyan.Account, templateID string) wechat.SubscribeTemplateType {
	if t, err := k.cfg.Store.Template(ctx, a.AppID, templateID); err == nil && t.SubscribeType != 0 {
		return wechat.SubscribeTemplateType(t.SubscribeType)
	}
	list, err := k.templates(ctx, a)
	if err != nil {
		return 0
	}
	for i := range list {
		if list[i].PriTmplID == templateID {
			return list[i].Type
		}
	}
	return 0
}
