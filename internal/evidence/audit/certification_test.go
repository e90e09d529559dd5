package audit

import (
	"testing"

	"aims/internal/register/record"
)

func TestWindowsOfACycle(t *testing.T) {
	held := record.Certification{Stage1: "2024-01-31", Stage2: "2024-04-01", Decided: "2024-05-31", Surveillance1: "2025-05-31"}
	missed := held
	missed.Surveillance1 = "2025-06-01"
	for name, c := range map[string]struct {
		record      record.Certification
		today       record.Date
		stage       string
		before      record.Date
		state       string
		consequence bool
	}{
		"nothing yet":                       {record.Certification{}, "2024-01-01", Stage1, "", "open", false},
		"no decision, no surveillance":      {record.Certification{Stage1: "2024-01-31"}, "2030-01-01", Surveillance1, "", "open", false},
		"on its last day":                   {held, "2025-05-31", Surveillance1, "2025-05-31", "held", false},
		"a day late":                        {missed, "2025-06-02", Surveillance1, "2025-05-31", "missed", true},
		"second within the next year":       {held, "2025-07-01", Surveillance2, "2026-05-31", "due", false},
		"second not held":                   {held, "2026-06-01", Surveillance2, "2026-05-31", "missed", true},
		"before three years":                {held, "2025-07-01", Recertification, "2027-05-30", "open", false},
		"recertification on the third year": {held, "2027-05-31", Recertification, "2027-05-30", "missed", true},
		"stage 2 before stage 1":            {record.Certification{Stage1: "2024-05-01", Stage2: "2024-04-30"}, "2024-06-01", Stage2, "2024-11-01", "missed", true},
		"months that are shorter":           {record.Certification{Stage1: "2024-08-31"}, "2024-09-01", Stage2, "2025-02-28", "due", false},
	} {
		for _, s := range Windows(c.record, c.today) {
			if s.ID == c.stage && (s.Before != c.before || s.State != c.state || (s.Consequence != "") != c.consequence) {
				t.Errorf("%s: before %s, %s, %q; want %s, %s", name, s.Before, s.State, s.Consequence, c.before, c.state)
			}
		}
	}
}

func TestConflictsNameWhatAnAuditorOwns(t *testing.T) {
	r := record.Registers{
		Owners: []record.RequirementOwner{{Base: record.Base{ID: "A.6.2.8", Owner: "ada"}}, {Base: record.Base{ID: "8.3", Owner: "bob"}}},
		Audits: []record.Audit{{Base: record.Base{ID: "a1", Owner: "ada"}}},
	}
	of := func(x record.Audit) string {
		text := ""
		for _, c := range Conflicts(r, x) {
			text += c.String() + ";"
		}
		return text
	}
	if got := of(record.Audit{Lead: "ada", Requirements: []string{"A.6"}}); got != "ada answers for requirement_owner/A.6.2.8;" {
		t.Error(got)
	}
	if got := of(record.Audit{Lead: "ada", Auditors: []string{"bob"}, Requirements: []string{"8"}}); got != "bob answers for requirement_owner/8.3;" {
		t.Error(got)
	}
	if got := of(record.Audit{Lead: "ada", Requirements: []string{"8.3", "9.2"}}); got != "" {
		t.Error("the audit's own record is the auditor's: ", got)
	}
}

func TestCountsThatDoNotAgree(t *testing.T) {
	const minute, end = "2026-11-23T10:05", "2026-11-23T11:00"
	for name, c := range map[string]struct {
		logged, counted uint64
		started         bool
		exceptions      uint64
	}{
		"agree":                                 {5, 5, false, 0},
		"receipts are missing":                  {3, 5, false, 2},
		"receipts that nobody made":             {5, 3, false, 2},
		"a process ended before it stated any":  {5, 3, true, 0},
		"missing also where a process started":  {3, 5, true, 2},
		"no process of that minute ever stated": {5, 0, false, 0},
	} {
		k := newCounts()
		k.logged[minute], k.started[minute] = c.logged, c.started
		if c.counted > 0 {
			k.counted[minute] = c.counted
		}
		at := moment("2026-11-23").Add(11 * 3600e9)
		k.last["p"] = statement{at, end, false}
		r := Result{Until: at}
		k.reconcile(&r)
		if r.Exceptions != c.exceptions {
			t.Errorf("%s: %d exceptions, want %d (%s)", name, r.Exceptions, c.exceptions, r.Note)
		}
	}
}
