package wechat

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// The templates of subscribe messages and subscription notices, for mini programs
// and service accounts alike (spec §7.2).

// Limits of newtmpl (spec §7.2).
const (
	minKIDs, maxKIDs = 2, 5
	maxSceneDesc     = 15 // characters
	maxTitlesPage    = 30
	// Templates made for one account have no keywords to choose from.
	firstOwnTID, lastOwnTID = 10000001, 19999999
)

// SubscribeTemplateType says for how long one acceptance is good.
type SubscribeTemplateType int

// The two types.
const (
	SubscribeOneTime  SubscribeTemplateType = 2 // 一次性订阅: one message
	SubscribeLongTerm SubscribeTemplateType = 3 // 长期订阅: some public services only
)

// UnmarshalJSON reads a number that may be written as a string.
func (t *SubscribeTemplateType) UnmarshalJSON(b []byte) error {
	var n wireInt
	if err := n.UnmarshalJSON(b); err != nil {
		return err
	}
	*t = SubscribeTemplateType(n)
	return nil
}

// SubscribeTemplate is one template of the account.
type SubscribeTemplate struct {
	PriTmplID string                `json:"priTmplId"` // the template_id of a message
	Title     string                `json:"title"`
	Content   string                `json:"content"` // see ParseContent
	Example   string                `json:"example"`
	Type      SubscribeTemplateType `json:"type"`
	// Enums are the values that keywords of the type enum may have; empty if there are none.
	Enums []KeywordEnum `json:"keywordEnumValueList"`
}

// KeywordEnum holds the values one keyword may have.
type KeywordEnum struct {
	KeywordCode string   `json:"keywordCode"` // "enum1.DATA"
	Values      []string `json:"enumValueList"`
}

// ListSubscribeTemplates returns all subscribe templates that the account holds. The
// platform allows few such calls a day: keep the answer.
func (c *Client) ListSubscribeTemplates(ctx context.Context) ([]SubscribeTemplate, error) {
	var result struct {
		Data []SubscribeTemplate `json:"data"`
	}
	err := c.get(ctx, EndpointNewTmplList, "", &result, func() bool { return result.Data != nil })
	return result.Data, err
}

// AddSubscribeTemplateRequest names a template of the public library.
type AddSubscribeTemplateRequest struct {
	TID int
	// KIDList names two to five keywords in the order to show them. Templates made
	// for one account (tid 10000001 to 19999999) have none to choose.
	KIDList   []int
	SceneDesc string // what the account sends it for; at most 15 characters, "" sends none
}

// Check applies the limits of kidList and sceneDesc.
func (r AddSubscribeTemplateRequest) Check() []FieldProblem {
	var c checks
	if r.TID >= firstOwnTID && r.TID <= lastOwnTID {
		c.none("kidList", r.KIDList)
	} else {
		c.length("kidList", r.KIDList, minKIDs, maxKIDs)
	}
	c.maxRunes("sceneDesc", r.SceneDesc, maxSceneDesc)
	return c
}

// form is the request as the platform wants it here. JSON would be refused with
// HTTP 415 or 200014. The brackets are escaped, as in every form.
func (r AddSubscribeTemplateRequest) form() string {
	var b strings.Builder
	fmt.Fprintf(&b, "tid=%d", r.TID)
	for i, kid := range r.KIDList {
		fmt.Fprintf(&b, "&kidList%%5B%d%%5D=%d", i, kid)
	}
	if r.SceneDesc != "" {
		b.WriteString("&sceneDesc=" + url.QueryEscape(r.SceneDesc))
	}
	return b.String()
}

// AddSubscribeTemplate adds a template of the public library to the account and
// returns its new id.
func (c *Client) AddSubscribeTemplate(ctx context.Context, req AddSubscribeTemplateRequest) (priTmplID string, err error) {
	if err := checkRequest(EndpointNewTmplAdd, req); err != nil {
		return "", err
	}
	ans, err := c.withToken(ctx, Call{
		Endpoint:    EndpointNewTmplAdd,
		Body:        []byte(req.form()),
		ContentType: "application/x-www-form-urlencoded",
	})
	if err != nil {
		return "", err
	}
	var result struct {
		PriTmplID string `json:"priTmplId"`
	}
	err = decodeResult(EndpointNewTmplAdd, ans, &result, func() bool { return result.PriTmplID != "" })
	return result.PriTmplID, err
}

// DeleteSubscribeTemplate removes a template from the account.
func (c *Client) DeleteSubscribeTemplate(ctx context.Context, priTmplID string) error {
	_, err := c.post(ctx, EndpointNewTmplDelete, struct {
		PriTmplID string `json:"priTmplId"`
	}{priTmplID})
	return err
}
