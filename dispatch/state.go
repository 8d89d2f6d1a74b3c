package dispatch

import "hongyan"

// Act is something that happens to a message.
type Act string

// The acts. Each is done by one place in the program.
const (
	ActAccept    Act = "accept"        // Submit stores it
	ActLease     Act = "lease"         // a node takes it, to send it
	ActReturn    Act = "return"        // an untried lease is given back
	ActLater     Act = "later"         // it will be tried again
	ActHold      Act = "hold"          // it waits for a reason of its own
	ActTaken     Act = "taken"         // WeChat took it
	ActRefused   Act = "refused"       // WeChat refused it, or it was given up
	ActDoubt     Act = "doubt"         // its outcome can no longer be learnt by asking
	ActExpire    Act = "expire"        // its time passed
	ActCancel    Act = "cancel"        // the caller withdrew it
	ActRelease   Act = "release"       // a person lets it go now
	ActRestore   Act = "restore"       // a backup is put in place of the database
	ActDeliver   Act = "receipt ok"    // the event says success
	ActUndeliver Act = "receipt fails" // the event says anything else
)

// transition is one row of the table of states: in From, Act leads to To.
type transition struct {
	Act  Act
	From []hongyan.State // nil = a new message
	To   hongyan.State
	Note string
}

var (
	waiting   = []hongyan.State{hongyan.Queued, hongyan.Held}
	sending   = []hongyan.State{hongyan.Sending}
	unsettled = []hongyan.State{
		hongyan.Queued, hongyan.Held, hongyan.Sending, hongyan.Uncertain,
		hongyan.Accepted, hongyan.Failed, hongyan.Cancelled, hongyan.Expired,
	}
)

// transitions is the one table of states. docs/states.md is printed from it
// and a property test walks it.
var transitions = []transition{
	{ActAccept, nil, hongyan.Queued, "due now or at send_at"},
	{ActAccept, nil, hongyan.Held, "its user is on the account's suppression list"},
	{ActAccept, nil, hongyan.Sending, "a send slot was free: stored already leased"},
	{ActLease, waiting, hongyan.Sending, "due, within rate and quota, account not held"},
	{ActReturn, sending, hongyan.Queued, "stop, pause or outage before its call began"},
	{ActLater, sending, hongyan.Queued, "-1, token trouble, not sent; no answer, where asking again cannot show it twice (see the kinds below); a stored form_id refused: the next one"},
	{ActHold, sending, hongyan.Held, "43117, the template's quota, the template banned, no form_id of the user left, its batch paused, the user suppressed or beyond the day's cap"},
	{ActHold, []hongyan.State{hongyan.Queued}, hongyan.Held, "its template was banned or removed, or its batch is paused"},
	{ActTaken, sending, hongyan.Accepted, "errcode 0, 40252 (in review), or proof that an earlier attempt arrived"},
	{ActRefused, sending, hongyan.Failed, "any other errcode while no attempt is in doubt; in doubt, one about the body, or the policy give_up"},
	{ActDoubt, sending, hongyan.Uncertain, "an attempt had no answer, and asking again could show it twice, is refused for another reason than its body, or would begin after expires_at; so at once for the kinds that cannot ask again"},
	{ActExpire, waiting, hongyan.Expired, "expires_at passed and no attempt is in doubt"},
	{ActExpire, sending, hongyan.Expired, "found expired when its turn came"},
	{ActCancel, waiting, hongyan.Cancelled, "no attempt is in doubt; also when its batch is cancelled"},
	{ActRelease, waiting, hongyan.Sending, "due at once, whatever its hold; a pause, a stopped account and a limit of the account's own refuse it"},
	{ActRestore, waiting, hongyan.Held, "it waited when the backup was taken and may have been sent since: a person releases or cancels it"},
	{ActRestore, []hongyan.State{hongyan.Queued, hongyan.Held, hongyan.Sending}, hongyan.Uncertain, "it was being sent, or in doubt, when the backup was taken"},
	{ActDeliver, unsettled, hongyan.Delivered, "TEMPLATESENDJOBFINISH or subscribe_msg_sent_event: success"},
	{ActUndeliver, unsettled, hongyan.Undelivered, "user_block, system_failed, freq_limit, other"},
}

// allowed reports whether the table has a row for act from one state to another.
func allowed(act Act, from, to hongyan.State) bool {
	for _, t := range transitions {
		if t.Act != act || t.To != to {
			continue
		}
		for _, f := range t.From {
			if f == from {
				return true
			}
		}
	}
	return false
}
