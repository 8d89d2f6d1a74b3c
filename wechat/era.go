package wechat

import (
	"fmt"
	"strings"
)

// Era is a stage in the life of template messages (spec §0.4): the same request was shown,
// limited and answered differently over the years. The zero value is EraF, the platform of
// today. Compare with Before, not with <.
type Era uint8

// The eras, newest first because the zero value has to be today's.
const (
	EraF Era = iota // 2026: categories, typed keywords, 47003
	EraA            // about 2014, the old wiki: free keys, topcolor, 10,000 calls per template and month
	EraB            // 2014-11-18: 100,000 calls per account and day
	EraC            // 2017: jump into a mini program
	EraD            // 2017 to 2020-01-10: mini program template messages with a form_id
	EraE            // 2023-05-04: first, remark, colours and emoji dropped at delivery
)

// Eras lists all eras from the oldest to today's.
func Eras() []Era { return []Era{EraA, EraB, EraC, EraD, EraE, EraF} }

// eraWords holds the letter and the nickname of each era, both accepted by ParseEra.
var eraWords = map[Era][2]string{
	EraA: {"A", "wiki"},
	EraB: {"B", "100k"},
	EraC: {"C", "mini program jump"},
	EraD: {"D", "form_id"},
	EraE: {"E", "trimmed"},
	EraF: {"F", "today"},
}

// String returns the letter, "A" to "F".
func (e Era) String() string {
	if w, ok := eraWords[e]; ok {
		return w[0]
	}
	return fmt.Sprintf("Era(%d)", uint8(e))
}

// Nickname returns the era's name in the specification, such as "wiki" or "today"; "" for an
// unknown value.
func (e Era) Nickname() string { return eraWords[e][1] }

// ParseEra reads a letter or a nickname in any case; the empty string means today.
func ParseEra(s string) (Era, error) {
	word := strings.TrimSpace(s)
	if word == "" {
		return EraF, nil
	}
	for _, e := range Eras() {
		if strings.EqualFold(word, e.String()) || strings.EqualFold(word, e.Nickname()) {
			return e, nil
		}
	}
	return EraF, fmt.Errorf("wechat: unknown era %q, want A to F", s)
}

// MarshalText writes the letter, so that an Era can stand in JSON and configuration.
func (e Era) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads what ParseEra reads.
func (e *Era) UnmarshalText(text []byte) error {
	parsed, err := ParseEra(string(text))
	if err != nil {
		return err
	}
	*e = parsed
	return nil
}

// Before reports whether e is an earlier era than other.
func (e Era) Before(other Era) bool { return e.rank() < other.rank() }

// rank orders the eras in time, which their numbers do not.
func (e Era) rank() int {
	if e == EraF {
		return int(EraE) + 1
	}
	return int(e)
}

// trims reports whether the phone drops first, remark, colours, emoji and line breaks and cuts
// lines, as it has done since 2023-05-04 (spec §0.4, era E).
func (e Era) trims() bool { return !e.Before(EraE) }
