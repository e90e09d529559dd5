package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

const recordedRuns = "../../internal/rehearsal/testdata/"

func rehearsed(t *testing.T, more ...string) (string, string, int) {
	t.Helper()
	args := append([]string{"rehearse", "--trajectories", recordedRuns + "trajectories", "--labels", recordedRuns + "labels",
		"--tools", recordedRuns + "tools"}, more...)
	var out, err bytes.Buffer
	code := run(args, streams{out: &out, err: &err})
	return out.String(), err.String(), code
}

func TestRehearsePrintsTheSameBytesEveryTime(t *testing.T) {
	for _, protocol := range []string{"cold", "warm"} {
		first, errors, code := rehearsed(t, "--protocol", protocol, "--json")
		if code != exitDone {
			t.Fatal(code, errors)
		}
		if again, _, _ := rehearsed(t, "--protocol", protocol, "--json"); again != first {
			t.Error("another time the bytes are others")
		}
		var table struct {
			Protocol         string
			Models           []string
			BenignRuns       *int `json:"benign_runs"`
			AttackRuns       *int `json:"attack_runs"`
			Baseline         map[string]any
			HeldLost         map[string]any `json:"held_lost"`
			HeldReleased     map[string]any `json:"held_released"`
			BenignRunsHeld   *float64       `json:"benign_runs_held"`
			BenignRunsHeldCI [2]float64     `json:"benign_runs_held_ci"`
		}
		if err := json.Unmarshal([]byte(first), &table); err != nil {
			t.Fatal(err)
		}
		if table.Protocol != protocol || len(table.Models) != 3 || *table.BenignRuns != 9 || *table.AttackRuns != 9 || table.BenignRunsHeld == nil {
			t.Errorf("%s", first)
		}
		for name, of := range map[string]map[string]any{"baseline": table.Baseline, "held_lost": table.HeldLost, "held_released": table.HeldReleased} {
			for _, figure := range []string{"utility", "asr"} {
				if _, is := of[figure].(float64); !is {
					t.Errorf("%s.%s is %v", name, figure, of[figure])
				}
				if ends, is := of[figure+"_ci"].([]any); !is || len(ends) != 2 {
					t.Errorf("%s.%s_ci is %v", name, figure, of[figure+"_ci"])
				}
			}
		}
	}
}

func TestRehearseForPeople(t *testing.T) {
	out, errors, code := rehearsed(t, "--protocol", "warm", "--models", "beta,gamma")
	if code != exitDone || !strings.Contains(out, "held calls are lost") || !strings.Contains(out, "guard-sink") || strings.Contains(out, "alpha") {
		t.Errorf("%d %s\n%s", code, errors, out)
	}
	out, errors, code = rehearsed(t, "--protocol", "cold", "--curve")
	if code != exitDone || !strings.Contains(out, "all but guard-sink") || !strings.Contains(out, "no guard") {
		t.Errorf("%d %s\n%s", code, errors, out)
	}
	if _, errors, code = rehearsed(t, "--protocol", "cold", "--models", "omega"); code != exitUsage || !strings.Contains(errors, "omega") {
		t.Errorf("an unknown model: %d %s", code, errors)
	}
	if _, _, code = rehearsed(t, "--protocol", "lukewarm"); code != exitUsage {
		t.Errorf("an unknown protocol: %d", code)
	}
	out, errors, code = rehearsed(t, "--protocol", "cold", "--policies", recordedRuns+"split")
	if code != exitDone || !strings.Contains(out, "rule-recipient-from-content") {
		t.Errorf("%d %s\n%s", code, errors, out)
	}
}

// The directory of the labels goes to the package that scores, and nowhere else.
func TestOnlyTheScoreIsToldWhereTheLabelsAre(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "rehearse.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	mentioned, told := 0, 0
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if n.Sel.Name == "Labels" && isName(n.X, "c") {
				mentioned++
			}
		case *ast.CallExpr:
			f, is := n.Fun.(*ast.SelectorExpr)
			if is && isName(f.X, "score") && f.Sel.Name == "Open" {
				told++
			}
		}
		return true
	})
	if mentioned != 1 || told != 1 {
		t.Errorf("the directory of the labels is mentioned %d times, and the score opens one %d times", mentioned, told)
	}
}

func isName(e ast.Expr, name string) bool {
	id, is := e.(*ast.Ident)
	return is && id.Name == name
}
