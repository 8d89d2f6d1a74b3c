package template

import (
	"context"
	"errors"
	"fmt"

	"hongyan"
	"hongyan/wechat"
)

// Sync reads the account's templates from WeChat (get_all_private_template).
// Nothing is deleted here: messages refer to templates, so one that WeChat no
// longer lists is marked removed and its messages are held. Being listed does not mean
// that a banned template may be sent: it stays banned. Errors of WeChat are *wechat.Error.
//
// The templates of subscription notices have a list of their own, which WeChat lets be
// read few times a day (spec §7.2): it is left to SyncAll.
func (s *Shelf) Sync(ctx context.Context, appID string) (Changes, error) {
	a, err := s.cfg.Store.Account(ctx, appID)
	if err != nil {
		return Changes{}, err
	}
	if a.Kind == hongyan.MiniProgram {
		return Changes{}, errByHand
	}
	p, err := s.readTemplates(ctx, &a, false)
	if err != nil {
		return Changes{}, err
	}
	return p.Changes, s.carryOut(ctx, &a, p)
}

// SyncAll is an operator's sync. It reads both lists, that of template messages and that of
// subscribe messages and notices, of a mini program the second alone: what was registered
// by hand is left as it is. Bans are lifted, because the operator may have settled them with
// WeChat; one that stands comes back with the next refusal. With dryRun it says what it
// would do, and does nothing.
func (s *Shelf) SyncAll(ctx context.Context, appID string, dryRun bool) (Changes, error) {
	a, err := s.cfg.Store.Account(ctx, appID)
	if err != nil {
		return Changes{}, err
	}
	p, err := s.readAll(ctx, &a)
	if err != nil {
		return Changes{}, err
	}
	if err := s.nameAliases(ctx, &a, p.Differences); err != nil {
		return Changes{}, err
	}
	if p.DryRun = dryRun; dryRun {
		return p.Changes, nil
	}
	return p.Changes, s.carryOut(ctx, &a, p)
}

// readAll compares every list of the account. A service account may have no notices: that
// their list cannot be had spoils nothing.
func (s *Shelf) readAll(ctx context.Context, a *hongyan.Account) (plan, error) {
	if a.Kind == hongyan.MiniProgram {
		return s.readSubscribe(ctx, a)
	}
	p, err := s.readTemplates(ctx, a, true)
	if err != nil || a.Kind != hongyan.ServiceAccount {
		return p, err
	}
	notices, err := s.readSubscribe(ctx, a)
	if said, ok := errors.AsType[*wechat.Error](err); ok {
		p.Unread = fmt.Sprintf("the templates of subscription notices could not be read: errcode %d, %s", said.Code, said.Msg)
		return p, nil
	}
	p.more(notices)
	return p, err
}

func (s *Shelf) readTemplates(ctx context.Context, a *hongyan.Account, liftBans bool) (plan, error) {
	theirs, err := s.client(a).ListTemplates(ctx)
	if err != nil {
		return plan{}, fmt.Errorf("list templates of %s: %w", a.AppID, err)
	}
	ours, err := s.known(ctx, a, func(k hongyan.MessageKind) bool { return k != subscribeKind(a) })
	if err != nil {
		return plan{}, err
	}
	return compare(ours, listed(a, theirs, s.now()), liftBans), nil
}

func (s *Shelf) readSubscribe(ctx context.Context, a *hongyan.Account) (plan, error) {
	theirs, err := s.client(a).ListSubscribeTemplates(ctx)
	if err != nil {
		return plan{}, fmt.Errorf("list subscribe templates of %s: %w", a.AppID, err)
	}
	of := listedSubscribe(a, theirs, s.now())
	ours, err := s.known(ctx, a, func(hongyan.MessageKind) bool { return true })
	if err != nil {
		return plan{}, err
	}
	return compare(subscribeOnes(a, ours, of), of, true), nil
}

// subscribeOnes keeps of ours what is compared with WeChat's list of subscribe templates:
// those that came from it, and those that were registered by hand and are on it now.
func subscribeOnes(a *hongyan.Account, ours, theirs []hongyan.Template) []hongyan.Template {
	there := make(map[string]bool, len(theirs))
	for i := range theirs {
		there[theirs[i].TemplateID] = true
	}
	var kept []hongyan.Template
	for i := range ours {
		if ours[i].Kind == subscribeKind(a) || there[ours[i].TemplateID] {
			kept = append(kept, ours[i])
		}
	}
	return kept
}

// known are the account's templates whose kind is wanted.
func (s *Shelf) known(ctx context.Context, a *hongyan.Account, want func(hongyan.MessageKind) bool) ([]hongyan.Template, error) {
	all, err := s.cfg.Store.Templates(ctx, a.AppID)
	if err != nil {
		return nil, fmt.Errorf("load templates of %s: %w", a.AppID, err)
	}
	kept := all[:0]
	for _, t := range all {
		if want(t.Kind) {
			kept = append(kept, t)
		}
	}
	return kept, nil
}

// carryOut stores what a sync found, holds what must wait now, and lets go what need not.
func (s *Shelf) carryOut(ctx context.Context, a *hongyan.Account, p plan) error {
	if err := s.cfg.Store.PutTemplates(ctx, p.put); err != nil {
		return fmt.Errorf("store templates of %s: %w", a.AppID, err)
	}
	for i := range p.gone {
		t := &p.gone[i]
		if err := s.cfg.Store.SetTemplateStatus(ctx, a.AppID, t.TemplateID, t.Status, t.StatusReason); err != nil {
			return err
		}
	}
	s.cfg.Changed(a.AppID)
	if s.cfg.Gone != nil {
		for i := range p.gone {
			if err := s.cfg.Gone(ctx, &p.gone[i], p.gone[i].StatusReason); err != nil {
				return fmt.Errorf("hold messages of template %s: %w", p.gone[i].TemplateID, err)
			}
		}
	}
	return s.release(ctx, a.AppID, append(p.revived, p.Added...))
}

func (s *Shelf) nameAliases(ctx context.Context, a *hongyan.Account, all []Difference) error {
	aliases, err := s.cfg.Store.TemplateAliases(ctx, a.AppID)
	if err != nil {
		return fmt.Errorf("load template aliases of %s: %w", a.AppID, err)
	}
	for i := range all {
		all[i].Aliases = aliasesOf(aliases, all[i].TemplateID)
	}
	return nil
}
