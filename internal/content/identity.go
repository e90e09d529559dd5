package content

import "strings"

// ibanLengths are the countries of the IBAN registry (ISO 13616) with the
// lengths of their numbers.
const ibanLengths = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28" +
	"HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29" +
	"RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30"

// iban reports whether b begins with an International Bank Account Number, in
// one piece or in groups: a country, its length, and the check digits of ISO 7064.
func iban(b []byte) bool {
	if len(b) < 15 || !isUpper(b[1]) || !isDigit(b[2]) || !isDigit(b[3]) {
		return false
	}
	at := -1
	for i := 0; i < len(ibanLengths); i += 4 {
		if ibanLengths[i:i+2] == string(b[:2]) {
			at = i + 2
			break
		}
	}
	if at < 0 {
		return false
	}
	want := int(ibanLengths[at]-'0')*10 + int(ibanLengths[at+1]-'0')
	var chars [34]byte
	n, i := 0, 0
	for ; i < len(b) && n < want; i++ {
		switch c := b[i]; {
		case isDigit(c) || isUpper(c):
			chars[n] = c
			n++
		case (c == ' ' || c == '-') && n >= 4 && b[i-1] != ' ' && b[i-1] != '-':
		default:
			return false
		}
	}
	return n == want && endsAt(b, i) && mod97(append(chars[4:n:n], chars[:4]...)) == 1
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// mod97 reads letters as two digits.
func mod97(chars []byte) int {
	m := 0
	for _, c := range chars {
		if isDigit(c) {
			m = (m*10 + int(c-'0')) % 97
		} else {
			m = (m*100 + int(c-'A') + 10) % 97
		}
	}
	return m
}

// identity reports whether the number is one that a state gives its people and
// that has check digits.
func identity(d *number, b []byte) bool {
	v := d.digits[:]
	switch {
	case d.one(11, b):
		return german(v) || pesel(v) || norwegian(v) || belgian(v)
	case d.is("2.2.2-3.2", b):
		return belgian(v)
	case d.is("3.3.3-2", b):
		return brazilian(v)
	case d.is("3.4.4.2", b):
		return v[0] == 7 && v[1] == 5 && v[2] == 6 && weighted(v[:13], "1313131313131")%10 == 0 // Switzerland
	case d.is("4 4 4", b):
		return v[0] > 1 && verhoeff(v[:12]) // India
	case d.is("6-4", b):
		return dated(v[2:]) && luhn(v[:10]) // Sweden
	case d.one(15, b), d.is("1 2 2 2 3 3 2", b):
		return french(v)
	case d.one(18, b):
		return chinese(v, int(v[17]))
	case d.n == 1 && d.groups[0] == 17 && len(b) > 17 && b[17] == 'X' && endsAt(b, 18):
		return chinese(v, 10)
	case d.n == 1 && d.groups[0] == 8 && len(b) > 8 && isUpper(b[8]) && endsAt(b, 9):
		return dni(v[:8], b[8])
	case d.n > 0 && d.groups[0] == 6 && len(b) >= 11:
		return finnish(v, b)
	}
	return false
}

// dated reports whether v begins with a month and a day.
func dated(v []byte) bool { return calendar(v, 12) }

func calendar(v []byte, months int) bool {
	month, day := int(v[0])*10+int(v[1]), int(v[2])*10+int(v[3])
	return month >= 1 && month <= months && day >= 1 && day <= 31
}

// weighted is the sum of digits times weights, given as digits.
func weighted(v []byte, weights string) int {
	sum := 0
	for i := range weights {
		sum += int(v[i]) * int(weights[i]-'0')
	}
	return sum
}

// value is the number that the digits are.
func value(v []byte) int {
	n := 0
	for _, d := range v {
		n = n*10 + int(d)
	}
	return n
}

// german: eleven digits of which among the first ten exactly one stands twice
// or three times, with the check digit of ISO 7064 MOD 11,10.
func german(v []byte) bool {
	var times [10]int
	p := 10
	for _, d := range v[:10] {
		times[d]++
		if p = (int(d) + p) % 10; p == 0 {
			p = 10
		}
		p = p * 2 % 11
	}
	repeated := 0
	for _, n := range times {
		if n > 3 {
			return false
		}
		if n > 1 {
			repeated++
		}
	}
	return v[0] != 0 && repeated == 1 && (11-p)%10 == int(v[10])
}

// pesel of Poland: a date whose month also says the century.
func pesel(v []byte) bool {
	month := []byte{v[2] % 2, v[3], v[4], v[5]}
	return dated(month) && (10-weighted(v, "1379137913")%10)%10 == int(v[10])
}

func norwegian(v []byte) bool {
	date := []byte{v[2], v[3], v[0], v[1]}
	return dated(date) && weighted(v, "3761894521")%11 == 0 && weighted(v, "54327654321")%11 == 0
}

// belgian: people born from 2000 on have a 2 in front of what is checked.
func belgian(v []byte) bool {
	n, check := value(v[:9]), value(v[9:11])
	return dated(v[2:]) && (97-n%97 == check || 97-(2_000_000_000+n)%97 == check)
}

func brazilian(v []byte) bool {
	same := true
	for _, d := range v[1:11] {
		same = same && d == v[0]
	}
	check := func(n int) bool {
		sum := 0
		for i := range n {
			sum += int(v[i]) * (n + 1 - i)
		}
		return sum*10%11%10 == int(v[n])
	}
	return !same && check(9) && check(10)
}

// french: sex, year, month, place, order and a key; overseas months go on to 99.
func french(v []byte) bool {
	month := int(v[3])*10 + int(v[4])
	return (v[0] == 1 || v[0] == 2) && month >= 1 && (month <= 12 || month >= 20) && 97-value(v[:13])%97 == value(v[13:15])
}

func chinese(v []byte, check int) bool {
	sum := 0
	for i, w := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(v[i]) * w
	}
	year := value(v[6:10])
	return v[0] > 0 && year >= 1900 && year < 2100 && dated(v[10:]) && (12-sum%11)%11 == check
}

const dniLetters = "TRWAGMYFPDXBNJZSQVHLCKE"

// dni of Spain: eight digits and the letter that stands for them modulo 23.
func dni(v []byte, letter byte) bool { return dniLetters[value(v)%23] == letter }

// spanish is a foreigner's number: X, Y or Z instead of the first digit.
func spanish(b []byte) bool {
	first := strings.IndexByte("XYZ", b[0])
	if first < 0 || len(b) < 9 || !isUpper(b[8]) || !endsAt(b, 9) {
		return false
	}
	v := []byte{byte(first)}
	for _, c := range b[1:8] {
		if !isDigit(c) {
			return false
		}
		v = append(v, c-'0')
	}
	return dni(v, b[8])
}

// finnish: a date, a sign for the century, an order and a letter modulo 31.
func finnish(v, b []byte) bool {
	date := []byte{v[2], v[3], v[0], v[1]}
	if !dated(date) || strings.IndexByte("+-ABCDEFYXWVU", b[6]) < 0 || !endsAt(b, 11) {
		return false
	}
	n := value(v[:6])
	for _, c := range b[7:10] {
		if !isDigit(c) {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return "0123456789ABCDEFHJKLMNPRSTUVWXY"[n%31] == b[10]
}

// fiscalCode of Italy: letters and digits in a fixed order, and a check letter.
func fiscalCode(b []byte) bool {
	const form = "AAAAAA00A00A000A"
	const odd = "BAKPLCQDREVOSFTGUHMINJWZYX" // at odd places a character counts its place in here
	if len(b) < len(form) || !endsAt(b, len(form)) {
		return false
	}
	sum := 0
	for i := range form {
		c := b[i]
		if form[i] == 'A' && !isUpper(c) || form[i] == '0' && !isDigit(c) && strings.IndexByte("LMNPQRSTUV", c) < 0 {
			return false
		}
		if i == len(form)-1 {
			break
		}
		v := c - 'A'
		if isDigit(c) {
			v = c - '0'
		}
		if i%2 == 0 {
			sum += strings.IndexByte(odd, 'A'+v)
		} else {
			sum += int(v)
		}
	}
	return sum%26 == int(b[15]-'A')
}

// verhoeff is the check of the dihedral group D5.
func verhoeff(v []byte) bool {
	const times = "0123456789" + "1234067895" + "2340178956" + "3401289567" + "4012395678" +
		"5987604321" + "6598710432" + "7659821043" + "8765932104" + "9876543210"
	const turned = "0123456789" + "1576283094" + "5803796142" + "8916043527" +
		"9453126870" + "4286573901" + "2793806415" + "7046913258"
	c := 0
	for i := range v {
		c = int(times[c*10+int(turned[i%8*10+int(v[len(v)-1-i])]-'0')] - '0')
	}
	return c == 0
}
