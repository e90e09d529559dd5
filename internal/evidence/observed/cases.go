package observed

import (
	"slices"
	"strings"
)

// caseMoved applies an event of a nonconformity, an incident or a concern.
func (f *Facts) caseMoved(h happening) {
	var d struct {
		State       string `json:"state"`
		Grade       string `json:"grade"`
		Requirement string `json:"requirement"`
		Owner       string `json:"owner"`
		Due         string `json:"due"`
		Notify      string `json:"notify"`
		Action      string `json:"action"`
		Actions     []struct {
			ID    string `json:"id"`
			Owner string `json:"owner"`
			Due   string `json:"due"`
		} `json:"actions"`
	}
	h.detail(&d)
	kind, event, _ := strings.Cut(h.event.Name, ".")
	c := f.Cases[h.event.Object.ID]
	if c == nil {
		c = &Case{Kind: kind, ID: h.event.Object.ID, Opened: h.at, Events: map[string]int64{}}
		f.Cases[c.ID] = c
	}
	c.Changed, c.Receipt, c.Events[event] = h.at, h.event.ID, h.at
	for to, from := range map[*string]string{&c.State: d.State, &c.Grade: d.Grade, &c.Requirement: d.Requirement, &c.Notify: d.Notify} {
		if from != "" {
			*to = from
		}
	}
	c.Owner, c.Due = d.Owner, d.Due
	if c.Closed = 0; over(c.State) {
		c.Closed = h.at
	}
	if len(d.Actions) > 0 { // another plan replaces the one before
		c.Actions = nil
		for _, a := range d.Actions {
			c.Actions = append(c.Actions, CaseAction{ID: a.ID, Owner: a.Owner, Due: a.Due})
		}
	}
	c.act(event, d.Action, h.at)
}

// over says whether nothing is to be done any more in a state.
func over(state string) bool {
	return slices.Contains([]string{"closed", "withdrawn", "waived", "merged"}, state)
}

// act notes what an event says of an action, or of all that are left.
func (c *Case) act(event, action string, at int64) {
	for i := range c.Actions {
		a := &c.Actions[i]
		switch {
		case event == "acted" && a.ID == action, event == "implemented" && a.Implemented == 0:
			a.Implemented = at
		case event == "verified" && a.Implemented > 0:
			a.Effective = at
		}
	}
}
