package observed

import (
	"slices"
	"strings"
)

// caseDetail is what the receipt of a step of a case says.
type caseDetail struct {
	State       string `json:"state"`
	Grade       string `json:"grade"`
	Requirement string `json:"requirement"`
	Owner       string `json:"owner"`
	Due         string `json:"due"`
	// Change is what the step itself adds, by what it is.
	Change struct {
		Notify  string `json:"notify"`
		Action  string `json:"action"`
		Actions []struct {
			ID    string `json:"id"`
			Owner string `json:"owner"`
			Due   string `json:"due"`
		} `json:"actions"`
		Scope struct {
			Agents []string `json:"agents"`
			Tools  []string `json:"tools"`
		} `json:"scope"`
		Evidence      []string `json:"evidence"`
		Incident      string   `json:"incident"`
		Nonconformity string   `json:"nonconformity"`
	} `json:"change"`
}

// caseMoved applies an event of a nonconformity, an incident or a concern.
func (f *Facts) caseMoved(h happening) {
	var d caseDetail
	h.detail(&d)
	kind, event, _ := strings.Cut(h.event.Name, ".")
	c := f.Cases[h.event.Object.ID]
	if c == nil {
		c = &Case{Kind: kind, ID: h.event.Object.ID, Opened: h.at, Events: map[string]int64{}}
		f.Cases[c.ID] = c
	}
	c.Changed, c.Receipt, c.Events[event] = h.at, h.event.ID, h.at
	c.State, c.Owner, c.Due = d.State, d.Owner, d.Due
	if d.Grade != "" {
		c.Grade = d.Grade
	}
	if d.Requirement != "" {
		c.Requirement = d.Requirement
	}
	if d.Change.Notify != "" {
		c.Notify = d.Change.Notify
	}
	if c.Closed = 0; over(c.State) {
		c.Closed = h.at
	}
	c.mention(d)
	c.act(event, d, h.at)
}

// over says whether nothing is to be done any more in a state.
func over(state string) bool {
	return slices.Contains([]string{"closed", "withdrawn", "waived", "merged"}, state)
}

// mention notes what a case is about.
func (c *Case) mention(d caseDetail) {
	about := slices.Clone(d.Change.Evidence)
	for _, agent := range d.Change.Scope.Agents {
		about = append(about, "agent/"+agent)
	}
	for _, tool := range d.Change.Scope.Tools {
		about = append(about, "tool/"+tool)
	}
	if d.Change.Incident != "" {
		about = append(about, "incident/"+d.Change.Incident)
	}
	if d.Change.Nonconformity != "" {
		about = append(about, "nonconformity/"+d.Change.Nonconformity)
	}
	for _, a := range about {
		if !slices.Contains(c.About, a) {
			c.About = append(c.About, a)
		}
	}
}

// act notes what an event says of the actions of a case.
func (c *Case) act(event string, d caseDetail, at int64) {
	if event == "planned" { // another plan replaces what of the one before is not done
		c.Actions = slices.DeleteFunc(c.Actions, func(a CaseAction) bool { return a.Implemented == 0 })
		for _, a := range d.Change.Actions {
			c.Actions = append(c.Actions, CaseAction{ID: a.ID, Owner: a.Owner, Due: a.Due})
		}
	}
	for i := range c.Actions {
		a := &c.Actions[i]
		switch {
		case (event == "acted" || event == "implemented") && a.ID == d.Change.Action:
			a.Implemented = at
		case event == "verified" && a.Implemented > 0 && a.Effective == 0:
			a.Effective = at
		}
	}
}
