package approval

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/gowebpki/jcs"

	"aims/internal/aims"
)

// InputDigest is the digest of a call's arguments, "sha256:" and hexadecimal:
// SHA-256 over their canonical form (RFC 8785), so that the order of members,
// spaces and spellings of one number make no difference. No arguments are {}.
//
// It fails with aims.Invalid for what is not JSON or what two parsers could
// read differently: a name given twice, half of a surrogate pair, a number
// that a double cannot hold. Two calls that a tool could tell apart must never
// have one digest.
func InputDigest(arguments []byte) (string, error) {
	if len(arguments) == 0 {
		arguments = []byte("{}")
	}
	canonical, err := jcs.Transform(arguments)
	if err != nil {
		return "", aims.Errorf(aims.Invalid, err, "the arguments are no JSON that every parser reads alike (RFC 8785)")
	}
	if !exactNumbers(arguments) {
		return "", aims.Errorf(aims.Invalid, nil,
			"the arguments hold a number that cannot be written exactly as a double (RFC 8785): expected at most 15 significant digits, or a string")
	}
	sum := sha256.Sum256(canonical)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// exactNumbers says whether every number of a valid JSON text survives being
// a double. RFC 8785 writes 9007199254740993 as 9007199254740992: whoever was
// shown the one would have approved the other.
func exactNumbers(text []byte) bool {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			i = stringEnd(text, i)
		case c == '-' || '0' <= c && c <= '9':
			start := i
			for i < len(text) && strings.IndexByte("+-.eE0123456789", text[i]) >= 0 {
				i++
			}
			if !exact(string(text[start:i])) {
				return false
			}
			i--
		}
	}
	return true
}

// stringEnd is where the closing quote of the string at start stands.
func stringEnd(text []byte, start int) int {
	for i := start + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(text)
}

// exact says whether the shortest text of a number's double is the number.
func exact(literal string) bool {
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return false
	}
	want, ok := normal(literal)
	if !ok {
		return false
	}
	got, ok := normal(strconv.FormatFloat(f, 'e', -1, 64))
	return ok && got == want
}

// decimal is a number as sign × 0.digits × 10^exponent, digits without zeros
// at either end; zero has none.
type decimal struct {
	negative bool
	digits   string
	exponent int
}

func normal(literal string) (decimal, bool) {
	var d decimal
	literal, d.negative = strings.CutPrefix(literal, "-")
	mantissa, exponent := literal, 0
	if i := strings.IndexAny(literal, "eE"); i >= 0 {
		var err error
		mantissa = literal[:i]
		if exponent, err = strconv.Atoi(literal[i+1:]); err != nil {
			return d, strings.Trim(mantissa, "0.") == "" // zero, however it is scaled
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	all := whole + fraction
	digits := strings.TrimLeft(all, "0")
	d.exponent = exponent + len(whole) - (len(all) - len(digits))
	if d.digits = strings.TrimRight(digits, "0"); d.digits == "" {
		return decimal{}, true // zero has no sign in RFC 8785
	}
	return d, true
}
