package sheet

import (
	"strconv"
	"strings"
)

// numberFormat is how a style shows a number. The zero value shows it plainly.
type numberFormat struct {
	date, time bool
	elapsed    bool // a length of time, such as [h]:mm

	digits        bool // the rest counts
	before, after string
	whole         int // digits before the point, at least
	decimals      int // digits after it
	optional      int // as many of these, from the right, are left out when they are 0
	grouped       bool
	percent       bool
}

// builtIn are the formats of digits that a workbook need not spell out (ECMA-376 part
// 1, 18.8.30). Those of dates are in formatOfID.
var builtIn = map[int]string{
	1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%",
	37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00", 41: "#,##0", 42: "#,##0", 43: "#,##0.00", 44: "#,##0.00",
}

func formatOfID(id int, codes map[int]string) numberFormat {
	if code, ok := codes[id]; ok {
		return parseFormat(code)
	}
	switch {
	case id >= 14 && id <= 17, id >= 27 && id <= 31, id == 36, id >= 50 && id <= 54, id == 57, id == 58:
		return numberFormat{date: true}
	case id >= 18 && id <= 21, id >= 32 && id <= 35, id == 45, id == 47, id == 55, id == 56:
		return numberFormat{time: true}
	case id == 46:
		return numberFormat{time: true, elapsed: true}
	case id == 22:
		return numberFormat{date: true, time: true}
	}
	return parseFormat(builtIn[id])
}

// formatCode is a format taken apart.
type formatCode struct {
	before, after string // literal text around the digits
	pattern       string // what stands for digits, such as #,##0.0#
	letters       string // what is neither, in lower case: of a date, an exponent, the word General
	elapsed       bool
}

// parseFormat understands the codes of dates, and those of digits with text around
// them. Others (fractions, exponents, General) show the number plainly.
func parseFormat(code string) numberFormat {
	c := takeApart(code)
	date := strings.ContainsAny(c.letters, "yd")
	hours := strings.ContainsAny(c.letters, "hs") || c.elapsed
	switch {
	case date || hours:
		return numberFormat{date: date, time: hours, elapsed: c.elapsed}
	case strings.Trim(c.letters, "m") == "" && c.letters != "":
		return numberFormat{date: true} // m is a month, except beside hours or seconds
	case c.letters == "" && c.pattern != "":
		return c.digits()
	}
	return numberFormat{}
}

// takeApart reads the first section, which is the one for numbers above zero.
func takeApart(code string) formatCode {
	var c formatCode
	for rest := firstSection(code); rest != ""; {
		var literal string
		switch rest[0] {
		case '"':
			literal, rest, _ = strings.Cut(rest[1:], `"`)
		case '\\':
			literal, rest = firstCharacter(rest[1:])
		case '_', '*': // as wide as the next character, or filled with it
			_, rest = firstCharacter(rest[1:])
		case '[':
			var inside string
			inside, rest, _ = strings.Cut(rest[1:], "]")
			c.elapsed = c.elapsed || inside != "" && strings.Trim(strings.ToLower(inside), inside[:1]) == "" && strings.ContainsAny(inside[:1], "hmsHMS")
			literal = currency(inside)
		case '0', '#', '?', '.', ',', '%':
			if c.after != "" {
				c.letters += "/" // digits, text, digits: nothing we show
			}
			c.pattern, rest = c.pattern+rest[:1], rest[1:]
			continue
		case ' ', '-', '+', '(', ')', ':', '$':
			literal, rest = rest[:1], rest[1:]
		default:
			var letter string
			letter, rest = firstCharacter(rest)
			if letter < "\x80" {
				c.letters += strings.ToLower(letter)
			} else {
				literal = letter
			}
		}
		if c.pattern == "" {
			c.before += literal
		} else {
			c.after += literal
		}
	}
	return c
}

// firstSection ends at the first semicolon outside of quotes.
func firstSection(code string) string {
	quoted := false
	for i := range len(code) {
		switch {
		case code[i] == '"':
			quoted = !quoted
		case code[i] == ';' && !quoted:
			return code[:i]
		}
	}
	return code
}

func firstCharacter(s string) (first, rest string) {
	for i := range s {
		if i > 0 {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// currency is the sign in [$￥-804].
func currency(inside string) string {
	sign, ok := strings.CutPrefix(inside, "$")
	if !ok {
		return ""
	}
	sign, _, _ = strings.Cut(sign, "-")
	return sign
}

// digits reads the pattern.
func (c formatCode) digits() numberFormat {
	pattern, percent := strings.CutSuffix(c.pattern, "%")
	whole, decimals, _ := strings.Cut(pattern, ".")
	if pattern == "" || strings.ContainsAny(decimals, ".,%") || strings.Contains(whole, "%") || strings.HasSuffix(whole, ",") {
		return numberFormat{}
	}
	return numberFormat{digits: true, before: c.before, after: c.after, percent: percent, grouped: strings.Contains(whole, ","),
		whole: strings.Count(whole, "0"), decimals: len(decimals), optional: len(decimals) - len(strings.TrimRight(decimals, "#?"))}
}

// maxDecimals is how many digits behind the point a format may ask for, as in Excel.
const maxDecimals = 30

// show writes v as its format shows it.
func (f numberFormat) show(v float64) string {
	if !f.digits || f.decimals > maxDecimals || f.whole > maxDecimals {
		return plainNumber(v)
	}
	if f.percent {
		v *= 100
	}
	// Twice rounded, as Excel does: 1.005 is shown as 1.01, although the double is a little less.
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', maxDigits, 64), 64)
	text, negative := strings.CutPrefix(roundHalfUp(rounded, f.decimals), "-")
	whole, decimals, _ := strings.Cut(text, ".")
	for n := f.optional; n > 0 && strings.HasSuffix(decimals, "0"); n-- {
		decimals = decimals[:len(decimals)-1]
	}
	whole = strings.Repeat("0", max(0, f.whole-len(whole))) + whole
	if f.grouped {
		whole = group(whole)
	}
	if decimals != "" {
		whole += "." + decimals
	}
	if f.percent {
		whole += "%"
	}
	if whole = f.before + whole + f.after; negative {
		return "-" + whole
	}
	return whole
}

// roundHalfUp rounds the shortest decimal of v.
func roundHalfUp(v float64, decimals int) string {
	plain := strconv.FormatFloat(v, 'f', -1, 64)
	point := strings.IndexByte(plain, '.')
	if point < 0 || len(plain)-point-1 <= decimals {
		return strconv.FormatFloat(v, 'f', decimals, 64)
	}
	if plain[point+1+decimals] != '5' {
		return strconv.FormatFloat(v, 'f', decimals, 64)
	}
	// A half or more goes away from zero: one digit more makes it certain.
	up, _ := strconv.ParseFloat(plain[:point+1+decimals]+"9", 64)
	return strconv.FormatFloat(up, 'f', decimals, 64)
}

// group puts commas between thousands.
func group(whole string) string {
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return whole
}
