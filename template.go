package hongyan

import (
	"regexp"
	"time"

	"hongyan/wechat"
)

// Template is a template an account holds, as last synchronised.
type Template struct {
	AppID           string
	TemplateID      string
	Title           string
	PrimaryIndustry string
	DeputyIndustry  string
	Content         string
	Example         string
	Kind            MessageKind // of the messages it is for
	Status          string      // "active", "banned", "removed"
	StatusReason    string
	SyncedAt        time.Time
	// Enums are the values that keywords of the type enum may have, by key; nil = none is known.
	Enums map[string][]string
	// SubscribeType says for how long one acceptance of a subscribe template is good:
	// wechat.SubscribeOneTime or SubscribeLongTerm; 0 = not told, or no subscribe template.
	SubscribeType int
	// Policy is what becomes of values that are too long; "" = the account's CutValues decides.
	// It is the operator's and outlives syncs.
	Policy LengthPolicy
}

// LengthPolicy says what becomes of values that are too long: refuse, cut or split.
type LengthPolicy = wechat.LengthPolicy

// TemplateAlias is a word of an account's that stands for one of its templates, so
// that callers need not know template_ids.
type TemplateAlias struct {
	AppID      string
	Alias      string
	TemplateID string
	UpdatedAt  time.Time
}

// TemplateIDLen is how many characters a template_id of WeChat's has (spec §1).
const TemplateIDLen = 43

// templateAliasForm keeps aliases shorter than a template_id: the two are told apart by that.
var templateAliasForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,39}$`)

// CheckTemplateAlias returns an Invalid error at pointer unless alias has the form of one.
func CheckTemplateAlias(pointer, alias string) error {
	if templateAliasForm.MatchString(alias) {
		return nil
	}
	return InvalidField("invalid_alias", pointer, "alias %q is not a letter and then up to 39 letters, digits, \"_\", \"-\" and \".\"", clip(alias))
}
