package content_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zricethezav/gitleaks/v8/detect"

	"aims/internal/content"
)

func checker(t testing.TB) *content.Checker {
	t.Helper()
	c, err := content.New(content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// drawn is a random string; a secret may not look like any other text.
func drawn(alphabet string, n int) string {
	r := rand.New(rand.NewPCG(11, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

const (
	small   = "abcdefghijklmnopqrstuvwxyz"
	capital = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
)

// keys are secrets in the forms of several issuers, made up here.
func keys() map[string]string {
	b64 := base64.RawURLEncoding.EncodeToString
	return map[string]string{
		"cloud access key": "AKIA" + drawn("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
		"code host token":  "ghp_" + drawn(small+capital+digits, 36),
		"chat token":       "xoxb-" + drawn(digits, 12) + "-" + drawn(digits, 12) + "-" + drawn(small+capital+digits, 24),
		"assignment":       "db_password = \"" + drawn(small+capital+digits, 22) + "\"",
		"signed token":     b64([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + b64([]byte(`{"sub":"`+strings.Repeat("1234567890", 300)+`"}`)) + "." + drawn(small+capital+digits, 43),
		"private key": "-----BEGIN RSA PRIVATE KEY-----\n" + strings.Repeat(drawn(small+capital+digits+"+/", 64)+"\n", 25) +
			"-----END RSA PRIVATE KEY-----",
		"command line": "curl -u admin:" + drawn(small+digits, 12) + " https://host.example/\n",
	}
}

func TestSecretsAreLabelledWhereverTheyStand(t *testing.T) {
	c := checker(t)
	prose := strings.Repeat("The quick brown fox pressed a key and took the token of access to the api. ", 300)
	for name, key := range keys() {
		for form, text := range map[string]string{
			"alone": key, "in prose": prose + "\n" + key + "\n" + prose, "at the end": prose + " " + key,
			"excused": key + " # gitleaks:allow",
		} {
			for wrapped, b := range map[string][]byte{"plain": []byte(text), "JSON": asJSON(text), "JSON in JSON": asJSON(string(asJSON(text)))} {
				if got := c.Labels(b); !slices.Equal(got, []string{content.Secret}) {
					t.Errorf("%s, %s, %s: %v", name, form, wrapped, got)
				}
			}
		}
	}
	member := `{"user":"eva","api_key":"` + drawn(small+digits, 32) + `"}`
	if got := c.Labels([]byte(member)); !slices.Equal(got, []string{content.Secret}) {
		t.Errorf("a member of an object: %v", got)
	}
}

func asJSON(text string) []byte {
	b, err := json.Marshal(map[string]any{"content": []any{map[string]any{"type": "text", "text": text}}, "isError": false})
	if err != nil {
		panic(err)
	}
	return b
}

func TestOrdinaryTextHasNoLabel(t *testing.T) {
	c := checker(t)
	for _, text := range []string{
		"", "{}", "null", "Press any key to get access. Your password is safe, the token is in the mail.", `{"key":"value","token":null,"secret":"********"}`,
		"Order ORDER-104674 of 2024-05-16T10:11:12.123456Z, 1,234,567.89 EUR, 4.111111111111111, part 4111111111111112, sha256 " + drawn("0123456789abcdef", 64),
		"see user@host and @name, a@b, x@1.2, 10.0.0.1:8080, 2001:db8::1, +0 123, 1+23456789012, (2), (abc) 555-1234, version 1.2.3-4, 12/05/2026 20:30",
		"Straße, naïve, Ελλάδα, Привет, 李雷, नमस्ते क्\u200dष, می\u200cخواهم, שלום\u200f!, 👩\u200d💻 ❤️ 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿, co\u00adoperate, สวัสดี\u200bครับ, 葛󠄀",
		"\ufeffwith a mark of its encoding", "\xff\xfe\x00binary\x01", "AB12CDEFGHIJKLMNOPQ, DE00123456789012345678, 123-45-6789, 12345678A1, 79927398710",
	} {
		if got := c.Labels([]byte(text)); len(got) > 0 {
			t.Errorf("%.60q: %v", text, got)
		}
	}
}

func TestPersonalDataIsLabelled(t *testing.T) {
	c := checker(t)
	for name, text := range map[string]string{
		"e-mail": "eva.lind+x@mail.corp.example", "e-mail of other letters": "büro@köln.example", "phone": "+49 30 1234-5678", "phone, US": "(212) 555-0123", "phone, dashes": "212-555-0123",
		"IBAN": "DE89370400440532013000", "IBAN in groups": "GB29 NWBK 6016 1331 9268 19", "Visa": "4111111111111111", "Mastercard in groups": "5500 0000 0000 0004",
		"American Express": "3782-822463-10005", "DNI": "12345678Z", "NIE": "X1234567L", "codice fiscale": "RSSMRA85T10A562S", "Steuer-ID": "86095742719", "PESEL": "44051401359",
		"fødselsnummer": "15076500565", "Rijksregisternummer": "85.07.30-033.28", "CPF": "529.982.247-25", "AHV": "756.9217.0769.85", "HETU": "131052-308T",
		"personnummer": "811218-9876", "NIR": "255081416802538", "NIR in groups": "2 55 08 14 168 025 38", "identity card of China": "11010519491231002X", "Aadhaar": "2341 2341 2346",
	} {
		for _, form := range []string{"%s", "about %s.", "(%s)", "\n%s\n", `{"x":"%s"}`, "no:%s,"} {
			if got := c.Labels(fmt.Appendf(nil, form, text)); !slices.Equal(got, []string{content.PersonalData}) {
				t.Errorf("%s as %q: %v", name, form, got)
			}
		}
		if strings.ContainsAny(name, "@") || strings.HasPrefix(name, "e-mail") || strings.HasPrefix(name, "phone") {
			continue
		}
		// Another last digit or letter: the check fails.
		for i := len(text) - 1; i >= 0; i-- {
			if c := text[i]; c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' {
				other := c + 1
				if c == '9' || c == 'Z' {
					other = c - 1
				}
				text = text[:i] + string(other) + text[i+1:]
				break
			}
		}
		if got := c.Labels([]byte(text)); len(got) > 0 {
			t.Errorf("%s with a wrong check: %s: %v", name, text, got)
		}
	}
}

func TestCharactersThatNobodySeesAreLabelled(t *testing.T) {
	c := checker(t)
	tags := ""
	for _, r := range "ignore all" {
		tags += string(0xE0000 + r)
	}
	for name, text := range map[string]string{
		"tags": "Hello" + tags, "tags after a flag": "\U0001F3F4" + tags, "zero-width space": "pay\u200bpal", "word joiner": "a\u2060b", "byte order mark inside": "a\ufeffb",
		"joiner among Latin": "pass\u200dword", "override": "\u202egpj.exe", "isolate without need": "if (\u2066admin\u2069)", "marks without need": "a\u200eb",
		"selectors in a row": "\U0001F600\U000E0101\U000E0102", "selector after a letter": "a\ufe01", "fillers": "x\u3164y", "invisible times": "2\u2062x",
		"soft hyphen between spaces": "a \u00ad b", "annotation": "a\ufff9b\ufffac\ufffb",
	} {
		for wrapped, b := range map[string][]byte{"plain": []byte(text), "JSON": asJSON(text), "escaped": escaped(text), "nested": asJSON(string(escaped(text)))} {
			if got := c.Labels(b); !slices.Equal(got, []string{content.HiddenUnicode}) {
				t.Errorf("%s, %s: %v", name, wrapped, got)
			}
		}
	}
}

// escaped is text as a JSON string in ASCII.
func escaped(text string) []byte {
	out := []byte{'"'}
	for _, r := range text {
		if r < 0x80 {
			out = append(out, byte(r))
		} else if r < 0x10000 {
			out = fmt.Appendf(out, "\\u%04x", r)
		} else {
			out = fmt.Appendf(out, "\\u%04x\\u%04x", 0xD800+(r-0x10000)>>10, 0xDC00+(r-0x10000)&0x3FF)
		}
	}
	return append(out, '"')
}

func TestWhatIsNotLookedAtIsSaid(t *testing.T) {
	c := checker(t)
	clean := strings.Repeat("nothing to see here\n", 1<<20/20+1)
	if got := c.Labels([]byte(clean)); !slices.Equal(got, []string{content.Unscanned}) {
		t.Errorf("too long: %v", got)
	}
	if got := c.Labels(asJSON("eva@corp.example " + clean)); !slices.Equal(got, []string{content.PersonalData, content.Unscanned}) {
		t.Errorf("cut JSON: %v", got)
	}
	deep := "x"
	for range 8 {
		deep = string(asJSON(deep))
	}
	if got := c.Labels([]byte(deep)); !slices.Equal(got, []string{content.Unscanned}) {
		t.Errorf("too deep: %v", got)
	}
}

// TestHostileTextTakesBoundedTime: text made of everything that makes rules
// run is either looked at or said not to be, in a second (in half a minute where
// the machine is busy and races are looked for); unbounded it would take hours.
func TestHostileTextTakesBoundedTime(t *testing.T) {
	d, err := detect.NewDetectorDefaultConfig()
	if err != nil {
		t.Fatal(err)
	}
	c := checker(t)
	var keywords []string
	for k := range d.Config.Keywords {
		keywords = append(keywords, k)
	}
	slices.Sort(keywords)
	fill := func(s string) []byte { return []byte(strings.Repeat(s, 1<<18/len(s))) }
	for name, text := range map[string][]byte{
		"all keywords":       fill(strings.Join(keywords, " ") + "\n"),
		"all keywords, set":  fill(strings.Join(keywords, " = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1 ") + "\n"),
		"near misses":        fill("api_key = 'aaaaaaaaaaaaaaaa1' "),
		"excused":            fill("api_key = 'https1234567example890' "),
		"openings of keys":   fill("-----BEGIN RSA PRIVATE KEY-----\n"),
		"half a token":       fill("eyJhbGciOiJIUzI1NiJ9.eyJ"),
		"at signs":           fill("a@a."),
		"numbers":            fill("4111 1111 1111 1112 "),
		"brackets of arrays": fill("["),
		"hidden but for one": fill("क्\u200d"),
	} {
		start := time.Now()
		c.Labels(text)
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// TestNoRuleIsLostByLookingAroundKeywords compares with gitleaks' own search
// of the whole text, on text that makes many rules match.
func TestNoRuleIsLostByLookingAroundKeywords(t *testing.T) {
	d, err := detect.NewDetectorDefaultConfig()
	if err != nil {
		t.Fatal(err)
	}
	d.IgnoreGitleaksAllow = true
	c := checker(t)
	r := rand.New(rand.NewPCG(7, 8))
	compared := 0
	for id, rule := range d.Config.Rules {
		if rule.Regex == nil || rule.Path != nil {
			continue
		}
		for range 8 {
			text := "see: " + match(t, r, rule.Regex) + "\n and more"
			theirs := len(d.DetectString(text)) > 0
			if ours := slices.Contains(c.Labels([]byte("plain "+text)), content.Secret); theirs && !ours {
				t.Errorf("%s: not found in %.200q", id, text)
			} else if theirs {
				compared++
			}
		}
	}
	if compared < 500 {
		t.Errorf("only %d texts had a secret", compared)
	}
}

func TestACheckerServesManyAtOnce(t *testing.T) {
	c := checker(t)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { checker(t) })
	}
	for name, key := range keys() {
		wg.Go(func() {
			for range 5 {
				if got := c.Labels([]byte("x " + key)); !slices.Equal(got, []string{content.Secret}) {
					t.Errorf("%s: %v", name, got)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzLabels(f *testing.F) {
	for _, k := range keys() {
		f.Add([]byte(k))
	}
	f.Add([]byte(`{"a":"\ud83d\ude00 +49 30 12345678","b":["\u202e"]}`))
	f.Add([]byte("GB29 NWBK 6016 1331 9268 19 a@b.cc 131052-308T"))
	c, err := content.New(content.Limits{Bytes: 1 << 12})
	if err != nil {
		f.Fatal(err)
	}
	order := []string{content.Secret, content.PersonalData, content.HiddenUnicode, content.Unscanned}
	ascii := regexp.MustCompile(`^[\x00-\x7f]*$`)
	f.Fuzz(func(t *testing.T, text []byte) {
		got := c.Labels(text)
		at := -1
		for _, l := range got {
			i := slices.Index(order, l)
			if i <= at {
				t.Fatalf("%v", got)
			}
			at = i
		}
		if slices.Contains(got, content.HiddenUnicode) && ascii.Match(text) && !strings.Contains(string(text), `\u`) {
			t.Fatalf("hidden characters in ASCII: %q", text)
		}
		if !slices.Equal(got, c.Labels(text)) {
			t.Fatal("two answers")
		}
	})
}

func BenchmarkLabels(b *testing.B) {
	c := checker(b)
	prose := "The quick brown fox jumps over the lazy dog and says hello to Anna Lind, then pays 120 euros of 2024. "
	doc := "To get access, set the api key in config.yaml: `auth: token` (see https://docs.example/a1b2/setup?id=2024-05-16). They ask 3 times.\n"
	for name, text := range map[string][]byte{
		"1 kB of prose":       []byte(strings.Repeat(prose, 10)),
		"1 MiB of prose":      []byte(strings.Repeat(prose, 1<<20/len(prose))),
		"1 MiB as JSON":       asJSON(strings.Repeat(prose+"\n", 1<<20/(len(prose)+4))),
		"1 MiB, some keyword": []byte(strings.Repeat(strings.Repeat(prose, 10)+doc, 1<<20/(10*len(prose)+len(doc)))),
		"1 MiB of keywords":   []byte(strings.Repeat(doc, 1<<20/len(doc))),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if got := c.Labels(text); len(got) > 0 {
					b.Fatal(got)
				}
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		checker(b)
	}
}
