package wechat

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// The public library from which subscribe templates are chosen (spec §7.2).

// SubscribeCategory is a category (类目) of the account.
type SubscribeCategory struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// UnmarshalJSON reads numbers that may be written as strings.
func (s *SubscribeCategory) UnmarshalJSON(b []byte) error {
	type plain SubscribeCategory
	wire := struct {
		*plain
		ID wireInt `json:"id"`
	}{plain: (*plain)(s)}
	if err := json.Unmarshal(b, &wire); err != nil {
		return err
	}
	s.ID = int(wire.ID)
	return nil
}

// SubscribeCategories returns the account's categories.
func (c *Client) SubscribeCategories(ctx context.Context) ([]SubscribeCategory, error) {
	var result struct {
		Data []SubscribeCategory `json:"data"`
	}
	err := c.get(ctx, EndpointNewTmplCategories, "", &result, func() bool { return result.Data != nil })
	return result.Data, err
}

// SubscribeTitlesRequest asks for one page of the public library.
type SubscribeTitlesRequest struct {
	CategoryIDs []int // at least one, see SubscribeCategories
	Start       int   // place of the first title, from 0 on
	Limit       int   // at most 30
}

// Check applies the limits of the page; the platform answers with 200016 to 200019.
func (r SubscribeTitlesRequest) Check() []FieldProblem {
	var c checks
	if len(r.CategoryIDs) == 0 {
		c.notEmpty("ids", "")
	}
	c.notNegative("start", r.Start)
	c.between("limit", r.Limit, 0, maxTitlesPage)
	return c
}

func (r SubscribeTitlesRequest) query() string {
	ids := make([]string, len(r.CategoryIDs))
	for i, id := range r.CategoryIDs {
		ids[i] = strconv.Itoa(id)
	}
	return fmt.Sprintf("ids=%s&start=%d&limit=%d", strings.Join(ids, ","), r.Start, r.Limit)
}

// SubscribeTitle is a template of the public library.
type SubscribeTitle struct {
	TID        int                   `json:"tid"`
	Title      string                `json:"title"`
	Type       SubscribeTemplateType `json:"type"`
	CategoryID int                   `json:"categoryId"`
}

// UnmarshalJSON reads numbers that may be written as strings.
func (s *SubscribeTitle) UnmarshalJSON(b []byte) error {
	type plain SubscribeTitle
	wire := struct {
		*plain
		TID        wireInt `json:"tid"`
		CategoryID wireInt `json:"categoryId"`
	}{plain: (*plain)(s)}
	if err := json.Unmarshal(b, &wire); err != nil {
		return err
	}
	s.TID, s.CategoryID = int(wire.TID), int(wire.CategoryID)
	return nil
}

// SubscribeTitlePage is a part of the public library.
type SubscribeTitlePage struct {
	Titles []SubscribeTitle
	Count  int // titles of all pages
}

// SubscribeTitles returns one page of the public library's templates in the
// account's categories.
func (c *Client) SubscribeTitles(ctx context.Context, req SubscribeTitlesRequest) (SubscribeTitlePage, error) {
	if err := checkRequest(EndpointNewTmplTitles, req); err != nil {
		return SubscribeTitlePage{}, err
	}
	var result struct {
		Count wireInt          `json:"count"`
		Data  []SubscribeTitle `json:"data"`
	}
	err := c.get(ctx, EndpointNewTmplTitles, req.query(), &result, func() bool { return result.Data != nil })
	if err != nil {
		return SubscribeTitlePage{}, err
	}
	return SubscribeTitlePage{result.Data, int(result.Count)}, nil
}

// SubscribeKeyword is a line that a template of the public library may have.
type SubscribeKeyword struct {
	KID     int    `json:"kid"`
	Name    string `json:"name"`
	Example string `json:"example"`
	Rule    string `json:"rule"` // its type: "thing", "time"; see ValueType
}

// UnmarshalJSON reads numbers that may be written as strings.
func (k *SubscribeKeyword) UnmarshalJSON(b []byte) error {
	type plain SubscribeKeyword
	wire := struct {
		*plain
		KID wireInt `json:"kid"`
	}{plain: (*plain)(k)}
	if err := json.Unmarshal(b, &wire); err != nil {
		return err
	}
	k.KID = int(wire.KID)
	return nil
}

// SubscribeKeywords returns all keywords of a template of the public library.
func (c *Client) SubscribeKeywords(ctx context.Context, tid int) ([]SubscribeKeyword, error) {
	var result struct {
		Data []SubscribeKeyword `json:"data"`
	}
	err := c.get(ctx, EndpointNewTmplKeywords, "tid="+strconv.Itoa(tid), &result, func() bool { return result.Data != nil })
	return result.Data, err
}
