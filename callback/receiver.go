package callback

import (
	"context"
	"time"

	"hongyan"
	"hongyan/wechat"
)

// receiver opens an account's pushes, and knows whom they are handed on to.
type receiver struct {
	*wechat.Receiver // nil when unfit
	appID            string
	account          hongyan.Account
	unfit            error // why the account can receive nothing as it is set up
	readAt           time.Time
}

// receiverLife is how long a receiver is used before the account is read again,
// for changes made through another node.
const receiverLife = 15 * time.Second

// receiver returns the receiver of an account, by AppID or alias: NotFound when
// there is none, Conflict when its callback is not set up.
func (c *Callback) receiver(ctx context.Context, name string) (*receiver, error) {
	rec, err := c.known(ctx, name)
	if err == nil && rec.unfit != nil {
		return nil, &hongyan.Error{Kind: hongyan.Conflict, Code: "callback_not_configured", Message: "callback of " + rec.appID, Err: rec.unfit}
	}
	return rec, err
}

// known is receiver for those, too, whose callback is not set up. Only known accounts
// are kept, or strangers could fill the memory with names.
func (c *Callback) known(ctx context.Context, name string) (*receiver, error) {
	now := c.store.Now()
	c.mu.RLock()
	rec, changes := c.receivers[name], c.changes
	c.mu.RUnlock()
	if rec != nil && now.Sub(rec.readAt) < receiverLife {
		return rec, nil
	}
	acct, err := c.store.Account(ctx, name)
	if err != nil {
		return nil, err
	}
	rec = &receiver{appID: acct.AppID, account: acct, readAt: now}
	rec.Receiver, rec.unfit = newReceiver(acct)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes { // else what was read may be old already
		c.receivers[name] = rec
	}
	return rec, nil
}

func newReceiver(acct hongyan.Account) (*wechat.Receiver, error) {
	cfg := wechat.ReceiverConfig{
		AppID:  acct.AppID,
		Tokens: present(acct.Callback.Token, acct.Callback.PreviousToken),
	}
	if acct.Callback.Mode != "" {
		mode, err := wechat.ParseCallbackMode(acct.Callback.Mode)
		if err != nil {
			return nil, err
		}
		cfg.Mode = mode
	}
	if cfg.Mode != wechat.ModePlain {
		cfg.AESKeys = present(acct.Callback.AESKey, acct.Callback.PreviousAESKey)
	}
	return wechat.NewReceiver(cfg)
}

// present returns the secrets that are set.
func present(secrets ...hongyan.Secret) []string {
	var set []string
	for _, s := range secrets {
		if s != "" {
			set = append(set, s.Reveal())
		}
	}
	return set
}

// AccountChanged forgets an account's receivers: call it after the account was
// created, changed or deleted.
func (c *Callback) AccountChanged(appID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	for name, rec := range c.receivers {
		if rec.appID == appID {
			delete(c.receivers, name)
		}
	}
}
