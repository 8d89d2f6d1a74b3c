package phone

import (
	"net/http"
	"slices"
	"strconv"

	"hongyan/sandbox"
)

// promptScene is where the phone's prompts are: on a mini program's page (spec §7.4).
const promptScene = 0

// answerPrompt is the user's answer to a subscribe prompt: the ticked templates are
// accepted, the others refused; 拒绝 refuses all.
func (s *site) answerPrompt(w http.ResponseWriter, r *http.Request, v view) error {
	form := r.PostForm
	var answers []sandbox.ConsentAnswer
	accepted := 0
	for _, id := range form["asked"] {
		yes := form.Get("answer") == "accept" && slices.Contains(form["accept"], id)
		answers = append(answers, sandbox.ConsentAnswer{TemplateID: id, Accept: yes})
		if yes {
			accepted++
		}
	}
	if err := s.box.Consent(form.Get("appid"), v.User, answers, promptScene); err != nil {
		return err
	}
	v = v.WithPrompt("")
	return s.done(w, r, v, v.lang.text("said.consents", accepted, len(answers)-accepted))
}

// revokeConsent switches one subscription off.
func (s *site) revokeConsent(w http.ResponseWriter, r *http.Request, v view) error {
	if err := s.box.RevokeConsent(r.PostForm.Get("appid"), v.User, r.PostForm.Get("template_id")); err != nil {
		return err
	}
	return s.done(w, r, v, v.lang.text("said.revoked"))
}

// refuseNotices is 拒收通知 behind the three dots of a card, and its opposite.
func (s *site) refuseNotices(w http.ResponseWriter, r *http.Request, v view) error {
	on, err := strconv.ParseBool(r.PostForm.Get("blocked"))
	if err != nil {
		return &sandbox.ControlError{Field: "blocked", Rule: "must be true or false", Value: r.PostForm.Get("blocked")}
	}
	change := sandbox.UserChange{AppID: r.PostForm.Get("appid")}
	change.Blocked = &on
	if err := s.box.SetUser(v.User, change); err != nil {
		return err
	}
	key := "said.notices-on"
	if on {
		key = "said.notices-off"
	}
	return s.done(w, r, v, v.lang.text(key))
}

// oneTimeScene is the scene of the phone's one-time confirmations.
const oneTimeScene = 1000

// confirmOneTime allows an account one one-time message, as its confirm page does.
func (s *site) confirmOneTime(w http.ResponseWriter, r *http.Request, v view) error {
	if err := s.box.ConfirmOneTime(r.PostForm.Get("appid"), v.User, oneTimeScene); err != nil {
		return err
	}
	return s.done(w, r, v, v.lang.text("said.one-time", oneTimeScene))
}
