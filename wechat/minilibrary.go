package wechat

import (
	"context"
	"encoding/json"
)

// The template library and the private templates of a mini program, retired
// together with its template messages (spec §6.4). Tokens of official accounts
// are refused with 48001.

// Limits of the library (spec §6.4).
const (
	maxMiniPage     = 20 // entries of one page
	maxMiniKeywords = 10
)

// MiniLibraryTitle is an entry of the library.
type MiniLibraryTitle struct {
	ID    string `json:"id"` // "AT9001"
	Title string `json:"title"`
}

// MiniLibraryPage is a part of the library.
type MiniLibraryPage struct {
	Titles []MiniLibraryTitle
	Total  int // entries of the whole library
}

// pageRequest asks for count entries from offset on.
type pageRequest struct {
	Offset int `json:"offset"`
	Count  int `json:"count"`
}

// Check applies the size of a page; the platform answers others with 45076.
func (r pageRequest) Check() []FieldProblem {
	var c checks
	c.notNegative("offset", r.Offset)
	c.between("count", r.Count, 0, maxMiniPage)
	return c
}

// MiniLibrary returns count entries of the library from offset on; count is at most 20.
func (c *Client) MiniLibrary(ctx context.Context, offset, count int) (MiniLibraryPage, error) {
	var result struct {
		List  []MiniLibraryTitle `json:"list"`
		Total wireInt            `json:"total_count"`
	}
	err := c.postFor(ctx, EndpointMiniLibraryList, pageRequest{offset, count}, &result, func() bool { return result.List != nil })
	if err != nil {
		return MiniLibraryPage{}, err
	}
	return MiniLibraryPage{result.List, int(result.Total)}, nil
}

// MiniLibraryTemplate is an entry of the library with its keywords.
type MiniLibraryTemplate struct {
	ID       string        `json:"id"`
	Title    string        `json:"title"`
	Keywords []MiniKeyword `json:"keyword_list"`
}

// MiniKeyword is a line that a template may have.
type MiniKeyword struct {
	ID      int    `json:"keyword_id"`
	Name    string `json:"name"`
	Example string `json:"example"`
}

// UnmarshalJSON reads numbers that may be written as strings.
func (k *MiniKeyword) UnmarshalJSON(b []byte) error {
	type plain MiniKeyword
	wire := struct {
		*plain
		ID wireInt `json:"keyword_id"`
	}{plain: (*plain)(k)}
	if err := json.Unmarshal(b, &wire); err != nil {
		return err
	}
	k.ID = int(wire.ID)
	return nil
}

// MiniLibraryTemplate returns an entry of the library with its keywords.
func (c *Client) MiniLibraryTemplate(ctx context.Context, id string) (MiniLibraryTemplate, error) {
	var result MiniLibraryTemplate
	err := c.postFor(ctx, EndpointMiniLibraryGet, struct {
		ID string `json:"id"`
	}{id}, &result, func() bool { return result.Keywords != nil })
	if err != nil {
		return MiniLibraryTemplate{}, err
	}
	return result, nil
}

// MiniTemplate is one template of the mini program. Its content names keyword1,
// keyword2 and so on by their place in AddMiniTemplateRequest.KeywordIDList.
type MiniTemplate struct {
	TemplateID string `json:"template_id"`
	Title      string `json:"title"`
	Content    string `json:"content"` // see ParseContent
	Example    string `json:"example"`
}

// AddMiniTemplateRequest names an entry of the library and the keywords to have,
// in the order to show them.
type AddMiniTemplateRequest struct {
	ID            string `json:"id"`
	KeywordIDList []int  `json:"keyword_id_list"`
}

// Check applies the number of keywords; the platform answers others with 45100.
func (r AddMiniTemplateRequest) Check() []FieldProblem {
	var c checks
	c.length("keyword_id_list", r.KeywordIDList, 1, maxMiniKeywords)
	return c
}

// AddMiniTemplate adds a template of the library to the mini program and returns
// its new id; a mini program may hold 25.
func (c *Client) AddMiniTemplate(ctx context.Context, req AddMiniTemplateRequest) (templateID string, err error) {
	var result struct {
		TemplateID string `json:"template_id"`
	}
	err = c.postFor(ctx, EndpointMiniTemplateAdd, req, &result, func() bool { return result.TemplateID != "" })
	return result.TemplateID, err
}

// ListMiniTemplates returns count templates of the mini program from offset on; count
// is at most 20.
func (c *Client) ListMiniTemplates(ctx context.Context, offset, count int) ([]MiniTemplate, error) {
	var result struct {
		List []MiniTemplate `json:"list"`
	}
	err := c.postFor(ctx, EndpointMiniTemplateList, pageRequest{offset, count}, &result, func() bool { return result.List != nil })
	return result.List, err
}

// DeleteMiniTemplate removes a template from the mini program.
func (c *Client) DeleteMiniTemplate(ctx context.Context, templateID string) error {
	_, err := c.post(ctx, EndpointMiniTemplateDelete, struct {
		TemplateID string `json:"template_id"`
	}{templateID})
	return err
}
