package wechat

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// FieldProblem is one member of a request that breaks a rule the platform has
// published. Values of a template's data are ValidateData's business instead.
type FieldProblem struct {
	Field    string // as on the wire: "title", "data.content.value", "kidList"
	Rule     string // short id such as "title:max15"
	Detail   string // field, rule and value in one English sentence
	DetailZH string // the same in Chinese
	Value    string // the offending value, whole; the texts quote it shortened
}

// Error returns Detail, so that a problem can be returned as an error.
func (p *FieldProblem) Error() string { return p.Detail }

// RequestError says that a call was not made because the platform would have
// refused its request: outcome not_sent, class request. It has at least one
// problem and holds no secret.
type RequestError struct {
	Op       Endpoint
	Problems []FieldProblem
}

func (e *RequestError) Error() string {
	details := make([]string, len(e.Problems))
	for i := range e.Problems {
		details[i] = e.Problems[i].Detail
	}
	return fmt.Sprintf("wechat: %s: not sent: %s", e.Op, strings.Join(details, "; "))
}

// checker is a request with rules of its own.
type checker interface{ Check() []FieldProblem }

// checkRequest applies the rules of v, if it has any.
func checkRequest(op Endpoint, v any) error {
	if v, ok := v.(checker); ok {
		return refusal(op, v.Check())
	}
	return nil
}

func refusal(op Endpoint, problems []FieldProblem) error {
	if len(problems) == 0 {
		return nil
	}
	return &RequestError{Op: op, Problems: problems}
}

// post checks and encodes v and calls op with it.
func (c *Client) post(ctx context.Context, op Endpoint, v any) (Answer, error) {
	if err := checkRequest(op, v); err != nil {
		return Answer{}, err
	}
	body, err := MarshalBody(v)
	if err != nil {
		return Answer{}, &TransportError{Op: op, Err: err}
	}
	return c.withToken(ctx, Call{Endpoint: op, Body: body})
}

// postFor is post for an answer that has more than an errcode; see decodeResult.
func (c *Client) postFor(ctx context.Context, op Endpoint, v, result any, usable func() bool) error {
	ans, err := c.post(ctx, op, v)
	if err != nil {
		return err
	}
	return decodeResult(op, ans, result, usable)
}

// get calls op with these query parameters, encoded, "" for none, and reads its
// answer; see decodeResult.
func (c *Client) get(ctx context.Context, op Endpoint, query string, result any, usable func() bool) error {
	ans, err := c.withToken(ctx, Call{Endpoint: op, Query: query})
	if err != nil {
		return err
	}
	return decodeResult(op, ans, result, usable)
}

// checks collects the problems of one request.
type checks []FieldProblem

func (c *checks) add(field, value, rule, text, textZH string) {
	rule = field + ":" + rule
	*c = append(*c, FieldProblem{
		Field: field, Rule: rule, Value: value,
		Detail:   fmt.Sprintf("%s: %s, got %s (rule %s)", field, text, quoted(value), rule),
		DetailZH: fmt.Sprintf("%s：%s，当前值为 %s（规则 %s）", field, textZH, quoted(value), rule),
	})
}

// errors gives the problems one by one.
func (c checks) errors() []error {
	list := make([]error, len(c))
	for i := range c {
		list[i] = &c[i]
	}
	return list
}

// maxRunes wants at most limit characters.
func (c *checks) maxRunes(field, value string, limit int) {
	if n := utf8.RuneCountInString(value); n > limit {
		c.add(field, value, fmt.Sprintf("max%d", limit),
			fmt.Sprintf("at most %d characters, has %d", limit, n), fmt.Sprintf("最多 %d 个字符，现有 %d 个", limit, n))
	}
}

// between wants a number from low to high.
func (c *checks) between(field string, n, low, high int) {
	if n < low || n > high {
		c.add(field, strconv.Itoa(n), fmt.Sprintf("%d..%d", low, high),
			fmt.Sprintf("a number from %d to %d", low, high), fmt.Sprintf("须为 %d 至 %d 的数字", low, high))
	}
}

// notNegative wants a number that does not run away to the left.
func (c *checks) notNegative(field string, n int) {
	if n < 0 {
		c.add(field, strconv.Itoa(n), "min0", "a number not below 0", "须为不小于 0 的数字")
	}
}

// length wants a list with low to high members.
func (c *checks) length(field string, list []int, low, high int) {
	if n := len(list); n < low || n > high {
		c.add(field, fmt.Sprint(list), fmt.Sprintf("len%d..%d", low, high),
			fmt.Sprintf("a list of %d to %d numbers, has %d", low, high, n),
			fmt.Sprintf("须有 %d 至 %d 个数字，现有 %d 个", low, high, n))
	}
}

// none wants an empty list.
func (c *checks) none(field string, list []int) {
	if n := len(list); n > 0 {
		c.add(field, fmt.Sprint(list), "empty", fmt.Sprintf("must be empty here, has %d", n), fmt.Sprintf("此处须为空，现有 %d 个", n))
	}
}

// oneOf wants one of these words.
func (c *checks) oneOf(field, value string, words ...string) {
	if !slices.Contains(words, value) {
		c.add(field, value, "oneof", "one of "+strings.Join(words, ", "), "须为 "+strings.Join(words, "、")+" 之一")
	}
}

// notEmpty wants something.
func (c *checks) notEmpty(field, value string) {
	if value == "" {
		c.add(field, value, "required", "must be given", "必须填写")
	}
}

// webAddress wants an absolute http or https URL.
func (c *checks) webAddress(field, value string) {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		c.add(field, value, "url", "an absolute http or https URL", "须为完整的 http 或 https 链接")
	}
}
