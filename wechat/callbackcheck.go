package wechat

import "context"

// CheckAction is what Client.CheckCallback tries.
type CheckAction string

// The three actions.
const (
	CheckDNS  CheckAction = "dns"  // resolve the server URL's host
	CheckPing CheckAction = "ping" // ping its addresses
	CheckAll  CheckAction = "all"  // both
)

// CheckOperator is the network from which the platform looks.
type CheckOperator string

// The four networks.
const (
	OperatorTelecom CheckOperator = "CHINANET" // 电信
	OperatorUnicom  CheckOperator = "UNICOM"   // 联通
	OperatorTencent CheckOperator = "CAP"      // 腾讯自建出口
	OperatorDefault CheckOperator = "DEFAULT"  // chosen by the host's address
)

// CallbackCheck is what the platform saw of an account's callback server. A part
// that was not asked for is nil.
type CallbackCheck struct {
	DNS  []CheckedDNS  `json:"dns"`
	Ping []CheckedPing `json:"ping"`
}

// CheckedDNS is one address of the host and the network it lies in.
type CheckedDNS struct {
	IP           string `json:"ip"`
	RealOperator string `json:"real_operator"`
}

// CheckedPing is how one address answered.
type CheckedPing struct {
	IP           string `json:"ip"`
	FromOperator string `json:"from_operator"`
	PackageLoss  string `json:"package_loss"` // "0%"
	Time         string `json:"time"`         // "23.4ms"
}

// CheckCallback lets the platform look at the account's callback server from its
// side. An account without server URL is refused with 40201; 1440 calls a day are
// allowed (spec §3.5).
func (c *Client) CheckCallback(ctx context.Context, action CheckAction, operator CheckOperator) (CallbackCheck, error) {
	var result CallbackCheck
	err := c.postFor(ctx, EndpointCallbackCheck, callbackCheckRequest{action, operator}, &result, func() bool {
		return result.DNS != nil || result.Ping != nil
	})
	if err != nil {
		return CallbackCheck{}, err
	}
	return result, nil
}

type callbackCheckRequest struct {
	Action   CheckAction   `json:"action"`
	Operator CheckOperator `json:"check_operator"`
}

// Check wants words the platform knows; it answers others with 40202 and 40203.
func (r callbackCheckRequest) Check() []FieldProblem {
	var c checks
	c.oneOf("action", string(r.Action), string(CheckDNS), string(CheckPing), string(CheckAll))
	c.oneOf("check_operator", string(r.Operator),
		string(OperatorTelecom), string(OperatorUnicom), string(OperatorTencent), string(OperatorDefault))
	return c
}
