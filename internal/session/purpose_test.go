package session

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// What is remembered of a purpose is, for every use, whether none, one or
// several runs had it; and what is stored after each step makes it again.
func TestUsesCountRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var u, stored *Uses
		runs := map[Use]map[string]bool{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			run := fmt.Sprint("run ", rapid.IntRange(0, 3).Draw(t, "run"))
			used := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Use {
				return Use{Kind: rapid.SampledFrom([]string{ToolUse, "url"}).Draw(t, "kind"), Value: fmt.Sprint(rapid.IntRange(0, 60).Draw(t, "value"))}
			}), 0, 40).Draw(t, "used")
			before := u
			u = u.with(run, used)
			for _, of := range used {
				if runs[of] == nil {
					runs[of] = map[string]bool{}
				}
				runs[of][run] = true
			}
			for _, m := range u.since(before) {
				stored = stored.put(m)
			}
		}
		several := false
		for of, by := range runs {
			want := min(len(by), 2)
			several = several || want > 1
			if u.Runs(of) != want || stored.Runs(of) != want {
				t.Fatalf("%v: %d, stored %d, want %d", of, u.Runs(of), stored.Runs(of), want)
			}
		}
		if u.Len() != len(runs) || stored.Len() != len(runs) || u.Established() != several || stored.Established() != several {
			t.Fatalf("%d and %d uses, established %v and %v; want %d, %v", u.Len(), stored.Len(), u.Established(), stored.Established(), len(runs), several)
		}
		if u.Runs(Use{Kind: "url", Value: "never"}) != 0 {
			t.Fatal("what nobody used was used")
		}
	})
}

func TestAPurposeRemembersOnlySoMuch(t *testing.T) {
	var u *Uses
	for i := range maxUses + 100 {
		u = u.with("run", []Use{{Kind: "url", Value: fmt.Sprint(i)}})
	}
	if u.Len() != maxUses || u.Runs(Use{Kind: "url", Value: fmt.Sprint(maxUses + 1)}) != 0 {
		t.Errorf("%d uses", u.Len())
	}
	// What is remembered goes on being counted.
	if u = u.with("another", []Use{{Kind: "url", Value: "7"}}); u.Runs(Use{Kind: "url", Value: "7"}) != 2 {
		t.Error("a second run does not count")
	}
}

func TestOtherPurposesAreCounted(t *testing.T) {
	var p purposesOf
	for i := range 3 * maxPurposes {
		p = p.with(fmt.Sprint("purpose ", i/2))
	}
	if len(p) != maxPurposes || p.others("purpose 0") != maxPurposes-1 || p.others("else") != maxPurposes {
		t.Errorf("%v", p)
	}
}
