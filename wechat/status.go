package wechat

import (
	"fmt"
	"strings"
)

// DeliveryStatus is what a TEMPLATESENDJOBFINISH event says became of a message. The zero value
// is StatusOther, so that a forgotten assignment never reads as a success.
type DeliveryStatus uint8

// The outcomes known to exist. Only the first three are documented; freq limit was observed.
const (
	StatusOther        DeliveryStatus = iota // failed for a reason we have no word for
	StatusSuccess                            // delivered
	StatusUserBlock                          // the user set to refuse the account's messages
	StatusSystemFailed                       // any reason that is not a refusal
	StatusFreqLimit                          // this user was sent too much
)

var statusWords = [...]string{"other", "success", "user_block", "system_failed", "freq_limit"}

// String returns "success", "user_block", "system_failed", "freq_limit" or "other".
func (s DeliveryStatus) String() string {
	if int(s) < len(statusWords) {
		return statusWords[s]
	}
	return fmt.Sprintf("DeliveryStatus(%d)", uint8(s))
}

// ParseStatus reads the Status text of a delivery event. It accepts every spelling seen so far
// (spec §5.1): with and without a space after the colon, in any case, and the bare "system
// failed" of the older notes. Everything else is StatusOther: the platform adds words without
// notice, and an unknown word must never stop the processing of an event.
func ParseStatus(s string) DeliveryStatus {
	head, tail, found := strings.Cut(strings.ToLower(s), ":")
	head, tail = squeeze(head), squeeze(tail)
	switch {
	case head == "success" && tail == "":
		return StatusSuccess
	case head == "failed" && found:
		return parseFailure(tail)
	case !found:
		return parseFailure(head)
	}
	return StatusOther
}

func parseFailure(reason string) DeliveryStatus {
	switch reason {
	case "user block":
		return StatusUserBlock
	case "system failed":
		return StatusSystemFailed
	case "freq limit":
		return StatusFreqLimit
	}
	return StatusOther
}

// squeeze trims s and turns every run of white space inside it into one space.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }
