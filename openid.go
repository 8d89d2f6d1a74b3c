package hongyan

// openIDLen is the length of an openid in characters (spec §1).
const openIDLen = 28

// ValidOpenID reports whether s has the form of an openid: 28 characters, an "o"
// first, then letters, digits, "-" and "_".
func ValidOpenID(s string) bool {
	if len(s) != openIDLen || s[0] != 'o' {
		return false
	}
	for i := 1; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
