package record

import (
	"fmt"
	"testing"
)

// story replays changes and marks, each at the next place of the log.
type story struct {
	t *testing.T
	State
	index uint64
}

func (s *story) write(by, title string) string {
	s.t.Helper()
	event := Created
	if _, ok := s.Registers.Get("risk", "r"); ok {
		event = Changed
	}
	s.index++
	body := fmt.Sprintf(`{"changes":[{"kind":"risk","id":"r","event":%q,"record":{"id":"r","title":%q}}]}`, event, title)
	if err := s.ApplyChange([]byte(body), Version{By: by, Index: s.index}); err != nil {
		s.t.Fatal(err)
	}
	return s.Versions[Key{"risk", "r"}].Digest
}

func (s *story) remove(by string) {
	s.t.Helper()
	s.index++
	if err := s.ApplyChange([]byte(`{"changes":[{"kind":"risk","id":"r","event":"removed"}]}`), Version{By: by, Index: s.index}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) mark(kind MarkKind, by, digest string) {
	s.t.Helper()
	s.index++
	if err := s.ApplyMark(Mark{Kind: kind, On: "risk", ID: "r", By: by, Digest: digest, Index: s.index}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) approver() string {
	m, ok := s.Approved("risk", "r")
	if !ok {
		return ""
	}
	return m.By
}

func TestWhoseApprovalCounts(t *testing.T) {
	for name, c := range map[string]struct {
		tell func(s *story)
		want string
	}{
		"nobody approved":    {func(s *story) { s.write("ann", "1") }, ""},
		"somebody else":      {func(s *story) { s.mark(Approve, "bob", s.write("ann", "1")) }, "bob"},
		"the author":         {func(s *story) { s.mark(Approve, "ann", s.write("ann", "1")) }, ""},
		"an earlier version": {func(s *story) { s.mark(Approve, "bob", s.write("ann", "1")); s.write("ann", "2") }, ""},
		"the earlier text came back": {func(s *story) {
			s.mark(Approve, "bob", s.write("ann", "1"))
			s.write("eve", "2")
			s.write("eve", "1")
		}, ""},
		"approved before it was written": {func(s *story) {
			d := Digest(Risk{Base: Base{ID: "r"}, Title: "2"})
			s.write("ann", "1")
			s.mark(Approve, "bob", d)
			s.write("ann", "2")
		}, ""},
		"author of a change before": {func(s *story) {
			s.write("bob", "1")
			s.mark(Approve, "bob", s.write("ann", "2"))
		}, ""},
		"author of what others approved since": {func(s *story) {
			s.mark(Approve, "ann", s.write("bob", "1"))
			s.mark(Approve, "bob", s.write("ann", "2"))
		}, "bob"},
		"taken back": {func(s *story) {
			s.mark(Approve, "bob", s.write("ann", "1"))
			s.mark(Withdraw, "bob", "")
		}, ""},
		"taken back by somebody else": {func(s *story) {
			s.mark(Approve, "bob", s.write("ann", "1"))
			s.mark(Withdraw, "eve", "")
		}, "bob"},
		"given again": {func(s *story) {
			d := s.write("ann", "1")
			s.mark(Approve, "bob", d)
			s.mark(Withdraw, "bob", d)
			s.mark(Approve, "bob", d)
		}, "bob"},
		"another version taken back": {func(s *story) {
			old := s.write("ann", "1")
			s.mark(Approve, "bob", s.write("ann", "2"))
			s.mark(Withdraw, "bob", old)
		}, "bob"},
		"the approval that made one free is taken back": {func(s *story) {
			s.mark(Approve, "ann", s.write("bob", "1"))
			d := s.write("eve", "2")
			s.mark(Approve, "bob", d)
			s.mark(Withdraw, "ann", "")
		}, ""},
		"author approves after another did": {func(s *story) {
			d := s.write("ann", "1")
			s.mark(Approve, "bob", d)
			s.mark(Approve, "ann", d)
		}, "bob"},
		"removed and made again": {func(s *story) {
			s.mark(Approve, "bob", s.write("ann", "1"))
			s.remove("eve")
			s.write("eve", "1")
		}, ""},
		"whoever removed it approves": {func(s *story) {
			s.write("ann", "1")
			s.remove("bob")
			s.mark(Approve, "bob", s.write("ann", "1"))
		}, ""},
		"removed":                      {func(s *story) { s.mark(Approve, "bob", s.write("ann", "1")); s.remove("ann") }, ""},
		"an acceptance is no approval": {func(s *story) { s.mark(Accept, "bob", s.write("ann", "1")) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &story{t: t}
			c.tell(s)
			if got := s.approver(); got != c.want {
				t.Errorf("approved by %q, want %q", got, c.want)
			}
		})
	}
}

func TestApprovalNeedsAnAuthor(t *testing.T) {
	rec := Risk{Base: Base{ID: "r"}, Title: "1"}
	s := State{Registers: Registers{Risks: []Risk{rec}}, Marks: []Mark{{Kind: Approve, On: "risk", ID: "r", By: "bob", Digest: Digest(rec), Index: 2}}}
	if _, ok := s.Approved("risk", "r"); ok {
		t.Error("approved, and nobody knows who wrote it")
	}
	s.Versions = map[Key]Version{{"risk", "r"}: {Digest: Digest(rec), By: "ann", Index: 1}}
	if _, ok := s.Approved("risk", "r"); !ok {
		t.Error("not approved")
	}
	s.Registers.Risks[0].Title = "changed beside the log"
	if _, ok := s.Approved("risk", "r"); ok {
		t.Error("approved, and the record is not what was seen")
	}
}

func TestAttested(t *testing.T) {
	var s State
	attest := func(kind MarkKind, by string, until Date) {
		if err := s.ApplyMark(Mark{Kind: kind, On: OnRequirement, ID: "5.1", By: by, Until: until, Index: uint64(len(s.Marks) + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, ok := s.Attested("5.1", "2026-01-01"); ok {
		t.Error("nobody attested")
	}
	attest(Attest, "ann", "2026-06-30")
	if _, current, ok := s.Attested("5.1", "2026-06-30"); !current || !ok {
		t.Error("it ends on its last day only")
	}
	if _, current, ok := s.Attested("5.1", "2026-07-01"); current || !ok {
		t.Error("it ended the day before")
	}
	attest(Attest, "bob", "2026-12-31")
	attest(Withdraw, "bob", "")
	if m, current, _ := s.Attested("5.1", "2026-07-01"); current || m.By != "ann" {
		t.Errorf("%+v %v", m, current)
	}
	if _, _, ok := s.Attested("5.2", "2026-01-01"); ok {
		t.Error("another requirement")
	}
}

func TestAcknowledged(t *testing.T) {
	var s State
	doc := func(index uint64, event Event, title string) string {
		body := fmt.Sprintf(`{"changes":[{"kind":"document","id":"d","event":%q,"record":{"id":"d","title":%q}}]}`, event, title)
		if err := s.ApplyChange([]byte(body), Version{By: "ann", Index: index}); err != nil {
			t.Fatal(err)
		}
		return s.Versions[Key{"document", "d"}].Digest
	}
	digest := doc(1, Created, "1")
	for i, by := range []string{"ann", "bob", "cat"} {
		if err := s.ApplyMark(Mark{Kind: Acknowledge, On: "document", ID: "d", By: by, Digest: digest, Index: uint64(2 + i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.ApplyMark(Mark{Kind: Withdraw, On: "document", ID: "d", By: "cat", Index: 5}); err != nil {
		t.Fatal(err)
	}
	if got := s.Acknowledged("d"); len(got) != 2 || got["bob"].Index != 3 {
		t.Errorf("%v", got)
	}
	doc(6, Changed, "2")
	doc(7, Changed, "1")
	if got := s.Acknowledged("d"); len(got) != 0 {
		t.Errorf("read before it was written: %v", got)
	}
}

func TestReplayRefusesWhatNoRegisterWrote(t *testing.T) {
	s := story{t: t}
	s.write("ann", "1")
	for name, body := range map[string]string{
		"no JSON":            `x`,
		"created twice":      `{"changes":[{"kind":"risk","id":"r","event":"created","record":{"id":"r"}}]}`,
		"changed, not there": `{"changes":[{"kind":"risk","id":"q","event":"changed","record":{"id":"q"}}]}`,
		"removed, not there": `{"changes":[{"kind":"risk","id":"q","event":"removed"}]}`,
		"unknown kind":       `{"changes":[{"kind":"riks","id":"q","event":"created","record":{"id":"q"}}]}`,
		"another id":         `{"changes":[{"kind":"risk","id":"q","event":"created","record":{"id":"r"}}]}`,
		"no event":           `{"changes":[{"kind":"risk","id":"q","record":{"id":"q"}}]}`,
		"unknown field":      `{"changes":[{"kind":"risk","id":"q","event":"created","record":{"id":"q","x":1}}]}`,
		"twice in one":       `{"changes":[{"kind":"risk","id":"q","event":"created","record":{"id":"q"}},{"kind":"risk","id":"q","event":"removed"}]}`,
		"half is wrong":      `{"changes":[{"kind":"risk","id":"q","event":"created","record":{"id":"q"}},{"kind":"risk","id":"r","event":"created","record":{"id":"r"}}]}`,
	} {
		before := s.State.Clone()
		if err := s.ApplyChange([]byte(body), Version{By: "ann", Index: 99}); err == nil {
			t.Errorf("%s: taken", name)
		}
		if !before.Registers.Equal(s.Registers) || len(before.Changes) != len(s.Changes) {
			t.Errorf("%s: half applied", name)
		}
	}
	good := []byte(`{"changes":[{"kind":"risk","id":"r","event":"removed"}]}`)
	if s.ApplyChange(good, Version{By: "ann", Index: 1}) == nil || s.ApplyChange(good, Version{Index: 9}) == nil {
		t.Error("taken at a place of the log that was before, or from nobody")
	}
	for _, m := range []Mark{
		{}, {Kind: "bless", By: "a"}, {Kind: Approve, On: "risk", ID: "r", By: "a"}, {Kind: Approve, On: "risk", ID: "r", Digest: "d"},
		{Kind: Attest, On: "risk", ID: "r", By: "a"}, {Kind: Approve, On: OnRequirement, ID: "5.1", By: "a", Digest: "d"},
	} {
		if s.ApplyMark(m) == nil {
			t.Errorf("taken: %+v", m)
		}
	}
}
