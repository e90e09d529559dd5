package pdp

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go/types"
)

// The functions here turn JSON scalars into Cedar values, exactly or not at
// all. Their errors are nouns that complete "expected …, got …", and never
// quote the value.

var (
	errRange    = errors.New("a number out of range")
	errFraction = errors.New("a number with a fraction")
	errPlaces   = errors.New("a number with more decimal places")
	errText     = errors.New("another string")
)

// digitsOf splits a JSON number into its significant digits, without leading
// or trailing zeros, and the power of ten of the last one. Zero has no digits.
func digitsOf(literal string) (negative bool, digits string, exponent int, err error) {
	literal, negative = strings.CutPrefix(literal, "-")
	mantissa, power, hasPower := strings.Cut(strings.ToLower(literal), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	trimmed := strings.TrimRight(digits, "0")
	if trimmed == "" {
		return negative, "", 0, nil
	}
	if hasPower {
		// An exponent beyond an int is beyond every range here.
		if exponent, err = strconv.Atoi(power); err != nil || exponent > 1<<20 || exponent < -1<<20 {
			return negative, "", 0, errRange
		}
	}
	return negative, trimmed, exponent - len(fraction) + len(digits) - len(trimmed), nil
}

// scaled is the literal × 10^places as an integer.
func scaled(literal string, places int) (int64, error) {
	negative, digits, exponent, err := digitsOf(literal)
	if err != nil || digits == "" {
		return 0, err
	}
	exponent += places
	if exponent < 0 {
		return 0, errPlaces
	}
	const most = 19 // digits of an int64
	if len(digits)+exponent > most {
		return 0, errRange
	}
	digits += strings.Repeat("0", exponent)
	if negative {
		digits = "-" + digits
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, errRange
	}
	return n, nil
}

// exactLong reads an integer. 5.0 and 5e0 are integers too (JSON Schema
// validation, §6.1.1).
func exactLong(literal string) (int64, error) {
	n, err := scaled(literal, 0)
	if err == errPlaces {
		err = errFraction
	}
	return n, err
}

func exactDecimal(literal string) (types.Decimal, error) {
	n, err := scaled(literal, 4)
	if err != nil {
		return types.Decimal{}, err
	}
	d, err := types.NewDecimal(n, -4)
	if err != nil {
		return types.Decimal{}, errRange
	}
	return d, nil
}

// exactDatetime reads a date, or a date and time, of RFC 3339 §5.6.
func exactDatetime(text string) (types.Datetime, error) {
	layout := time.DateOnly
	if len(text) != len(layout) {
		layout = time.RFC3339Nano
		text = strings.ToUpper(text) // the T and the Z may be in lower case
		if !isTimestamp(text) {
			return types.Datetime{}, errText
		}
	}
	t, err := time.Parse(layout, text)
	if err != nil {
		return types.Datetime{}, errText
	}
	if t.Nanosecond()%int(time.Millisecond) != 0 || finer(text) {
		return types.Datetime{}, errors.New("a finer date and time")
	}
	return types.NewDatetime(t), nil
}

// isTimestamp checks the form of a date and time, where package time is more
// lenient than RFC 3339: it takes a comma for the point, hours of one digit and
// offsets of a whole day.
func isTimestamp(text string) bool {
	const form = "0000-00-00T00:00:00"
	if len(text) <= len(form) || !alike(text[:len(form)], form) {
		return false
	}
	rest := text[len(form):]
	if fraction, ok := strings.CutPrefix(rest, "."); ok {
		rest = strings.TrimLeft(fraction, "0123456789")
		if len(rest) == len(fraction) {
			return false
		}
	}
	return rest == "Z" || (alike(rest, "+00:00") || alike(rest, "-00:00")) && rest[1:3] < "24"
}

// alike says that text has a digit where form has one and else the same bytes.
func alike(text, form string) bool {
	if len(text) != len(form) {
		return false
	}
	for i := range len(form) {
		if digit := '0' <= text[i] && text[i] <= '9'; form[i] == '0' && !digit || form[i] != '0' && text[i] != form[i] {
			return false
		}
	}
	return true
}

// finer says that seconds have a digit other than 0 beyond nanoseconds, where
// Go no longer looks.
func finer(text string) bool {
	_, fraction, ok := strings.Cut(text, ".")
	if !ok {
		return false
	}
	end := strings.IndexAny(fraction, "Z+-")
	return end > 9 && strings.Trim(fraction[9:end], "0") != ""
}

// exactDuration reads an ISO 8601 duration as RFC 3339 appendix A writes it,
// with decimals of seconds allowed. Years and months have no fixed length.
func exactDuration(text string) (types.Duration, error) {
	rest, ok := strings.CutPrefix(text, "P")
	if !ok || rest == "" || strings.HasSuffix(rest, "T") {
		return types.Duration{}, errText
	}
	units := []struct {
		letter byte
		time   bool
		millis int64
	}{
		{'W', false, 7 * 24 * 3600_000}, {'D', false, 24 * 3600_000},
		{'H', true, 3600_000}, {'M', true, 60_000}, {'S', true, 1000},
	}
	var total int64
	inTime := false
	for rest != "" {
		if !inTime && rest[0] == 'T' {
			inTime, rest = true, rest[1:]
			continue
		}
		n := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if n < 1 {
			return types.Duration{}, errText
		}
		number, letter := rest[:n], rest[n]
		rest = rest[n+1:]
		for len(units) > 0 && (units[0].letter != letter || units[0].time != inTime) {
			units = units[1:]
		}
		if len(units) == 0 {
			return types.Duration{}, errText // unknown, repeated or out of order
		}
		millis, err := quantity(number, units[0].millis)
		if err != nil {
			return types.Duration{}, err
		}
		units = units[1:]
		if total > math.MaxInt64-millis {
			return types.Duration{}, errors.New("a duration out of range")
		}
		total += millis
	}
	return types.NewDurationFromMillis(total), nil
}

// quantity is a number of a unit in milliseconds. Only seconds have decimals.
func quantity(number string, unit int64) (int64, error) {
	whole, fraction, decimal := strings.Cut(number, ".")
	if whole == "" || decimal && (fraction == "" || unit != 1000 || strings.Contains(fraction, ".")) {
		return 0, errText
	}
	places := 0
	if decimal {
		places, unit = 3, 1
	}
	n, err := scaled(number, places)
	switch {
	case err == errPlaces:
		return 0, errors.New("a finer duration")
	case err != nil || n > math.MaxInt64/unit:
		return 0, errors.New("a duration out of range")
	}
	return n * unit, nil
}
