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
type user struct {
	fate        string
	follows     bool
	told        bool // follows was set by somebody, not assumed
	blocked     bool
	blacklisted bool
	frozen      bool
	platform    string
	miniProgram bool // the client can open mini programs
}

func newUser(openid string) user {
	fate := fateOf(openid)
	return user{
		fate:     fate,
		follows:  fate != fateNoFollow,
		blocked:  fate == fateBlock,
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

// UserState is what the control API shows and sets; nil leaves what is there.
type UserState struct {
	Follows             *bool  `json:"follows,omitzero"`     // false: 43004
	Blocked             *bool  `json:"blocked,omitzero"`     // refuses messages: event failed:user block
	Blacklisted         *bool  `json:"blacklisted,omitzero"` // by the account: 43019
	Frozen              *bool  `json:"frozen,omitzero"`      // 50002
	Platform            string `json:"platform,omitzero"`    // ios (default), android
	SupportsMiniprogram *bool  `json:"supports_miniprogram,omitzero"`
}

// UserChange is a UserState to set. Follows pushes a subscribe or unsubscribe
// event to AppID ("" = the first service account) when it changes what is known.
type UserChange struct {
	AppID string `json:"appid,omitzero"`
	UserState
}

func (u user) state() UserState {
	return UserState{
		Follows: &u.follows, Blocked: &u.blocked, Blacklisted: &u.blacklisted, Frozen: &u.frozen,
		Platform: u.platform, SupportsMiniprogram: &u.miniProgram,
	}
}

// SetUser changes a user. An error is a [*ControlError].
func (s *Sandbox) SetUser(openid string, change UserChange) error {
	if err := firstError(checkOpenID(openid), oneOf("platform", change.Platform, platformIOS, platformAndroid)); err != nil {
		return err
	}
	defer s.unlock()
	p := s.lock()
	account, err := p.accountOr(change.AppID, kindService)
	if err != nil {
		return err
	}
	if change.Follows != nil && account.isMini() {
		return &ControlError{Field: "appid", Rule: "must be an official account to be followed", Value: account.appID}
	}
	u := p.touch(openid)
	set(&u.blocked, change.Blocked)
	set(&u.blacklisted, change.Blacklisted)
	set(&u.frozen, change.Frozen)
	set(&u.miniProgram, change.SupportsMiniprogram)
	setText(&u.platform, change.Platform)
	if change.Follows != nil {
		p.setFollows(account, openid, u, *change.Follows)
	}
	p.feed.mark(changedUsers)
	return nil
}

// setFollows pushes the event of a follow or unfollow. The first follow of a
// user who was only assumed to follow is one, too.
func (p *platform) setFollows(a *account, openid string, u *user, follows bool) {
	if u.told && u.follows == follows {
		return
	}
	u.follows, u.told = follows, true
	name := eventUnsubscribe
	if follows {
		name = eventSubscribe
	}
	p.emit(a, nil, followEvent(a, openid, name, p.clock.now()))
}

// User returns a user's state, all fields set.
func (s *Sandbox) User(openid string) UserState {
	defer s.unlock()
	return s.lock().look(openid).state()
}

// Follow makes the user follow the first service account, which pushes subscribe.
func (s *Sandbox) Follow(openid string) error {
	return s.SetUser(openid, UserChange{UserState: UserState{Follows: new(true)}})
}

// Unfollow is the opposite of Follow and pushes unsubscribe.
func (s *Sandbox) Unfollow(openid string) error {
	return s.SetUser(openid, UserChange{UserState: UserState{Follows: new(false)}})
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
