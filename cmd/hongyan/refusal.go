package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"hongyan/client"
)

// flagNames says which flag of a command a field of the API comes from, by JSON
// pointer. What is below a pointer comes from its flag too; a key of data is
// named with it, as "--data thing1".
type flagNames map[string]string

// apiError turns what the client reports into what, where and cure.
func apiError(c *client.Client, err error) error { return flagNames(nil).apiError(c, err) }

func (names flagNames) apiError(c *client.Client, err error) error {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*client.Problem](err); ok {
		what, hint := names.words(p)
		return &commandError{what: what, cure: problemCure(c, p, hint)}
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return &commandError{what: "no answer from " + c.BaseURL + ": " + u.Err.Error(),
			cure: "start a gateway with hongyan serve, or set HONGYAN_URL to where it is"}
	}
	return err
}

// words says what the gateway refused, a line for each field and below it the same in
// Chinese, and the advice
// that came with it.
func (names flagNames) words(p *client.Problem) (what, hint string) {
	if len(p.Errors) == 0 {
		return p.Detail, ""
	}
	lines := make([]string, len(p.Errors))
	for i, f := range p.Errors {
		lines[i] = names.field(f)
		if f.DetailZH != "" {
			lines[i] += "\n  " + f.DetailZH
		}
	}
	// The detail is that of the first field, and then the advice.
	first := p.Errors[0]
	rest := strings.TrimPrefix(p.Detail, first.Pointer+": ")
	if advice, ok := strings.CutPrefix(rest, strings.TrimRight(first.Detail, ". ")); ok {
		hint = strings.TrimLeft(advice, ". ")
	}
	if len(lines) == 1 {
		return lines[0], hint
	}
	return fmt.Sprintf("%d values are refused\n%s", len(lines), strings.Join(lines, "\n")), hint
}

func (names flagNames) field(f client.FieldError) string {
	name := names.of(f.Pointer)
	if name == "" {
		return f.Detail
	}
	_, last, _ := cutLast(f.Pointer, "/")
	return name + ": " + strings.TrimPrefix(f.Detail, last+": ")
}

// of returns the flag of a pointer, the pointer itself where no flag sets it.
func (names flagNames) of(pointer string) string {
	if parameter, ok := strings.CutPrefix(pointer, "/query/"); ok && names["/"+parameter] == "" {
		return "--" + parameter
	}
	pointer = strings.TrimPrefix(pointer, "/query")
	at, below := pointer, ""
	for at != "" {
		if flag := names[at]; flag != "" {
			if at == "/data" {
				flag += " " + below
			}
			return strings.TrimSpace(flag)
		}
		parent, last, _ := cutLast(at, "/")
		at, below = parent, strings.Trim(last+"/"+below, "/")
	}
	return pointer
}

// cutLast cuts s around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+len(sep):], true
}

// codeCures say what to do about refusals in this program's own commands.
var codeCures = map[string]string{
	"account_exists":         "give it new secrets with hongyan account rotate APPID; hongyan account list shows it",
	"unknown_account":        "hongyan account list shows the accounts, hongyan account add adds one",
	"unknown_rule":           "hongyan rule list APPID shows them",
	"rule_exists":            "hongyan rule show APPID NAME shows it; delete it first, or choose another name",
	"no_push":                "follow, scan or accept once, and try again; hongyan rule test --event ID takes an older push",
	"not_suppressed":         "hongyan suppression list APPID shows who is",
	"user_has_waiting":       "let them leave, or give --force to cancel them",
	"unknown_message":        "ids begin with msg_; hongyan message list -q OPENID finds what a user was sent",
	"unknown_key":            "hongyan key list shows the ids",
	"wrong_state":            "hongyan message get ID shows what became of it",
	"in_doubt":               "hongyan message get ID shows what is known of it; it is settled within ten minutes",
	"payload_gone":           "send it anew with hongyan send; retention.payload says how long values are kept",
	"limit_used_up":          "raise the account's quotas, or wait: hongyan quota APPID shows what is left",
	"account_held":           "hongyan account resume APPID, once the cause is cured",
	"token_stopped":          "cure the cause, then hongyan account rotate APPID (a new AppSecret) or hongyan account resume APPID",
	"malformed_openid":       "it is the user's openid for this account: not a unionid, a phone number or a nickname",
	"unknown_template":       "hongyan template list APPID shows them; hongyan template sync APPID, if it was added just now",
	"invalid_data":           "hongyan template list APPID shows the keys of its templates",
	"templates_by_hand":      "hongyan template put APPID TEMPLATE_ID --title TITLE --content CONTENT",
	"unknown_alias":          "hongyan template alias list APPID shows them",
	"template_has_aliases":   "hongyan template alias set APPID ALIAS OTHER_TEMPLATE_ID, or hongyan template alias delete APPID ALIAS",
	"unknown_downstream":     "hongyan downstream list APPID shows them",
	"unknown_webhook":        "hongyan webhook list shows them",
	"webhook_disabled":       "hongyan webhook set NAME --enable, once the receiver is mended",
	"token_not_external":     "hongyan token get APPID shows where the token comes from",
	"alias_exists":           "choose another --alias; hongyan account list shows those taken",
	"unknown_batch":          "ids begin with bat_; hongyan batch list shows them",
	"batch_state":            "hongyan batch status ID shows what it is",
	"batch_not_open":         "make a new batch for further recipients: hongyan batch submit",
	"batch_has_bad_rows":     "hongyan batch problems ID lists them; --skip-bad leaves them out",
	"batch_empty":            "hongyan batch problems ID says what is wrong with its rows",
	"rows_differ":            "--resume goes on with the same file; for another one make a new batch",
	"unknown_column":         "compare --map and {{column}} with the first row of the file",
	"bad_table":              "save it anew as CSV (UTF-8) or .xlsx, with the names of the columns in its first row",
	"retried_already":        "start or cancel that batch; --again makes one more, and whoever is in both may get the message twice",
	"upload_replaced":        "another command uploads the same batch: see how it ends",
	"nothing_to_retry":       "hongyan batch status ID shows how its messages ended",
	"idempotency_key_reused": "a new message needs a new --idempotency-key, a repeated one the same bytes",
}

// problemCure is the second line of a refusal.
func problemCure(c *client.Client, p *client.Problem, hint string) string {
	switch {
	case p.Code == client.NotAGateway:
		return "is " + c.BaseURL + " a gateway? set HONGYAN_URL or --url to where hongyan serve listens"
	case strings.HasPrefix(p.Code, "http_"):
		return "set HONGYAN_URL or --url to where hongyan serve listens; something at " + c.BaseURL + " answers in its place"
	case codeCures[p.Code] != "":
		return codeCures[p.Code]
	case p.Status == http.StatusUnauthorized:
		return "set HONGYAN_KEY to a key of this gateway; its first start wrote the administrator's to DATA/admin.key"
	case p.Status == http.StatusForbidden:
		return "use a key with the role and the accounts this needs: hongyan key list"
	case p.Status == http.StatusInternalServerError:
		return "the gateway's log has it under " + p.RequestID
	case p.Retryable:
		return "try again later"
	case hint != "":
		return hint
	default:
		return c.BaseURL + p.Type + " explains it"
	}
}
