package wechat

import (
	"strings"
	"unicode"
)

// What the phone has taken away from values since 2023-05-04 (spec §0.4, era E; §4.3).

// lineLimit is how many characters of a line's value the phone shows since era E.
const lineLimit = 20

// cutLine cuts a value of a historical template after lineLimit characters and marks the cut with
// "…". Consecutive digits count as one character and so do consecutive Latin letters; a run is
// never cut in two.
//
// Unverified: whether digits and letters side by side ("A1001") are one run or two; two here.
func cutLine(value string) string {
	count, last := 0, runNone
	for at, r := range value {
		kind := runOf(r)
		if kind != runNone && kind == last {
			continue
		}
		if last = kind; count == lineLimit {
			return value[:at] + "…"
		}
		count++
	}
	return value
}

// runKind is what a character counted by runs belongs to.
type runKind uint8

const (
	runNone runKind = iota // counts alone
	runDigits
	runLetters
)

func runOf(r rune) runKind {
	switch {
	case isASCIIDigit(r):
		return runDigits
	case unicode.Is(unicode.Latin, r):
		return runLetters
	}
	return runNone
}

// dropLineBreaks removes what would begin a new line.
func dropLineBreaks(s string) string {
	return strings.NewReplacer("\r", "", "\n", "", "\u2028", "", "\u2029", "").Replace(s)
}

// emojiAlone holds the characters shown as emoji without being asked to (Unicode's
// Emoji_Presentation): the planes above the BMP that hold little else, and the scattered ones
// below. Text symbols such as ☆, ✓ or © are not among them.
var emojiAlone = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x231A, 0x231B, 1}, {0x23E9, 0x23EC, 1}, {0x23F0, 0x23F3, 3}, {0x25FD, 0x25FE, 1},
		{0x2614, 0x2615, 1}, {0x2648, 0x2653, 1}, {0x267F, 0x2693, 20}, {0x26A1, 0x26A1, 1},
		{0x26AA, 0x26AB, 1}, {0x26BD, 0x26BE, 1}, {0x26C4, 0x26C5, 1}, {0x26CE, 0x26D4, 6},
		{0x26EA, 0x26EA, 1}, {0x26F2, 0x26F3, 1}, {0x26F5, 0x26FA, 5}, {0x26FD, 0x26FD, 1},
		{0x2705, 0x2705, 1}, {0x270A, 0x270B, 1}, {0x2728, 0x2728, 1}, {0x274C, 0x274E, 2},
		{0x2753, 0x2755, 1}, {0x2757, 0x2757, 1}, {0x2795, 0x2797, 1}, {0x27B0, 0x27BF, 15},
		{0x2B1B, 0x2B1C, 1}, {0x2B50, 0x2B55, 5},
	},
	R32: []unicode.Range32{
		{0x1F004, 0x1F0CF, 0xCB}, {0x1F18E, 0x1F18E, 1}, {0x1F191, 0x1F19A, 1},
		{0x1F1E6, 0x1F1FF, 1}, {0x1F201, 0x1F201, 1}, {0x1F21A, 0x1F22F, 0x15},
		{0x1F232, 0x1F236, 1}, {0x1F238, 0x1F23A, 1}, {0x1F250, 0x1F251, 1}, {0x1F300, 0x1FAFF, 1},
	},
}

// Characters that turn their neighbours into emoji.
const (
	emojiSelector = '\uFE0F' // "show the character before me as an emoji"
	textSelector  = '\uFE0E' // "show it as text"
	emojiJoiner   = '\u200D'
	keycap        = '\u20E3'
	firstTag      = '\U000E0020' // flags of regions are a black flag followed by tags
	lastTag       = '\U000E007F'
)

// dropEmoji removes emoji together with the selectors, joiners, keycaps and tags that belong
// to them, and leaves every other character as it is.
func dropEmoji(s string) string {
	runes := []rune(s)
	kept := make([]rune, 0, len(runes))
	afterEmoji := false
	for i, r := range runes {
		switch {
		case isEmojiAt(runes, i), afterEmoji && isEmojiPart(r):
			afterEmoji = true
		default:
			afterEmoji = false
			kept = append(kept, r)
		}
	}
	if len(kept) == len(runes) {
		return s
	}
	return string(kept)
}

// isEmojiAt looks one and two characters ahead: a selector makes an emoji of a symbol, and of an
// ASCII character only together with a keycap.
func isEmojiAt(runes []rune, i int) bool {
	if unicode.Is(emojiAlone, runes[i]) {
		return i+1 >= len(runes) || runes[i+1] != textSelector
	}
	rest := runes[i+1:]
	if len(rest) > 0 && rest[0] == keycap || len(rest) > 1 && rest[0] == emojiSelector && rest[1] == keycap {
		return true
	}
	return len(rest) > 0 && rest[0] == emojiSelector &&
		runes[i] > unicode.MaxASCII && !unicode.Is(unicode.Han, runes[i])
}

func isEmojiPart(r rune) bool {
	return r == emojiSelector || r == emojiJoiner || r == keycap || firstTag <= r && r <= lastTag
}
