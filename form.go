package hongyan

import "time"

// FormSource says what gave a user's leave for a mini program template message.
type FormSource string

// The sources (spec §6.1).
const (
	FormSubmitted FormSource = "form"   // a submitted form: its formId
	FormPaid      FormSource = "prepay" // a payment: its prepay_id
)

// FormLife is how long a form_id or prepay_id serves (S86, S87).
const FormLife = 7 * 24 * time.Hour

// PaidSends are how many messages one payment may serve: WeChat's pages named 1
// at first (S86) and 3 later (spec §6.1).
var PaidSends = []int{1, 3}

// FormID is a stored form_id or prepay_id: the leave to send its user one mini
// program template message, or as many as Sends says.
type FormID struct {
	ID         int64 // the store's number; 0 = not stored
	AppID      string
	OpenID     string
	FormID     string
	Source     FormSource
	Sends      int // messages it serves in all
	Left       int // of them not taken yet; 0 once WeChat has refused it
	ObtainedAt time.Time
	ExpiresAt  time.Time
	Refused    int      // the errcode with which WeChat refused it for good (41028, 41029); 0 = it has not
	Messages   []string // ids of the messages that have taken it, in lists alone
}

// Usable reports whether a message may take the form at now.
func (f *FormID) Usable(now time.Time) bool { return f.Left > 0 && now.Before(f.ExpiresAt) }

// State returns the form's state at now in one word: usable, used, refused or expired.
func (f *FormID) State(now time.Time) string {
	switch {
	case f.Refused != 0:
		return "refused"
	case f.Left == 0:
		return "used"
	case !now.Before(f.ExpiresAt):
		return "expired"
	}
	return "usable"
}

// FormCounts is what is stored for an account, or for one of its users.
type FormCounts struct {
	Users  int64     // who have a usable form
	Forms  int64     // usable ones
	Sends  int64     // messages they serve
	Next   time.Time // when the first of them expires; zero = there is none
	Within int64     // messages lost if nothing is sent within a day
}
