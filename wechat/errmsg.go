package wechat

import "strings"

// splitErrMsg parts an errmsg from the request id that the platform hangs on it
// (spec §1, §2.7):
//
//	invalid appid rid: 6aac005a-01bfdbee-79769285     since about 2020
//	invalid code, rid: 6aac005a-01bfdbee-79769285     sns endpoints
//	invalid appid hint: [abcDEF0123gh45]              before; some modules still
//	invalid code, hints: [ req_id: abcDEF0123gh45 ]   sns endpoints, before
//
// The hint may stand before a detail, and with a rid behind it; then the rid
// wins. An errmsg without any of these is returned unchanged.
func splitErrMsg(errmsg string) (msg, rid string) {
	msg, rid = cutRID(errmsg)
	msg, hint := cutHint(msg)
	if rid == "" {
		rid = hint
	}
	return msg, rid
}

// cutRID cuts "rid: ID" off the end, written with or without the space.
func cutRID(s string) (rest, rid string) {
	const mark = "rid:"
	i := strings.LastIndex(s, mark)
	if i < 0 || i > 0 && s[i-1] != ' ' && s[i-1] != ',' {
		return s, ""
	}
	rid = strings.TrimSpace(s[i+len(mark):])
	if !isRequestID(rid) {
		return s, ""
	}
	return strings.TrimRight(s[:i], " ,"), rid
}

// cutHint cuts the first "hint: [ID]" or "hints: [ req_id: ID ]" out.
func cutHint(s string) (rest, id string) {
	for _, mark := range []string{"hint: [", "hints: ["} {
		before, after, found := strings.Cut(s, mark)
		inside, after, closed := strings.Cut(after, "]")
		if !found || !closed {
			continue
		}
		id = strings.TrimPrefix(strings.TrimSpace(inside), "req_id: ")
		id = strings.TrimRight(id, " !")
		if !isRequestID(id) {
			continue
		}
		if after = strings.TrimSpace(after); after == "" {
			return strings.TrimRight(before, " ,"), id
		}
		return strings.TrimRight(before, " ") + " " + after, id
	}
	return s, ""
}

// isRequestID accepts what request ids have been seen to consist of; the length
// keeps ordinary words and whole sentences out of the RID field.
func isRequestID(s string) bool {
	if len(s) < 8 || len(s) > 64 {
		return false
	}
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
		default:
			return false
		}
	}
	return true
}
