package mini

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hongyan"
	"hongyan/store"
)

// Entry is a form_id or prepay_id as a business stores it: one of the two.
type Entry struct {
	OpenID     string
	FormID     string
	PrepayID   string
	ObtainedAt time.Time // when the user submitted or paid; zero = now
	Sends      int       // messages a payment serves, 1 or 3; 0 = the account's setting
}

// Problem is an entry that was not stored, and why.
type Problem struct {
	Place  int // in what was given, from 0
	Fields []hongyan.FieldError
}

// Added says what became of entries.
type Added struct {
	Stored   int
	Known    int // stored before
	Released int // messages that waited for a form_id and go now
	Problems []Problem
}

const (
	// maxFormID bounds a form_id, in bytes: a formId has 32 characters, a prepay_id 36.
	maxFormID = 128
	// maxSkew is how far ahead of ours the clock of whoever stores may be.
	maxSkew = 5 * time.Minute
	// mockForm is what WeChat's developer tools give for a formId (spec §6.1).
	mockForm = "the formId is a mock one"
)

// AddForms stores what is right of entries for a mini program. Entries that break a
// rule are problems; the others are stored all the same. Invalid when the account is
// no mini program.
func (k *Keeper) AddForms(ctx context.Context, a *hongyan.Account, entries []Entry) (Added, error) {
	var done Added
	if a.Kind != hongyan.MiniProgram {
		return done, hongyan.InvalidField("wrong_kind", "/path/appid", "form_ids belong to mini programs; %s is a %s account", a.AppID, a.Kind)
	}
	now := hongyan.Millis(k.cfg.Store.Now())
	forms := make([]hongyan.FormID, 0, len(entries))
	places := make([]int, 0, len(entries))
	for i := range entries {
		if fields := entries[i].check(now); len(fields) > 0 {
			done.Problems = append(done.Problems, Problem{i, fields})
			continue
		}
		forms, places = append(forms, entries[i].form(a, now)), append(places, i)
	}
	stored, released, err := k.cfg.Store.PutForms(ctx, forms)
	if err != nil {
		return Added{}, fmt.Errorf("store form_ids of %s: %w", a.AppID, err)
	}
	if done.Released = released; released > 0 {
		k.cfg.Waiting(a.AppID)
	}
	for i, outcome := range stored {
		switch outcome {
		case store.FormNew:
			done.Stored++
		case store.FormKnown:
			done.Known++
		case store.FormOfAnother:
			done.Problems = append(done.Problems, Problem{places[i], entries[places[i]].fault("is stored already, for another user: WeChat would refuse it with 41028", "已存在，且属于另一用户：微信会以 41028 拒绝")})
		case store.FormNoAccount:
			return Added{}, hongyan.Errorf(hongyan.NotFound, "unknown_account", "there is no account %q", a.AppID)
		}
	}
	slices.SortStableFunc(done.Problems, func(x, y Problem) int { return cmp.Compare(x.Place, y.Place) })
	return done, nil
}

// form is the entry as it is stored.
func (e *Entry) form(a *hongyan.Account, now time.Time) hongyan.FormID {
	f := hongyan.FormID{AppID: a.AppID, OpenID: e.OpenID, FormID: e.FormID, Source: hongyan.FormSubmitted, Sends: 1}
	if e.paid() {
		f.FormID, f.Source, f.Sends = cmp.Or(e.PrepayID, e.FormID), hongyan.FormPaid, cmp.Or(e.Sends, a.Mini.Prepay())
	}
	f.ObtainedAt = now
	if at := hongyan.Millis(e.ObtainedAt); !at.IsZero() && at.Before(now) {
		f.ObtainedAt = at
	}
	f.ExpiresAt = f.ObtainedAt.Add(hongyan.FormLife)
	return f
}

// paid reports whether the entry is a payment's: WeChat's prepay_ids begin with wx.
func (e *Entry) paid() bool { return e.PrepayID != "" || strings.HasPrefix(e.FormID, "wx") }

// fault is a problem with the id.
func (e *Entry) fault(en, zh string, args ...any) []hongyan.FieldError {
	pointer, id := "/form_id", e.FormID
	if e.PrepayID != "" {
		pointer, id = "/prepay_id", e.PrepayID
	}
	return []hongyan.FieldError{{Pointer: pointer, Detail: fmt.Sprintf("%q ", clip(id)) + fmt.Sprintf(en, args...),
		DetailZH: fmt.Sprintf("%q ", clip(id)) + fmt.Sprintf(zh, args...)}}
}

// check returns every rule the entry breaks.
func (e *Entry) check(now time.Time) (fields []hongyan.FieldError) {
	add := func(pointer, en, zh string, args ...any) {
		fields = append(fields, hongyan.FieldError{Pointer: pointer, Detail: fmt.Sprintf(en, args...), DetailZH: fmt.Sprintf(zh, args...)})
	}
	if !hongyan.ValidOpenID(e.OpenID) {
		add("/openid", "%q is not an openid: 28 characters, an \"o\" first, then letters, digits, \"-\" and \"_\"", "%q 不是 openid：应为 28 个字符，以 \"o\" 开头，其余为字母、数字、\"-\" 和 \"_\"", clip(e.OpenID))
	}
	switch id := cmp.Or(e.PrepayID, e.FormID); {
	case e.FormID != "" && e.PrepayID != "":
		add("/prepay_id", "give form_id or prepay_id, not both", "form_id 与 prepay_id 只能填一个")
	case id == "":
		add("/form_id", "form_id or prepay_id is missing", "缺少 form_id 或 prepay_id")
	case id == mockForm:
		fields = append(fields, e.fault("is what the developer tools give in place of a formId: try on a phone", "是开发者工具给出的模拟 formId：请在手机上测试")...)
	case len(id) > maxFormID || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c >= 0x7f }):
		fields = append(fields, e.fault("is not a form_id: 1 to %d visible ASCII characters", "不是 form_id：应为 1 到 %d 个可见的 ASCII 字符", maxFormID)...)
	case e.Sends > 1 && !e.paid():
		add("/sends", "%d: a submitted form serves one message (S87)", "%d：一次提交的表单只能发送一条消息（S87）", e.Sends)
	}
	if e.Sends != 0 && !slices.Contains(hongyan.PaidSends, e.Sends) {
		add("/sends", "%d is neither 1 nor 3", "%d 既不是 1 也不是 3", e.Sends)
	}
	switch at := e.ObtainedAt; {
	case at.IsZero():
	case at.Sub(now) > maxSkew:
		add("/obtained_at", "%s is in the future (now %s)", "%s 在将来（现在是 %s）", at.UTC().Format(time.RFC3339), now.Format(time.RFC3339))
	case !now.Before(at.Add(hongyan.FormLife)):
		add("/obtained_at", "%s is 7 days ago or more: it has expired", "%s 是 7 天以前或更早，已过期", at.UTC().Format(time.RFC3339))
	}
	return fields
}

// clip keeps an offending value readable in an error.
func clip(s string) string {
	const keep = 60
	if r := []rune(s); len(r) > keep {
		return string(r[:keep]) + "…"
	}
	return s
}

// FormsLeft are a user's forms, or an account's, as they are shown.
type FormsLeft struct {
	hongyan.FormCounts
	Items   []hongyan.FormID
	Waiting int // messages of the user that wait for a form_id, 1000 at most; -1 = of all users: not counted
}

// Forms lists forms of an account, or with openID one user's, newest first, those
// with an ID below before (0 = from the newest), and counts the usable ones.
func (k *Keeper) Forms(ctx context.Context, a *hongyan.Account, openID string, before int64, limit int) (FormsLeft, error) {
	left := FormsLeft{Waiting: -1}
	var err error
	if left.FormCounts, err = k.cfg.Store.CountForms(ctx, a.AppID, openID); err != nil {
		return left, err
	}
	if left.Items, err = k.cfg.Store.Forms(ctx, a.AppID, openID, before, limit); err != nil || openID == "" {
		return left, err
	}
	page, err := k.cfg.Store.Messages(ctx, store.Filter{AppIDs: []string{a.AppID}, ToUser: openID, States: []hongyan.State{hongyan.Held}, Limit: maxOpen})
	if err != nil {
		return left, err
	}
	left.Waiting = 0
	for i := range page.Items {
		if page.Items[i].Reason == hongyan.HoldNoFormID {
			left.Waiting++
		}
	}
	return left, nil
}
