// Package hongyan holds the nouns of Hongyan (鸿雁): accounts, templates,
// messages with their states, attempts, receipts, events, callers, and the
// kinds of error everything above reports. It does no I/O.
//
// Start with Message and State; then read package store for what is
// remembered together, and package dispatch for what happens to a message.
// What WeChat itself says and expects is package wechat.
package hongyan

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// MessageIDPrefix starts the id of every message.
const MessageIDPrefix = "msg_"

// NewMessageID returns a new message id: the prefix and 32 hexadecimal digits
// of a version 7 UUID, so ids sort by the time they were made.
func NewMessageID() string { return newID(MessageIDPrefix) }

// newID returns prefix followed by the hexadecimal digits of a new UUIDv7.
func newID(prefix string) string {
	id := uuid.Must(uuid.NewV7())
	return prefix + strings.ReplaceAll(id.String(), "-", "")
}

// Millis cuts t to milliseconds in UTC, the precision at which every time
// enters the domain. The zero time stays zero.
func Millis(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}
