package lookalike_test

import (
	"testing"

	"aims/internal/lookalike"
)

func TestSkeletonsOfWhatLooksTheSameAreEqual(t *testing.T) {
	for _, s := range []string{"раураl", "ｐａｙｐａｌ", "𝗽𝗮𝘆𝗽𝗮𝗹", "pay\u200bpal", "pay\u202epal", "pay\U000E0041pal", "pay\u200dpal", "ꓑaypal"} {
		want := "paypal"
		if s[0] == "ꓑ"[0] {
			want = "Paypal"
		}
		if got := lookalike.Skeleton(s); got != want {
			t.Errorf("Skeleton(%q) = %q, want %q", s, got, want)
		}
	}
	if lookalike.Skeleton("payroll") == lookalike.Skeleton("paypal") {
		t.Error("words that look different have one skeleton")
	}
}

func TestJoinersThatShapeAScriptAreNotHidden(t *testing.T) {
	for _, r := range []rune{'م', 'क', '\u2764', 0xFE0F} {
		if !lookalike.Joins(r) {
			t.Errorf("a joiner after %U shapes text", r)
		}
	}
	for _, r := range []rune{'a', 'я', 'π', '1', ' '} {
		if lookalike.Joins(r) {
			t.Errorf("a joiner after %U only hides", r)
		}
	}
}

func TestEveryLookAlikeReachesASCII(t *testing.T) {
	for r := rune(0x80); r < 0x20000; r++ {
		if p := lookalike.Latin(r); p != r && p >= 0x80 {
			t.Errorf("Latin(%U) = %U, which is not ASCII", r, p)
		}
	}
}
