package sandbox

import "net/http"

// platformRoutes is what people do to an account in WeChat's console, and what the
// platform does to it.
func (s *Sandbox) platformRoutes() map[string]controlHandler {
	return map[string]controlHandler{
		"POST /sandbox/v1/accounts/{appid}/clear_quota": s.controlClearQuota,
	}
}

func (s *Sandbox) controlClearQuota(r *http.Request) (any, error) {
	if err := readControl(r, &struct{}{}); err != nil {
		return nil, err
	}
	return done{true}, s.ClearQuota(r.PathValue("appid"))
}
