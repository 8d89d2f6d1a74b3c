package wechat

import "context"

// Industry is an industry's name in two steps, as the platform spells it that
// day. Names differ between page and answer (互联网/电子商务, 互联网|电子商务), so
// compare industries by their code, never by name (spec §4.2.2).
type Industry struct {
	FirstClass  string `json:"first_class"`
	SecondClass string `json:"second_class"`
}

// Industries are those an official account has chosen. An account of the console
// may have chosen fewer than two; the rest is then empty (K17).
type Industries struct {
	Primary   Industry
	Secondary Industry
}

// Industries returns the account's industries.
func (c *Client) Industries(ctx context.Context) (Industries, error) {
	var result struct {
		Primary   *Industry `json:"primary_industry"`
		Secondary *Industry `json:"secondary_industry"` // get_all_private_template calls it deputy
	}
	err := c.get(ctx, EndpointIndustryGet, "", &result, func() bool {
		return result.Primary != nil || result.Secondary != nil
	})
	if err != nil {
		return Industries{}, err
	}
	var industries Industries
	if result.Primary != nil {
		industries.Primary = *result.Primary
	}
	if result.Secondary != nil {
		industries.Secondary = *result.Secondary
	}
	return industries, nil
}

// SetIndustryRequest chooses both industries of an account by their codes, "1"
// (互联网|电子商务) to "41" (其它).
type SetIndustryRequest struct {
	IndustryID1 string `json:"industry_id1"`
	IndustryID2 string `json:"industry_id2"`
}

// Check wants both codes: the platform has no call that changes one alone.
func (r SetIndustryRequest) Check() []FieldProblem {
	var c checks
	c.notEmpty("industry_id1", r.IndustryID1)
	c.notEmpty("industry_id2", r.IndustryID2)
	return c
}

// SetIndustry changes the account's industries. The platform allows it once a
// month (43100) and deletes the templates of an industry that is given up.
func (c *Client) SetIndustry(ctx context.Context, req SetIndustryRequest) error {
	_, err := c.post(ctx, EndpointIndustrySet, req)
	return err
}
