package dispatch

import (
	"errors"
	"time"

	"hongyan"
	"hongyan/wechat"
)

// startProbes makes one harmless call for every stream whose gate closed for
// lack of answers and has waited long enough. Probing with
// get_api_domain_ip instead of a message keeps an outage from making more
// doubt (spec §2.11).
func (e *Engine) startProbes(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping {
		return
	}
	for _, s := range e.order {
		if s.account.stoppedBy(s.key.kind, now) != nil {
			continue // nothing may leave, whatever the answer
		}
		if !s.needProbe || s.probing || now.Before(s.gateUntil) || !s.backlog && s.nextDue.IsZero() {
			continue
		}
		s.probing = true
		e.workers.Go(func() { e.probe(s) })
	}
}

// probe opens the stream half, at one call at a time, when WeChat answers at all.
func (e *Engine) probe(s *stream) {
	answered, asked := false, false
	token, err := e.cfg.Tokens.AccessToken(e.sendCtx, s.key.appID)
	if err == nil {
		_, err = s.account.settings().client.Do(e.sendCtx, wechat.Call{Endpoint: wechat.EndpointAPIDomainIP, AccessToken: token})
		answered, asked = wechat.OutcomeOf(err) == wechat.OutcomeAnswered, true
	}
	now := e.cfg.Store.Now()
	e.mu.Lock()
	s.probing = false
	if answered {
		s.needProbe, s.failures, s.limit = false, s.patience()-1, 1
	} else {
		s.needProbe = true // a resume during the call took it for over
		s.failures++
		s.closeGate(now.Add(gateWait(s.failures)), hongyan.HoldUnreachable)
	}
	until := s.gateUntil
	e.mu.Unlock()
	if te, ok := errors.AsType[*hongyan.TokenError](err); ok && !asked {
		e.showTokenlessProbe(s, te)
	} else {
		e.showOutage(s, answered, until)
	}
	e.poke()
}

// showTokenlessProbe says what is in the way of a probe that was never made: no
// token, and that says nothing of the network.
func (e *Engine) showTokenlessProbe(s *stream, te *hongyan.TokenError) {
	err := e.clearHold(e.sendCtx, s.account, s.key.kind, hongyan.HoldUnreachable)
	if err == nil && te.Stopped {
		err = e.readHolds(e.sendCtx, s.account) // somebody else wrote one
	} else if err == nil {
		err = e.showTokenTrouble(e.sendCtx, s.account, te)
	}
	if err != nil && e.sendCtx.Err() == nil {
		e.log.Error("show what is in the way of a probe", "appid", s.key.appID, "err", err)
	}
}

// outageShown is how long a hold for an outage outlives the wait before the next
// probe: as long as that may take, so that it does not end and begin anew each time.
const outageShown = time.Minute

// showOutage makes an outage visible as a hold with a short life, and takes it
// away when WeChat answers again.
func (e *Engine) showOutage(s *stream, answered bool, until time.Time) {
	var err error
	if answered {
		err = e.clearHold(e.sendCtx, s.account, s.key.kind, hongyan.HoldUnreachable)
	} else if e.sendCtx.Err() == nil {
		err = e.addHold(e.sendCtx, s.account, hongyan.Hold{
			Kind: s.key.kind, Reason: hongyan.HoldUnreachable, Until: until.Add(outageShown),
			Release: "WeChat answering again; asked every half minute at least", Detail: "WeChat does not answer",
		})
	}
	if err != nil && e.sendCtx.Err() == nil {
		e.log.Error("show outage", "appid", s.key.appID, "err", err)
	}
}
