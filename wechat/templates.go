package wechat

import "context"

// Template is one template of the account (spec §4.2.4). Category templates of
// today leave the industries empty or carry other text in them.
type Template struct {
	TemplateID      string `json:"template_id"`
	Title           string `json:"title"`
	PrimaryIndustry string `json:"primary_industry"`
	DeputyIndustry  string `json:"deputy_industry"`
	Content         string `json:"content"` // see ParseContent
	Example         string `json:"example"`
}

// ListTemplates returns all templates that the account holds, in the platform's
// order; an account without templates gives an empty list.
func (c *Client) ListTemplates(ctx context.Context) ([]Template, error) {
	var result struct {
		List []Template `json:"template_list"`
	}
	err := c.get(ctx, EndpointTemplateList, "", &result, func() bool { return result.List != nil })
	return result.List, err
}

// AddTemplateRequest names a template of the platform's library.
type AddTemplateRequest struct {
	// TemplateIDShort is the library's number: digits only for a category
	// template. Historical ids ("TM00015") are refused with 40247 today.
	TemplateIDShort string `json:"template_id_short"`
	// KeywordNameList names the keywords to have, in the order to show them.
	// Category templates need it; without it the platform answers 40246.
	KeywordNameList []string `json:"keyword_name_list,omitempty"`
}

// AddTemplate adds a library template to the account and returns its new id.
// Adding the same one twice gives two ids; an account may hold 25 (spec §4.2.3).
func (c *Client) AddTemplate(ctx context.Context, req AddTemplateRequest) (templateID string, err error) {
	var result struct {
		TemplateID string `json:"template_id"`
	}
	err = c.postFor(ctx, EndpointTemplateAdd, req, &result, func() bool { return result.TemplateID != "" })
	return result.TemplateID, err
}

// DeleteTemplate removes a template from the account. Later sends with its id
// are refused with 40037; an id the account does not hold is refused the same way.
func (c *Client) DeleteTemplate(ctx context.Context, templateID string) error {
	_, err := c.post(ctx, EndpointTemplateDelete, struct {
		TemplateID string `json:"template_id"`
	}{templateID})
	return err
}
