package corrective

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"aims/internal/aims"
)

// every state and event that there is, of any kind.
func vocabulary() (states []State, events []Event) {
	seenStates, seenEvents := map[State]bool{}, map[Event]bool{}
	for _, m := range []machine{nonconformityLife, opportunityLife, actionLife, incidentLife, concernLife} {
		for s, by := range m {
			seenStates[s] = true
			for e, to := range by {
				seenEvents[e], seenStates[to] = true, true
			}
		}
	}
	return slices.Sorted(maps.Keys(seenStates)), slices.Sorted(maps.Keys(seenEvents))
}

// allowed is what may happen, written down once more by hand, as state event →
// state; everything else must be refused.
var allowed = map[string]string{
	"nonconformity": `
raised→raised; raised observed→raised; raised corrected→corrected; raised withdrawn→withdrawn; raised waived→waived;
corrected observed→corrected; corrected analysed→analysed; corrected merged→merged; corrected withdrawn→withdrawn; corrected waived→waived;
analysed observed→analysed; analysed analysed→analysed; analysed merged→merged; analysed planned→planned; analysed waived→waived;
planned observed→planned; planned planned→planned; planned acted→planned; planned implemented→implemented; planned waived→waived;
implemented verified→verified; implemented refuted→reopened; implemented reopened→reopened; implemented recurred→reopened;
verified closed→closed; verified reopened→reopened; verified recurred→reopened;
closed reopened→reopened; closed recurred→reopened;
reopened observed→reopened; reopened corrected→corrected; reopened waived→waived;
withdrawn reopened→reopened; waived reopened→reopened`,
	"opportunity": `
raised→raised; raised planned→planned; raised withdrawn→withdrawn; raised waived→waived;
planned planned→planned; planned acted→planned; planned implemented→implemented; planned waived→waived;
implemented verified→verified; implemented refuted→reopened; implemented reopened→reopened;
verified closed→closed; verified reopened→reopened; closed reopened→reopened;
reopened planned→planned; reopened waived→waived; withdrawn reopened→reopened; waived reopened→reopened`,
	"action": `
planned→planned; planned planned→dropped; planned acted→implemented; planned implemented→implemented; planned waived→dropped;
implemented verified→effective; implemented refuted→ineffective`,
	"incident": `
reported→reported; reported noted→reported; reported assessed→reported; reported decided→reported; reported notified→reported; reported linked→reported;
reported contained→contained; reported resolved→resolved;
contained noted→contained; contained assessed→contained; contained decided→contained; contained notified→contained; contained linked→contained;
contained resolved→resolved;
resolved noted→resolved; resolved assessed→resolved; resolved decided→resolved; resolved notified→resolved; resolved linked→resolved;
resolved closed→closed; resolved reopened→reported; closed reopened→reported`,
	"concern": `
reported→reported; reported supplemented→reported; reported acknowledged→acknowledged;
acknowledged supplemented→acknowledged; acknowledged triaged→triaged;
triaged supplemented→triaged; triaged triaged→triaged; triaged answered→answered; triaged closed→closed;
answered supplemented→triaged; answered answered→answered; answered closed→closed`,
}

// Every pair of a state and an event, of every kind: what is not written down
// is refused as a conflict.
func TestEveryStateAndEvent(t *testing.T) {
	states, events := vocabulary()
	lives := map[string]machine{
		"nonconformity": nonconformityLife, "opportunity": opportunityLife, "action": actionLife, "incident": incidentLife, "concern": concernLife,
	}
	for kind, life := range lives {
		want := map[string]State{}
		for _, pair := range splitPairs(allowed[kind]) {
			want[pair[0]] = State(pair[1])
		}
		for _, s := range states {
			for _, e := range events {
				pair := string(s) + " " + string(e)
				if s == "" {
					pair = string(e)
				}
				to, err := life.next(kind, s, e)
				if code, _ := aims.Public(err); err != nil && code != aims.Conflict {
					t.Errorf("%s, %s: %v", kind, pair, err)
				}
				if to != want[pair] || (err == nil) != (want[pair] != "") {
					t.Errorf("%s, %s: leads to %q, %v; want %q", kind, pair, to, err, want[pair])
				}
			}
		}
	}
}

func splitPairs(text string) (pairs [][2]string) {
	field := [2]string{}
	at := 0
	flush := func() {
		if field[0] != "" {
			pairs = append(pairs, field)
		}
		field, at = [2]string{}, 0
	}
	for _, r := range text {
		switch {
		case r == ';':
			flush()
		case r == '→':
			at = 1
		case r == '\n' || r == ' ' && field[at] == "":
		default:
			field[at] += string(r)
		}
	}
	flush()
	return pairs
}

// Each part of a proof that does not hold is named, and one is enough.
func TestProofNamesWhatFails(t *testing.T) {
	good := PolicyProof{
		Policy: "sha256:set", Bundle: "sha256:bundle", Case: "rcp_1", Before: "allow", After: "hold",
		Replay:    ReplayProof{Policy: "sha256:set", Decided: 5, Changed: 1, List: "sha256:list"},
		Rehearsal: RehearsalProof{Bundle: "sha256:bundle", Library: "sha256:lib", Scenarios: 3, AsExpected: 3},
	}
	if err := good.holds("rcp_1", "sha256:set"); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*PolicyProof){
		"the policy in force is another one":        func(p *PolicyProof) { p.Policy, p.Replay.Policy = "sha256:old", "sha256:old" },
		"the recorded case is another call":         func(p *PolicyProof) { p.Case = "rcp_2" },
		"the recorded case was refused already":     func(p *PolicyProof) { p.Before = "deny" },
		"the recorded case is still allowed":        func(p *PolicyProof) { p.After = "allow" },
		"the history was not replayed":              func(p *PolicyProof) { p.Replay.Policy = "sha256:other" },
		"the history replay decided no call":        func(p *PolicyProof) { p.Replay.Decided = 0 },
		"the threat model was not rehearsed":        func(p *PolicyProof) { p.Rehearsal.Bundle = "sha256:other" },
		"the rehearsal does not pass: 1 scenario d": func(p *PolicyProof) { p.Rehearsal.AsExpected = 2 },
	} {
		p := good
		spoil(&p)
		wrong := p.failing("rcp_1", "sha256:set")
		if len(wrong) != 1 || !hasPrefix(wrong[0], want) {
			t.Errorf("%s: %q", want, wrong)
		}
		if p.holds("rcp_1", "sha256:set") == nil {
			t.Errorf("%s: it holds", want)
		}
	}
	if (PolicyProof{}).holds("", "") == nil {
		t.Error("no proof at all holds")
	}
	if _, err := (&Corrective{}).prove(context.Background(), "rcp_1"); err == nil {
		t.Error("without a prover there is a proof")
	}
}

func hasPrefix(text, prefix string) bool {
	return len(text) >= len(prefix) && text[:len(prefix)] == prefix
}

// A step that does not follow the one before is refused, whatever it is.
func TestStepsFollowEachOther(t *testing.T) {
	n := &Nonconformity{Head: Head{ID: "nc_1"}}
	s := CaseStep{Number: 2, Event: WasRaised, Change: []byte(`{}`)}
	if take(n, Options{}, s) == nil {
		t.Error("the second step came first")
	}
	s = CaseStep{Number: 1, Event: WasVerified, Change: []byte(`{}`)}
	if err := take(n, Options{}, s); err == nil || n.State != "" {
		t.Errorf("a nonconformity began as verified: %s, %v", n.State, err)
	}
	if text := fmt.Sprint(n.Steps); text != "[]" {
		t.Errorf("steps: %s", text)
	}
}
