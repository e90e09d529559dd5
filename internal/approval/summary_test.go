package approval_test

import (
	"strings"
	"testing"

	"aims/authz"
	"aims/internal/approval"
)

func TestSummarySaysWhyAndWhat(t *testing.T) {
	reasons := []authz.Reason{
		{Policy: "large", Effect: "forbid", Text: "payments from 100 wait", Hold: "treasurer"},
		{Policy: "quiet", Effect: "forbid", Hold: "security"},
	}
	redact := strings.NewReplacer("hunter2", "[secret]").Replace
	got := approval.Summary([]string{"has read: untrusted\nwhy: a lie"}, reasons, []byte(`{ "amount": 500, "password": "hunter2" }`), redact)
	want := `has read: untrusted\u000awhy: a lie` + "\nwhy: payments from 100 wait (large, released by treasurer)\nwhy: policy quiet (quiet, released by security)\n" +
		`arguments: {"amount":500,"password":"[secret]"}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSummaryHasParts(t *testing.T) {
	for summary, want := range map[string][2]string{
		"why: x\narguments: {}":           {"why: x", "arguments: {}"},
		"arguments: {}":                   {"", "arguments: {}"},
		"why: x":                          {"why: x", ""},
		"":                                {"", ""},
		"why: arguments: x\narguments: y": {"why: arguments: x", "arguments: y"},
	} {
		if why, arguments := (approval.Request{Summary: summary}).Parts(); why != want[0] || arguments != want[1] {
			t.Errorf("%q: %q and %q", summary, why, arguments)
		}
	}
}

// The arguments are what an attacker may have written: they must not look like
// anything else.
func TestSummaryKeepsArgumentsInTheirPlace(t *testing.T) {
	none := func(s string) string { return s }
	for what, arguments := range map[string]string{
		"lines":             "{\"a\":\"x\\narguments: {}\\nwhy: nothing\"}",
		"right to left":     "{\"a\":\"\u202egnihton\"}",
		"zero width":        "{\"a\":\"pay\u200bpal\ufeff\u2060\"}",
		"tags":              "{\"a\":\"\U000e0041\U000e007f\"}",
		"fillers":           "{\"a\":\"\u3164\u115f\ufe0f\"}",
		"no JSON":           "\x1b[2Jpay\r\nwhy: fine",
		"line separator":    "{\"a\":\"\u2028why: fine\u0085\"}",
		"terminal escape":   "{\"a\":\"\x1b]0;x\x07\"}",
		"broken UTF-8":      "{\"a\":\"\xff\xfe\"}",
		"a very long text":  `{"a":"` + strings.Repeat("ä", 1<<20) + `"}`,
		"very many members": `[` + strings.Repeat("1,", 1<<20) + `1]`,
	} {
		got := approval.Summary(nil, nil, []byte(arguments), none)
		line, ok := strings.CutPrefix(got, "arguments: ")
		if !ok || len(got) > 5000 {
			t.Fatalf("%s: %d bytes: %.80s", what, len(got), got)
		}
		for _, r := range line {
			if r < ' ' || strings.ContainsRune("\u202e\u200b\ufeff\u2060\u3164\u115f\ufe0f\u2028\u0085\u007f\ufffd\U000e0041\U000e007f", r) {
				t.Errorf("%s: shows %U: %.80q", what, r, line)
			}
		}
		if len(arguments) > 5000 && !strings.Contains(got, "bytes in all") {
			t.Errorf("%s: does not say that it was cut", what)
		}
	}
	// A secret at the bound is found before the text is cut.
	secret := strings.Repeat("s", 40)
	text := `{"a":"` + strings.Repeat("x", 4070) + secret + strings.Repeat("y", 4000) + `"}`
	got := approval.Summary(nil, nil, []byte(text), func(s string) string { return strings.ReplaceAll(s, secret, "[secret]") })
	if strings.Contains(got, "sss") {
		t.Error("half of a secret is shown")
	}
	if got := approval.Summary(nil, nil, nil, none); got != "arguments: {}" {
		t.Errorf("no arguments: %s", got)
	}
}
