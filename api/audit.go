package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"hongyan"
	"hongyan/access"
	"hongyan/client"
	"hongyan/store"
)

// change is what the audit log will say of a request that is neither a read
// nor a message to send. Handlers may fill in what they know better.
type change struct {
	action string   // "" = the request is no change
	target string   // an appid, a key's id …
	parts  []string // what the path names below the target, as "name value"
	detail string   // what changed; "" = the fields of the body
	body   []byte
	failed error // why the request was refused before its handler ran
	noted  bool
}

// changes says what a request is about, in place of what its path says.
func (i *requestInfo) changes(target, format string, args ...any) {
	i.change.target, i.change.detail = target, fmt.Sprintf(format, args...)
}

// actionOf names what an operation does, as noun.verb, "" for reads. The verb is
// the path's last word where that is one, else it follows from the method.
func actionOf(method, path string) string {
	if method == http.MethodGet || readsByPost[method+" "+path] {
		return ""
	}
	if action := actions[method+" "+path]; action != "" {
		return action
	}
	var words []string // of the path, without its parameters
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/v1/"), "/") {
		if !strings.HasPrefix(part, "{") {
			words = append(words, part)
		}
	}
	last := words[len(words)-1]
	if method == http.MethodPost && len(words) > 1 && !strings.HasSuffix(last, "s") {
		return singular(words[len(words)-2]) + "." + last
	}
	return singular(last) + "." + methodVerbs[method]
}

// actions are those with a better name than their path makes.
var actions = map[string]string{
	"DELETE /v1/keys/{id}":                "key.revoke",
	"POST /v1/accounts/{appid}/templates": "template.add",
	"POST /v1/batches/{id}/recipients":    "batch.upload",
	"PUT /v1/accounts/{appid}/token":      "token.push",

	"POST /v1/accounts/{appid}/suppressions":                "suppression.add",
	"DELETE /v1/accounts/{appid}/suppressions/{openid}":     "suppression.remove",
	"DELETE /v1/accounts/{appid}/users/{openid}":            "user.erase",
	"PUT /v1/accounts/{appid}/templates/aliases/{alias}":    "template_alias.put",
	"DELETE /v1/accounts/{appid}/templates/aliases/{alias}": "template_alias.delete",
}

// readsByPost change nothing, though they are posted.
var readsByPost = map[string]bool{
	"POST /v1/accounts/{appid}/templates/{template_id}/convert": true,
	"POST /v1/accounts/{appid}/templates/{template_id}/lint":    true,
	"POST /v1/accounts/{appid}/templates/{template_id}/preview": true,
}

var methodVerbs = map[string]string{
	http.MethodPost: "create", http.MethodPut: "put", http.MethodPatch: "update", http.MethodDelete: "delete",
}

// singular of a path's nouns.
func singular(noun string) string {
	if stem, ok := strings.CutSuffix(noun, "ies"); ok {
		return stem + "y"
	}
	if stem, ok := strings.CutSuffix(noun, "ches"); ok {
		return stem + "ch"
	}
	return strings.TrimSuffix(noun, "s")
}

// newChange is the change a request asks for: its first path parameter is what
// it is about, the others narrow that down.
func newChange(action, path string, r *http.Request) change {
	c := change{action: action}
	for part := range strings.SplitSeq(path, "/") {
		name, ok := strings.CutPrefix(part, "{")
		if !ok || action == "" {
			continue
		}
		if name = strings.TrimSuffix(name, "}"); name == "openid" {
			continue // a person may be erased; the log is not changed then
		}
		if c.target == "" {
			c.target = r.PathValue(name)
		} else {
			c.parts = append(c.parts, name+" "+r.PathValue(name))
		}
	}
	return c
}

// note writes the audit entry of a change, once, with what came of it: nil =
// it is made.
func (a *API) note(ctx context.Context, info *requestInfo, failure error) {
	c := &info.change
	if c.action == "" || c.noted {
		return
	}
	c.noted = true
	e := hongyan.AuditEntry{Actor: info.caller.ID, Remote: info.remote, Action: c.action, Target: c.target, Outcome: access.OK}
	words := c.parts
	switch {
	case failure != nil:
		e.Outcome = outcomeOf(failure)
		words = append(words, failureWords(failure))
	case c.detail != "":
		words = append(words, c.detail)
	default:
		words = append(words, fieldWords(c.body))
	}
	e.Detail = strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), ", ")
	a.cfg.Access.Record(ctx, e)
}

func outcomeOf(failure error) string {
	if hongyan.IsKind(failure, hongyan.Forbidden) {
		return access.Refused
	}
	return access.Failed
}

// failureWords is a refusal's code and the fields it names, never what was in them.
func failureWords(failure error) string {
	e := asShown(failure)
	words := problemOf(e).Code
	for _, f := range e.Fields {
		words += " " + f.Pointer
	}
	return words
}

// fieldWords names the fields of a body that was accepted, so that its names are
// ours; values are not told, because some are secrets. Of objects the fields
// inside are named too.
func fieldWords(raw []byte) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || len(fields) == 0 {
		return ""
	}
	var names []string
	for name, value := range fields {
		var inside map[string]json.RawMessage
		if json.Unmarshal(value, &inside) != nil || len(inside) == 0 {
			names = append(names, name)
		}
		for inner := range inside {
			names = append(names, name+"."+inner)
		}
	}
	slices.Sort(names)
	return "fields " + strings.Join(names, " ")
}

type auditList struct {
	Actor  string `query:"actor" doc:"A key's id, admin, or config for the configuration file."`
	Action string `query:"action" doc:"An action such as key.create, or a noun with a dot for all of its actions." example:"key."`
	Target string `query:"target" doc:"An appid, a key's id, a message's id."`
	Since  string `query:"since" doc:"At or after this, RFC 3339."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
}

func (a *API) listAudit(ctx context.Context, in *auditList) (*out[client.List[client.AuditEntry]], error) {
	if !infoOf(ctx).caller.Everything() {
		return nil, limitedKey
	}
	f := store.AuditFilter{Actor: in.Actor, Action: in.Action, Target: in.Target, Limit: in.Limit}
	var err error
	if f.Since, err = parseTime("/query/since", in.Since); err != nil {
		return nil, err
	}
	if f.Before, err = readCursor("a", in.Cursor); err != nil {
		return nil, err
	}
	a.cfg.Access.Flush(ctx) // whoever looks sees what happened until now
	entries, err := a.cfg.Store.AuditLog(ctx, f)
	if err != nil {
		return nil, err
	}
	names, err := a.keyNames(ctx)
	if err != nil {
		return nil, err
	}
	list := client.List[client.AuditEntry]{Items: make([]client.AuditEntry, 0, len(entries))}
	for i := range entries {
		list.Items = append(list.Items, viewAuditEntry(&entries[i], names))
	}
	if len(entries) == in.Limit {
		list.NextCursor = cursorFor("a", entries[len(entries)-1].ID)
	}
	return &out[client.List[client.AuditEntry]]{list}, nil
}

// keyNames returns the names of all keys by id; revoked ones are among them.
func (a *API) keyNames(ctx context.Context) (map[string]string, error) {
	keys, err := a.cfg.Store.Keys(ctx)
	names := make(map[string]string, len(keys))
	for i := range keys {
		names[keys[i].ID] = keys[i].Name
	}
	return names, err
}

func viewAuditEntry(e *hongyan.AuditEntry, names map[string]string) client.AuditEntry {
	return client.AuditEntry{
		ID: strconv.FormatInt(e.ID, 10), At: client.Time{Time: e.At}, Actor: e.Actor, ActorName: names[e.Actor], Remote: e.Remote,
		Action: e.Action, Target: e.Target, Outcome: e.Outcome, Detail: e.Detail, Count: e.Count,
	}
}
