package sandbox

import (
	"strings"

	"hongyan/wechat"
)

// Fates that the five characters after an openid's "o" choose (design §3.5).
const (
	fateBlock     = "BLOCK" // has refused the account's messages: the event says user block
	fateSysFail   = "SYSFL" // the event says system failed
	fateFreqLimit = "FREQL" // the event says freq limit
	fateNoFollow  = "NOFOL" // 43004
	fateBadID     = "BADID" // 40003
	fateFrozen    = "FROZE" // 50002
	fateNoEvent   = "NOEVT" // shown to the user, but no event comes
	fateNoSub     = "NOSUB" // 43101 to subscribe messages
)

var fates = []string{fateBlock, fateSysFail, fateFreqLimit, fateNoFollow, fateBadID, fateFrozen, fateNoEvent, fateNoSub}

// Platforms of a user's phone.
const (
	platformIOS     = "ios"
	platformAndroid = "android"
)

// user is one openid's state. Users exist without being created: p.look makes
// up an ordinary one, and only those that were changed are kept.
//
// On the platform an openid belongs to one account; here it belongs to all of
// them, so that tests can make users up. What an account and a user have to do
// with each other (follows, blocked, blacklisted) is therefore kept once for all
// accounts, and apart for those for which somebody said something else.
type user struct {
	fate        string
	name        string
	tie         tie             // with every account that is not in ties
	ties        map[string]*tie // by appid
	frozen      bool
	platform    string
	miniProgram bool // the client can open mini programs
}

// tie is how a user stands with an account.
type tie struct {
	follows     bool
	told        bool // follows was set by somebody, not assumed
	blocked     bool // has refused the account's messages
	blacklisted bool // by the account
}

func newUser(openid string) user {
	fate := fateOf(openid)
	return user{
		fate:     fate,
		tie:      tie{follows: fate != fateNoFollow, blocked: fate == fateBlock},
		frozen:   fate == fateFrozen,
		platform: platformIOS, miniProgram: true,
	}
}

func fateOf(openid string) string {
	for _, fate := range fates {
		if strings.HasPrefix(openid, "o"+fate) {
			return fate
		}
	}
	return ""
}

// validOpenID: 28 characters, "o" first, letters, digits, "-" and "_" (spec §1).
func validOpenID(s string) bool {
	return len(s) == openIDLength && s[0] == 'o' && looksLikeToken(s)
}

// look returns the user as it stands; changes to the result are lost.
func (p *platform) look(openid string) user {
	if u := p.users[openid]; u != nil {
		return *u
	}
	return newUser(openid)
}

// with is how the user stands with the account.
func (u user) with(a *account) tie {
	if t := u.ties[a.appID]; t != nil {
		return *t
	}
	return u.tie
}

// change changes the tie with the account; "" changes all of them.
func (u *user) change(appid string, f func(*tie)) {
	if appid == "" {
		f(&u.tie)
		for _, t := range u.ties {
			f(t)
		}
		return
	}
	if u.ties == nil {
		u.ties = map[string]*tie{}
	}
	if u.ties[appid] == nil {
		u.ties[appid] = new(u.tie)
	}
	f(u.ties[appid])
}

// touch returns the user for changing.
func (p *platform) touch(openid string) *user {
	u := p.users[openid]
	if u == nil {
		u = new(newUser(openid))
		p.users[openid] = u
	}
	return u
}

// phone is the user's platform as the jump rules want it.
func (u user) phone() wechat.Platform {
	if u.platform == platformAndroid {
		return wechat.PlatformAndroid
	}
	return wechat.PlatformIOS
}

// UserState is what the control API shows and sets; nil and "" leave what is there.
type UserState struct {
	Name                string `json:"name,omitzero"`        // shown to people
	Follows             *bool  `json:"follows,omitzero"`     // false: 43004
	Blocked             *bool  `json:"blocked,omitzero"`     // refuses messages: event failed:user block
	Blacklisted         *bool  `json:"blacklisted,omitzero"` // by the account: 43019
	Frozen              *bool  `json:"frozen,omitzero"`      // 50002
	Platform            string `json:"platform,omitzero"`    // ios (default), android
	SupportsMiniprogram *bool  `json:"supports_miniprogram,omitzero"`
}

// UserChange is a UserState to set. Follows, Blocked and Blacklisted are set for
// the account AppID, or for all accounts when it is "". Follows pushes a subscribe
// or unsubscribe event to AppID ("" = the first service account) when it changes
// what is known; the rest pushes nothing, for no such event is documented.
type UserChange struct {
	AppID string `json:"appid,omitzero"`
	UserState
}

func (u user) state(t tie) UserState {
	return UserState{
		Name: u.name, Follows: new(t.follows), Blocked: new(t.blocked), Blacklisted: new(t.blacklisted), Frozen: new(u.frozen),
		Platform: u.platform, SupportsMiniprogram: new(u.miniProgram),
	}
}

func (change *UserChange) check() error {
	return firstError(
		oneOf("platform", change.Platform, platformIOS, platformAndroid),
		shortText("name", change.Name),
	)
}

// SetUser changes a user. An error is a [*ControlError]; nothing is changed then.
func (s *Sandbox) SetUser(openid string, change UserChange) error {
	if err := firstError(checkOpenID(openid), change.check()); err != nil {
		return err
	}
	defer s.unlock()
	return s.lock().setUser(openid, change)
}

// setUser applies a checked change.
func (p *platform) setUser(openid string, change UserChange) error {
	follower, err := p.followed(change)
	if err != nil {
		return err
	}
	u := p.touch(openid)
	before := tie{}
	if follower != nil {
		before = u.with(follower)
	}
	u.set(change)
	if follower != nil {
		p.tellFollow(follower, openid, before, *change.Follows)
	}
	p.known.see(openid)
	p.feed.mark(changedUsers)
	return nil
}

// set applies a change to the state alone.
func (u *user) set(change UserChange) {
	setText(&u.name, change.Name)
	set(&u.frozen, change.Frozen)
	set(&u.miniProgram, change.SupportsMiniprogram)
	setText(&u.platform, change.Platform)
	u.change(change.AppID, func(t *tie) {
		set(&t.blocked, change.Blocked)
		set(&t.blacklisted, change.Blacklisted)
		if change.Follows != nil {
			t.follows, t.told = *change.Follows, true
		}
	})
}

// followed is the account that hears of a follow or unfollow, nil when the change
// is of another kind.
func (p *platform) followed(change UserChange) (*account, error) {
	if change.AppID != "" && p.accounts[change.AppID] == nil {
		return nil, unknownAccount(change.AppID)
	}
	if change.Follows == nil {
		return nil, nil
	}
	a, err := p.accountOr(change.AppID, kindService)
	if err == nil && a.isMini() {
		err = &ControlError{Field: "appid", Rule: "must be an official account to be followed", Value: a.appID}
	}
	return a, err
}

// tellFollow pushes the event of a follow or unfollow. The first follow of a
// user who was only assumed to follow is one, too.
func (p *platform) tellFollow(a *account, openid string, before tie, follows bool) {
	if before.told && before.follows == follows {
		return
	}
	name := eventUnsubscribe
	if follows {
		name = eventSubscribe
	}
	p.emit(a, nil, followEvent(a, openid, name, p.clock.now()))
}

// User returns a user's state, all fields set but perhaps the name. Follows,
// Blocked and Blacklisted are those with the account appid; without it, those with
// every account for which nothing else was set.
func (s *Sandbox) User(openid string, appid ...string) UserState {
	defer s.unlock()
	p := s.lock()
	u := p.look(openid)
	if len(appid) > 0 && p.accounts[appid[0]] != nil {
		return u.state(u.with(p.accounts[appid[0]]))
	}
	return u.state(u.tie)
}

// Follow makes the user follow the account appid, which pushes subscribe; without
// appid all accounts, and the first service account pushes.
func (s *Sandbox) Follow(openid string, appid ...string) error {
	return s.change(openid, appid, UserState{Follows: new(true)})
}

// Unfollow is the opposite of Follow and pushes unsubscribe.
func (s *Sandbox) Unfollow(openid string, appid ...string) error {
	return s.change(openid, appid, UserState{Follows: new(false)})
}

// Block makes the user refuse the messages of account appid, without appid of all
// accounts. No event is documented for that: only those of messages tell.
func (s *Sandbox) Block(openid string, appid ...string) error {
	return s.change(openid, appid, UserState{Blocked: new(true)})
}

// Unblock is the opposite of Block.
func (s *Sandbox) Unblock(openid string, appid ...string) error {
	return s.change(openid, appid, UserState{Blocked: new(false)})
}

// Blacklist puts the user on the blacklist of account appid, without appid of all
// accounts; sends to him answer 43019. No event tells of it.
func (s *Sandbox) Blacklist(openid string, appid ...string) error {
	return s.change(openid, appid, UserState{Blacklisted: new(true)})
}

// Unblacklist is the opposite of Blacklist.
func (s *Sandbox) Unblacklist(openid string, appid ...string) error {
	return s.change(openid, appid, UserState{Blacklisted: new(false)})
}

// Freeze limits the user's account as the platform does with offenders: sends
// answer 50002. No event tells of it.
func (s *Sandbox) Freeze(openid string) error {
	return s.change(openid, nil, UserState{Frozen: new(true)})
}

// Unfreeze is the opposite of Freeze.
func (s *Sandbox) Unfreeze(openid string) error {
	return s.change(openid, nil, UserState{Frozen: new(false)})
}

// change sets state for the first of appid, if there is one.
func (s *Sandbox) change(openid string, appid []string, state UserState) error {
	return s.SetUser(openid, UserChange{AppID: strings.Join(appid[:min(1, len(appid))], ""), UserState: state})
}

func checkOpenID(openid string) error {
	if validOpenID(openid) {
		return nil
	}
	return &ControlError{Field: "openid", Rule: "must be 28 characters, o first, then letters, digits, - and _", Value: openid}
}

// accountOr returns the account appid, or for "" the first one of the kind.
func (p *platform) accountOr(appid, kind string) (*account, error) {
	if appid != "" {
		if a := p.accounts[appid]; a != nil {
			return a, nil
		}
		return nil, unknownAccount(appid)
	}
	for _, a := range p.order {
		if a.kind == kind {
			return a, nil
		}
	}
	return nil, &ControlError{Field: "appid", Rule: "is required, there is no " + kind + " account"}
}
