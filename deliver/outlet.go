package deliver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"hongyan"
	"hongyan/wechat"
)

// outlet is a downstream made ready to be called.
type outlet struct {
	hongyan.Downstream
	target string
	url    *url.URL
	pusher *wechat.Pusher
	err    error // why it cannot be called as it is set up; never with a secret
}

// outlets are an account's, by name.
type outlets struct {
	byName map[string]*outlet
	readAt time.Time
}

// outletsLife is how long an account's downstreams are used before they are read
// again, for changes made through another node.
const outletsLife = 15 * time.Second

// outlet returns the downstream a target names: errGone when there is none.
func (s *Sender) outlet(ctx context.Context, target string) (*outlet, error) {
	appID := accountOf(target)
	all, err := s.outlets(ctx, appID)
	if hongyan.IsKind(err, hongyan.NotFound) {
		return nil, errGone
	}
	if err != nil {
		return nil, err
	}
	if o := all.byName[strings.TrimPrefix(target, appID+"/")]; o != nil {
		return o, nil
	}
	return nil, errGone
}

func (s *Sender) outlets(ctx context.Context, appID string) (*outlets, error) {
	now := s.store.Now()
	s.mu.Lock()
	all, changes := s.accounts[appID], s.changes
	s.mu.Unlock()
	if all != nil && now.Sub(all.readAt) < outletsLife {
		return all, nil
	}
	a, err := s.store.Account(ctx, appID)
	if err != nil {
		return nil, err
	}
	all = &outlets{byName: map[string]*outlet{}, readAt: now}
	for i := range a.Downstreams {
		all.byName[a.Downstreams[i].Name] = newOutlet(&a, &a.Downstreams[i])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changes == changes { // else what was read may be old already
		s.accounts[appID] = all
	}
	return all, nil
}

// newOutlet fills in what the downstream has from its account.
func newOutlet(a *hongyan.Account, d *hongyan.Downstream) *outlet {
	o := &outlet{Downstream: *d, target: d.Target(a.AppID)}
	var urlErr error
	if o.url, urlErr = url.Parse(d.URL); urlErr != nil || o.url.Host == "" {
		o.err = errors.New("its url cannot be read") // the parser's error quotes it
		return o
	}
	cfg := wechat.PusherConfig{AppID: a.AppID, Token: or(d.Token, a.Callback.Token), AESKey: or(d.AESKey, a.Callback.AESKey)}
	if word := or(d.Mode, a.Callback.Mode); word != "" {
		mode, err := wechat.ParseCallbackMode(word)
		if err != nil {
			o.err = err
			return o
		}
		cfg.Mode = mode
	}
	if o.pusher, o.err = wechat.NewPusher(cfg); o.err != nil {
		o.err = fmt.Errorf("not ready to be called: %w", o.err)
	}
	return o
}

func or[T ~string](own, otherwise T) string {
	if own == "" {
		return string(otherwise)
	}
	return string(own)
}

// accountOf returns the AppID in the name of a target.
func accountOf(target string) string {
	appID, _, _ := strings.Cut(target, "/")
	return appID
}
