package sandbox

import "net/http"

// platformRoutes is what people do to an account in WeChat's console, and what the
// platform does to it.
func (s *Sandbox) platformRoutes() map[string]controlHandler {
	return map[string]controlHandler{
		"POST /sandbox/v1/accounts/{appid}/clear_quota":   s.controlClearQuota,
		"GET /sandbox/v1/accounts/{appid}/reviews":        s.controlReviews,
		"POST /sandbox/v1/accounts/{appid}/reviews":       s.controlDecideReview,
		"POST /sandbox/v1/accounts/{appid}/reset_secret":  s.controlResetSecret,
		"GET /sandbox/v1/accounts/{appid}/ip_requests":    s.controlIPRequests,
		"POST /sandbox/v1/accounts/{appid}/ip_requests":   s.controlDecideIP,
		"GET /sandbox/v1/users/{openid}/consents":         s.controlConsents,
		"POST /sandbox/v1/users/{openid}/consents":        s.controlConsent,
		"POST /sandbox/v1/users/{openid}/consents/revoke": s.controlRevokeConsent,
		"POST /sandbox/v1/users/{openid}/one_time":        s.controlOneTime,
	}
}

func (s *Sandbox) controlClearQuota(r *http.Request) (any, error) {
	if err := readControl(r, &struct{}{}); err != nil {
		return nil, err
	}
	return done{true}, s.ClearQuota(r.PathValue("appid"))
}

func (s *Sandbox) controlConsents(r *http.Request) (any, error) {
	appid := ""
	err := eachParameter(r.URL.Query(), func(name, value string) error {
		if name != "appid" {
			return &ControlError{Field: name, Rule: "is unknown here"}
		}
		appid = value
		return nil
	})
	if err != nil {
		return nil, err
	}
	states, err := s.Consents(appid, r.PathValue("openid"))
	return list[ConsentState]{states}, err
}

func (s *Sandbox) controlConsent(r *http.Request) (any, error) {
	var req struct {
		AppID     string `json:"appid"`
		Scene     int    `json:"scene"`
		Templates []struct {
			TemplateID string `json:"template_id"`
			Accept     *bool  `json:"accept"`
		} `json:"templates"`
	}
	if err := readControl(r, &req); err != nil {
		return nil, err
	}
	answers := make([]ConsentAnswer, len(req.Templates))
	for i, t := range req.Templates {
		if t.Accept == nil {
			return nil, &ControlError{Field: "accept", Rule: "is required for each template"}
		}
		answers[i] = ConsentAnswer{t.TemplateID, *t.Accept}
	}
	if err := s.Consent(req.AppID, r.PathValue("openid"), answers, req.Scene); err != nil {
		return nil, err
	}
	return s.controlConsents(r)
}

func (s *Sandbox) controlRevokeConsent(r *http.Request) (any, error) {
	var req struct {
		AppID       string   `json:"appid"`
		TemplateIDs []string `json:"template_ids"`
	}
	if err := readControl(r, &req); err != nil {
		return nil, err
	}
	if err := s.RevokeConsent(req.AppID, r.PathValue("openid"), req.TemplateIDs...); err != nil {
		return nil, err
	}
	return s.controlConsents(r)
}

func (s *Sandbox) controlOneTime(r *http.Request) (any, error) {
	var req struct {
		AppID string `json:"appid"`
		Scene int    `json:"scene"`
	}
	if err := readControl(r, &req); err != nil {
		return nil, err
	}
	return done{true}, s.ConfirmOneTime(req.AppID, r.PathValue("openid"), req.Scene)
}

// newSecret shows a secret, the only time there is.
type newSecret struct {
	Secret string `json:"secret"`
}

func (s *Sandbox) controlResetSecret(r *http.Request) (any, error) {
	if err := readControl(r, &struct{}{}); err != nil {
		return nil, err
	}
	secret, err := s.ResetSecret(r.PathValue("appid"))
	return newSecret{secret}, err
}

func (s *Sandbox) controlIPRequests(r *http.Request) (any, error) {
	requests, err := s.IPRequests(r.PathValue("appid"))
	return list[IPRequest]{requests}, err
}

func (s *Sandbox) controlDecideIP(r *http.Request) (any, error) {
	var req struct {
		IP     string `json:"ip"`
		Accept *bool  `json:"accept"`
	}
	if err := readControl(r, &req); err != nil {
		return nil, err
	}
	if req.Accept == nil {
		return nil, &ControlError{Field: "accept", Rule: "is required"}
	}
	if err := s.DecideIP(r.PathValue("appid"), req.IP, *req.Accept); err != nil {
		return nil, err
	}
	return s.controlIPRequests(r)
}

func (s *Sandbox) controlReviews(r *http.Request) (any, error) {
	reviews, err := s.Reviews(r.PathValue("appid"))
	return list[Review]{reviews}, err
}

func (s *Sandbox) controlDecideReview(r *http.Request) (any, error) {
	var req struct {
		MsgID   string `json:"msgid"`
		Approve *bool  `json:"approve"`
	}
	if err := readControl(r, &req); err != nil {
		return nil, err
	}
	if req.Approve == nil {
		return nil, &ControlError{Field: "approve", Rule: "is required"}
	}
	if err := s.DecideReview(r.PathValue("appid"), req.MsgID, *req.Approve); err != nil {
		return nil, err
	}
	return s.controlReviews(r)
}
