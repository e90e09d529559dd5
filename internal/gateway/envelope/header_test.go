package envelope

import "testing"

func TestHeaderValue(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "greet": "greet", "get-sum": "get-sum", "a b": "a b", " a": "=?base64?IGE=?=", "grüß": "=?base64?Z3LDvMOf?=",
		"a\nb": "=?base64?YQpi?=", "a\r\nX: y": "=?base64?YQ0KWDogeQ==?=",
		"=?base64?YQ==?=": "=?base64?PT9iYXNlNjQ/WVE9PT89?=", "=?base64?YQ==": "=?base64?PT9iYXNlNjQ/WVE9PQ==?=",
	} {
		got := HeaderValue(in)
		if got != want {
			t.Errorf("%q stands in a header as %q, want %q", in, got, want)
		}
		if text, ok := HeaderText(got); !ok || text != in {
			t.Errorf("%q is read as %q", got, text)
		}
	}
	for _, malformed := range []string{"=?base64?!?=", "=?base64?YQ?=", "=?base64?Y Q==?="} {
		if text, ok := HeaderText(malformed); ok {
			t.Errorf("%q is read as %q", malformed, text)
		}
	}
}
