package inventory_test

import (
	"testing"

	"aims/internal/inventory"
)

// Every pair of a stage and an event, so that a new edge is a line that somebody writes here.
func TestNextForEveryPair(t *testing.T) {
	const none = ""
	events := []inventory.LifeEvent{
		inventory.ToDesign, inventory.ToDevelopment, inventory.ToVerification, inventory.ToDeployment,
		inventory.ToSuspension, inventory.FromSuspension, inventory.ToRetirement,
	}
	table := map[string][]string{
		//              design    develop        verify          deploy      suspend      resume      retire
		"":             {"design", "development", "verification", "deployed", none, none, none},
		"design":       {none, "development", none, none, none, none, "retired"},
		"development":  {"design", none, "verification", none, none, none, "retired"},
		"verification": {none, "development", none, "deployed", none, none, "retired"},
		"deployed":     {none, "development", "verification", none, "suspended", none, "retired"},
		"suspended":    {none, "development", "verification", none, none, "deployed", "retired"},
		"retired":      {none, none, none, none, none, none, none},
		"elsewhere":    {none, none, none, none, none, none, none},
	}
	for _, stage := range append([]string{"", "elsewhere"}, inventory.Stages()...) {
		for n, event := range events {
			want := table[stage][n]
			if next, ok := inventory.Next(stage, event); next != want || ok != (want != none) {
				t.Errorf("from %q, %s leads to %q (%v), want %q", stage, event, next, ok, want)
			}
		}
		if next, ok := inventory.Next(stage, "promote"); ok {
			t.Errorf("from %q, an event that there is not leads to %q", stage, next)
		}
	}
	if len(table) != len(inventory.Stages())+2 || len(events) != len(inventory.LifeEvents()) {
		t.Error("a stage or an event is not in the table")
	}
}
