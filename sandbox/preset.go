package sandbox

import (
	"math"
	"net/http"
	"slices"
	"time"

	"hongyan/wechat"
)

// Names of the presets.
const (
	presetBusyAfternoon = "busy-afternoon"
	presetTokenWar      = "token-war"
	presetQuotaDay      = "quota-day"
	presetFlakyNetwork  = "flaky-network"
)

// Preset is a kind of bad day, made of fault rules or of somebody else's doings.
// Each has fields of its own; the others must be left out.
type Preset struct {
	// Name is busy-afternoon: bursts of -1 and 45011, and slow answers;
	// token-war: another process keeps refreshing the token;
	// quota-day: few sends are left today; or
	// flaky-network: resets, hangs, lost and slow answers.
	Name  string `json:"name"`
	AppID string `json:"appid,omitzero"` // whose calls; "" = all accounts' (token-war, quota-day: the first service account's)
	// Rate is the share of calls that busy-afternoon (in its bursts) and
	// flaky-network spoil, 0 to 1; default 0.5 and 0.2.
	Rate *float64 `json:"rate,omitzero"`
	// EveryMS is the sandbox's time from one refresh of token-war to the next, default
	// 30000, or from one burst of busy-afternoon to the next, default 60000; at least 1000.
	EveryMS *int `json:"every_ms,omitzero"`
	// Endpoint is what token-war refreshes: plain (default) or stable, with force_refresh.
	Endpoint string `json:"endpoint,omitzero"`
	// Remaining is what quota-day leaves of today's sends; default 10.
	Remaining *int `json:"remaining,omitzero"`

	Faults []string `json:"faults"` // ids of its rules; given by the sandbox
	Rounds int      `json:"rounds"` // refreshes so far; counted by the sandbox
}

// preset is one in force.
type preset struct {
	Preset
	account *account // of token-war and quota-day
	over    bool
	limit   int // quota-day: the daily quota it set
	before  int // quota-day: the one it found
}

// presetFields are the fields each preset has beside name and appid, with their defaults.
var presetFields = map[string]Preset{
	presetBusyAfternoon: {Rate: new(0.5), EveryMS: new(60_000)},
	presetTokenWar:      {EveryMS: new(30_000), Endpoint: "plain"},
	presetQuotaDay:      {Remaining: new(10)},
	presetFlakyNetwork:  {Rate: new(0.2)},
}

func (ps *Preset) check() error {
	has, known := presetFields[ps.Name]
	if !known {
		return &ControlError{Field: "name", Rule: "must be one of busy-afternoon, token-war, quota-day, flaky-network", Value: ps.Name}
	}
	const rule = "is no field of this preset"
	switch {
	case ps.Rate != nil && has.Rate == nil:
		return &ControlError{Field: "rate", Rule: rule, Value: *ps.Rate}
	case ps.EveryMS != nil && has.EveryMS == nil:
		return &ControlError{Field: "every_ms", Rule: rule, Value: *ps.EveryMS}
	case ps.Endpoint != "" && has.Endpoint == "":
		return &ControlError{Field: "endpoint", Rule: rule, Value: ps.Endpoint}
	case ps.Remaining != nil && has.Remaining == nil:
		return &ControlError{Field: "remaining", Rule: rule, Value: *ps.Remaining}
	case ps.Rate != nil && (*ps.Rate < 0 || *ps.Rate > 1):
		return &ControlError{Field: "rate", Rule: "must be from 0 to 1", Value: *ps.Rate}
	}
	return firstError(
		notYours("faults", ps.Faults != nil), notYours("rounds", ps.Rounds != 0),
		millisFrom("every_ms", ps.EveryMS, 1000),
		oneOf("endpoint", ps.Endpoint, "plain", "stable"), inRange("remaining", ps.Remaining, 0, math.MaxInt32),
	)
}

func (ps *Preset) fillIn() {
	has := presetFields[ps.Name]
	if ps.Rate == nil {
		ps.Rate = has.Rate
	}
	if ps.EveryMS == nil {
		ps.EveryMS = has.EveryMS
	}
	if ps.Remaining == nil {
		ps.Remaining = has.Remaining
	}
	if ps.Endpoint == "" {
		ps.Endpoint = has.Endpoint
	}
}

// startPreset puts a checked preset in force, in place of one of the same name.
func (p *platform) startPreset(spec Preset) (*preset, error) {
	spec.fillIn()
	spec.Faults = []string{}
	pr := &preset{Preset: spec}
	if err := pr.findAccount(p); err != nil {
		return nil, err
	}
	p.endPreset(spec.Name)
	p.presets = append(p.presets, pr)
	switch spec.Name {
	case presetBusyAfternoon:
		p.addRules(pr, busyRules(*spec.Rate, *spec.EveryMS))
	case presetFlakyNetwork:
		p.addRules(pr, flakyRules(*spec.Rate))
	case presetTokenWar:
		pr.next(p, p.clock.now())
	case presetQuotaDay:
		pr.before = pr.account.dailyQuota
		pr.limit = pr.account.usageOf(pr.account.sendPath(), p.clock.now()).thisDay + *spec.Remaining
		pr.account.dailyQuota = pr.limit
		p.feed.mark(changedAccounts)
	}
	p.feed.mark(changedFaults)
	return pr, nil
}

func (pr *preset) findAccount(p *platform) (err error) {
	switch {
	case pr.AppID == "" && (pr.Name == presetBusyAfternoon || pr.Name == presetFlakyNetwork):
		return nil
	default:
		pr.account, err = p.accountOr(pr.AppID, kindService)
		return err
	}
}

// sendPath is the send whose quota a day of the account's is counted by.
func (a *account) sendPath() string {
	if a.isMini() {
		return pathMiniSend
	}
	return pathSend
}

func (p *platform) addRules(pr *preset, rules []Fault) {
	for _, f := range rules {
		f.Preset, f.AppID = pr.Name, pr.AppID
		pr.Faults = append(pr.Faults, p.addFault(f))
	}
}

// busyRules: for a sixth of the time WeChat is busy, as in the bursts that people
// reported (spec §2.12); answers are slow all along.
func busyRules(rate float64, everyMS int) []Fault {
	burst := func(code int, share float64) Fault {
		return Fault{Path: "/cgi-bin/message/*", ErrCode: code, Rate: new(share), EveryMS: everyMS, ForMS: max(1, everyMS/6), DelayMS: 300}
	}
	return []Fault{
		burst(int(wechat.CodeSystemError), rate*4/5),
		burst(int(wechat.CodeMinuteQuota), rate/5),
		{Path: "*", DelayMS: 800, Rate: new(0.3)},
		{Path: "*", DelayMS: 150},
	}
}

// flakyRules share the rate among the ways a connection goes wrong. Each rule sees
// only what those before it let pass.
func flakyRules(rate float64) []Fault {
	rules := []Fault{
		{Path: "*", Reset: resetBefore}, {Path: "*", Reset: resetAfter}, {Path: "*", DropAnswer: true},
		{Path: "*", HangMS: 15_000}, {Path: "*", DripMS: 100},
	}
	share := rate / float64(len(rules))
	for i := range rules {
		rules[i].Rate = new(share / (1 - float64(i)*share))
	}
	return rules
}

// next sets the time of token-war's next refresh.
func (pr *preset) next(p *platform, after time.Time) {
	p.timers.add(after.Add(time.Duration(*pr.EveryMS)*time.Millisecond), pr)
}

// warsAtOnce bounds the refreshes that a jump of the clock catches up with.
const warsAtOnce = 1000

// fire is a refresh by the other process, within the limits that it shares with
// everybody. It is in the traffic, not in the ledger: nobody called.
func (pr *preset) fire(p *platform, at time.Time) {
	if pr.over {
		return
	}
	if pr.refresh(p, at) {
		pr.note(p, at)
	}
	if behind := p.clock.now().Sub(at); behind > warsAtOnce*time.Duration(*pr.EveryMS)*time.Millisecond {
		at = p.clock.now()
	}
	pr.next(p, at)
}

// refresh reports false when there is no new token: the day's are used up, or two
// forced refreshes came too soon after each other.
func (pr *preset) refresh(p *platform, at time.Time) bool {
	a := pr.account
	if pr.Endpoint == "stable" {
		before := a.stable.current
		t := p.forcedToken(a, at)
		return t != nil && t != before
	}
	if !a.use(pathToken, at, a.tokenDailyLimit) {
		return false
	}
	p.plainToken(a, at)
	return true
}

func (pr *preset) note(p *platform, at time.Time) {
	pr.Rounds++
	seen := sighting{at: at, appID: pr.account.appID, method: http.MethodGet, target: pathToken, status: http.StatusOK, rival: true}
	if pr.Endpoint == "stable" {
		seen.method, seen.target = http.MethodPost, pathStable
	}
	p.traffic.add(&seen)
	p.feed.mark(changedTraffic)
}

// endPreset takes back what the preset of that name did, and reports whether it was in force.
func (p *platform) endPreset(name string) bool {
	i := slices.IndexFunc(p.presets, func(pr *preset) bool { return pr.Name == name })
	if i < 0 {
		return false
	}
	pr := p.presets[i]
	pr.over = true
	p.presets = slices.Delete(p.presets, i, i+1)
	p.faults.rules = slices.DeleteFunc(p.faults.rules, func(f *Fault) bool { return f.Preset == name })
	if name == presetQuotaDay && pr.account.dailyQuota == pr.limit { // else somebody has set another one
		pr.account.dailyQuota = pr.before
		p.feed.mark(changedAccounts)
	}
	p.feed.mark(changedFaults)
	return true
}

func (p *platform) endPresets() {
	for len(p.presets) > 0 {
		p.endPreset(p.presets[0].Name)
	}
}

func (pr *preset) view() Preset {
	v := pr.Preset
	v.Faults = slices.Clone(v.Faults)
	return v
}

// StartPreset puts a preset in force; one of the same name is replaced. An error
// is a [*ControlError].
func (s *Sandbox) StartPreset(spec Preset) (Preset, error) {
	if err := spec.check(); err != nil {
		return Preset{}, err
	}
	defer s.unlock()
	pr, err := s.lock().startPreset(spec)
	if err != nil {
		return Preset{}, err
	}
	return pr.view(), nil
}

// Presets returns those in force, in the order they were started.
func (s *Sandbox) Presets() []Preset {
	defer s.unlock()
	out := []Preset{}
	for _, pr := range s.lock().presets {
		out = append(out, pr.view())
	}
	return out
}

// EndPreset ends a preset and reports whether it was in force.
func (s *Sandbox) EndPreset(name string) bool {
	defer s.unlock()
	return s.lock().endPreset(name)
}

// EndPresets ends all of them.
func (s *Sandbox) EndPresets() {
	defer s.unlock()
	s.lock().endPresets()
}

func (s *Sandbox) controlPresets(*http.Request) (any, error) { return list[Preset]{s.Presets()}, nil }

func (s *Sandbox) controlStartPreset(r *http.Request) (any, error) {
	var spec Preset
	if err := readControl(r, &spec); err != nil {
		return nil, err
	}
	return s.StartPreset(spec)
}

func (s *Sandbox) controlEndPresets(*http.Request) (any, error) {
	s.EndPresets()
	return done{true}, nil
}

func (s *Sandbox) controlEndPreset(r *http.Request) (any, error) {
	if name := r.PathValue("name"); !s.EndPreset(name) {
		return nil, &ControlError{Status: http.StatusNotFound, Field: "name", Rule: "must be a preset in force", Value: name}
	}
	return done{true}, nil
}
