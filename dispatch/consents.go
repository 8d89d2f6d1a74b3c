package dispatch

import (
	"context"
	"fmt"

	"hongyan"
	"hongyan/wechat"
)

// consented reports whether messages of a kind need the user's consent.
func consented(k hongyan.MessageKind) bool {
	return k == hongyan.KindSubscribe || k == hongyan.KindNotice
}

// mayReceive asks whether the user has a send left, where the account wants that
// looked at.
func (e *Engine) mayReceive(ctx context.Context, a *hongyan.Account, m *hongyan.Message) (warning string, err error) {
	if e.cfg.Consents == nil || !consented(m.Kind) || a.Mini.Check() == hongyan.ConsentCheckOff {
		return "", nil
	}
	return e.cfg.Consents.May(ctx, a, m)
}

// noteConsent tells the ledger when WeChat said that the user has none left (43101).
func (e *Engine) noteConsent(ctx context.Context, m *hongyan.Message, o *outcome) error {
	if e.cfg.Consents == nil || !consented(m.Kind) || len(o.attempts) == 0 {
		return nil
	}
	last := &o.attempts[len(o.attempts)-1]
	if last.Outcome != hongyan.Answered || wechat.Code(last.Errcode) != wechat.CodeUserRefused {
		return nil
	}
	if err := e.cfg.Consents.Refused(ctx, m, last.StartedAt); err != nil {
		return fmt.Errorf("note that a user has no consent left: %w", err)
	}
	return nil
}
