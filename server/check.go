package server

import "hongyan/api"

// CheckMessage says what POST /v1/messages would refuse to read of a body, as a
// *hongyan.Error that names the fields; nil = nothing. What the values are worth is not
// looked at.
func CheckMessage(body []byte) error { return api.CheckMessage(body) }
